"""A residual shows what is wrong, also where all else is right."""

from typing import Any

import numpy as np
import pytest

from harmonium import Boltzmann, Harmonium, LinearGaussian, Mixture, Normal, Poisson, VonMises
from harmonium.expectation import ArraySource, expectation
from harmonium.rules.linear_stack import LinearPrepared
from harmonium.rules.mixture_stack import MixturePrepared
from laws.derivatives import derivative
from laws.random_points import random_point, rows_of

LINEAR = [
    LinearGaussian(Normal(3), Normal(2)),
    LinearGaussian(Normal(4, "diagonal"), Normal(2)),
    LinearGaussian(Normal(3, "isotropic"), Normal(1)),
    LinearGaussian(Normal(3, "diagonal"), Boltzmann(2)),
    LinearGaussian(Normal(3, "diagonal"), Mixture(Normal(1), 2)),
]
MIXTURES = [
    Mixture(Normal(2), 3),
    Mixture(Normal(2), 3, shared="shape"),
    Mixture(Normal(2, "isotropic"), 2),
    Mixture(Poisson(3), 2),
    Mixture(VonMises(2), 2),
    Mixture(LinearGaussian(Normal(2, "diagonal"), Normal(1)), 2),
]


def gradient(model: Harmonium, prepared: Any, source: ArraySource) -> float:
    """The largest difference of average and model expectation, in standard deviations."""
    natural = prepared.natural[0]
    spread = np.sqrt(np.diagonal(derivative(model.to_mean, natural)))
    difference = model.expectation(natural, source.x) - model.to_mean(natural)
    return float(np.abs(difference / spread).max())


def data(model: Harmonium) -> tuple[Any, ArraySource]:
    """A model, and data of another not far away."""
    rng = np.random.default_rng(2)
    truth, other = random_point(model, rng), random_point(model, rng)
    source = ArraySource(rows_of(model, truth, 400, rng))
    return model.prepare(0.7 * truth + 0.3 * other), source


def settle(prepared: Any, source: ArraySource, keep: Any, iterations: int = 200) -> Any:
    """EM in which ``keep`` puts back a part of the model."""
    for _ in range(iterations):
        prepared = keep(prepared.maximise(expectation(prepared, source).sums, set()))
    return prepared


@pytest.mark.parametrize("model", LINEAR, ids=repr)
def test_a_wrong_likelihood_under_a_settled_prior(model: Harmonium) -> None:
    start, source = data(model)

    def keep(p: Any) -> LinearPrepared:
        return LinearPrepared(p.observable, p.latent_family, start.loadings, start.noise, p.prior)

    settled = settle(start, source, keep)
    residual = settled.residual(expectation(settled, source).sums)
    found = gradient(model, settled, source)
    assert found > 0.01
    assert found / 3 < residual < 10 * found


@pytest.mark.parametrize("model", LINEAR[3:], ids=repr)
def test_a_wrong_prior_under_a_settled_likelihood(model: Harmonium) -> None:
    # a normal prior is always right: its mean and covariance are the likelihood's to choose
    start, source = data(model)

    def keep(p: Any) -> LinearPrepared:
        return LinearPrepared(p.observable, p.latent_family, p.loadings, p.noise, start.prior)

    settled = settle(start, source, keep)
    residual = settled.residual(expectation(settled, source).sums)
    found = gradient(model, settled, source)
    assert found > 1e-4
    assert found / 3 < residual < 10 * found


@pytest.mark.parametrize("model", MIXTURES, ids=repr)
def test_wrong_components_under_settled_weights(model: Harmonium) -> None:
    start, source = data(model)

    def keep(p: Any) -> MixturePrepared:
        return MixturePrepared(p.observable, p.log_weights, start.components, p.rows)

    settled = settle(start, source, keep)
    residual = settled.residual(expectation(settled, source).sums)
    found = gradient(model, settled, source)
    assert found > 0.01
    assert found / 3 < residual < 10 * found


@pytest.mark.parametrize("model", MIXTURES, ids=repr)
def test_wrong_weights_of_settled_components(model: Harmonium) -> None:
    start, source = data(model)
    k = start.n_components
    wrong = np.log([[0.7, *[0.3 / (k - 1)] * (k - 1)]])

    def keep(p: Any) -> MixturePrepared:
        return MixturePrepared(p.observable, wrong, p.components, p.rows)

    settled = settle(start, source, keep)
    residual = settled.residual(expectation(settled, source).sums)
    found = gradient(model, settled, source)
    assert found > 1e-4
    assert found / 3 < residual < 10 * found
