"""Learning by gradients: every method finds what EM finds, and never leaves the domain."""

from typing import Any

import numpy as np
import pytest

from harmonium import CoMPoisson, LinearGaussian, Mixture, Normal, Poisson, VonMises
from harmonium.errors import ConvergenceWarning
from harmonium.expectation import FunctionSource
from harmonium.learning import Adam, Fit, GradientDescent, Momentum, fit
from harmonium.validation import FloatArray
from laws.harmonium_cases import HarmoniumCase, every_model

EXACT = ["CE-GD", "EM-GD"]
SAMPLED = ["CE-MCGD", "EM-MCGD"]


def same(left: Fit, right: Fit) -> bool:
    return np.array_equal(left.history, right.history) and np.array_equal(
        left.prepared.natural, right.prepared.natural
    )


def clusters(n: int = 60, seed: int = 0) -> FloatArray:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(size=(n, 2)), rng.normal((4.0, 2.0), size=(n, 2))])


@every_model
class TestEveryModel:
    def test_quasi_newton_climbs(self, case: HarmoniumCase) -> None:
        method: Any = EXACT[len(case.name) % 2]
        x = case.with_missing(case.rows(1, 30), 0.1, case.rng(3))
        initial = case.point(2)
        found = fit(
            case.model, x, method, initial=initial, optimiser="L-BFGS", steps=3, max_iter=2,
            warn=False,
        )  # fmt: skip
        assert (np.diff(found.history) <= 1e-10 * np.abs(found.history[1:])).all()
        assert found.history[-1] < found.history[0]
        case.model.check_natural(found.natural)

    def test_samples_by_seed(self, case: HarmoniumCase) -> None:
        method: Any = SAMPLED[len(case.name) % 2]
        # reproducible, inside the domain however long the steps, with missing values too
        x = case.with_missing(case.rows(1, 30), 0.1, case.rng(3))
        options: Any = {"steps": 4, "max_iter": 1, "batch_size": 7, "rate": 0.3, "warn": False}
        options["initial"] = case.point(2)
        first, second = (fit(case.model, x, method, seed=5, **options) for _ in range(2))
        assert same(first, second)
        assert not same(first, fit(case.model, x, method, seed=6, **options))
        assert np.isfinite(first.history).all()
        case.model.check_natural(first.natural)


class TestOptimum:
    """Where the optimum is one, every method is there."""

    def problem(self) -> tuple[Any, FloatArray, FloatArray, float]:
        # weights of a mixture of known components: a convex cross-entropy
        model = Mixture(VonMises(1), 3)
        initial = model.from_parameters(
            mean=[[0.5], [2.5], [4.5]], concentration=[[3.0], [3.0], [3.0]]
        )
        truth = model.from_parameters(
            weights=[0.6, 0.3, 0.1],
            mean=[[0.5], [2.5], [4.5]],
            concentration=[[3.0], [3.0], [3.0]],
        )
        x = model.sample(truth, 0, 300)[:, :1]
        best = fit(model, x, initial=initial, fix="likelihood", tol=1e-10, max_iter=5000)
        return model, x, initial, best.cross_entropy

    @pytest.mark.parametrize("method", EXACT)
    @pytest.mark.parametrize(
        "optimiser",
        ["L-BFGS", "natural", Adam(0.02), Momentum(0.3), GradientDescent(1.0)],
        ids=lambda o: o if isinstance(o, str) else type(o).__name__,
    )
    def test_exact_gradients(self, method: Any, optimiser: Any) -> None:
        model, x, initial, best = self.problem()
        found = fit(
            model, x, method, initial=initial, fix="likelihood", optimiser=optimiser,
            steps=200, max_iter=60, tol=1e-5,
        )  # fmt: skip
        assert found.converged
        assert abs(found.cross_entropy - best) < 1e-9

    @pytest.mark.parametrize("method", SAMPLED)
    def test_sampled_gradients(self, method: Any) -> None:
        # Within a neighbourhood: a constant rate of 0.02 with 50 joint samples keeps the point at
        # a distance whose excess cross-entropy has mean about 1e-4 here; 20 times that has a
        # probability below 1e-6 for the chi-squared law of two coordinates.
        model, x, initial, best = self.problem()
        found = fit(
            model, x, method, initial=initial, fix="likelihood", optimiser=GradientDescent(0.05),
            joint_samples=50, batch_size=50, steps=50, max_iter=12, seed=0,
        )  # fmt: skip
        assert found.history[0] - best > 2e-2
        assert found.cross_entropy - best < 2e-3

    @pytest.mark.parametrize("method", ["CE-GD", "EM-GD"])
    def test_of_a_family(self, method: Any) -> None:
        x = clusters()
        family = Normal(2)
        found = fit(family, x, method, optimiser="L-BFGS", initial=family.from_parameters(
            mean=[1.0, 0.0], covariance=np.diag([9.0, 4.0])))  # fmt: skip
        np.testing.assert_allclose(found.natural, family.maximum_likelihood(x), rtol=1e-5)

    def test_batches(self) -> None:
        # mini-batches of exact gradients: as above, within the noise of the lots
        model, x, initial, best = self.problem()
        found = fit(
            model, x, "CE-GD", initial=initial, fix="likelihood", optimiser=GradientDescent(0.1),
            batch_size=50, steps=60, max_iter=10, seed=0,
        )  # fmt: skip
        assert found.cross_entropy - best < 2e-3

    def test_what_is_held_between_refreshes(self) -> None:
        # EM-GD with many steps is EM; CE-GD with as many is further
        model, x = Mixture(Normal(2), 2), clusters()
        begun = fit(model, x, seed=0, max_iter=0, warn=False).natural
        em = fit(model, x, initial=begun, max_iter=2, tol=0, warn=False)
        slow = fit(
            model, x, "EM-GD", initial=begun, optimiser="L-BFGS", max_iter=2, steps=200, tol=0,
            warn=False,
        )  # fmt: skip
        np.testing.assert_allclose(slow.history, em.history, rtol=1e-8)
        fast = fit(
            model, x, "CE-GD", initial=begun, optimiser="L-BFGS", max_iter=1, steps=200, tol=0,
            warn=False,
        )  # fmt: skip
        assert fast.cross_entropy < em.cross_entropy - 1e-6


