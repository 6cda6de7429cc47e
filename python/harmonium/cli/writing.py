"""Tables to files, at once or not at all, and to standard output."""

import csv
import io
import os
import sys
from collections.abc import Sequence

import numpy as np

from harmonium.cli.errors import CommandError
from harmonium.io.atomic import write_atomically
from harmonium.validation import FloatArray

#: Integers beyond are written as floats: they are no longer exact.
_MOST_EXACT = 2.0**53


def check_output(path: str, source: str) -> None:
    """Refuse, before the work, an output that could not be written or would replace the input."""
    folder = os.path.dirname(os.path.realpath(path))
    if os.path.isdir(path):
        raise CommandError(f"--output: {path} is a folder")
    if not os.path.isdir(folder):
        raise CommandError(f"--output: there is no folder {folder}")
    if not os.access(path if os.path.exists(path) else folder, os.W_OK):
        raise CommandError(f"--output: {path} can not be written")
    if os.path.exists(path) and os.path.exists(source) and os.path.samefile(path, source):
        raise CommandError(f"--output: {path} is the input too")


def write_table(path: str | None, names: Sequence[str], values: FloatArray) -> None:
    """Write a table with a header, to standard output unless a path is given.

    Numbers are the shortest that read back as the same; columns of whole numbers have no point.

    Raises
    ------
    CommandError
        If the file cannot be written; an older one is whole.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(zip(*(_column(values[:, j]) for j in range(values.shape[1])), strict=True))
    data = text.getvalue().encode()
    if path is not None and path != "-":
        try:
            write_atomically(path, data)
        except OSError as error:
            raise CommandError(f"--output: {path}: {error.strerror or error}") from error
        return
    sys.stdout.flush()
    raw = getattr(sys.stdout, "buffer", None)
    if raw is None:  # a stand-in for text only
        sys.stdout.write(text.getvalue())
    else:
        rest = memoryview(data)
        while rest:  # an unbuffered stream may take a part
            rest = rest[raw.write(rest) :]
        raw.flush()


def _column(values: FloatArray) -> Sequence[int] | Sequence[float]:
    whole = np.isfinite(values).all() and bool((values == np.rint(values)).all())
    if whole and bool((np.abs(values) < _MOST_EXACT).all()):
        return [int(value) for value in values.tolist()]
    floats: list[float] = values.tolist()
    return floats
