"""Correlations of binary units, against sums over all their states."""

from typing import Any

import numpy as np
import pytest

from harmonium import Boltzmann
from harmonium.learning import Fit
from harmonium.plotting import plot_correlations, unit_correlations, unit_laws


def by_enumeration(family: Boltzmann, natural: np.ndarray) -> np.ndarray:
    states = (np.arange(2**family.n)[:, None] >> np.arange(family.n) & 1).astype(float)
    weights = np.exp(family.log_density(natural, states))
    mean = weights @ states
    covariance = (states - mean).T * weights @ (states - mean)
    spread = np.sqrt(np.diagonal(covariance))
    return covariance / np.outer(spread, spread)


@pytest.mark.parametrize("edges", [None, ((1, 0), (2, 1), (3, 2))])
def test_against_all_states(edges: Any) -> None:
    family = Boltzmann(4, edges)
    natural = np.random.default_rng(0).standard_normal(family.dimension)
    np.testing.assert_allclose(
        unit_correlations(family, natural), by_enumeration(family, natural), atol=1e-12
    )


def test_units_that_never_change_have_none() -> None:
    family = Boltzmann(3)
    natural = family.from_parameters(biases=[0.0, 60.0, 0.5])
    found = unit_correlations(family, natural)
    assert np.isnan(found[1]).all()
    assert np.isnan(found[:, 1]).all()
    assert found[0, 2] == pytest.approx(0, abs=1e-12)
    assert found[0, 0] == pytest.approx(1)


def test_laws_of_prior_and_posteriors(units_fit: Fit, rows: np.ndarray) -> None:
    family, prior = unit_laws(units_fit)
    again, posteriors = unit_laws(units_fit, rows[:4])
    assert family == again == Boltzmann(3)
    activities = family.to_mean(posteriors)[:, :3]
    np.testing.assert_allclose(activities, units_fit.latent(rows[:4]), atol=1e-9)
    drawn = units_fit.sample(40_000, 0)[1]
    # ten standard errors
    assert np.abs(family.to_mean(prior)[:3] - drawn.mean(0)).max() < 0.025


def test_picture() -> None:
    matrix = np.array([[1.0, 0.5, np.nan], [0.5, 1.0, -0.25], [np.nan, -0.25, 1.0]])
    ax = plot_correlations(matrix, names=["a", "b", "c"])
    drawn = np.ma.filled(ax.images[0].get_array(), np.nan)
    expected = matrix.copy()
    np.fill_diagonal(expected, np.nan)
    np.testing.assert_array_equal(drawn, expected)
    assert ax.images[0].get_clim() == (-1, 1)
    assert sorted(t.get_text() for t in ax.texts) == ["0.50", "0.50", "−0.25", "−0.25"]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["a", "b", "c"]
    assert not plot_correlations(matrix, numbers=False).texts
    # what is given stays as it is
    assert matrix[0, 0] == 1


def test_refused(mixture_fit: Fit) -> None:
    with pytest.raises(ValueError, match="square"):
        plot_correlations(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="between -1 and 1"):
        plot_correlations(np.full((2, 2), 1.5))
    with pytest.raises(ValueError, match="Boltzmann"):
        unit_laws(mixture_fit)
    with pytest.raises(ValueError, match="natural: one point"):
        unit_correlations(Boltzmann(2), np.zeros((4, 3)))
