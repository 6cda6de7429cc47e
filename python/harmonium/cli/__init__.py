"""The command line: ``harmonium fit``, ``predict``, ``sample``, ``info``, ``demo`` and ``gallery``."""

import contextlib
import os
import sys
from collections.abc import Sequence

from harmonium.cli.errors import CommandError, UsageError
from harmonium.cli.parser import parse

#: What a shell reports of a process that SIGPIPE or SIGINT ended.
_BROKEN_PIPE, _INTERRUPTED = 141, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0 if it did what it was asked for; 2 for wrong arguments, files or data, which are said in one
    line on standard error; 130 if it was interrupted; 141 if nobody read its output to the end.
    No output file is left unfinished in any case.

    Parameters
    ----------
    arguments
        By default those of the process.
    """
    prog = "harmonium"
    try:
        options = parse(arguments)
        prog = options.prog
        code: int = options.run(options)
        sys.stdout.flush()
    except UsageError as error:
        _say(f"{error.command}: error: {error}")
        return 2
    except CommandError as error:
        _say(f"{prog}: error: {error}")
        return 2
    except MemoryError as error:
        _say(f"{prog}: error: there is not enough memory{f': {error}' if str(error) else ''}")
        return 2
    except BrokenPipeError:
        _abandon_output()
        return _BROKEN_PIPE
    except KeyboardInterrupt:
        _say(f"{prog}: interrupted")
        return _INTERRUPTED
    except SystemExit as end:  # --help and --version
        return end.code if isinstance(end.code, int) else 0
    return code


def _say(line: str) -> None:
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr, flush=True)


def _abandon_output() -> None:
    """Let what is still buffered go nowhere, or the interpreter would complain at its end."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
