"""The gallery: make figures, and put them where people can look at them."""

import shutil
import time
from argparse import Namespace
from importlib import metadata
from pathlib import Path
from typing import Any

import threadpoolctl  # type: ignore[import-untyped]  # comes with scikit-learn, without types
from rich.table import Table
from rich.text import Text

from harmonium.cli.errors import CommandError
from harmonium.cli.folder import PAGE, appearing
from harmonium.cli.gallery.exhibit import Conditions
from harmonium.cli.gallery.page import comparison_cells, page
from harmonium.cli.gallery.registry import FIGURES, Entry
from harmonium.cli.gallery.writing import MARK, read_record, write, write_json
from harmonium.cli.screen import show
from harmonium.cli.watch import Tell, Watch
from harmonium.expectation import set_threads
from harmonium.plotting.style import require_matplotlib


def run(options: Namespace) -> int:
    """Make the figures that the options ask for, by default all, into their folder.

    Files: ``index.html``, for each figure a PNG and a JSON of its numbers, and ``gallery.json``.
    The folder appears at the end, at once; an interrupted gallery leaves what was there. Figures
    of an older gallery at the same place stay, unless they are made again.

    Returns
    -------
    int
        0.

    Raises
    ------
    CommandError
        Where the folder can not be written or holds something else, and without matplotlib.
    """
    try:
        require_matplotlib()
    except ImportError as error:
        raise CommandError(str(error)) from error
    if options.threads is not None:
        set_threads(options.threads)
    asked = [entry for entry in FIGURES if entry in options.figures] or list(FIGURES)
    began = time.perf_counter()
    # on a busy machine several threads for small matrices wait for each other most of the time
    with (
        appearing(options.output, mark=MARK, what="gallery") as folder,
        threadpoolctl.threadpool_limits(limits=1),
        Watch(len(asked)) as watch,
    ):
        kept = _keep(options.output.expanduser(), folder, asked)
        made = {}
        for entry in asked:
            watch.part(entry.name.replace("-", " "))
            made[entry.name] = _make(folder, entry, options.full, options.seed, watch.tell)
        records = [
            record
            for entry in FIGURES
            if (record := made.get(entry.name, kept.get(entry.name))) is not None
        ]
        version = metadata.version("harmonium")
        figures = [record["figure"] for record in records]
        write_json(folder / MARK, {"harmonium": version, "figures": figures})
        (folder / PAGE).write_text(page(records, version), encoding="utf-8")
    show(
        [
            _table(list(made.values())),
            Text(
                f"\n{options.output / PAGE} is ready to look at; "
                f"{time.perf_counter() - began:.0f} seconds"
            ),
        ]
    )
    return 0


def _make(folder: Path, entry: Entry, full: bool, seed: int, tell: Tell) -> dict[str, Any]:
    conditions = Conditions(full, seed, tell)
    began = time.perf_counter()
    exhibit = entry.make(conditions)
    return write(folder, entry, exhibit, conditions, time.perf_counter() - began)


def _keep(older: Path, folder: Path, asked: list[Entry]) -> dict[str, Any]:
    """Copy the figures of an older gallery that are not made again; their records by name."""
    kept = {}
    for entry in FIGURES:
        picture, numbers = (older / f"{entry.stem}.{ending}" for ending in ("png", "json"))
        if entry in asked or not (picture.is_file() and numbers.is_file()):
            continue
        record = read_record(numbers)
        if record is None:
            raise CommandError(
                f"--output: {numbers} is no record of this version's gallery: name a new folder"
            )
        shutil.copy2(picture, folder)
        shutil.copy2(numbers, folder)
        kept[entry.name] = record
    return kept


def _table(records: list[dict[str, Any]]) -> Table:
    table = Table(title="What theory says, what came out", title_justify="left", box=None)
    table.add_column("figure", no_wrap=True)
    table.add_column("quantity")
    table.add_column("theory", justify="right", no_wrap=True)
    table.add_column("found", justify="right", no_wrap=True)
    table.add_column("as it should", justify="center")
    for record in records:
        for k, comparison in enumerate(record["comparisons"]):
            name = f"{record['number_in_the_paper']}" if k == 0 else ""
            table.add_row(name, *(Text(cell) for cell in comparison_cells(comparison)))
        table.add_section()
    return table
