"""The one function that fits, and what it returns."""

import itertools
import os
import pickle
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harmonium import Boltzmann, LinearGaussian, Mixture, Normal, Poisson, VonMises
from harmonium.errors import BoundaryWarning, ConvergenceWarning
from harmonium.expectation import ArraySource, FunctionSource, expectation
from harmonium.harmonium import Harmonium
from harmonium.learning import Fit, Step, fit
from harmonium.validation import FloatArray
from laws.harmonium_cases import CASES, HarmoniumCase, every_model
from laws.tolerances import assert_close
from laws.units import allowed

#: Rows of a sample from which starts are made.
SAMPLE = 20_000


def quick(case: HarmoniumCase, x: Any, **options: Any) -> Fit:
    """A few iterations."""
    return fit(case.model, x, **{"seed": 0, "max_iter": 4, "warn": False, **options})


def two_normals(n: int = 200, seed: int = 0) -> FloatArray:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(size=(n, 2)), rng.normal(size=(n, 2)) + np.array([4.0, 2.0])])


def same_fit(left: Fit, right: Fit) -> bool:
    """Whether two fits have the same bits."""
    return (
        np.array_equal(left.history, right.history)
        and np.array_equal(left.prepared.natural, right.prepared.natural)
        and np.array_equal(left.standardisation.shift, right.standardisation.shift)
        and np.array_equal(left.standardisation.scale, right.standardisation.scale)
        and (left.converged, left.message) == (right.converged, right.message)
    )


