"""A folder that appears all at once, or not at all."""

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from harmonium.cli.errors import CommandError

#: What people open in a folder that a command wrote.
PAGE = "index.html"


@contextlib.contextmanager
def appearing(output: Path, *, mark: str, what: str) -> Iterator[Path]:
    """Yield an empty folder beside ``output`` to write to, which becomes ``output`` at the end.

    On any exception, KeyboardInterrupt included, it is removed, and what was at ``output`` is as
    before. An empty folder is replaced, and an older one of the same command.

    Parameters
    ----------
    output
        Where the folder is to be.
    mark
        The file that, beside the page, tells a folder of this command from any other.
    what
        What the command writes, such as "demo".

    Raises
    ------
    CommandError
        At once, where ``output`` is something else, or can not be written.
    """
    try:
        target = output.expanduser().resolve()
        _check(target, output, mark, what)
        target.parent.mkdir(parents=True, exist_ok=True)
        # the random name is ours alone
        work = target.parent / f".harmonium-{what}-{secrets.token_hex(8)}.tmp"
        work.mkdir()
    except OSError as error:
        raise CommandError(f"--output: {output}: {error.strerror or error}") from error
    try:
        yield work
        _check(target, output, mark, what)
        _replace(target, work)
    except OSError as error:
        raise CommandError(f"--output: {output}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _check(target: Path, output: Path, mark: str, what: str) -> None:
    if target.exists() and not target.is_dir():
        raise CommandError(f"--output: {output} is a file; a folder is needed")
    if target in (Path.cwd(), *Path.cwd().parents):
        raise CommandError(
            f"--output: {output} is the folder we are in, or around it: name a new one"
        )
    if not target.is_dir() or not any(target.iterdir()):
        return
    if not ((target / mark).is_file() and (target / PAGE).is_file()):
        raise CommandError(
            f"--output: {output} holds something else than a {what}: name a new folder"
        )


def _replace(target: Path, work: Path) -> None:
    """Put the new folder in place of the old one, which comes back where that fails."""
    if not target.exists():
        work.rename(target)
        return
    old = work.with_suffix(".old")
    target.rename(old)
    try:
        work.rename(target)
    except BaseException:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)
