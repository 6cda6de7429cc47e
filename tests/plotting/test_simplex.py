"""The triangle of three weights: places, cells that fill it, bands that hold their shares."""

import numpy as np
import pytest
from scipy.stats import dirichlet

from harmonium import Dirichlet
from harmonium.plotting import plot_simplex, plot_simplex_density, simplex_places
from harmonium.plotting.simplex import CORNERS, simplex_cells


def test_corners_and_centre() -> None:
    np.testing.assert_allclose(simplex_places(np.eye(3)), CORNERS)
    np.testing.assert_allclose(simplex_places([[1 / 3] * 3])[0], CORNERS.mean(0), atol=1e-15)
    # distances in the triangle are those of the weights, but for one factor
    weights = np.random.default_rng(0).dirichlet(np.ones(3), 20)
    places = simplex_places(weights)
    apart = np.linalg.norm(weights[:10] - weights[10:], axis=-1)
    np.testing.assert_allclose(
        np.linalg.norm(places[:10] - places[10:], axis=-1), apart / np.sqrt(2), rtol=1e-12
    )


@pytest.mark.parametrize("resolution", [1, 2, 5, 40])
def test_cells_fill_the_simplex(resolution: int) -> None:
    cells = simplex_cells(resolution)
    assert cells.shape == (resolution**2, 3)
    assert (cells > 0).all()
    np.testing.assert_allclose(cells.sum(-1), 1, rtol=1e-12)
    np.testing.assert_allclose(cells.mean(0), 1 / 3, rtol=1e-12)
    assert len(np.unique(cells.round(9), axis=0)) == resolution**2


def test_cells_integrate() -> None:
    # E[w_0 w_1] under the uniform law, Dirichlet(1, 1, 1), is 1/12
    cells = simplex_cells(200)
    assert (cells[:, 0] * cells[:, 1]).mean() == pytest.approx(1 / 12, rel=1e-3)


def test_bands_hold_their_shares() -> None:
    family = Dirichlet(3)
    concentration = np.array([4.0, 3.0, 6.0])
    point = np.ravel(family.from_parameters(concentration=concentration))
    ax = plot_simplex_density(lambda w: family.log_density(point, w), masses=(0.5, 0.9))
    filled, _lines = ax.collections
    outer, inner = filled.levels[:2]
    draws = np.random.default_rng(0).dirichlet(concentration, 20_000)
    # levels are of densities whose average over the triangle is one, that of Dirichlet is two
    density = dirichlet.pdf(draws.T, concentration) / 2
    # five standard errors, and the size of a cell
    assert (density > inner).mean() == pytest.approx(0.5, abs=0.025)
    assert (density > outer).mean() == pytest.approx(0.9, abs=0.025)


def test_a_level_density_has_bands_too() -> None:
    ax = plot_simplex_density(lambda w: np.zeros(len(w)), resolution=10)
    assert ax.collections


def test_names() -> None:
    ax = plot_simplex()
    assert [t.get_text() for t in ax.texts] == ["0", "1", "2"]
    ax = plot_simplex(names=["red", "green", "blue"])
    assert [t.get_text() for t in ax.texts] == ["red", "green", "blue"]


def test_refused() -> None:
    with pytest.raises(ValueError, match="sum"):
        simplex_places([[0.5, 0.5, 0.5]])
    with pytest.raises(ValueError, match="weights"):
        simplex_places([[0.5, 0.5]])
    with pytest.raises(ValueError, match="names: 2 names for 3"):
        plot_simplex(names=["a", "b"])
    with pytest.raises(ValueError, match="resolution"):
        plot_simplex_density(lambda w: w[:, 0], resolution=2)
