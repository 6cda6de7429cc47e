"""Tables in text: comma, semicolon or tab separated, with or without a header."""

import csv
import io
import itertools
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from harmonium.cli.delimiters import (
    find_delimiter,
    has_header,
    is_missing,
    number_of,
    records_of,
)
from harmonium.cli.errors import CommandError, one_line
from harmonium.io.signatures import MAGIC
from harmonium.validation import FloatArray

_HEAD_LINES = 64
_BLOCK_ROWS = 4096
#: Starts of files that are no text, and what to do about them.
_FOREIGN = (
    (MAGIC[:4], "is a model file, not a table"),
    (b"PK\x03\x04", "is a zip archive or a spreadsheet: export it as CSV"),
    (b"\x1f\x8b", "is compressed: unpack it"),
    (b"\xff\xfe", "is text in UTF-16: save it in UTF-8"),
    (b"\xfe\xff", "is text in UTF-16: save it in UTF-8"),
)


@dataclass(frozen=True)
class Header:
    """The columns of a table: their names, None where it has none, and how many there are."""

    called: str
    names: tuple[str, ...] | None
    n_columns: int

    def name(self, place: int) -> str:
        """Return what messages call a column."""
        return f"column {place + 1}" if self.names is None else f"column {self.names[place]!r}"


@dataclass(frozen=True, eq=False)
class Table:
    """The chosen columns of a table: ``values`` (n, d), NaN where missing.

    ``places`` are theirs in the file, ``lines`` (n,) the numbers of the lines that rows start on.
    """

    header: Header
    places: list[int]
    values: FloatArray
    lines: NDArray[np.int64]

    @property
    def names(self) -> tuple[str, ...] | None:
        """The names of the chosen columns."""
        names = self.header.names
        return None if names is None else tuple(names[place] for place in self.places)

    def where(self, row: int, column: int | None = None) -> str:
        """Return the words for a row, counted from one, and for one of the chosen columns."""
        words = f"{self.header.called}: row {row + 1} (line {self.lines[row]})"
        return words if column is None else f"{words}, {self.header.name(self.places[column])}"


def read_table(
    source: str,
    choose: Callable[[Header], list[int]],
    *,
    missing: bool,
    delimiter: str | None = None,
    header: bool | None = None,
    hint: str = "",
) -> Table:
    """Return the columns that ``choose`` picks from a file, or from standard input for "-".

    Parameters
    ----------
    source
        A path, or "-".
    choose
        The places of the wanted columns, from the header; others may hold anything.
    missing
        Whether empty fields, NA and NaN are missing values or errors.
    delimiter, header
        What separates fields, and whether the first line has names; by default found out.
    hint
        What messages say about a column of text, with ``{name}`` for its name.

    Raises
    ------
    CommandError
        If the file cannot be read, is empty or no table, or a field is no number: with row, line,
        column and value.
    """
    called = "standard input" if source == "-" else source
    try:
        with _opened(source) as file:
            _refuse_foreign(file, called)
            text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
            try:
                return _read(_Text(text), called, choose, missing, delimiter, header, hint)
            finally:
                text.detach()
    except OSError as error:
        raise CommandError(f"{called}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise CommandError(
            f"{called}: is no text in UTF-8: it has the byte {error.object[error.start]:#04x}; "
            "save it in UTF-8"
        ) from error


def _opened(source: str) -> IO[bytes]:
    if source != "-":
        return open(source, "rb")
    raw: Any = sys.stdin.buffer
    return os.fdopen(os.dup(raw.fileno()), "rb") if _has_descriptor(raw) else io.BytesIO(raw.read())


def _has_descriptor(raw: Any) -> bool:
    try:
        raw.fileno()
    except (AttributeError, OSError):
        return False
    return True


def _refuse_foreign(file: IO[bytes], called: str) -> None:
    peek = getattr(file, "peek", None)
    start = file.getvalue()[:8] if isinstance(file, io.BytesIO) else peek(8) if peek else b""
    for signature, words in _FOREIGN:
        if start.startswith(signature):
            raise CommandError(f"{called}: {words}")


class _Text:
    """Lines of text, some of which have been looked at already."""

    def __init__(self, lines: Iterator[str]) -> None:
        self.head = list(itertools.islice(lines, _HEAD_LINES))
        self._lines = itertools.chain(self.head, lines)
        #: Whether a line since it was last cleared had an underscore, which float() reads over.
        self.suspicious = False

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            if "_" in line:
                self.suspicious = True
            yield line