@every_model
class TestEveryModel:
    def test_starts_are_likely(self, case: HarmoniumCase) -> None:
        # finite wherever: other rows, other seeds, few rows, missing values; and better than noise
        for seed, n in ((0, 250), (1, 40), (2, 12)):
            x = case.rows(seed, n)
            for rows in (x, case.with_missing(x, 0.2, case.rng(7))[1:]):
                begun = quick(case, rows, seed=seed, max_iter=0)
                assert np.isfinite(begun.cross_entropy)
                assert np.isfinite(begun.natural).all()
                assert np.isfinite(begun.log_density(rows)).all()

    def test_a_fit_is_as_likely_as_the_truth(self, case: HarmoniumCase) -> None:
        # best of a few starts: more likely than what made the data, or as likely
        x = case.rows(2, 250)
        truth = case.model.log_observable_density(case.point(2), x).mean()
        found = quick(case, x, max_iter=60, n_init=3, accelerate=True)
        assert -found.cross_entropy > truth - 0.02

    def test_history(self, case: HarmoniumCase) -> None:
        x = case.rows(2, 150)
        found = quick(case, x)
        assert found.history.shape == (found.n_iterations + 1,)
        assert found.cross_entropy == found.history[-1]
        np.testing.assert_allclose(found.cross_entropy, -found.log_density(x).mean(), rtol=1e-10)

    @pytest.mark.parametrize("share", [0.0, 0.25])
    def test_natural_parameters_are_in_the_units_of_the_data(
        self, case: HarmoniumCase, share: float
    ) -> None:
        x = case.rows(2, 150)
        x = case.with_missing(x, share, case.rng(3)) if share else x
        found = quick(case, x)
        assert found.natural.shape == (case.model.dimension,)
        assert_close(
            found.log_density(x), case.model.log_observable_density(found.natural, x), 1e-9
        )

    def test_latents(self, case: HarmoniumCase) -> None:
        x = case.with_missing(case.rows(2, 60), 0.2, case.rng(3))
        found = quick(case, x)
        latent = found.latent(x)
        posterior = case.model.posterior(found.natural, x)
        means = case.model.latent.to_mean(posterior)
        width = case.model.latent.leading.n_features
        if latent.shape[1] == case.model.latent.dimension + 1:
            # shares of all categories
            assert_close(latent[:, 1:], means, 1e-8)
            assert_close(latent.sum(1), np.ones(len(x)), 1e-12)
        else:
            assert latent.shape == (60, width)
            assert_close(latent, means[:, :width], 1e-8)

    def test_samples(self, case: HarmoniumCase) -> None:
        found = quick(case, case.rows(2, 150))
        x, z = found.sample(40, seed=3)
        assert x.shape == (40, case.model.n_observed)
        assert z.shape == (40, case.model.n_features - case.model.n_observed)
        # drawn on the model's support
        case.model.check_table(x)
        assert np.isfinite(found.log_density(x)).all()
        again = found.sample(40, seed=np.random.default_rng(3))
        assert np.array_equal(x, again[0])
        assert np.array_equal(z, again[1])
        assert not np.array_equal(x, found.sample(40, seed=4)[0])
        for n in (0, -1, 2.5, "3"):
            with pytest.raises((ValueError, TypeError), match=r"^n must"):
                found.sample(n)

    def test_from_where_another_fit_ended(self, case: HarmoniumCase) -> None:
        x = case.rows(2, 150)
        whole = quick(case, x, max_iter=6)
        first = quick(case, x, max_iter=3)
        for initial in (first.natural, first.in_units):
            second = quick(case, x, max_iter=3, initial=initial)
            np.testing.assert_allclose(second.history[0], first.cross_entropy, rtol=1e-9)
            np.testing.assert_allclose(second.cross_entropy, whole.cross_entropy, rtol=1e-7)

    def test_weights_are_repetition(self, case: HarmoniumCase) -> None:
        x = case.with_missing(case.rows(2, 120), 0.1, case.rng(3))
        counts = case.rng(4).integers(0, 4, len(x))
        weighted = quick(case, x, weights=counts)
        repeated = quick(case, np.repeat(x, counts, axis=0))
        np.testing.assert_allclose(weighted.history, repeated.history, rtol=1e-9)

    def test_block_sources_are_tables(self, case: HarmoniumCase) -> None:
        x = case.with_missing(case.rows(2, 120), 0.1, case.rng(3))
        weights = case.rng(4).gamma(2.0, size=len(x)) * (case.rng(5).random(len(x)) < 0.9)

        def pieces() -> Iterator[tuple[FloatArray, FloatArray]]:
            for rows in (slice(0, 1), slice(1, 1), slice(1, 90), slice(90, 120)):
                yield x[rows], weights[rows]

        source = FunctionSource(pieces, case.model.n_observed)
        table = quick(case, x, weights=weights)
        assert same_fit(quick(case, source), table)
        assert same_fit(quick(case, ArraySource(x, weights)), table)
        assert np.array_equal(table.log_density(source), table.log_density(x))
        assert np.array_equal(table.latent(source), table.latent(x))

    def test_pickles(self, case: HarmoniumCase) -> None:
        x = case.rows(2, 60)
        found = quick(case, x)
        again = pickle.loads(pickle.dumps(found))
        assert same_fit(found, again)
        assert np.array_equal(found.log_density(x), again.log_density(x))
        assert again.model == found.model

    def test_converged_means_a_small_gradient(self, case: HarmoniumCase) -> None:
        x = case.rows(2, 250)
        found = quick(case, x, max_iter=300, tol=1e-4, accelerate=True)
        assert found.converged == (found.residual <= 1e-4)
        standard = found.standardisation.apply(x)
        natural = found.prepared.natural[0]
        # in units of the statistics' own standard deviations
        gradient = case.model.expectation(natural, standard) - case.model.to_mean(natural)
        fisher = np.diagonal(case.model.fisher_information(natural))
        varies = fisher > 1e-12
        largest = np.abs(gradient[varies] / np.sqrt(fisher[varies])).max()
        # the residual measures each component in its own units, which are smaller
        assert largest <= 3 * found.residual + 1e-12
        if found.converged:
            assert found.message == "converged"
            assert largest <= 3e-4


