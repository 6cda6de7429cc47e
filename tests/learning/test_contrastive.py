"""Gradients by chains and by sums, and what fits with them comes to."""

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize

from harmonium import Bernoulli, Categorical, Gamma, Harmonium, Mixture, Normal, Poisson
from harmonium.errors import ConvergenceWarning, NotConjugatedError
from harmonium.expectation import ArraySource, FunctionSource
from harmonium.learning import (
    Adam,
    GradientDescent,
    Momentum,
    contrastive,
    contrastive_start,
    fit,
    fit_contrastive,
)
from harmonium.numerics.derivatives import jacobian
from harmonium.rules import AnyPair
from harmonium.validation import FloatArray
from laws.tolerances import assert_close

RBM = Harmonium(Bernoulli(5), Bernoulli(2))
NOISY = Harmonium(Normal(2, "diagonal"), Bernoulli(2), AnyPair(rows="location"))


def rows_of(model: Harmonium, natural: FloatArray, n: int, seed: int) -> FloatArray:
    drawn = model.sample(natural, seed, size=n)
    return np.ascontiguousarray(drawn[:, : model.n_observed])


@pytest.fixture(scope="module")
def task() -> tuple[FloatArray, FloatArray, float]:
    """Rows of a machine, a point far from its optimum, and the least cross-entropy by BFGS."""
    truth = np.array([0.5, -1, 0, 1, -0.5, 0, 0.5, 3, -2, -3, 1, 2, 3, -1, 2, 1, -3])
    x = rows_of(RBM, truth, 1500, 0)

    def objective(natural: FloatArray) -> tuple[float, FloatArray]:
        value = -RBM.log_observable_density(natural, x).mean()
        return float(value), RBM.to_mean(natural) - RBM.expectation(natural, x)

    best = minimize(objective, truth, jac=True, options={"gtol": 1e-7})
    return x, 0.2 * truth, float(best.fun)


def one_gradient(model: Harmonium, natural: FloatArray, source: object, **options) -> FloatArray:
    options = {"method": "ML", "batch_size": 10_000, "rng": np.random.default_rng(0)} | options
    steps = contrastive(model, source, natural, GradientDescent(0.1), **options)
    return next(itertools.islice(steps, 1, None)).gradient


