"""Which columns of a table a command uses."""

import csv
from collections.abc import Callable, Sequence

from harmonium.cli.errors import CommandError
from harmonium.cli.tables import Header

_MOST_LISTED = 12


def names_in(arguments: Sequence[str] | None) -> list[str]:
    """Return the names in comma-separated lists; a name with a comma stands in double quotes."""
    records = csv.reader(arguments or (), skipinitialspace=True)
    return [name.strip() for record in records for name in record if name.strip()]


def chosen(
    columns: Sequence[str] | None, drop: Sequence[str] | None, weights: str | None = None
) -> Callable[[Header], list[int]]:
    """Return what picks the columns ``columns``, or all, but ``drop`` and ``weights``.

    The places of the columns to use come first, that of the weights last. In a table without a
    header names are numbers, from one.
    """

    def choose(header: Header) -> list[int]:
        wanted = names_in(columns)
        places = [_place(header, name, "--columns") for name in wanted]
        for name, place in zip(wanted, places, strict=True):
            if places.count(place) > 1:
                raise CommandError(f"--columns: {name!r} is given twice")
        if not wanted:
            places = list(range(header.n_columns))
        for name in names_in(drop):
            place = _place(header, name, "--drop")
            if place not in places and wanted:
                raise CommandError(f"--drop: {name!r} is not among the --columns")
            places = [p for p in places if p != place]
        weighing = [] if weights is None else [_place(header, weights, "--weights")]
        if weighing and wanted and weighing[0] in places:
            raise CommandError(f"--weights: {weights!r} is among the --columns too")
        places = [place for place in places if place not in weighing]
        if not places:
            raise CommandError(f"{header.called}: no columns are left")
        return places + weighing

    return choose


def matching(
    names: Sequence[str] | None,
    n_columns: int,
    columns: Sequence[str] | None,
    drop: Sequence[str] | None,
) -> Callable[[Header], list[int]]:
    """Return what picks a model's columns: by name where both have names, else in order."""

    def choose(header: Header) -> list[int]:
        places = chosen(columns, drop)(header)
        if names is not None and header.names is not None and len(set(names)) == len(names):
            by_name = {header.names[place]: place for place in places}
            if missing := [name for name in names if name not in by_name]:
                raise CommandError(
                    f"{header.called}: no column {_listed(missing)}, which the model needs; it "
                    f"has {_listed(list(by_name))}"
                )
            return [by_name[name] for name in names]
        if len(places) != n_columns:
            needed = f"{n_columns} columns" + (f" ({_listed(names)})" if names else "")
            raise CommandError(
                f"{header.called}: {len(places)} columns, but the model needs {needed}; choose "
                "them with --columns or --drop"
            )
        return places

    return choose


def _place(header: Header, name: str, option: str) -> int:
    if header.names is None:
        if name.isdecimal() and 1 <= int(name) <= header.n_columns:
            return int(name) - 1
        raise CommandError(
            f"{option}: {name!r} is no column of {header.called}, which has no header: columns are "
            f"1 to {header.n_columns}"
        )
    if name in header.names:
        return header.names.index(name)
    raise CommandError(
        f"{option}: {header.called} has no column {name!r}; it has {_listed(header.names)}"
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_MOST_LISTED])
    more = len(names) - _MOST_LISTED
    return f"{shown} and {more} more" if more > 0 else shown