class TestConvergence:
    def test_not_lazy(self) -> None:
        # overlapping normals: steps are small long before the gradient is
        rng = np.random.default_rng(0)
        x = np.concatenate([rng.normal(size=(500, 1)), rng.normal(size=(500, 1)) + 1.5])
        found = fit(Mixture(Normal(1), 2), x, seed=0, max_iter=20_000, tol=1e-6)
        assert found.converged
        gains = -np.diff(found.history)
        lazy = int(np.argmax(gains < 1e-7))
        assert lazy < 0.5 * found.n_iterations
        # and it paid to go on
        assert found.history[lazy] - found.cross_entropy > 1e-6

    def test_the_residual_is_that_of_the_point(self) -> None:
        x = two_normals()
        model = Mixture(Normal(2), 2)
        for tol in (1e-2, 1e-6, 1e-10):
            found = fit(model, x, seed=0, tol=tol)
            source = found.standardisation.source(ArraySource(x))
            sums = expectation(found.prepared, source).sums
            assert found.prepared.residual(sums) == found.residual
            assert found.converged
            assert found.residual <= tol

    def test_stopped_short(self) -> None:
        x = two_normals()
        with pytest.warns(
            ConvergenceWarning, match=r"not converged after 2 iterations.*tol is 1e-09"
        ):
            found = fit(Mixture(Normal(2), 3), x, seed=0, max_iter=2, tol=1e-9)
        assert not found.converged
        assert found.residual > 1e-9
        assert found.n_iterations == 2
        assert len(found.history) == 3
        assert found.message == "not converged after 2 iterations"

    def test_no_iterations_return_the_start(self) -> None:
        x = two_normals()
        model = Mixture(Normal(2), 2)
        natural = model.from_parameters(
            weights=[0.3, 0.7], mean=[[0.0, 1], [3, 2]], covariance=np.stack([np.eye(2)] * 2)
        )
        with pytest.warns(ConvergenceWarning, match=r"not converged after 0 iterations"):
            found = fit(model, x, initial=natural, max_iter=0)
        assert_close(found.natural, natural, 1e-12)
        assert len(found.history) == 1
        assert found.n_iterations == 0

    def test_a_start_that_is_the_end(self) -> None:
        x = two_normals()
        first = fit(Mixture(Normal(2), 2), x, seed=0, tol=1e-9)
        again = fit(Mixture(Normal(2), 2), x, initial=first.in_units, max_iter=0, tol=1e-8)
        assert again.converged
        assert again.n_iterations == 0

    def test_stops_where_nothing_rises(self) -> None:
        x = two_normals()
        found = fit(Mixture(Normal(2), 3), x, seed=0, tol=0.0, max_iter=100_000, warn=False)
        assert found.n_iterations < 20_000
        assert found.converged == (found.residual == 0)
        if not found.converged:
            assert "not risen above rounding for 25 iterations" in found.message

    def test_silence(self) -> None:
        # with `filterwarnings = error` a warning would be an error
        found = fit(Mixture(Normal(2), 5), np.ones((8, 2)), seed=0, max_iter=1, warn=False)
        assert any("singular" in note for note in found.notes)
        with pytest.warns(BoundaryWarning, match=r"singular"):
            fit(Mixture(Normal(2), 5), np.ones((8, 2)), seed=0)


class TestUnits:
    @pytest.mark.parametrize("case", [c for c in CASES if c.shifts], ids=repr)
    def test_any_unit(self, case: HarmoniumCase) -> None:
        x, initial = case.rows(2, 150), case.point(3)
        shift, scale = case.shift_and_scale(3)
        scale = np.abs(scale) * 1e5
        shift, scale = allowed(case.model, 100 * scale * np.sign(shift), scale)
        plain = quick(case, x, initial=initial)
        moved = quick(case, shift + scale * x, initial=case.model.affine(initial, shift, scale))
        expected = plain.history + np.log(scale).sum()
        np.testing.assert_allclose(moved.history, expected, atol=1e-6)
        assert_close(moved.latent(shift + scale * x), plain.latent(x), 1e-4)

    def test_counts_and_angles_stay_as_they_are(self) -> None:
        rng = np.random.default_rng(0)
        for model, x in (
            (Mixture(Poisson(2), 2), rng.poisson(4.0, (60, 2))),
            (Mixture(VonMises(1), 2), rng.uniform(0, 6, (60, 1))),
            (Mixture(Boltzmann(2), 2), rng.integers(0, 2, (60, 2))),
        ):
            assert fit(model, x, seed=0, max_iter=3, warn=False).standardisation.is_identity

    def test_a_far_component_does_not_widen_the_others(self) -> None:
        # the smallest variance is relative to the scale of the data, not to where a start was
        x = 1e-3 * two_normals()
        model = Mixture(Normal(2), 2)
        natural = model.from_parameters(
            weights=[0.5, 0.5],
            mean=[[0.0, 0], [1e12, 1e12]],
            covariance=np.stack([1e-6 * np.eye(2)] * 2),
        )
        with pytest.warns(BoundaryWarning, match=r"component 1 emptied"):
            found = fit(model, x, initial=natural)
        covariance = found.in_units.components.covariances[0]
        np.testing.assert_allclose(covariance, np.cov(x.T, bias=True), rtol=1e-9)