class TestGradients:
    def test_exact_ones_are_those_of_the_likelihood(self) -> None:
        rng = np.random.default_rng(1)
        for model, natural in (
            (RBM, rng.normal(size=RBM.dimension)),
            (NOISY, np.array([0.2, -0.1, -0.5, -0.7, 0.3, -0.4, 0.5, -0.2, 0.3, 0.8])),
            (Harmonium(Poisson(2), Bernoulli(2)), rng.normal(size=8)),
        ):
            x = rows_of(model, natural, 30, 2)
            weights = rng.random(30)

            def cross_entropy(points, model=model, x=x, weights=weights):
                return np.array(
                    [-model.log_observable_density(points, x) @ weights / weights.sum()]
                )

            found = one_gradient(model, natural, ArraySource(x, weights))
            assert_close(found, jacobian(cross_entropy, natural)[0], 1e-7)

    def test_chains_of_many_sweeps_give_the_same_on_average(self) -> None:
        natural = 0.5 * np.random.default_rng(3).normal(size=RBM.dimension)
        source = ArraySource(rows_of(RBM, natural, 4000, 4))
        exact = one_gradient(RBM, natural, source)
        # 17 z scores a method: a right one fails once in a million runs
        spread = np.sqrt(np.diagonal(RBM.fisher_information(natural)) / 4000)
        for method in ("CD", "PCD"):
            found = one_gradient(RBM, natural, source, method=method, n_steps=30, n_chains=4000)
            assert (np.abs(found - exact) < 5.6 * spread).all()

    def test_weights_are_repetitions(self) -> None:
        natural = np.random.default_rng(5).normal(size=RBM.dimension)
        x = rows_of(RBM, natural, 6, 6)
        counts = np.array([1, 3, 1, 2, 1, 4])
        weighted = one_gradient(RBM, natural, ArraySource(x, counts.astype(float)))
        repeated = one_gradient(RBM, natural, ArraySource(np.repeat(x, counts, 0)))
        assert_close(weighted, repeated, 1e-12)

    def test_lots_of_an_epoch_average_to_the_whole(self) -> None:
        # at a point that does not move, each lot counting for its weight
        natural = np.random.default_rng(7).normal(size=RBM.dimension)
        x, weights = rows_of(RBM, natural, 60, 8), np.random.default_rng(9).random(60)
        source = ArraySource(x, weights)
        steps = contrastive(
            RBM,
            source,
            natural,
            GradientDescent(1e-300),
            "ML",
            batch_size=10,
            rng=np.random.default_rng(0),
        )
        lots = [step.gradient for step in itertools.islice(steps, 1, 7)]
        assert_close(np.mean(lots, 0), one_gradient(RBM, natural, source), 1e-12)

    def test_weight_decay_is_its_penalty_s_gradient(self) -> None:
        natural = np.random.default_rng(10).normal(size=RBM.dimension)
        source = ArraySource(rows_of(RBM, natural, 20, 11))
        for method in ("CD", "PCD", "ML"):
            plain = one_gradient(RBM, natural, source, method=method)
            decayed = one_gradient(RBM, natural, source, method=method, weight_decay=0.3)
            expected = np.concatenate([np.zeros(7), 0.3 * natural[7:]])
            assert_close(decayed - plain, expected, 1e-12)

    def test_a_step_out_of_the_domain_is_halved(self) -> None:
        natural = np.array([0.0, 0.0, -0.5, -0.5, 0, 0, 0.1, 0.1, 0.1, 0.1])
        x = 5 * np.random.default_rng(0).normal(size=(50, 2))
        steps = contrastive(
            NOISY, ArraySource(x), natural, GradientDescent(10.0), rng=np.random.default_rng(0)
        )
        for step in itertools.islice(steps, 20):
            NOISY.check_natural(step.natural)

    def test_conjugated_models_too(self) -> None:
        mixture = Mixture(Poisson(2), 2)
        natural = mixture.from_parameters(weights=[0.4, 0.6], rate=[[1.0, 4.0], [3.0, 2.0]])
        x = np.random.default_rng(0).poisson([2.0, 3.0], size=(40, 2)).astype(float)
        expected = mixture.to_mean(natural) - mixture.expectation(natural, x)
        assert_close(one_gradient(mixture, natural, ArraySource(x)), expected, 1e-12)