class TestDomain:
    @pytest.mark.parametrize("rate", [1.0, 100.0, 1e6])
    def test_steps_over_the_edge_are_shortened(self, rate: float) -> None:
        model, x = Mixture(Normal(2), 2), clusters()
        for method in ("CE-GD", "EM-GD", "CE-MCGD", "EM-MCGD"):
            for optimiser in (Adam(rate), GradientDescent(rate)):
                found = fit(
                    model, x, method, seed=0, optimiser=optimiser, steps=5, max_iter=2, warn=False
                )  # type: ignore[call-overload, arg-type, unused-ignore]
                assert np.isfinite(found.natural).all()
                model.check_natural(found.natural)

    def test_shapes_of_counts_stay_positive(self) -> None:
        # overdispersed counts pull the shape of a Conway-Maxwell-Poisson to zero
        x = np.random.default_rng(0).geometric(0.2, (80, 1)) - 1.0
        family = CoMPoisson(1)
        for rate in (0.01, 1.0):
            found = fit(
                family, x, "CE-GD", initial=family.from_parameters(mode=[4.0], shape=[1.0]),
                rate=rate, steps=8, max_iter=2, warn=False,
            )  # fmt: skip
            assert found.natural[1] <= 0
            assert np.isfinite(found.history).all()
            assert rate == 1.0 or found.cross_entropy < found.history[0]
            family.check_natural(found.natural)

    def test_rates_that_overflow(self) -> None:
        x = np.random.default_rng(0).poisson(3.0, (50, 1)).astype(float)
        found = fit(Poisson(1), x, "CE-GD", rate=300.0, steps=20, max_iter=2, warn=False)
        assert np.isfinite(found.history).all()


