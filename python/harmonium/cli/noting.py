"""Warnings as lines on standard error."""

import contextlib
import sys
import warnings
from collections.abc import Iterator

from harmonium.cli.errors import one_line


@contextlib.contextmanager
def warnings_as_lines(prefix: str) -> Iterator[None]:
    """Write each different warning given meanwhile as one line, at the end."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")  # what developers are told, users need not hear
        warnings.simplefilter("always", UserWarning)
        warnings.simplefilter("always", RuntimeWarning)
        try:
            yield
        finally:
            for message in dict.fromkeys(one_line(str(entry.message)) for entry in caught):
                warn(prefix, message)


def warn(prefix: str, message: str) -> None:
    """Write a warning as one line."""
    print(f"{prefix}: warning: {message}", file=sys.stderr)