class TestFits:
    @pytest.mark.parametrize(
        ("method", "gap"),
        # nats a row above the optimum; the start is 1.1 above it
        [("CD", 0.01), ("PCD", 0.006), ("ML", 0.005)],
    )
    @pytest.mark.parametrize("optimiser", [Adam(0.02), Momentum(0.05)], ids=["Adam", "momentum"])
    def test_come_near_the_optimum(self, task, method, gap, optimiser) -> None:
        x, start, best = task
        fitted = fit_contrastive(
            RBM,
            x,
            method,
            initial=start,
            seed=0,
            n_epochs=60,
            batch_size=50,
            optimiser=optimiser,
            average=0.3,
        )
        assert fitted.history[0] > best + 1
        assert best - 1e-6 <= fitted.cross_entropy < best + gap
        assert fitted.cross_entropy == pytest.approx(
            -RBM.log_observable_density(fitted.natural, x).mean(), abs=1e-12
        )
        assert len(fitted.history) == 61
        assert len(fitted.reconstruction_error) == 60
        assert fitted.n_updates == 60 * 30
        assert fitted.reconstruction_error[-1] < fitted.reconstruction_error[0]

    def test_where_contrastive_divergence_is_biased_persistence_is_not(self) -> None:
        # two far modes: chains from the rows never leave them, so their shares are not learned
        truth = np.array([-4.0, -4, -4, -6, 4, 4, 4])
        model = Harmonium(Bernoulli(3), Bernoulli(1))
        x = rows_of(model, truth, 1000, 0)
        start = truth.copy()
        start[3] = 0.0
        options = {"initial": start, "seed": 0, "n_epochs": 40, "average": 0.5, "batch_size": 100}
        known = fit_contrastive(model, x, "ML", **options).cross_entropy
        persistent = fit_contrastive(model, x, "PCD", n_chains=500, **options).cross_entropy
        assert persistent < known + 0.02

    @pytest.mark.parametrize("method", ["CD", "PCD", "ML"])
    def test_gaussian_bernoulli_machines(self, method) -> None:
        # four clusters, three standard deviations apart
        truth = np.array([0.0, -3.0, -0.5, -0.5, 0.0, 0.0, 3.0, -3.0, 3.0, 3.0])
        x = rows_of(NOISY, truth, 800, 1)
        x = (x - x.mean(0)) / x.std(0)
        fitted = fit_contrastive(NOISY, x, method, seed=0, n_epochs=60, optimiser=Adam(0.03))
        one_normal = np.log(2 * np.pi) + 1
        assert fitted.history[0] > one_normal - 0.01
        assert fitted.cross_entropy < one_normal - 0.25

    @pytest.mark.parametrize("covariance", ["full", "diagonal", "isotropic"])
    def test_normals_start_with_half_of_their_variance_shared(self, covariance) -> None:
        model = Harmonium(Normal(3, covariance), Bernoulli(40), AnyPair(rows="location"))
        rng = np.random.default_rng(0)
        x = rng.normal(size=(500, 3)) * [1.0, 1.0, 1.0] + [1.0, -2.0, 3.0]
        natural = contrastive_start(model, ArraySource(x), rng)
        parts = model.split(natural)
        noise = model.observable.to_parameters(parts.observable).covariance
        matrix = noise if noise.ndim == 2 else np.diag(np.broadcast_to(noise, 3))
        assert np.diag(matrix) == pytest.approx(0.5, rel=0.2)
        # the latent's prior is nearly even, and the data's mean roughly kept
        draws = model.gibbs(natural, 0, draws=300).states.reshape(-1, 43)
        assert draws[:, 3:].mean() == pytest.approx(0.5, abs=0.1)
        assert draws[:, :3].mean(0) == pytest.approx(x.mean(0), abs=0.7)

    def test_exact_gradients_end_where_em_stands_still(self) -> None:
        model = Harmonium(Categorical(3), Bernoulli(1))
        x = np.repeat([0.0, 1.0, 2.0], [50, 30, 20])[:, None]
        fitted = fit_contrastive(
            model,
            x,
            "ML",
            seed=0,
            n_epochs=300,
            batch_size=100,
            optimiser=GradientDescent(2.0),
        )
        entropy = -sum(p * np.log(p) for p in (0.5, 0.3, 0.2))
        assert fitted.cross_entropy == pytest.approx(entropy, abs=1e-9)
        assert fitted.residual < 1e-4
        assert fit(model, x, initial=fitted.natural, max_iter=2, warn=False).residual < 1e-4

    def test_em_never_lowers_the_likelihood(self, task) -> None:
        x, start, _ = task
        history = fit(RBM, x, initial=start, max_iter=15, warn=False).history
        assert (np.diff(history) <= 1e-10 * np.abs(history[:-1])).all()
        assert history[-1] < history[0] - 0.05

    def test_the_same_seed_gives_the_same_bits(self, task) -> None:
        x, _, _ = task
        for method in ("CD", "PCD"):
            first = fit_contrastive(RBM, x, method, seed=4, n_epochs=2)
            again = fit_contrastive(RBM, x, method, seed=np.random.default_rng(4), n_epochs=2)
            assert np.array_equal(first.natural, again.natural)
            assert not np.array_equal(
                first.natural, fit_contrastive(RBM, x, method, seed=5, n_epochs=2).natural
            )

    def test_block_sources(self, task) -> None:
        x, start, _ = task
        source = FunctionSource(lambda: (x[at : at + 400] for at in range(0, 1500, 400)), 5)
        streamed = fit_contrastive(RBM, source, initial=start, seed=0, n_epochs=2)
        assert np.array_equal(
            streamed.natural, fit_contrastive(RBM, x, initial=start, seed=0, n_epochs=2).natural
        )

    def test_rows_without_weight_are_left_out(self, task) -> None:
        x, start, _ = task
        weights = np.ones(len(x))
        weights[100:] = 0
        heavy = fit_contrastive(RBM, x, weights=weights, initial=start, seed=0, n_epochs=1)
        alone = fit_contrastive(
            RBM, x[:100], weights=np.ones(100), initial=start, seed=0, n_epochs=1
        )
        assert np.array_equal(heavy.natural, alone.natural)

    def test_no_epochs_and_averages(self, task) -> None:
        x, start, _ = task
        nothing = fit_contrastive(RBM, x, initial=start, n_epochs=0)
        assert np.array_equal(nothing.natural, start)
        assert len(nothing.history) == 1
        points = []
        fitted = fit_contrastive(
            RBM,
            x,
            initial=start,
            seed=0,
            n_epochs=2,
            batch_size=100,
            average=0.2,
            callback=lambda step: points.append(step.natural),
        )
        assert len(points) == 31
        assert_close(fitted.natural, np.mean(points[-6:], 0), 1e-12)

    def test_large_machines_have_no_known_cross_entropy(self) -> None:
        model = Harmonium(Bernoulli(60), Bernoulli(40))
        x = (np.random.default_rng(0).random((200, 60)) < 0.3).astype(float)
        fitted = fit_contrastive(model, x, seed=0, n_epochs=3)
        assert np.isinf(fitted.history).all()
        assert fitted.reconstruction_error[-1] < 0.25
        assert not fitted.converged
        assert fitted.latent(x).shape == (200, 40)
        with pytest.raises(NotConjugatedError, match="neither side"):
            fitted.log_density(x)

    def test_a_rate_too_high_is_warned_of(self, task) -> None:
        x, start, _ = task
        with pytest.warns(ConvergenceWarning, match="cross-entropy rose"):
            fit_contrastive(
                RBM, x, "CD", initial=start, seed=0, n_epochs=2, optimiser=GradientDescent(500.0)
            )


