"""A figure as two files: its picture, and its numbers."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from harmonium.cli.gallery.exhibit import Conditions, Exhibit
from harmonium.cli.gallery.registry import Entry

#: Dots per inch of pictures made quickly, and in the paper's sizes.
QUICK_DPI, FULL_DPI = 100, 200
#: Of the records beside the pictures, from which the page is made.
FORMAT = 1
#: What tells a folder of this command from any other.
MARK = "gallery.json"


def write(
    folder: Path, entry: Entry, exhibit: Exhibit, conditions: Conditions, seconds: float
) -> dict[str, Any]:
    """Write a picture and its numbers into a folder; return what the latter hold."""
    picture = folder / f"{entry.stem}.png"
    dpi = FULL_DPI if conditions.full else QUICK_DPI
    exhibit.figure.savefig(picture, dpi=dpi, pil_kwargs={"optimize": True})
    width, height = (int(dpi * side) for side in exhibit.figure.get_size_inches())
    record = {
        "format": FORMAT,
        "figure": entry.name,
        "number_in_the_paper": entry.number,
        "title": exhibit.title,
        "paragraphs": exhibit.paragraphs,
        "alternative": exhibit.alternative,
        "picture": {"file": picture.name, "width": width, "height": height},
        "full": conditions.full,
        "seed": conditions.seed,
        "seconds": seconds,
        "comparisons": [{**dataclasses.asdict(c), "holds": c.holds} for c in exhibit.comparisons],
        "numbers": exhibit.numbers,
    }
    write_json(folder / f"{entry.stem}.json", record)
    return record


def write_json(path: Path, value: object) -> None:
    """Write numbers, texts and arrays; what is not finite as null."""
    text = json.dumps(plain(value), indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def read_record(path: Path) -> dict[str, Any] | None:
    """Return what :func:`write` wrote, or None where it is something else."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and record.get("format") == FORMAT else None


def plain(value: Any) -> Any:
    """Return a value made of what JSON knows."""
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value
