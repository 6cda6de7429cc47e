"""The gallery, made quickly: its files, its page, and that what came out is as theory says."""

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

from harmonium import Boltzmann, LinearGaussian, Normal
from harmonium.cli import main
from harmonium.cli.gallery import run as run_function
from harmonium.cli.gallery.brute_force import PlaneByStates
from harmonium.cli.gallery.exhibit import Comparison, Conditions, Exhibit
from harmonium.cli.gallery.registry import FIGURES, Entry, find
from harmonium.cli.gallery.writing import plain
from harmonium.cli.rings import Rings
from harmonium.expectation import threads
from harmonium.plotting import new_figure


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All figures in their quick size, made once."""
    folder = tmp_path_factory.mktemp("gallery") / "new" / "gallery"
    with threadpool_limits(limits=1), pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "_setting", [None])
        assert main(["gallery", "--output", str(folder), "--threads", "1"]) == 0
    return folder


def record(gallery: Path, number: int) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(
        (gallery / f"{find(str(number)).stem}.json").read_text(encoding="utf-8")
    )
    return loaded


def found(gallery: Path, number: int, what: str) -> list[float]:
    """What came out of the comparisons whose quantity begins so."""
    return [
        c["found"] for c in record(gallery, number)["comparisons"] if c["what"].startswith(what)
    ]


# ------------------------------------------------------------------------------ its files


def png_size(path: Path) -> tuple[int, int]:
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", head[16:24])
    return width, height


@pytest.mark.parametrize("entry", FIGURES, ids=lambda entry: entry.name)
def test_a_picture_and_its_numbers(gallery: Path, entry: Entry) -> None:
    said = record(gallery, entry.number)
    assert said["picture"]["file"] == f"{entry.stem}.png"
    width, height = png_size(gallery / f"{entry.stem}.png")
    assert 600 < width < 1300
    assert 200 < height < 1000
    assert abs(width - said["picture"]["width"]) <= 1
    assert abs(height - said["picture"]["height"]) <= 1
    assert len(said["alternative"]) > 40
    assert len(said["comparisons"]) >= 3
    assert said["seconds"] > 0
    assert (said["seed"], said["full"]) == (0, False)


@pytest.mark.parametrize("entry", FIGURES, ids=lambda entry: entry.name)
def test_everything_is_as_theory_says(gallery: Path, entry: Entry) -> None:
    for comparison in record(gallery, entry.number)["comparisons"]:
        assert comparison["holds"], comparison


@pytest.mark.parametrize("entry", FIGURES, ids=lambda entry: entry.name)
def test_all_numbers_are_finite(gallery: Path, entry: Entry) -> None:
    def numbers_in(value: Any) -> Iterator[Any]:
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, list):
            for part in value:
                yield from numbers_in(part)
        else:
            yield value

    values = list(numbers_in(record(gallery, entry.number)["numbers"]))
    assert len(values) > 10
    assert None not in values
    assert all(math.isfinite(v) for v in values if isinstance(v, int | float))


class Reader(HTMLParser):
    """Targets of links and pictures, ids, and whether tags match."""

    VOID = frozenset({"meta", "link", "img", "br"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.ids: set[str] = set()
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.targets += [given[name] for name in ("href", "src") if name in given]
        if "id" in given:
            assert given["id"] not in self.ids
            self.ids.add(given["id"])
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_shows_all(gallery: Path) -> None:
    page = Reader((gallery / "index.html").read_text(encoding="utf-8"))
    for target in page.targets:
        if target.startswith("#"):
            assert target[1:] in page.ids
        elif target != "data:,":
            assert (gallery / target).is_file(), target
    assert page.ids == {entry.name for entry in FIGURES}
    shown = set(page.targets)
    stems = {entry.stem for entry in FIGURES}
    files = {path.name for path in gallery.iterdir()}
    assert files == {f"{s}.{e}" for s in stems for e in ("png", "json")} | {
        "index.html",
        "gallery.json",
    }
    assert {f"{s}.png" for s in stems} | {f"{s}.json" for s in stems} <= shown


# ---------------------------------------------------------------------- what theory says


def test_mixture_of_normals(gallery: Path) -> None:
    numbers = record(gallery, 2)["numbers"]
    # by hand: weights times densities, and their shares
    x, mean, variance, weights = (
        np.array(numbers[name]) for name in ("observations", "means", "variances", "weights")
    )
    joint = weights * np.exp(-((x[:, None] - mean) ** 2) / (2 * variance)) / np.sqrt(variance)
    np.testing.assert_allclose(
        numbers["posteriors"], joint / joint.sum(-1, keepdims=True), rtol=0, atol=1e-12
    )
    assert found(gallery, 2, "largest error of a posterior")[0] <= 1e-12


def test_gaussian_boltzmann(gallery: Path) -> None:
    numbers = record(gallery, 3)["numbers"]
    assert numbers["cross_entropy"] <= 3.2
    assert numbers["cross_entropy"] > numbers["entropy_of_the_law"]
    assert numbers["cross_entropy_with_respect_to_the_law"] > numbers["entropy_of_the_law"]
    guess = numbers["entropy_by_monte_carlo"]
    off = abs(guess["entropy"] - numbers["entropy_of_the_law"])
    # five standard errors: false alarms in 6e-7
    assert off < 5 * guess["standard_error"]
    assert guess["standard_error"] < 0.01
    moments = np.array(numbers["posterior_moments"])
    assert ((moments > -1e-12) & (moments < 1 + 1e-12)).all()


def test_hierarchical_mixture(gallery: Path) -> None:
    numbers = record(gallery, 10)["numbers"]
    best = min(numbers["cross_entropies_of_the_papers_starts"])
    assert best <= numbers["cross_entropy_from_the_law"] + 0.01
    assert max(numbers["cross_entropies_of_the_librarys_starts"]) <= best + 0.01
    assert best < numbers["cross_entropy_of_the_law"]


def test_population_code(gallery: Path) -> None:
    numbers = record(gallery, 4)["numbers"]
    matrix = np.array(numbers["correlations"])
    np.testing.assert_allclose(matrix, numbers["correlations_by_quadrature"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(np.diagonal(matrix), 1, rtol=1e-12)
    # gains vary as the sine: nothing is left for the cosine
    assert numbers["rho"][0] == pytest.approx(0, abs=1e-12)
    assert numbers["conjugation_residual"] < 1e-5


def test_von_mises_mixture(gallery: Path) -> None:
    numbers = record(gallery, 5)["numbers"]
    ways = numbers["methods"]
    assert list(ways) == ["exact EM", "CE-GD", "EM-GD", "CE-MCGD", "EM-MCGD"]
    lowest = numbers["cross_entropy_from_the_law"]
    assert ways["exact EM"]["cross_entropy"] == pytest.approx(lowest, abs=1e-6)
    for way in ways.values():
        assert way["cross_entropy"] >= lowest - 1e-6
        # every way is on its way
        assert way["history"][-1] < way["history"][0] - 0.1
        assert len({way["history"][0] for way in ways.values()}) == 1


def test_count_mixture(gallery: Path) -> None:
    numbers = record(gallery, 6)["numbers"]
    np.testing.assert_allclose(numbers["means"], numbers["sample_means"], rtol=1e-6)
    pairs = np.tril_indices(10, -1)
    found, sample = (np.array(numbers[f"{k}covariances"])[pairs] for k in ("", "sample_"))
    assert np.corrcoef(found, sample)[0, 1] > 0.9
    assert numbers["cross_entropy"] < numbers["cross_entropy_of_independent_counts"] - 0.5


def test_dirichlet(gallery: Path) -> None:
    numbers = record(gallery, 8)["numbers"]
    counts = np.bincount(numbers["observations"], minlength=3)
    np.testing.assert_allclose(numbers["concentrations"][-1], 0.5 + counts, rtol=1e-12)
    assert counts.sum() == 30
    assert numbers["entropies"][-1] < numbers["entropies"][1]


def test_rings_in_spikes(gallery: Path) -> None:
    numbers = record(gallery, 11)["numbers"]
    assert (np.diff(numbers["exact_em"]["history"]) <= 1e-9).all()
    history = numbers["em_by_gradients"]["history"]
    # a few steps of Adam get nearly as far in an iteration as the exact M-step
    assert history[0] == pytest.approx(numbers["exact_em"]["history"][0], abs=1e-9)
    assert history[-1] < history[0] - 0.5
    assert numbers["cross_entropy_of_the_learned_stimuli"] < numbers["entropy_of_the_stimuli"] + 0.6


def test_the_same_again(gallery: Path) -> None:
    again = find("population-code").make(Conditions(False, 0, lambda _: None))
    assert plain(again.numbers) == record(gallery, 4)["numbers"]
    other = find("4").make(Conditions(False, 1, lambda _: None))
    assert plain(other.numbers)["responses"] != record(gallery, 4)["numbers"]["responses"]


def test_sums_over_states() -> None:
    rng = np.random.default_rng(0)
    model = LinearGaussian(Normal(2), Boltzmann(4))
    law = PlaneByStates(4)
    for _ in range(5):
        point = model.from_prior_and_likelihood(
            prior=rng.uniform(-1, 1, 10),
            interaction=rng.uniform(-1, 1, (2, 4)),
            observable=Normal(2).from_parameters(
                mean=rng.normal(size=2), covariance=[[1.0, 0.4], [0.4, 2.0]]
            ),
        )
        np.testing.assert_allclose(
            np.asarray(law.to_mean(point)), model.to_mean(point), rtol=1e-10, atol=1e-12
        )
    point[2] = 1.0  # a precision below zero
    assert law.to_mean(point) is None


def test_entropy_of_rings() -> None:
    # a ring of radius 0 is a normal
    assert Rings((0.0,), (10,), 0.5).entropy() == pytest.approx(
        1 + math.log(2 * math.pi * 0.25), abs=1e-10
    )
    # rings far apart: a law on each, and which it is
    one, two = Rings((5.0,), (7,), 0.1).entropy(), Rings((20.0,), (7,), 0.1).entropy()
    both = Rings((5.0, 20.0), (7, 7), 0.1).entropy()
    assert both == pytest.approx((one + two) / 2 + math.log(2), abs=1e-9)
    assert Rings((0.3, 3.0), (200, 800), 0.2).entropy() == pytest.approx(2.767, abs=5e-4)


def test_density_of_rings_is_that_of_many_normals() -> None:
    rings = Rings((0.3, 3.0), (200, 800), 0.2)
    x = rings.sample(np.random.default_rng(0))[::50]
    squared = ((x[:, None] - rings.centres()) ** 2).sum(-1)
    density = np.exp(-squared / 0.08).mean(-1) / (2 * np.pi * 0.04)
    np.testing.assert_allclose(np.exp(rings.log_density(x)), density, rtol=1e-10)


# -------------------------------------------------------------------------- the command


class Stand:
    """Stands in for a figure that takes time: an exhibit that says its seed."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.made: list[tuple[int, bool]] = []

    def __call__(self, conditions: Conditions) -> Exhibit:
        self.made.append((conditions.seed, conditions.full))
        if self.error is not None:
            raise self.error
        figure = new_figure(1, 1)
        holds = Comparison("one", 1.0, 1.0, "counting")
        return Exhibit(f"seed {conditions.seed}", (), "nothing", figure, (holds,), {"x": 1})


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Stand:
    made = Stand()
    monkeypatch.setattr(Entry, "make", made)
    return made