class TestPartlyObserved:
    def test_densities_of_nothing(self) -> None:
        found = fit(Mixture(Normal(2), 2), two_normals(), seed=0)
        nothing = np.full((3, 2), np.nan)
        np.testing.assert_allclose(found.log_density(nothing), 0, atol=1e-15)
        weights = np.exp(found.in_units.log_weights)
        np.testing.assert_allclose(found.latent(nothing), np.repeat(weights, 3, 0), rtol=1e-14)

    def test_densities_of_one_column(self) -> None:
        found = fit(Mixture(Normal(2), 2), two_normals(), seed=0)
        normals = found.in_units.components
        weights = np.exp(found.in_units.log_weights[0])
        at = np.linspace(-3, 8, 20)
        expected = np.zeros(20)
        for weight, mean, covariance in zip(
            weights, normals.means, normals.covariances, strict=True
        ):
            variance = covariance[1, 1]
            expected += (
                weight
                * np.exp(-((at - mean[1]) ** 2) / (2 * variance))
                / np.sqrt(2 * np.pi * variance)
            )
        rows = np.column_stack([np.full(20, np.nan), at])
        np.testing.assert_allclose(np.exp(found.log_density(rows)), expected, rtol=1e-10)

    def test_a_fit_uses_what_is_there(self) -> None:
        # missing at random: the fit of the rest tends to the fit of all
        x = two_normals(3000)
        rng = np.random.default_rng(1)
        holes = np.where(rng.random(x.shape) < 0.3, np.nan, x)
        whole, partial = (fit(Mixture(Normal(2), 2), rows, seed=0) for rows in (x, holes))
        assert abs(partial.log_density(x).mean() - whole.log_density(x).mean()) < 2e-3

    def test_a_column_without_values(self) -> None:
        x = two_normals()
        x[:, 1] = np.nan
        with pytest.raises(
            ValueError, match=r"^x: column 1 has no value in any row of positive weight"
        ):
            fit(Mixture(Normal(2), 2), x)

    def test_a_column_with_few_values(self) -> None:
        # so few that the rows from which starts are made have none
        x = np.random.default_rng(0).normal(size=(3 * SAMPLE, 2)) + np.array([0.0, 1e9])
        x[:, 1] = np.where(np.arange(len(x)) % 20_001 == 1, x[:, 1], np.nan)
        found = fit(Mixture(Normal(2, "diagonal"), 1), x, seed=0, max_iter=1, warn=False)
        assert abs(found.standardisation.shift[1] - 1e9) < 5
        assert np.isfinite(found.cross_entropy)


