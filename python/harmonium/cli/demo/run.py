"""The demo: fit real tables, draw what was found, and put it where people can look at it."""

import dataclasses
import json
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import threadpoolctl  # type: ignore[import-untyped]  # comes with scikit-learn, without types
from rich.text import Text

from harmonium.cli.demo.factors import factors
from harmonium.cli.demo.groups import groups
from harmonium.cli.demo.page import page
from harmonium.cli.demo.readme_picture import readme_picture
from harmonium.cli.demo.reduction import reduction
from harmonium.cli.demo.screen import comparison_table, small_table
from harmonium.cli.demo.section import Section
from harmonium.cli.demo.size import FULL, Size
from harmonium.cli.demo.switches import switches
from harmonium.cli.errors import CommandError
from harmonium.cli.folder import PAGE, appearing
from harmonium.cli.screen import show
from harmonium.cli.watch import Watch
from harmonium.plotting.style import require_matplotlib, style

#: What tells a folder that the demo wrote from any other.
MARK = "results.json"
#: Dots per inch of the README's picture: below 300 kB.
_README_DPI = 130


def run(output: Path, size: Size = FULL) -> int:
    """Write the demo into the folder ``output``: a page, its pictures, and all numbers.

    Files: ``index.html``, ``results.json``, the pictures, and ``readme.png``, the picture of the
    README. The folder appears at the end, at once; an interrupted demo leaves nothing. Seeds are
    fixed: but for seconds, every run on a machine writes the same.

    Parameters
    ----------
    output
        A new folder, an empty one, or that of an older demo.
    size
        How much to do.

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
    began = time.perf_counter()
    # on a busy machine several threads for small matrices wait for each other most of the time
    with (
        appearing(output, mark=MARK, what="demo") as folder,
        threadpoolctl.threadpool_limits(limits=1),
        Watch(4) as watch,
    ):
        sections = _sections(folder, size, watch)
        seconds = time.perf_counter() - began
        _write(folder, sections, seconds, size)
    comparisons = [c for s in sections for c in s.comparisons]
    place = output / PAGE
    show(
        [
            comparison_table(comparisons),
            *(part for s in sections for part in small_table(s)),
            Text(f"\n{place} is ready to look at; {time.perf_counter() - began:.0f} seconds"),
        ]
    )
    return 0


def _sections(folder: Path, size: Size, watch: Watch) -> list[Section]:
    watch.part("groups of wines")
    first = groups(size, watch.tell)
    watch.part("factors of wines")
    second = factors(size, watch.tell)
    watch.part("switches behind two rings and digits")
    third, rings_fit, rings = switches(size, watch.tell)
    watch.part("groups of digits")
    fourth, digits_fit, digits = reduction(size, watch.tell)
    watch.tell("drawing the picture of the README")
    with style():
        figure = readme_picture(rings_fit, rings, digits_fit, digits, size)
        figure.savefig(folder / "readme.png", dpi=min(size.dpi, _README_DPI))
    return [first, second, third, fourth]


def _write(folder: Path, sections: list[Section], seconds: float, size: Size) -> None:
    version = metadata.version("harmonium")
    with style():
        for section in sections:
            for picture in section.pictures:
                picture.figure.savefig(folder / f"{picture.name}.png", dpi=size.dpi)
    results: dict[str, Any] = {
        "harmonium": version,
        "scikit_learn": metadata.version("scikit-learn"),
        "seconds": seconds,
        **{
            section.name: {
                **section.numbers,
                "comparisons": [dataclasses.asdict(c) for c in section.comparisons],
            }
            for section in sections
        },
    }
    text = json.dumps(results, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / MARK).write_text(text + "\n", encoding="utf-8")
    (folder / PAGE).write_text(page(sections, version, seconds, size.dpi), encoding="utf-8")
