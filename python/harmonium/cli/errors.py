"""What a command says when it cannot go on."""

import contextlib
import re
import unicodedata
from collections.abc import Iterator

from harmonium.errors import ModelFileError


class CommandError(Exception):
    """The command as given, or the data, do not allow it to go on: one line, exit code 2."""


class UsageError(CommandError):
    """The arguments are wrong; ``command`` is the one that they were given to."""

    def __init__(self, message: str, command: str) -> None:
        super().__init__(one_line(f"{message}; see {command} --help"))
        self.command = command


@contextlib.contextmanager
def as_command_errors(prefix: str = "") -> Iterator[None]:
    """Turn the library's own refusals into one line, after ``prefix``."""
    try:
        yield
    except ModelFileError as error:
        raise CommandError(one_line(str(error))) from error
    except ValueError as error:
        raise CommandError(one_line(f"{prefix}{error}")) from error


def one_line(text: str) -> str:
    """Return text without line ends and without what a terminal would act on."""
    return printable(re.sub(r"\s+", " ", text).strip())


def printable(text: str) -> str:
    """Return text in which control characters are spelled out: names of columns are the user's."""
    return "".join(c if _harmless(c) else c.encode("unicode_escape").decode() for c in text)


def _harmless(character: str) -> bool:
    return character == " " or not unicodedata.category(character).startswith(("C", "Zl", "Zp"))
