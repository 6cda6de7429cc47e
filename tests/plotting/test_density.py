"""Contours enclose the share of probability that they promise, of exact marginals."""

from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.contour import QuadContourSet
from matplotlib.path import Path
from scipy.stats import chi2, multivariate_normal

from harmonium import Normal
from harmonium.estimators import GaussianMixture
from harmonium.learning import Fit, fit
from harmonium.plotting import plot_density
from harmonium.plotting.densities import PlaneDensity, levels_of, log_density_of

COVARIANCE = np.array([[2.0, 0.6, 0.3], [0.6, 1.0, -0.2], [0.3, -0.2, 0.5]])


@pytest.fixture(scope="module")
def normal_fit() -> Fit:
    """A normal with exactly this covariance."""
    x = np.random.default_rng(0).standard_normal((400, 3))
    x = (x - x.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T, bias=True))).T
    return fit(Normal(3), x @ np.linalg.cholesky(COVARIANCE).T)


def contours(ax: Any) -> list[QuadContourSet]:
    return [c for c in ax.collections if isinstance(c, QuadContourSet)]


@pytest.mark.parametrize("columns", [(0, 1), (2, 0)])
def test_marginals_are_exact(normal_fit: Fit, columns: tuple[int, int]) -> None:
    points = np.random.default_rng(1).standard_normal((50, 2))
    law = multivariate_normal([0, 0], COVARIANCE[np.ix_(columns, columns)])
    density = PlaneDensity(*log_density_of(normal_fit), columns)(points)
    np.testing.assert_allclose(density, law.pdf(points), rtol=1e-9)


def test_contours_enclose_their_share(normal_fit: Fit) -> None:
    masses = (0.25, 0.5, 0.9)
    ax = plot_density(
        normal_fit,
        columns=(0, 1),
        limits=((-7, 7), (-5, 5)),
        masses=masses,
        filled=False,
        resolution=300,
    )
    (lines,) = contours(ax)
    precision = np.linalg.inv(COVARIANCE[:2, :2])
    # of a normal in the plane: ellipses of squared radius -2 log(1 - mass), the outermost first
    for path, mass in zip(lines.get_paths(), sorted(masses, reverse=True), strict=True):
        squared = np.einsum("ni,ij,nj->n", path.vertices, precision, path.vertices)
        np.testing.assert_allclose(squared, chi2(2).ppf(mass), rtol=0.02)


def test_contours_in_a_colour(normal_fit: Fit) -> None:
    (lines,) = contours(
        plot_density(normal_fit, limits=((-7, 7), (-5, 5)), filled=False, colour="#228833")
    )
    np.testing.assert_allclose(lines.get_edgecolor(), np.tile(to_rgba("#228833"), (11, 1)))


def test_bands_fill_what_is_between(normal_fit: Fit) -> None:
    ax = plot_density(normal_fit, limits=((-7, 7), (-5, 5)), masses=(0.5, 0.9))
    bands = contours(ax)[0]
    outer, inner = bands.get_paths()
    # a ring, and what is within it
    assert [len(path.to_polygons()) for path in (outer, inner)] == [2, 1]
    assert inner.contains_point((0, 0))
    # the darker, the denser
    assert sum(bands.get_facecolor()[0][:3]) > sum(bands.get_facecolor()[1][:3])


def test_levels() -> None:
    density = np.array([[4.0, 3.0], [2.0, 1.0]])
    assert levels_of(density, 0.1, [0.35, 0.65, 0.95]) == [4.0, 3.0, 1.0]
    # shares that are not in sight are not drawn
    assert levels_of(density, 0.05, [0.15, 0.9]) == [4.0]
    assert levels_of(np.zeros((3, 3)), 1.0, [0.5]) == []


def test_shares_out_of_sight_are_left_out(normal_fit: Fit) -> None:
    ax = plot_density(
        normal_fit, limits=((-0.5, 0.5), (-0.5, 0.5)), masses=(0.01, 0.9), filled=False
    )
    assert len(contours(ax)[0].levels) == 1
    far = plot_density(normal_fit, limits=((900, 901), (0, 1)))
    assert contours(far) == []


def test_data_set_the_limits_and_are_drawn(normal_fit: Fit) -> None:
    x = np.array([[0.0, -1.0, 9.0], [4.0, 3.0, 9.0], [np.nan, 1.0, 9.0]])
    ax = plot_density(normal_fit, x, names=["a", "b", "c"])
    assert ax.get_xlim() == pytest.approx((-0.32, 4.32))
    assert ax.get_ylim() == pytest.approx((-1.32, 3.32))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("a", "b")
    assert len(ax.collections[-1].get_offsets()) == 3
    bare = plot_density(normal_fit, x, points=False)
    assert len(bare.collections) == len(ax.collections) - 1


def test_draws_set_the_limits(normal_fit: Fit) -> None:
    ax = plot_density(normal_fit)
    left, right = ax.get_xlim()
    assert -8 < left < -3
    assert 3 < right < 8
    assert plot_density(normal_fit).get_xlim() == (left, right)


def test_any_fit(any_fit: Fit, rows: np.ndarray) -> None:
    ax = plot_density(any_fit, rows, columns=(0, 2), resolution=60)
    inner = contours(ax)[0].get_paths()[-1]
    densest = rows[any_fit.log_density(rows * [1, np.nan, 1]).argmax(), ::2]
    assert isinstance(inner, Path)
    assert ax.get_xlim()[0] < densest[0] < ax.get_xlim()[1]


def test_estimators_and_functions(rows: np.ndarray) -> None:
    mixture = GaussianMixture(2, random_state=0).fit(rows)
    by_estimator = plot_density(mixture, rows, resolution=30)
    by_fit = plot_density(mixture.fit_, rows, resolution=30)
    levels = [contours(ax)[0].levels for ax in (by_estimator, by_fit)]
    np.testing.assert_array_equal(*levels)
    law = multivariate_normal([0, 0])
    ax = plot_density(law.logpdf, limits=((-3, 3), (-3, 3)), masses=(0.5,), filled=False)
    radius = np.linalg.norm(contours(ax)[0].get_paths()[0].vertices, axis=-1)
    np.testing.assert_allclose(radius, np.sqrt(chi2(2).ppf(0.5)), rtol=0.02)


def test_colour_bar_names_the_shares(normal_fit: Fit) -> None:
    ax = plot_density(normal_fit, masses=(0.5, 0.9, 0.125), colour_bar=True)
    bar = ax.figure.axes[1]
    assert [tick.get_text() for tick in bar.get_yticklabels()] == ["90 %", "50 %", "12.5 %"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"columns": (0, 3)}, "columns: 3 is none of the 3"),
        ({"columns": (1, 1)}, "columns: two different"),
        ({"masses": (0.5, 1.0)}, "masses"),
        ({"masses": ()}, "masses"),
        ({"names": ["a"]}, "names: 1 names for 3"),
        ({"limits": ((1, 0), (0, 1))}, "limits"),
        ({"x": [[0.0, 1.0]]}, "columns|features"),
        ({"x": [[np.nan, 1.0, 2.0]]}, r"x: a column of \(0, 1\)"),
        ({"resolution": 2}, "resolution"),
    ],
)
def test_refused(normal_fit: Fit, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plot_density(normal_fit, **arguments)


def test_refused_without_limits_or_density() -> None:
    with pytest.raises(ValueError, match="limits"):
        plot_density(lambda x: x.sum(-1))
    with pytest.raises(TypeError, match="fitted"):
        plot_density(7)
    with pytest.raises(ValueError, match="log densities of shape"):
        plot_density(lambda x: x, limits=((0, 1), (0, 1)))
