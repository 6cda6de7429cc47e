"""Priors of parameters: their gradients, and what fits become."""

import numpy as np
import pytest
from scipy import optimize

from harmonium import Bernoulli, Mixture, Normal, Poisson
from harmonium.learning import ConjugatePenalty, NormalPenalty, fit
from harmonium.numerics.derivatives import jacobian
from harmonium.validation import FloatArray
from laws.harmonium_cases import HarmoniumCase, every_model
from laws.random_points import random_point
from laws.tolerances import assert_close


@every_model
def test_gradients(case: HarmoniumCase) -> None:
    model = case.small
    natural, other = (random_point(model, case.rng(seed)) for seed in (1, 2))
    for penalty in (
        NormalPenalty(0.5),
        NormalPenalty(2.0, "interaction", 0.3),
        NormalPenalty(np.arange(model.latent.dimension) + 1.0, "prior"),
        ConjugatePenalty(3.0, model.to_mean(other)),
    ):
        direction = case.rng(3).normal(size=model.dimension)
        step = min(1e-3, float(model._steps(natural).min()) / np.abs(direction).max())
        expected = jacobian(
            lambda t, p=penalty, u=direction: np.atleast_1d(p.value(model, natural + t[0] * u)),  # type: ignore[misc]
            np.zeros(1),
            np.array([step]),
        )[0, 0]
        found = penalty.gradient(model, natural)
        assert_close(found @ direction, expected, 1e-6)
        assert penalty.gradient(model, np.stack([natural, other])).shape == (2, model.dimension)


def counts() -> FloatArray:
    rng = np.random.default_rng(0)
    return np.concatenate([rng.poisson(2.0, (40, 1)), rng.poisson(9.0, (40, 1))]).astype(float)


class TestFits:
    def test_a_normal_prior_of_a_log_odds(self) -> None:
        # ridge logistic regression on an intercept: scipy finds the same
        x = np.array([1.0, 1, 1, 0])[:, None]
        best = optimize.minimize_scalar(
            lambda t: 4 * np.log1p(np.exp(t)) - 3 * t + 0.5 * 2.0 * (t - 0.1) ** 2
        )
        penalty = NormalPenalty(2.0, centre=0.1)
        for method in ("EM", "CE-GD"):
            options = {} if method == "EM" else {"optimiser": "L-BFGS"}
            found = fit(Bernoulli(1), x, method, penalty=penalty, tol=1e-8, **options)  # type: ignore[arg-type]
            assert found.converged
            np.testing.assert_allclose(found.natural, best.x, atol=1e-6)

    def test_a_conjugate_prior_is_rows(self) -> None:
        # of a family: as many more rows with this mean
        x, mean = counts(), 5.0
        found = fit(Poisson(1), x, penalty=ConjugatePenalty(20, [mean]))
        expected = (x.sum() + 20 * mean) / (len(x) + 20)
        np.testing.assert_allclose(np.exp(found.natural[0]), expected, rtol=1e-12)

    def test_a_conjugate_prior_of_a_mixture_climbs(self) -> None:
        model = Mixture(Poisson(1), 2)
        centre = model.from_parameters(weights=[0.5, 0.5], rate=[[3.0], [3.5]])
        penalty = ConjugatePenalty(30.0, model.to_mean(centre))
        initial = model.from_parameters(weights=[0.4, 0.6], rate=[[1.0], [6.0]])
        objectives: list[float] = []
        found = fit(
            model, counts(), initial=initial, penalty=penalty, tol=1e-9, max_iter=5000,
            callback=lambda step: objectives.append(step.objective),
        )  # fmt: skip
        assert found.converged
        assert (np.diff(objectives) >= -1e-12).all()
        # stationary: the average of the data's expectation and the prior's rows is the model's
        average = 80 * model.expectation(found.natural, counts()) + 30 * penalty.mean
        assert_close(average / 110, model.to_mean(found.natural), 1e-7)
        by_gradient = fit(
            model, counts(), "CE-GD", initial=initial, penalty=penalty, optimiser="L-BFGS"
        )
        assert abs(by_gradient.cross_entropy - found.cross_entropy) < 1e-6

    def test_a_prior_of_the_prior(self) -> None:
        # strong: the weights are even, and the components as free as ever
        model = Mixture(Normal(1), 2)
        x = np.concatenate([np.random.default_rng(0).normal(size=(30, 1)), 5 + np.zeros((90, 1))])
        x[30:] += np.random.default_rng(1).normal(size=(90, 1))
        free = fit(model, x, seed=0)
        held = fit(model, x, seed=0, penalty=NormalPenalty(1e8, "prior"))
        assert not held.standardisation.is_identity
        assert abs(np.log(3)) - 0.3 < abs(model.prior(free.natural)[0]) < np.log(3) + 0.3
        assert abs(model.prior(held.natural)[0]) < 1e-5
        assert held.cross_entropy > free.cross_entropy

    def test_several_add_up(self) -> None:
        one = fit(Poisson(1), counts(), penalty=NormalPenalty(6.0))
        two = fit(Poisson(1), counts(), penalty=[NormalPenalty(2.0), NormalPenalty(4.0)])
        np.testing.assert_allclose(one.natural, two.natural, rtol=1e-9)

    def test_weights_count(self) -> None:
        # once beside all rows: twice the weight, half the pull
        x = counts()
        doubled = fit(Poisson(1), x, weights=np.full(len(x), 2.0), penalty=NormalPenalty(8.0))
        single = fit(Poisson(1), x, penalty=NormalPenalty(4.0))
        np.testing.assert_allclose(doubled.natural, single.natural, rtol=1e-9)

    def test_with_samples(self) -> None:
        found = fit(
            Poisson(1), counts(), "CE-MCGD", penalty=NormalPenalty(4.0), seed=0, max_iter=20,
            joint_samples=100,
        )  # fmt: skip
        exact = fit(Poisson(1), counts(), penalty=NormalPenalty(4.0))
        # a rate of 0.01 leaves a standard deviation of about 0.01: ten times that
        np.testing.assert_allclose(found.natural, exact.natural, atol=0.1)


class TestArguments:
    def test_no_penalty(self) -> None:
        with pytest.raises(TypeError, match=r"^penalty: an object with `value` and `gradient`"):
            fit(Poisson(1), counts(), penalty=3.0)  # type: ignore[arg-type]

    def test_values(self) -> None:
        with pytest.raises(ValueError, match=r"^precision: finite and not negative"):
            NormalPenalty(-1.0)
        with pytest.raises(ValueError, match=r"^centre: not finite"):
            NormalPenalty(1.0, centre=np.nan)
        with pytest.raises(ValueError, match=r"^weight must be"):
            ConjugatePenalty(-1.0, [1.0])
        with pytest.raises(ValueError, match=r"^part: parts of a model"):
            fit(Mixture(Poisson(1), 2), counts(), penalty=NormalPenalty(1.0, "noise"))
        with pytest.raises(ValueError, match=r"^precision: one number or 1 for 'prior'"):
            fit(Mixture(Poisson(1), 2), counts(), penalty=NormalPenalty([1.0, 2, 3], "prior"))
        with pytest.raises(ValueError, match=r"mean"):
            fit(Poisson(1), counts(), penalty=ConjugatePenalty(1.0, [-1.0]))
