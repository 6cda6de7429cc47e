"""EM as a generator: what each step promises, for every model."""

import itertools
import warnings
from typing import Any

import numpy as np
import pytest

from harmonium import LinearGaussian, Mixture, Normal, Poisson
from harmonium.errors import HarmoniumWarning
from harmonium.expectation import ArraySource, Prepared, expectation
from harmonium.learning import Step, em, fit, standardisation_of, start
from harmonium.learning.standardisation import sample_rows
from harmonium.validation import FloatArray
from laws.harmonium_cases import CASES, HarmoniumCase, every_model

#: A likelihood is not lowered by more than this, relative to it.
PROMISE = 1e-10


def started(case: HarmoniumCase, x: FloatArray, seed: int = 0) -> tuple[Prepared, ArraySource]:
    """A starting point and the data, in standardised coordinates."""
    sample = sample_rows(ArraySource(x))
    standard = standardisation_of(case.model, sample)
    source = standard.source(ArraySource(x))
    assert isinstance(source, ArraySource)
    return start(case.model, sample_rows(source), np.random.default_rng(seed)), source


def steps(case: HarmoniumCase, x: FloatArray, n: int, **options: Any) -> list[Step]:
    """The first steps of EM."""
    prepared, source = started(case, x)
    return list(itertools.islice(em(prepared, source, **options), n))


def data(case: HarmoniumCase, kind: str) -> FloatArray:
    x = case.rows(2, 250)
    return case.with_missing(x, 0.2, case.rng(7)) if kind == "missing" else x


def assert_rising(likelihoods: list[float]) -> None:
    gains = np.diff(likelihoods)
    assert (gains >= -PROMISE * np.maximum(1, np.abs(likelihoods[1:]))).all()


@every_model
class TestEveryModel:
    @pytest.mark.parametrize("kind", ["complete", "missing"])
    @pytest.mark.parametrize("accelerate", [False, True])
    def test_the_likelihood_never_falls(
        self, case: HarmoniumCase, kind: str, accelerate: bool
    ) -> None:
        found = steps(case, data(case, kind), 20, accelerate=accelerate)
        assert_rising([step.log_likelihood for step in found])
        assert [step.iteration for step in found] == list(range(len(found)))
        assert all(np.isfinite(step.residual) and step.residual >= 0 for step in found)

    @pytest.mark.parametrize("kind", ["complete", "missing"])
    def test_a_step_says_how_likely_its_point_is(self, case: HarmoniumCase, kind: str) -> None:
        x = data(case, kind)
        prepared, source = started(case, x)
        for step in itertools.islice(em(prepared, source), 3):
            totals = expectation(step.prepared, source, engine="numpy")
            mean = totals.log_likelihood / totals.weight
            np.testing.assert_allclose(step.log_likelihood, mean, rtol=1e-9)
            scale = np.abs(totals.sums).max()
            np.testing.assert_allclose(step.sums, totals.sums, rtol=1e-8, atol=1e-10 * scale)
            np.testing.assert_allclose(
                step.residual, step.prepared.residual(totals.sums), rtol=1e-5, atol=1e-9
            )

    def test_the_same_bits_again(self, case: HarmoniumCase) -> None:
        x = data(case, "missing")
        first, second = (steps(case, x, 4, accelerate=True) for _ in range(2))
        for one, other in zip(first, second, strict=True):
            assert one.log_likelihood == other.log_likelihood
            assert np.array_equal(one.prepared.natural, other.prepared.natural)

    def test_acceleration_loses_nothing(self, case: HarmoniumCase) -> None:
        # the same number of passes over the data
        x = data(case, "complete")
        plain, fast = steps(case, x, 31)[-1], steps(case, x, 31, accelerate=True)[-1]
        if plain.residual < 1e-5 or fast.residual < 1e-5:
            return  # there is nothing left to gain
        assert fast.log_likelihood >= plain.log_likelihood - PROMISE


def test_acceleration_pays() -> None:
    # over all models together
    gained = []
    for case in CASES:
        x = data(case, "complete")
        plain, fast = steps(case, x, 31)[-1], steps(case, x, 31, accelerate=True)[-1]
        gained.append(fast.log_likelihood - plain.log_likelihood)
    assert sum(g > 1e-6 for g in gained) > len(CASES) / 3


class TestAcceleration:
    """A jump is kept only where it is at least as likely."""

    def jumps(self, x: FloatArray, model: Any) -> list[Step]:
        standard = standardisation_of(model, sample_rows(ArraySource(x)))
        source = standard.source(ArraySource(x))
        prepared = start(model, sample_rows(source), np.random.default_rng(0))
        return list(itertools.islice(em(prepared, source, accelerate=True), 200))

    def test_fewer_iterations(self) -> None:
        # overlapping clusters, where EM crawls
        rng = np.random.default_rng(0)
        x = np.concatenate([rng.normal(size=(300, 1)), rng.normal(size=(300, 1)) + 2])
        model = Mixture(Normal(1), 2)
        plain = fit(model, x, seed=0, max_iter=20_000)
        fast = fit(model, x, seed=0, max_iter=20_000, accelerate=True)
        assert plain.converged
        assert fast.converged
        assert fast.n_iterations < 0.4 * plain.n_iterations
        assert abs(fast.cross_entropy - plain.cross_entropy) < 1e-8

    def test_every_point_is_inside(self) -> None:
        rng = np.random.default_rng(1)
        x = np.concatenate([rng.normal(size=(100, 2)), 1e-3 * rng.normal(size=(50, 2)) + 3])
        found = self.jumps(x, Mixture(Normal(2), 3))
        assert_rising([step.log_likelihood for step in found])
        for step in found:
            assert np.isfinite(step.prepared.natural).all()

    def test_a_jump_that_overflows_is_not_taken(self) -> None:
        # one component dies: its coordinates run away
        x = np.random.default_rng(2).poisson(3.0, size=(60, 2)).astype(float)
        found = self.jumps(x, Mixture(Poisson(2), 4))
        assert_rising([step.log_likelihood for step in found])
        assert np.isfinite([step.log_likelihood for step in found]).all()