def _read(
    text: _Text,
    called: str,
    choose: Callable[[Header], list[int]],
    missing: bool,
    delimiter: str | None,
    header: bool | None,
    hint: str,
) -> Table:
    if delimiter is None:
        delimiter = find_delimiter(text.head)
    first = records_of(text.head, delimiter)
    named = has_header(first) if header is None else header
    reader = csv.reader(iter(text), delimiter=delimiter, strict=True)
    records = _records(reader, called)
    top = next(records, None)
    if top is None:
        raise CommandError(f"{called}: is empty")
    line, fields = top
    columns = Header(called, _names(fields, called, line) if named else None, len(fields))
    if not named:
        records = itertools.chain([top], records)
    rows = _Rows(columns, choose(columns), missing, hint)
    while block := list(itertools.islice(records, _BLOCK_ROWS)):
        rows.add(block, careful=text.suspicious)
        text.suspicious = False
    return rows.table()


def _records(reader: Any, called: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the records that are not blank, with the numbers of the lines they start on."""
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise CommandError(
                f"{called}: line {line}: {error}; are its quotes balanced?"
            ) from error
        if record:
            yield line, record


def _names(fields: Sequence[str], called: str, line: int) -> tuple[str, ...]:
    names = [field.strip() or f"column {place + 1}" for place, field in enumerate(fields)]
    seen: dict[str, int] = {}
    for place, name in enumerate(names):
        if name in seen:
            raise CommandError(
                f"{called}: line {line}: two columns are called {name!r}, the "
                f"{_ordinal(seen[name])} and the {_ordinal(place)}"
            )
        seen[name] = place
    return tuple(names)


def _ordinal(place: int) -> str:
    number = place + 1
    suffix = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number % 100 not in (11, 12, 13) else 0)
    return f"{number}{suffix or 'th'}"


class _Rows:
    """The chosen columns as they are read, block by block."""

    def __init__(self, header: Header, places: list[int], missing: bool, hint: str) -> None:
        self._header = header
        self._places = places
        self._missing = missing
        self._hint = hint
        self._values: list[FloatArray] = []
        self._lines: list[NDArray[np.int64]] = []
        self._count = 0

    def add(self, block: list[tuple[int, list[str]]], *, careful: bool) -> None:
        """Convert a block of records."""
        n, places = self._header.n_columns, self._places
        whole = places == list(range(n))
        rows: list[list[float]] = []
        for line, record in block:
            if len(record) != n:
                raise CommandError(
                    f"{self._header.called}: line {line}: {len(record)} fields, expected {n}"
                )
            fields = record if whole else [record[place] for place in places]
            try:
                rows.append(list(map(float, fields)))
            except ValueError:
                rows.append(self._checked(record, line, self._count + len(rows)))
        values = np.array(rows, dtype=np.float64).reshape(len(rows), len(places))
        suspects = np.arange(len(rows)) if careful else np.flatnonzero(~np.isfinite(values).all(1))
        for row in suspects:
            line, record = block[row]
            values[row] = self._checked(record, line, self._count + int(row))
        self._values.append(values)
        self._lines.append(np.array([line for line, _ in block], dtype=np.int64))
        self._count += len(block)

    def _checked(self, record: list[str], line: int, row: int) -> list[float]:
        """One row field by field, as its numbers or an error that says where it has none."""
        out = []
        for place in self._places:
            field = record[place]
            try:
                number = np.nan if is_missing(field) else number_of(field)
            except ValueError:
                self._refuse_text(field, line, row, place)
            if np.isnan(number) and not self._missing:
                self._refuse_missing(field, line, row, place)
            if np.isinf(number):
                raise CommandError(f"{self._at(line, row, place)}: {field.strip()!r} is infinite")
            out.append(number)
        return out

    def _at(self, line: int, row: int, place: int) -> str:
        return f"{self._header.called}: row {row + 1} (line {line}), {self._header.name(place)}"

    def _refuse_missing(self, field: str, line: int, row: int, place: int) -> NoReturn:
        words = f"{field.strip()!r} is missing" if field.strip() else "there is no value"
        raise CommandError(
            f"{self._at(line, row, place)}: {words}; --missing takes empty fields, NA and NaN as "
            "missing values"
        )

    def _refuse_text(self, field: str, line: int, row: int, place: int) -> NoReturn:
        name = str(place + 1) if self._header.names is None else self._header.names[place]
        value = field.strip() if len(field) <= 60 else f"{field.strip()[:57]}..."
        hint = self._hint.format(name=_quoted(name)) if self._hint else ""
        if re.fullmatch(r"[+-]?\d+,\d+", value):
            hint = "; write numbers with a decimal point, not a comma"
        raise CommandError(
            one_line(f"{self._at(line, row, place)}: {value!r} is not a number{hint}")
        )

    def table(self) -> Table:
        """Return what was read."""
        if not self._count:
            what = "has a header but no rows" if self._header.names else "has no rows"
            raise CommandError(f"{self._header.called}: {what}")
        return Table(
            self._header, self._places, np.concatenate(self._values), np.concatenate(self._lines)
        )


def _quoted(name: str) -> str:
    """A name as a list of names, and then a shell, take it."""
    listed = '"' + name.replace('"', '""') + '"' if set(name) & set(',"') else name
    return shlex.quote(listed)