class TestOptions:
    x = np.random.default_rng(0).normal(size=(40, 1))
    model = Mixture(Normal(1), 2)

    @pytest.mark.parametrize(
        ("method", "options", "words"),
        [
            ("SGD", {}, r'^method: one of "EM", "CE-GD", "EM-GD", "CE-MCGD", "EM-MCGD"; got'),
            ("EM", {"rate": 0.1}, r'^rate: method "EM" takes no gradient steps'),
            ("EM", {"batch_size": 3}, r"^batch_size: .*no gradient steps"),
            ("CE-GD", {"joint_samples": 3}, r'^joint_samples: .*does not sample; take "CE-MCGD"'),
            ("CE-GD", {"optimiser": "Newton"}, r'^optimiser: one of "Adam"'),
            ("CE-MCGD", {"optimiser": "L-BFGS"}, r"^optimiser: 'L-BFGS' needs exact gradients"),
            ("CE-GD", {"optimiser": "natural", "batch_size": 3}, r"needs exact gradients"),
            ("CE-GD", {"optimiser": "L-BFGS", "rate": 1.0}, r"^rate: L-BFGS finds its own"),
            ("CE-GD", {"optimiser": Adam(0.1), "rate": 1.0}, r"^rate: the optimiser given"),
            ("CE-GD", {"rate": -1.0}, r"^rate must be a positive"),
            ("CE-GD", {"steps": 0}, r"^steps must be at least 1"),
            ("CE-GD", {"batch_size": 0}, r"^batch_size must be at least 1"),
            ("CE-GD", {"max_iter": -1}, r"^max_iter must be at least 0"),
            ("CE-GD", {"accelerate": True}, r'^accelerate: of method "EM"'),
            ("CE-GD", {"adjust": lambda sums: sums}, r"^adjust: for exact EM"),
            ("EM", {"fix": "noise"}, r"^fix: parts of a model"),
            ("EM", {"sharing": "means"}, r"^sharing: one of"),
        ],
    )
    def test_refused(self, method: Any, options: dict[str, Any], words: str) -> None:
        with pytest.raises(ValueError, match=words):
            fit(self.model, self.x, method, **options)

    @pytest.mark.parametrize(
        "options",
        [{"optimiser": 3}, {"steps": 2.5}, {"batch_size": "all"}, {"rate": "fast"}, {"fix": [3]}],
    )
    def test_of_the_wrong_kind(self, options: dict[str, Any]) -> None:
        with pytest.raises(TypeError, match=next(iter(options))):
            fit(self.model, self.x, "CE-GD", **options)

    def test_honest_warnings(self) -> None:
        with pytest.warns(ConvergenceWarning, match=r"not converged after 1 iterations"):
            fit(self.model, self.x, "CE-GD", seed=0, steps=1, max_iter=1)
        # samples never converge to rounding: no warning, but no claim either
        found = fit(self.model, self.x, "EM-MCGD", seed=0, steps=1, max_iter=1)
        assert not found.converged

    def test_weights_are_repetition(self) -> None:
        counts = np.random.default_rng(1).integers(0, 4, 40)
        weighted, repeated = (
            fit(self.model, x, "CE-GD", seed=0, weights=w, steps=5, max_iter=2, warn=False)
            for x, w in ((self.x, counts), (np.repeat(self.x, counts, axis=0), None))
        )
        np.testing.assert_allclose(weighted.history, repeated.history, rtol=1e-9)

    def test_restarts_are_reproducible(self) -> None:
        model, x = Mixture(Normal(2), 3), clusters()
        first, second = (
            fit(model, x, "EM-MCGD", seed=3, n_init=3, batch_size=20, steps=5, max_iter=2)
            for _ in range(2)
        )
        assert same(first, second)

    def test_factors_need_their_moments_only(self) -> None:
        model = LinearGaussian(Normal(4, "diagonal"), Normal(1))
        rng = np.random.default_rng(0)
        x = rng.normal(size=(200, 1)) @ rng.normal(size=(1, 4)) + rng.normal(size=(200, 4))
        exact = fit(model, x, max_iter=5000)
        found = fit(model, x, "CE-GD", optimiser="L-BFGS", max_iter=200)
        assert abs(found.cross_entropy - exact.cross_entropy) < 1e-9

    @pytest.mark.parametrize("method", [*EXACT, *SAMPLED])
    def test_block_sources_are_tables(self, method: Any) -> None:
        x = np.random.default_rng(2).normal(size=(70, 2))
        weights = np.random.default_rng(3).gamma(2.0, size=70)
        source = FunctionSource(
            lambda: ((x[i : i + 9], weights[i : i + 9]) for i in range(0, 70, 9)), 2
        )
        model = Mixture(Normal(2), 2)
        options: Any = {"seed": 0, "batch_size": 16, "steps": 6, "max_iter": 2, "warn": False}
        table = fit(model, x, method, weights=weights, **options)
        assert same(fit(model, source, method, **options), table)

    @pytest.mark.parametrize(("method", "starts"), [("CE-GD", 1), ("EM-GD", 4), ("EM-MCGD", 4)])
    def test_the_optimiser_starts_anew_with_posteriors_that_are_held(
        self, method: Any, starts: int
    ) -> None:
        begun: list[FloatArray] = []

        class Counting:
            def init(self, point: FloatArray) -> None:
                begun.append(point)

            def step(self, state: None, point: FloatArray, gradient: FloatArray) -> Any:
                return None, point - 0.01 * gradient

        fit(
            self.model, self.x, method, seed=0, optimiser=Counting(), steps=3, max_iter=4, tol=0.0,
            warn=False,
        )  # fmt: skip
        assert len(begun) == starts