class TestArguments:
    def test_missing_values_and_support(self) -> None:
        x = np.ones((4, 5))
        with pytest.raises(ValueError, match="0 or 1"):
            fit_contrastive(RBM, 2 * x)
        x[2, 3] = np.nan
        with pytest.raises(ValueError, match="x: row 2, column 3 is missing"):
            fit_contrastive(RBM, x)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"method": "EM"}, "method: one of"),
            ({"n_epochs": -1}, "n_epochs"),
            ({"batch_size": 0}, "batch_size"),
            ({"n_steps": 0}, "n_steps"),
            ({"n_chains": 0}, "n_chains"),
            ({"weight_decay": -1.0}, "weight_decay"),
            ({"average": 1.5}, "average: a share"),
            ({"initial": np.zeros((1, 17))}, "initial: one point"),
            ({"initial": np.zeros(3)}, "initial: shape"),
        ],
    )
    def test_options(self, options, message) -> None:
        with pytest.raises(ValueError, match=message):
            fit_contrastive(RBM, np.ones((4, 5)), **options)

    def test_models(self) -> None:
        with pytest.raises(TypeError, match="model: a Harmonium"):
            fit_contrastive(Bernoulli(3), np.ones((4, 3)))
        with pytest.raises(ValueError, match="latent columns of its own"):
            fit_contrastive(Mixture(Mixture(Normal(1), 2), 2), np.ones((4, 1)))
        large = Harmonium(Bernoulli(60), Bernoulli(40))
        with pytest.raises(NotConjugatedError, match="neither side"):
            fit_contrastive(large, np.ones((4, 60)), "ML")
        waiting = Harmonium(Bernoulli(3), Gamma(1))
        with pytest.raises(ValueError, match="initial: no starting point is known"):
            fit_contrastive(waiting, np.ones((4, 3)))

    def test_a_callback_s_exception_passes_through(self) -> None:
        def stop(step: object) -> None:
            raise KeyError("enough")

        with pytest.raises(KeyError, match="enough"):
            fit_contrastive(RBM, np.ones((4, 5)), callback=stop)