class TestAdjustedSums:
    """What a user adds to the sums is met as if it were data."""

    def test_added_variance(self) -> None:
        # every row of a normal brings a variance of 0.5 besides its own
        x = np.random.default_rng(0).normal(size=(100, 1))
        extra = np.array([[0.0, 0.0, 0.5]])
        found = fit(Mixture(Normal(1), 1), x, adjust=lambda sums: sums + extra * sums[:, :1])
        assert found.converged
        scale = found.standardisation.scale[0]
        variance = found.in_units.components.covariances[0, 0, 0]
        np.testing.assert_allclose(variance, x.var() + 0.5 * scale**2, rtol=1e-9)

    def test_one_more_row(self) -> None:
        # pseudo-observations: the sums of a row at zero, in standard coordinates
        x = np.random.default_rng(0).normal(size=(100, 1)) + 1.0
        standard = standardisation_of(Normal(1), sample_rows(ArraySource(x)))
        zero = standard.shift[:, None]

        def add(sums: FloatArray) -> FloatArray:
            return sums + np.array([[1.0, -mean[0], mean[0] ** 2]])

        mean = np.zeros(1)
        more = fit(Normal(1), np.concatenate([x, zero]))
        # sums are about the model's mean, which is that of all 101 rows at the end
        mean[0] = (more.in_units.means[0, 0] - standard.shift[0]) / standard.scale[0]
        found = fit(Normal(1), x, initial=more.in_units, adjust=add)
        assert found.converged
        assert found.n_iterations == 0


def test_no_rows_with_weight() -> None:
    prepared = Normal(1).prepare(Normal(1).from_parameters(mean=0.0, covariance=1.0)[None])
    source = ArraySource(np.ones((3, 1)), np.zeros(3))
    with pytest.raises(ValueError, match="no rows with positive weight"):
        next(em(prepared, source))


def test_the_caller_owns_the_loop() -> None:
    x = np.random.default_rng(0).normal(size=(50, 2))
    prepared, source = started(CASES[0], x)
    generator = em(prepared, source)
    first = next(generator)
    assert first.prepared is prepared
    assert first.iteration == 0
    assert next(generator).iteration == 1
    generator.close()
    with pytest.raises(StopIteration):
        next(generator)


def test_the_state_of_floating_point_errors_is_the_callers() -> None:
    # a generator must not leave its own behind
    x = np.random.default_rng(0).normal(size=(50, 2))
    prepared, source = started(CASES[1], x)
    with np.errstate(all="raise"):
        before = np.geterr()
        for _ in itertools.islice(em(prepared, source, accelerate=True), 12):
            assert np.geterr() == before
        assert np.geterr() == before


class TestDirectSteps:
    """Factor analysis with missing values: EM over these alone."""

    @pytest.mark.parametrize("noise", ["diagonal", "isotropic"])
    def test_ends_where_plain_em_does(self, noise: Any) -> None:
        rng = np.random.default_rng(4)
        x = rng.normal(size=(200, 1)) @ rng.normal(size=(1, 5)) + rng.normal(size=(200, 5))
        x = np.where(rng.random(x.shape) < 0.2, np.nan, x)
        model = LinearGaussian(Normal(5, noise), Normal(1))
        direct = fit(model, x, tol=1e-7)
        # sums that are adjusted by nothing go the ordinary way
        plain = fit(model, x, tol=1e-7, max_iter=5000, adjust=lambda sums: sums)
        assert direct.converged
        assert plain.converged
        assert direct.n_iterations < 40
        assert abs(direct.cross_entropy - plain.cross_entropy) < 1e-8
        np.testing.assert_allclose(direct.log_density(x), plain.log_density(x), atol=1e-5)

    def test_from_anywhere(self) -> None:
        rng = np.random.default_rng(5)
        x = rng.normal(size=(150, 1)) @ np.ones((1, 4)) + rng.normal(size=(150, 4))
        x[::3, 1] = np.nan
        model = LinearGaussian(Normal(4, "diagonal"), Normal(1))
        found = fit(model, x, tol=1e-8)
        for seed in range(3):
            rng = np.random.default_rng(seed)
            initial = model.from_parameters(
                mean=3 * rng.normal(size=4),
                loadings=rng.normal(size=(4, 1)),
                noise=rng.uniform(0.1, 4, 4),
                prior=Normal(1).from_parameters(mean=rng.normal(), covariance=2.0),
            )
            other = fit(model, x, initial=initial, tol=1e-8)
            assert other.converged
            assert_rising((-other.history).tolist())
            assert abs(other.cross_entropy - found.cross_entropy) < 1e-8

    def test_boundaries_are_said_once(self) -> None:
        # the second column is the first: one noise variance vanishes
        x = np.random.default_rng(6).normal(size=(80, 1)) * [1.0, 1.0, 0.5, 2.0]
        x[:, 2:] += np.random.default_rng(7).normal(size=(80, 2))
        x[::5, 3] = np.nan
        model = LinearGaussian(Normal(4, "diagonal"), Normal(1))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fit(model, x)
        messages = [str(w.message) for w in caught if issubclass(w.category, HarmoniumWarning)]
        assert sum("Heywood" in message for message in messages) == 1
