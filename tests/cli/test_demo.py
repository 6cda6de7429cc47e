"""The demo, small: its files, its page, its numbers, and that it appears whole or not at all."""

import json
import math
import struct
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from harmonium.cli import main
from harmonium.cli.demo import run
from harmonium.cli.demo import run as run_function
from harmonium.cli.demo.factors import _fewest
from harmonium.cli.demo.matching import matched_colours
from harmonium.cli.demo.peers import OURS, TIGHT
from harmonium.cli.demo.reduction import reduction
from harmonium.cli.demo.size import Size
from harmonium.cli.demo.switches import switches
from harmonium.cli.demo.tables import digits
from harmonium.cli.demo.thumbnails import apart
from harmonium.cli.errors import CommandError
from harmonium.cli.folder import appearing
from harmonium.cli.rings import RINGS_ENTROPY, two_rings
from harmonium.cli.text import minus
from harmonium.plotting import colours, style

SMALL = Size(
    starts=2,
    most_groups=3,
    most_factors=2,
    folds=2,
    ring_points=100,
    ring_starts=2,
    units=3,
    digits=300,
    digit_starts=1,
    digit_latent=3,
    iterations=10,
    peer_iterations=50,
    repeats=1,
    resolution=30,
    dpi=40,
)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    with threadpool_limits(limits=1):
        yield


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "new" / "demo"
    assert run(folder, SMALL) == 0
    return folder


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The demo with its work replaced: the file it writes, or what it raises."""
    state: dict[str, Any] = {"text": "one", "error": None}

    def sections(folder: Path, *rest: object) -> list[Any]:
        (folder / "picture.png").write_text(state["text"])
        if state["error"] is not None:
            raise state["error"]
        return []

    monkeypatch.setitem(run_function.__globals__, "_sections", sections)
    return state


class Reader(HTMLParser):
    """Targets of links and pictures, texts in place of pictures, ids, and whether tags match."""

    VOID = frozenset({"meta", "link", "img", "br"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.images: list[dict[str, str]] = []
        self.ids: set[str] = set()
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.targets += [found[name] for name in ("href", "src") if name in found]
        if tag == "img":
            self.images.append(found)
        if "id" in found:
            assert found["id"] not in self.ids
            self.ids.add(found["id"])
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def png_size(path: Path) -> tuple[int, int]:
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", head[16:24])
    return width, height


def test_links_resolve_and_pictures_are_as_said(demo: Path) -> None:
    page = Reader((demo / "index.html").read_text(encoding="utf-8"))
    for target in page.targets:
        if target.startswith("#"):
            assert target[1:] in page.ids
        elif target != "data:,":
            assert (demo / target).is_file(), target
    assert len(page.images) >= 12
    for image in page.images:
        assert len(image["alt"]) > 20
        said = (int(image["width"]), int(image["height"]))
        # matplotlib rounds a size down
        assert np.abs(np.subtract(png_size(demo / image["src"]), said)).max() <= 1


def test_every_picture_is_shown(demo: Path) -> None:
    page = Reader((demo / "index.html").read_text(encoding="utf-8"))
    shown = {image["src"] for image in page.images}
    assert {path.name for path in demo.glob("*.png")} == shown | {"readme.png"}
    assert {path.name for path in demo.iterdir()} == shown | {
        "readme.png",
        "index.html",
        "results.json",
    }


def test_the_page_needs_nobody_else(demo: Path) -> None:
    page = (demo / "index.html").read_text(encoding="utf-8")
    assert "//" not in page
    assert "<script" not in page
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page


def numbers_in(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from numbers_in(part)
    elif isinstance(value, int | float):
        yield value


def results(demo: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((demo / "results.json").read_text(encoding="utf-8"))
    return loaded


def test_all_numbers_are_finite(demo: Path) -> None:
    numbers = list(numbers_in(results(demo)))
    assert len(numbers) > 100
    assert all(math.isfinite(number) for number in numbers)


def test_never_less_likely_than_scikit_learn(demo: Path) -> None:
    found = results(demo)
    comparisons = [c for part in ("groups", "factors") for c in found[part]["comparisons"]]
    assert len(comparisons) == 8
    for comparison in comparisons:
        by_library = {run["library"]: run for run in comparison["runs"]}
        ours, theirs = by_library[OURS], by_library[TIGHT]
        assert ours["converged"], comparison
        assert ours["log_likelihood"] >= theirs["log_likelihood"] - 1e-6, comparison


def test_numbers_make_sense(demo: Path) -> None:
    found = results(demo)
    assert found["groups"]["n_groups"] in (2, 3)
    assert found["groups"]["adjusted_rand_index"] > 0.3
    held_out = found["factors"]["held_out_log_likelihood_per_row"]
    assert held_out["2"] > held_out["0"] + 1
    assert found["switches"]["rings"]["log_likelihood_per_row"] > -4.5
    assert found["digits"]["joint"]["adjusted_rand_index"] > 0.2


def test_the_same_again(demo: Path, tmp_path: Path) -> None:
    found = results(demo)
    for section in (switches(SMALL, print)[0], reduction(SMALL, print)[0]):
        assert {**section.numbers, "comparisons": []} == found[section.name]
        picture = section.pictures[0]
        with style():
            picture.figure.savefig(tmp_path / "again.png", dpi=SMALL.dpi)
        again = (tmp_path / "again.png").read_bytes()
        assert again == (demo / f"{picture.name}.png").read_bytes()


def test_says_how_far_it_is_and_what_it_found(
    quick: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "demo", SMALL) == 0
    assert "index.html is ready" in capsys.readouterr().out


# ------------------------------------------------------------------------- whole or not at all


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("broken")])
def test_interrupted_leaves_nothing(
    quick: dict[str, Any], tmp_path: Path, error: BaseException
) -> None:
    quick["error"] = error
    with pytest.raises(type(error)):
        run(tmp_path / "demo", SMALL)
    assert list(tmp_path.iterdir()) == []


def test_interrupted_leaves_the_older_demo(quick: dict[str, Any], tmp_path: Path) -> None:
    run(tmp_path / "demo", SMALL)
    quick["text"], quick["error"] = "two", KeyboardInterrupt()
    assert main(["demo", "--output", str(tmp_path / "demo")]) == 130
    assert (tmp_path / "demo" / "picture.png").read_text() == "one"
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


def test_an_older_demo_is_replaced(quick: dict[str, Any], tmp_path: Path) -> None:
    run(tmp_path / "demo", SMALL)
    (tmp_path / "demo" / "old.png").write_text("of an older version")
    quick["text"] = "two"
    run(tmp_path / "demo", SMALL)
    assert (tmp_path / "demo" / "picture.png").read_text() == "two"
    assert not (tmp_path / "demo" / "old.png").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


def test_an_empty_folder_is_taken(quick: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    assert run(tmp_path / "demo", SMALL) == 0
    assert (tmp_path / "demo" / "index.html").is_file()


def test_other_peoples_folders_are_not(
    quick: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "results.json").write_text("mine")
    assert main(["demo", "--output", str(tmp_path)]) == 2
    assert "holds something else" in capsys.readouterr().err
    with pytest.raises(CommandError, match="is a file"):
        run(tmp_path / "results.json", SMALL)
    with pytest.raises(CommandError, match="results"):
        run(tmp_path / "results.json" / "demo", SMALL)
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    with pytest.raises(CommandError, match="folder we are in"):
        run(Path(), SMALL)
    with pytest.raises(CommandError, match="folder we are in"):
        run(Path(".."), SMALL)
    assert (tmp_path / "results.json").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inner", "results.json"]


def test_the_older_demo_comes_back_where_the_new_can_not_take_its_place(
    quick: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path / "demo", SMALL)
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.suffix == ".tmp":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(CommandError, match="No space left"):
        run(tmp_path / "demo", SMALL)
    assert (tmp_path / "demo" / "picture.png").read_text() == "one"
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


def test_what_was_put_there_meanwhile_is_kept(tmp_path: Path) -> None:
    def put_there() -> None:
        with appearing(tmp_path / "demo", mark="results.json", what="demo"):
            (tmp_path / "demo").mkdir()
            (tmp_path / "demo" / "letter.txt").write_text("mine")

    with pytest.raises(CommandError, match="something else"):
        put_there()
    assert (tmp_path / "demo" / "letter.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


def test_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ImportError("pictures need matplotlib")

    monkeypatch.setitem(run_function.__globals__, "require_matplotlib", missing)
    with pytest.raises(CommandError, match="matplotlib"):
        run(tmp_path / "demo", SMALL)
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------ its parts


def test_two_rings() -> None:
    x = two_rings(5000, np.random.default_rng(1))
    radius = np.linalg.norm(x, axis=-1)
    assert (radius < 1.5).sum() == 1000
    # of normals around a circle: E|x|**2 = r**2 + 2 sd**2
    assert (radius[:1000] ** 2).mean() == pytest.approx(0.3**2 + 0.08, rel=0.1)
    assert (radius[1000:] ** 2).mean() == pytest.approx(9.08, rel=0.01)


def test_entropy_of_the_rings() -> None:
    # Monte Carlo under the law itself: every centre with its weight
    def around(n: int, radius: float) -> np.ndarray:
        angle = 2 * np.pi * np.arange(n) / n
        return radius * np.stack([np.cos(angle), np.sin(angle)], -1)

    centres = np.concatenate([around(200, 0.3), around(800, 3.0)])
    rng = np.random.default_rng(0)
    x = centres[rng.integers(1000, size=3000)] + 0.2 * rng.standard_normal((3000, 2))
    squared = ((x[:, None] - centres[None]) ** 2).sum(-1)
    logs = np.log(np.exp(-squared / 0.08).mean(-1) / (2 * np.pi * 0.04))
    error = logs.std() / np.sqrt(len(logs))
    assert abs(-logs.mean() - RINGS_ENTROPY) < 6 * error + 0.0005


def test_digits_have_no_constant_pixel() -> None:
    data = digits(1797)
    assert data.x.shape == (1797, 61)
    assert (data.x.std(0) > 0).all()


def test_matched_colours() -> None:
    kinds = [0, 0, 0, 1, 1, 2]
    shades = colours(3)
    assert matched_colours([2, 2, 0, 0, 0, 1], kinds, 3, 3) == [shades[1], shades[2], shades[0]]
    assert matched_colours([0, 0, 0, 1, 1, 1], kinds, 2, 3) == [shades[0], shades[1]]
    more = matched_colours([3, 3, 0, 1, 1, 2], kinds, 4, 3)
    assert more[1:] == [shades[1], shades[2], shades[0]]
    assert len(set(more)) == 4


def test_minus_signs() -> None:
    assert minus("-1.5 nats, (-0.2, 3) by scikit-learn, 10-12") == (
        "−1.5 nats, (−0.2, 3) by scikit-learn, 10-12"
    )


def test_fewest_factors() -> None:
    rows = np.random.default_rng(0).standard_normal(400)
    back_and_forth = 0.1 * (-1.0) ** np.arange(400)
    # within a standard error, 0.005, of the best; far from it; the best; too many
    near = rows + back_and_forth - 0.004
    assert _fewest(np.stack([near - 1, near, rows, near])) == 1
    assert _fewest(np.stack([near - 1, near - 0.002, rows, near])) == 2
    assert _fewest(np.stack([rows, rows - 1])) == 0


def test_thumbnails_do_not_hide_each_other() -> None:
    rng = np.random.default_rng(0)
    places = 0.3 * rng.standard_normal((10, 2))
    places[1] = places[0]
    size = np.array([0.2, 0.3])
    moved = apart(places, size, np.array([-1.0, -1.0]), np.array([1.0, 1.0]))
    gap = np.abs(moved[:, None] - moved[None]) / size
    i, j = np.triu_indices(10, 1)
    assert (gap[i, j].max(-1) > 1 - 1e-6).all()
    assert np.abs(moved).max() <= 1
    far = np.array([[-0.5, -0.5], [0.5, 0.5]])
    np.testing.assert_array_equal(apart(far, size, far.min(0), far.max(0)), far)