def test_some_figures_with_a_seed(stand: Stand, run: Any, tmp_path: Path) -> None:
    ended = run("gallery", "3", "mixture-of-normals", "--seed", 5, "--full", "--output", tmp_path)
    assert ended.code == 0, ended.err
    assert "as it should" in ended.out
    assert stand.made == [(5, True), (5, True)]
    assert json.loads((tmp_path / "gallery.json").read_text())["figures"] == [
        "mixture-of-normals",
        "gaussian-boltzmann",
    ]


def test_figures_of_an_older_gallery_stay(stand: Stand, run: Any, tmp_path: Path) -> None:
    assert run("gallery", "2", "3", "--output", tmp_path / "g").code == 0
    assert run("gallery", "3", "--seed", 7, "--output", tmp_path / "g").code == 0
    page = (tmp_path / "g" / "index.html").read_text()
    assert "seed 0" in page
    assert "seed 7" in page
    assert len(list((tmp_path / "g").glob("*.png"))) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["g"]


def test_what_is_no_record_is_not_kept_in_silence(
    stand: Stand, run: Any, refused: Any, tmp_path: Path
) -> None:
    assert run("gallery", "2", "--output", tmp_path).code == 0
    numbers = tmp_path / f"{find('2').stem}.json"
    for broken in ("{", "[]", "{}"):
        numbers.write_text(broken)
        assert "name a new folder" in refused("gallery", "3", "--output", tmp_path)
        assert numbers.read_text() == broken
    # made again, it is as good as new
    assert run("gallery", "2", "--output", tmp_path).code == 0
    assert json.loads(numbers.read_text())["figure"] == "mixture-of-normals"


