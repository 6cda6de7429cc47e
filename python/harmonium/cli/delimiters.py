"""What separates the fields of a table, and whether its first line names the columns."""

import csv
import math
from collections.abc import Sequence

DELIMITERS = (",", ";", "\t")
#: What stands for a missing value, in lower case.
MISSING = frozenset({"", "na", "n/a", "nan", "null"})
_MOST_RECORDS = 20


def find_delimiter(lines: Sequence[str]) -> str:
    """Return the delimiter that cuts the first lines of a table into several fields.

    One that gives all lines the same number of fields comes before one that does not, then the one
    that gives more; a comma where there is none, since there is but one column then.
    """
    best, best_score = ",", (False, 1)
    for delimiter in DELIMITERS:
        counts = [len(record) for record in records_of(lines, delimiter)]
        if not counts or counts[0] < 2:
            continue
        score = (len(set(counts)) == 1, counts[0])
        if score > best_score or best_score == (False, 1):
            best, best_score = delimiter, score
    return best


def records_of(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """Return the first records of some lines, blank ones left out, malformed ones as they come."""
    records: list[list[str]] = []
    try:
        for record in csv.reader(lines, delimiter=delimiter):
            if record:
                records.append(record)
            if len(records) == _MOST_RECORDS:
                break
    except csv.Error:
        pass  # what is wrong is said, with its line, when the table is read
    return records


def has_header(records: Sequence[Sequence[str]]) -> bool:
    """Tell whether the first record names the columns.

    It does if a field of it is text where the records below have a number, or if it is all text;
    numbers beside text that goes on below are data, of which a column is not numeric.
    """
    if not records:
        return False
    first, below = records[0], records[1:]
    text = [not is_missing(field) and not is_number(field) for field in first]
    for place, named in enumerate(text):
        column = [record[place] for record in below if place < len(record)]
        known = [field for field in column if not is_missing(field)]
        if named and known and is_number(known[0]):
            return True
    numbers = any(is_number(field) for field in first)
    return any(text) and not numbers


def is_missing(field: str) -> bool:
    """Tell whether a field stands for a missing value."""
    return field.strip().lower() in MISSING


def number_of(field: str) -> float:
    """Return the number that a field spells; ValueError for underscores, which only Python reads."""
    if "_" in field:
        raise ValueError(field)
    return float(field)


def is_number(field: str) -> bool:
    """Tell whether a field spells a number, an infinite one included."""
    try:
        return not math.isnan(number_of(field))
    except ValueError:
        return False
