"""Learned tuning curves: slopes, monotone progress, what they find, what holds them to Eq. 10."""

from typing import Any

import numpy as np
import pytest

from harmonium import Binomial, Circle, Grid, Mixture, Normal, Poisson, PopulationCode, VonMises
from harmonium.errors import ConvergenceWarning
from harmonium.expectation import ArraySource
from harmonium.learning import conjugation_error, fit_tuning_curves
from harmonium.learning.tuning_curves import _Curves
from laws.derivatives import derivative

ANGLES = 2 * np.pi * np.arange(8) / 8
CODES = {
    "rates": PopulationCode(Poisson(8), VonMises(1), Circle(100)),
    "trials": PopulationCode(Binomial(5, 8), VonMises(1), Circle(100)),
}


def truth(model: Any) -> np.ndarray:
    prior = VonMises(1).from_parameters(mean=2.0, concentration=1.0)
    return model.from_parameters(gains=3.0, preferred=ANGLES, concentrations=1.5, prior=prior)


def start(model: Any) -> np.ndarray:
    rng = np.random.default_rng(1)
    preferred = ANGLES + 0.3 * rng.normal(size=8)
    return model.from_parameters(
        gains=2.0, preferred=preferred, concentrations=0.5, prior=np.zeros(2)
    )


def counts(model: Any, n: int = 600) -> np.ndarray:
    x = model.sample(truth(model), 0, size=n)[:, :8]
    x[::7, 3] = np.nan
    return x


@pytest.mark.parametrize("name", CODES)
class TestCodes:
    def test_slopes_are_derivatives(self, name):
        model = CODES[name]
        x = counts(model, 30)
        curves = _Curves(model.prepare(start(model)), ArraySource(x, np.full(30, 1 / 30)), 5.0)
        at = curves._start
        found = curves.slope(at)[1]

        def values(points):
            return np.array([curves.slope(point)[0] for point in points])

        np.testing.assert_allclose(found, derivative(values, at), rtol=1e-6, atol=1e-8)

    def test_curves_are_found_and_held(self, name):
        model, x = CODES[name], counts(CODES[name])
        seen = []
        fitted = fit_tuning_curves(
            model, x, start(model), tol=5e-3, callback=seen.append, warn=False
        )
        assert fitted.residual < 0.02
        objective = [-step.objective for step in seen]
        assert (np.diff(objective) <= 1e-12).all()
        generating = -model.log_observable_density(truth(model), x).mean()
        assert fitted.cross_entropy <= generating
        assert fitted.cross_entropy > generating - 0.1  # 26 parameters, 600 rows
        gains = model.to_parameters(fitted.natural).gains
        np.testing.assert_allclose(gains, 3.0, rtol=0.4)
        free = fit_tuning_curves(
            model, x, start(model), residual_weight=0, tol=5e-3, max_iter=20, warn=False
        )
        held = conjugation_error(model, fitted.natural).root_mean_square
        assert held < 0.5 * conjugation_error(model, free.natural).root_mean_square
        assert held < 0.02

    def test_the_prior_may_stay(self, name):
        model, x = CODES[name], counts(CODES[name], 200)
        fitted = fit_tuning_curves(
            model, x, start(model), learn_prior=False, max_iter=3, warn=False
        )
        np.testing.assert_allclose(model.prior(fitted.natural), np.zeros(2), atol=1e-12)
        assert fitted.history[-1] < fitted.history[0]

    def test_weights_repeat_rows(self, name):
        model, x = CODES[name], counts(CODES[name], 60)
        repeats = np.random.default_rng(0).integers(0, 3, 60)
        options: Any = {"max_iter": 3, "warn": False}
        weighted = fit_tuning_curves(model, x, start(model), weights=repeats, **options)
        repeated = fit_tuning_curves(model, np.repeat(x, repeats, 0), start(model), **options)
        np.testing.assert_allclose(weighted.history, repeated.history, rtol=1e-6)


def test_curves_of_a_clustered_latent():
    latent = Mixture(Normal(1), 2)
    model = PopulationCode(Poisson(7), latent, Grid(-4, 4, 81))
    prior = latent.from_parameters(
        weights=[0.4, 0.6], mean=[[-1.5], [1.5]], covariance=[[[0.2]], [[0.2]]]
    )
    places = np.linspace(-4, 4, 7)
    law: Any = {"gains": 3.0, "preferred": places, "prior": prior}
    natural = model.from_parameters(**law, widths=1.0)
    x = model.sample(natural, 0, size=300)[:, :7]
    begun = model.from_parameters(**law, widths=1.6)
    fitted = fit_tuning_curves(model, x, begun, max_iter=8, warn=False)
    assert fitted.history[-1] < fitted.history[0] - 0.05
    assert np.isfinite(fitted.natural).all()


def test_how_it_ends():
    model, x = CODES["rates"], counts(CODES["rates"], 50)
    with pytest.warns(ConvergenceWarning, match="not converged after 1 iterations"):
        fit_tuning_curves(model, x, start(model), max_iter=1, tol=0)
    stopped = fit_tuning_curves(model, x, start(model), callback=lambda step: True)
    assert stopped.message == "stopped by the callback"
    assert len(stopped.history) == 1

    def refuse(step):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fit_tuning_curves(model, x, start(model), callback=refuse)


def test_errors():
    model = CODES["rates"]
    with pytest.raises(TypeError, match="model: a PopulationCode"):
        fit_tuning_curves(Mixture(Poisson(2), 2), np.ones((3, 2)), np.zeros(5))
    with pytest.raises(ValueError, match="residual_weight"):
        fit_tuning_curves(model, np.ones((3, 8)), start(model), residual_weight=-1)
    with pytest.raises(ValueError, match="-1"):
        fit_tuning_curves(model, -np.ones((3, 8)), start(model))