def test_interrupted_leaves_what_was_there(stand: Stand, run: Any, tmp_path: Path) -> None:
    assert run("gallery", "2", "--output", tmp_path / "g").code == 0
    before = (tmp_path / "g" / "index.html").read_text()
    stand.error = KeyboardInterrupt()
    assert run("gallery", "3", "--output", tmp_path / "g").code == 130
    assert (tmp_path / "g" / "index.html").read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["g"]


def test_refused(stand: Stand, refused: Any, tmp_path: Path) -> None:
    said = refused("gallery", "7", "--output", tmp_path / "g")
    assert "one of the figures 2 (mixture-of-normals)" in said
    assert "--output" in refused("gallery")
    (tmp_path / "letter.txt").write_text("mine")
    assert "something else than a gallery" in refused("gallery", "--output", tmp_path)
    assert not stand.made


def test_without_matplotlib(
    stand: Stand, refused: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise ImportError("pictures need matplotlib")

    monkeypatch.setitem(run_function.__globals__, "require_matplotlib", missing)
    assert refused("gallery", "--output", tmp_path / "g") == "pictures need matplotlib"
    assert list(tmp_path.iterdir()) == []


def test_comparisons() -> None:
    assert Comparison("", 1.0, 1.05, "", 0.1).holds
    assert not Comparison("", 1.0, 1.2, "", 0.1).holds
    assert Comparison("", 1.0, 5.0, "", relation="at least").holds
    assert not Comparison("", 1.0, 0.9, "", relation="at least").holds
    assert Comparison("", 1.0, 0.9, "", relation="at most").holds
    assert not Comparison("", 1.0, 1.2, "", 0.1, "at most").holds
    assert not Comparison("", 1.0, float("nan"), "", 1.0).holds


def test_plain_values() -> None:
    value = {"a": np.array([1.0, np.nan]), 2: (np.float64(0.5), np.bool_(True), "b", None)}
    assert plain(value) == {"a": [1.0, None], "2": [0.5, True, "b", None]}


def test_each_stream_is_its_own() -> None:
    conditions = Conditions(False, 3, print)
    first, again, other = (conditions.rng(*s).random() for s in ((3, 1), (3, 1), (3, 2)))
    assert first == again != other