class TestSources:
    def test_many_blocks(self) -> None:
        # more rows than the sample of a start and than a block
        rng = np.random.default_rng(0)
        x = np.concatenate([rng.normal(size=(50_000, 2)), rng.normal(size=(40_000, 2)) + 5])
        model = Mixture(Normal(2), 2)
        table = fit(model, x, seed=0, tol=1e-3)

        def pieces() -> Iterator[FloatArray]:
            for start in range(0, len(x), 7_001):
                yield x[start : start + 7_001]

        source = fit(model, FunctionSource(pieces, 2), seed=0, tol=1e-3)
        assert same_fit(table, source)
        # sorted rows: a start from the first of them would know one cluster only
        assert np.sort(np.exp(source.in_units.log_weights[0])).round(2).tolist() == [0.44, 0.56]

    def test_memory_maps(self, tmp_path: Path) -> None:
        x = two_normals(2000)
        np.save(tmp_path / "x.npy", x)
        mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
        model = Mixture(Normal(2), 2)
        table = fit(model, x, seed=0)
        assert same_fit(fit(model, ArraySource(mapped), seed=0), table)
        assert same_fit(fit(model, mapped, seed=0), table)
        assert os.path.getsize(tmp_path / "x.npy") == x.nbytes + 128

    def test_off_the_support(self) -> None:
        model = Mixture(Poisson(2), 2)
        good = np.random.default_rng(0).poisson(3.0, size=(70_000, 2)).astype(float)
        bad = good.copy()
        bad[69_000, 1] = 2.5
        words = "every entry must be a count.*column 1 is 2.5"
        for x in (bad, ArraySource(bad)):
            with pytest.raises(ValueError, match=f"^x: {words}"):
                fit(model, x, max_iter=1)
        source = FunctionSource(lambda: [bad], 2)
        with pytest.raises(ValueError, match=f"^x, rows from 65536 on: {words}"):
            fit(model, source, max_iter=1)
        found = fit(model, good, seed=0, max_iter=1, warn=False)
        with pytest.raises(ValueError, match=words):
            found.log_density(source)
        with pytest.raises(ValueError, match=words):
            found.latent(bad)

    def test_infinite_rows_of_a_source(self) -> None:
        rows = np.array([[1.0, 2], [np.inf, 3]])
        for x in (rows, ArraySource(rows), FunctionSource(lambda: [rows], 2)):
            with pytest.raises(ValueError, match=r"infinity.*row 1, column 0"):
                fit(Mixture(Normal(2), 2), x)

    def test_a_spent_iterator(self) -> None:
        pieces = iter([two_normals()])
        with pytest.raises(ValueError, match=r"fresh iterator at every call"):
            fit(Mixture(Normal(2), 2), FunctionSource(lambda: pieces, 2))

    def test_the_wrong_width(self) -> None:
        with pytest.raises(ValueError, match=r"x has 2 features.*3 features"):
            fit(Mixture(Normal(3), 2), two_normals())
        with pytest.raises(ValueError, match=r"2 features|2 columns"):
            fit(Mixture(Normal(3), 2), FunctionSource(lambda: [two_normals()], 2))

    def test_weights_of_a_source_are_its_own(self) -> None:
        with pytest.raises(ValueError, match=r"brings its own weights"):
            fit(Mixture(Normal(2), 2), ArraySource(two_normals()), weights=np.ones(400))

    def test_weights_that_are_none(self) -> None:
        x = two_normals()
        with pytest.raises(ValueError, match=r"weights.*all 400 are zero"):
            fit(Mixture(Normal(2), 2), x, weights=np.zeros(400))
        with pytest.raises(ValueError, match=r"weights.*all 400 are zero"):
            fit(Mixture(Normal(2), 2), ArraySource(x, np.zeros(400)))
        source = FunctionSource(lambda: [(x, np.zeros(400))], 2)
        with pytest.raises(ValueError, match=r"no rows with positive weight"):
            fit(Mixture(Normal(2), 2), source)

    def test_rows_without_weight_influence_nothing(self) -> None:
        x = two_normals()
        more = np.concatenate([np.full((3, 2), 1e60), x, np.full((1, 2), np.nan)])
        weights = np.r_[np.zeros(3), np.ones(400), 0.0]
        for model in (Mixture(Normal(2), 2), LinearGaussian(Normal(2, "isotropic"), Normal(1))):
            plain = fit(model, x, weights=np.ones(400), seed=0)
            for data in (
                ArraySource(more, weights),
                FunctionSource(
                    lambda: [(more[:200], weights[:200]), (more[200:], weights[200:])], 2
                ),
            ):
                assert same_fit(fit(model, data, seed=0), plain)


class TestArguments:
    BAD: tuple[tuple[dict[str, Any], type[Exception], str], ...] = (
        ({"method": "gradient"}, ValueError, "^method"),
        ({"max_iter": -1}, ValueError, "^max_iter"),
        ({"max_iter": 1.0}, TypeError, "^max_iter"),
        ({"tol": -1}, ValueError, "^tol"),
        ({"tol": "small"}, TypeError, "^tol"),
        ({"n_init": 0}, ValueError, "^n_init"),
        ({"seed": "x"}, TypeError, "^seed"),
        ({"seed": -1}, ValueError, "^seed"),
        ({"sharing": "nearest"}, ValueError, "^sharing"),
        ({"sharing": None}, ValueError, "^sharing"),
        ({"initial": np.zeros(3)}, ValueError, "^natural: shape|^initial"),
        ({"initial": np.full(11, np.nan)}, ValueError, "not finite"),
        ({"weights": -np.ones(400)}, ValueError, "^weights"),
        ({"weights": np.ones(4)}, ValueError, "^weights"),
    )

    @pytest.mark.parametrize(("options", "error", "words"), BAD, ids=str)
    def test_refused_by_name(self, options: Any, error: type[Exception], words: str) -> None:
        with pytest.raises(error, match=words):
            fit(Mixture(Normal(2), 2), two_normals(), **options)

    def test_a_point_of_another_model(self) -> None:
        other = fit(Mixture(Normal(2), 3), two_normals(), seed=0, max_iter=1, warn=False)
        with pytest.raises(ValueError, match=r"^initial: one point of 11 parameters"):
            fit(Mixture(Normal(2), 2), two_normals(), initial=other.in_units)
        several = Mixture(Normal(2), 2).prepare(
            np.stack([fit(Mixture(Normal(2), 2), two_normals(), seed=0).natural] * 2)
        )
        with pytest.raises(ValueError, match=r"^initial: one point"):
            fit(Mixture(Normal(2), 2), two_normals(), initial=several)

    @pytest.mark.parametrize("model", ["mixture", None, Normal, 3])
    def test_no_model(self, model: Any) -> None:
        with pytest.raises(TypeError, match=r"^model: an exponential family"):
            fit(model, two_normals())

    def test_a_rule_without_a_start(self) -> None:
        class Silent(type(Mixture(Normal(2), 2).rule)):
            """A rule of a user's own."""

        mixture = Mixture(Normal(2), 2)
        silent = Harmonium(mixture.observable, mixture.latent, Silent(None))
        assert fit(silent, two_normals(), seed=0).converged

    def test_families_alone(self) -> None:
        x = two_normals()
        found = fit(Normal(2), x)
        assert found.converged
        assert_close(
            found.natural, Normal(2).to_natural(Normal(2).sufficient_statistic(x).mean(0)), 1e-9
        )
        with pytest.raises(ValueError, match=r"no latent variable"):
            found.latent(x)

    def test_seeds(self) -> None:
        x = two_normals()

        def at(seed: Any) -> Fit:
            return fit(
                Mixture(Normal(2), 3),
                x,
                seed=seed,
                sharing="random_from_data",
                max_iter=3,
                warn=False,
            )

        assert same_fit(at(1), at(1))
        assert same_fit(at(1), at(np.random.default_rng(1)))
        assert not same_fit(at(1), at(2))
        assert np.isfinite(at(None).cross_entropy)

    def test_restarts_keep_the_best(self) -> None:
        x = np.concatenate([two_normals(), two_normals() - 12])
        options: dict[str, Any] = {"sharing": "random_from_data", "max_iter": 40, "warn": False}
        rng = np.random.default_rng(5)
        alone = [fit(Mixture(Normal(2), 4), x, seed=rng, **options) for _ in range(5)]
        best = fit(Mixture(Normal(2), 4), x, seed=5, n_init=5, **options)
        assert best.cross_entropy == min(f.cross_entropy for f in alone)
        assert max(f.cross_entropy for f in alone) > best.cross_entropy + 1e-3


