"""How far likelihoods are from conjugated."""

import numpy as np
import pytest
from scipy import special
from scipy.optimize import lsq_linear

from harmonium import (
    Bernoulli,
    Boltzmann,
    Circle,
    Grid,
    Harmonium,
    LinearGaussian,
    Mixture,
    Normal,
    Poisson,
    PopulationCode,
    VonMises,
)
from harmonium.learning import conjugation_error
from harmonium.rules import AnyPair
from laws.tolerances import assert_close

CIRCLE = np.linspace(0, 2 * np.pi, 60, endpoint=False)[:, None]


def test_conjugated_models_have_none():
    mixture = Mixture(Poisson(2), 3)
    natural = mixture.from_parameters(rate=[[1.0, 2.0], [3.0, 4.0], [5.0, 1.0]])
    found = conjugation_error(mixture, natural)
    assert found.largest < 1e-13
    assert_close(found.rho, mixture.conjugation(natural).rho, 1e-15)
    binary = LinearGaussian(Normal(2), Boltzmann(3))
    point = np.random.default_rng(0).normal(size=binary.dimension)
    point[2:5] = [-0.5, 0.2, -0.4]
    assert conjugation_error(binary, point).largest < 1e-12


def test_a_mixture_as_any_pair_has_none_either():
    pair = Harmonium(Poisson(2), Mixture(Poisson(1), 3).latent)
    natural = np.random.default_rng(1).normal(size=pair.dimension)
    found = conjugation_error(pair, natural)
    assert found.largest < 1e-12
    # the rule's own rho, found by least squares
    mixture = Mixture(Poisson(2), 3)
    assert_close(found.rho, mixture.conjugation(natural).rho, 1e-11)
    assert found.chi == pytest.approx(float(mixture.conjugation(natural).chi), abs=1e-11)


def test_even_tuning_curves_nearly_conjugate_and_uneven_ones_do_not():
    model = Harmonium(Poisson(8), VonMises(1))
    preferred = np.arange(8) * 2 * np.pi / 8
    even = model.join(
        np.zeros(8), np.zeros(2), np.stack([np.cos(preferred), np.sin(preferred)], -1)
    )
    found = conjugation_error(model, even, CIRCLE)
    # the first harmonic that eight even curves leave is 2 * 8 * I_8(1) (Bessel)
    assert found.largest == pytest.approx(16 * 9.96e-8, rel=0.01)
    assert found.root_mean_square == pytest.approx(found.largest / np.sqrt(2), rel=0.01)
    assert found.chi == pytest.approx(8 * 1.2660658777520084, rel=1e-9)
    half = model.join(
        np.zeros(8), np.zeros(2), np.stack([np.cos(preferred / 2), np.sin(preferred / 2)], -1)
    )
    assert conjugation_error(model, half, CIRCLE).largest > 0.05


def test_least_squares():
    rng = np.random.default_rng(2)
    model = Harmonium(Bernoulli(5), Bernoulli(3))
    natural = rng.normal(size=model.dimension)
    found = conjugation_error(model, natural)
    z = model.latent.states()
    parts = model.split(natural)
    psi = np.logaddexp(0, parts.observable + z @ parts.interaction.T).sum(-1)
    best = lsq_linear(np.column_stack([z, np.ones(8)]), psi, tol=1e-14)
    assert_close(found.rho, best.x[:3], 1e-9)
    assert found.chi == pytest.approx(best.x[3], abs=1e-9)
    assert found.root_mean_square == pytest.approx(np.sqrt(np.mean(best.fun**2)), rel=1e-9)
    assert found.largest == pytest.approx(np.abs(best.fun).max(), rel=1e-9)


def test_fewer_points_than_statistics():
    model = Harmonium(Poisson(2), Boltzmann(4))
    natural = np.random.default_rng(3).normal(size=model.dimension)
    assert conjugation_error(model, natural, np.zeros((1, 4))).largest < 1e-12


def test_arguments():
    model = Harmonium(Bernoulli(2), Normal(1), AnyPair(columns="location"))
    natural = np.array([0.0, 0.0, 0.0, -0.5, 1.0, 1.0])
    with pytest.raises(ValueError, match="region: give points of Normal"):
        conjugation_error(model, natural)
    with pytest.raises(ValueError, match="region"):
        conjugation_error(model, natural, [[1.0, 2.0]])
    with pytest.raises(ValueError, match="natural: one point"):
        conjugation_error(model, natural[None], [[1.0]])
    with pytest.raises(TypeError, match="model: a Harmonium"):
        conjugation_error(Normal(1), natural, [[1.0]])


def test_of_population_codes_over_regions() -> None:
    # eight curves on a circle: the eighth harmonic of exp(k cos) is what Eq. 10 lacks
    model = PopulationCode(Poisson(8), VonMises(1), Circle(200))
    natural = model.from_parameters(
        gains=2.0, preferred=np.arange(8) * np.pi / 4, concentrations=1.5, prior=np.zeros(2)
    )
    found = conjugation_error(model, natural)
    expected = 2 * 2.0 * 8 * special.iv(8, 1.5) / special.iv(0, 1.5)
    assert found.largest == pytest.approx(expected, rel=1e-3)
    assert found.root_mean_square == pytest.approx(expected / np.sqrt(2), rel=1e-3)
    fine = conjugation_error(model, natural, Circle(4001))
    assert fine.largest == pytest.approx(expected, rel=1e-3)
    same = conjugation_error(model, natural, Circle(200).latents())
    assert same.largest == pytest.approx(found.largest)


def test_of_codes_of_deep_latents() -> None:
    latent = Mixture(Normal(1), 2)
    model = PopulationCode(Poisson(9), latent, Grid(-2, 2, 101))
    prior = latent.from_parameters(mean=[[-1.0], [1.0]], covariance=[[[0.1]], [[0.1]]])
    natural = model.from_parameters(
        gains=1.0, preferred=np.linspace(-4, 4, 9), widths=1.0, prior=prior
    )
    inside = conjugation_error(model, natural)
    outside = conjugation_error(model, natural, Grid(-6, 6, 101))
    assert inside.largest < 0.05 < outside.largest
    assert len(inside.rho) == 2