class TestCallbacks:
    def test_every_step_is_seen(self) -> None:
        seen: list[Step] = []
        found = fit(Mixture(Normal(2), 2), two_normals(), seed=0, callback=seen.append)
        assert [step.iteration for step in seen] == list(range(found.n_iterations + 1))
        assert seen[-1].residual == found.residual
        assert seen[-1].prepared is found.prepared
        log_scale = np.log(found.standardisation.scale).sum()
        likelihoods = [log_scale - step.log_likelihood for step in seen]
        np.testing.assert_allclose(likelihoods, found.history, rtol=1e-14)

    @pytest.mark.parametrize(
        "error", [KeyError("mine"), KeyboardInterrupt(), StopIteration(), SystemExit(2)]
    )
    def test_what_it_raises_passes_through(self, error: BaseException) -> None:
        def fail(step: Step) -> None:
            if step.iteration == 2:
                raise error

        with pytest.raises(type(error)) as raised:
            fit(Mixture(Normal(2), 3), two_normals(), seed=0, callback=fail)
        assert raised.value is error
        assert raised.value.__cause__ is None
        # and nothing is left over
        first, second = (
            fit(Mixture(Normal(2), 3), two_normals(), seed=0, warn=False) for _ in range(2)
        )
        assert same_fit(first, second)

    def test_its_floating_point_errors_are_the_callers(self) -> None:
        seen = []
        with np.errstate(all="raise"):
            before = np.geterr()
            fit(
                Mixture(Normal(2), 2),
                two_normals(),
                seed=0,
                callback=lambda _: seen.append(np.geterr()),
            )
            assert np.geterr() == before
        assert all(state == before for state in seen)

    def test_warnings_point_at_the_caller(self) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fit(Mixture(Normal(2), 3), two_normals(), seed=0, max_iter=1)
        assert [Path(w.filename).name for w in caught] == [Path(__file__).name]


def test_fits_compare_as_objects() -> None:
    # arrays have no truth, so neither would their comparison
    found = fit(Normal(2), two_normals())
    assert found == found
    assert found != fit(Normal(2), two_normals())
    assert len({found, found}) == 1
    assert found.natural is found.natural


def test_long_runs_of_blocks_are_read_once_a_pass() -> None:
    reads = itertools.count()

    def pieces() -> list[FloatArray]:
        next(reads)
        return [two_normals()]

    found = fit(Mixture(Normal(2), 2), FunctionSource(pieces, 2), seed=0)
    # the sample, that in standard coordinates, the scales, and one each iteration
    assert next(reads) <= found.n_iterations + 6
