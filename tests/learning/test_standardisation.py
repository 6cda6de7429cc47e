"""Coordinates of a fit: medians and quartiles of weighted, distinct, evenly spaced rows."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harmonium import Boltzmann, LinearGaussian, Mixture, Normal, Poisson, VonMises
from harmonium.expectation import ArraySource, FunctionSource, Source
from harmonium.learning import Standardisation, standardisation_of
from harmonium.learning.standardisation import Sample, quantiles, sample_rows
from harmonium.validation import FloatArray


def sample(x: Any, weights: Any = None) -> Sample:
    table = np.asarray(x, float)
    return sample_rows(ArraySource(table, None if weights is None else np.asarray(weights, float)))


def both(x: FloatArray, weights: FloatArray | None = None, piece: int = 7) -> list[Source]:
    """The same rows as a table and in pieces."""
    if weights is None:
        pieces: Any = [x[i : i + piece] for i in range(0, len(x), piece)]
    else:
        pieces = [(x[i : i + piece], weights[i : i + piece]) for i in range(0, len(x), piece)]
    return [ArraySource(x, weights), FunctionSource(lambda: pieces, x.shape[1])]


class TestQuantiles:
    @given(
        values=st.lists(st.integers(-5, 5), min_size=1, max_size=30),
        seed=st.integers(0, 1000),
    )
    def test_of_repeated_values(self, values: list[int], seed: int) -> None:
        # whole weights are repetition: the value at that rank of the sorted rows
        counts = np.random.default_rng(seed).integers(1, 5, len(values))
        at = (0.25, 0.5, 0.75)
        found = quantiles(np.array(values, float), counts.astype(float), at)
        rows = np.sort(np.repeat(values, counts))
        expected = rows[[max(int(np.ceil(p * len(rows))) - 1, 0) for p in at]]
        np.testing.assert_array_equal(found, expected)

    def test_do_not_depend_on_the_order(self) -> None:
        rng = np.random.default_rng(0)
        values, weights = rng.normal(size=50), rng.gamma(1.0, size=50)
        order = rng.permutation(50)
        at = (0.1, 0.9)
        np.testing.assert_array_equal(
            quantiles(values, weights, at), quantiles(values[order], weights[order], at)
        )

    def test_of_one_value(self) -> None:
        assert quantiles(np.array([3.0]), np.array([1e-300]), (0.0, 0.5, 1.0)).tolist() == [3, 3, 3]


class TestSampleRows:
    def test_distinct_rows_with_their_weights(self) -> None:
        found = sample([[1, 2], [3, 4], [1, 2], [1, np.nan], [1, np.nan]], [1, 2, 3, 4, 0.5])
        np.testing.assert_array_equal(found.x, [[1, 2], [1, np.nan], [3, 4]])
        np.testing.assert_array_equal(found.weights, [4, 4.5, 2])

    def test_zeros_of_both_signs_are_one(self) -> None:
        assert len(sample([[0.0], [-0.0]]).x) == 1

    def test_rows_without_weight_are_not_there(self) -> None:
        x = np.array([[1.0], [1e300], [2.0]])
        for source in both(x, np.array([1.0, 0.0, 1.0]), piece=1):
            np.testing.assert_array_equal(sample_rows(source).x, [[1], [2]])

    @pytest.mark.parametrize("n", [1, 5, 99, 100, 101, 199, 200, 201, 399, 1000, 12_345])
    def test_evenly_spaced_and_the_same_of_any_source(self, n: int) -> None:
        x = np.arange(n, dtype=float)[:, None]
        step = 1
        while -(-n // step) > 100:
            step *= 2
        for source in both(x, piece=37):
            found = sample_rows(source, most=100)
            np.testing.assert_array_equal(found.x, x[::step])
            assert len(found.x) <= 100

    def test_evenly_spaced_among_those_with_weight(self) -> None:
        x = np.arange(1000.0)[:, None]
        weights = (np.arange(1000) % 3 == 0).astype(float)
        for source in both(x, weights, piece=11):
            np.testing.assert_array_equal(sample_rows(source, most=100).x, x[::3][::4])

    def test_a_column_missing_in_all_rows_taken(self) -> None:
        x = np.column_stack([np.arange(1000.0), np.full(1000, np.nan)])
        x[501, 1] = 7.0
        for source in both(x, piece=13):
            found = sample_rows(source, most=100)
            assert 7.0 in found.x[:, 1]
            assert len(found.x) == 64 - 1 + 1

    def test_a_column_without_values(self) -> None:
        x = np.column_stack([np.arange(10.0), np.full(10, np.nan)])
        for source in both(x):
            with pytest.raises(ValueError, match="column 1 has no value in any row"):
                sample_rows(source)

    def test_no_rows(self) -> None:
        with pytest.raises(ValueError, match="no rows with positive weight"):
            sample([[1.0]], [0.0])

    def test_data_are_not_changed_or_kept(self) -> None:
        x = np.arange(10.0)[:, None].copy()
        found = sample_rows(ArraySource(x))
        x[:] = 0
        assert found.x.max() == 9

    def test_some_of_them(self) -> None:
        found = sample([[1.0], [2.0], [3.0]]).take(np.array([2, 0]))
        np.testing.assert_array_equal(found.x, [[3], [1]])


#: A column's values, where it is centred, and in what units.
COLUMNS: dict[str, tuple[FloatArray, float, float]] = {
    "quartiles": (np.arange(1.0, 102.0), 51.0, 50 / 1.3489795003921634),
    "an outlier": (np.r_[np.arange(1.0, 101.0), 1e12], 51.0, 50 / 1.3489795003921634),
    "mostly one value": (np.r_[np.zeros(98), 1.0, 1.0], 0.0, np.sqrt(0.02)),
    "one value": (np.full(9, 4.0), 4.0, 4.0),
    "one negative value": (np.full(9, -4.0), -4.0, 4.0),
    "zero": (np.zeros(9), 0.0, 1.0),
    "rounding of one value": (1e9 + 1e-7 * np.array([0.0, 0, 0, 1, 1, 1]), 1e9, 1e9),
    "with holes": (np.r_[np.arange(1.0, 102.0), np.full(7, np.nan)], 51.0, 50 / 1.3489795003921634),
}


class TestStandardisationOf:
    @pytest.mark.parametrize("name", COLUMNS)
    def test_columns(self, name: str) -> None:
        values, centre, scale = COLUMNS[name]
        found = standardisation_of(Normal(1), sample(values[:, None]))
        assert found.shift[0] == centre
        np.testing.assert_allclose(found.scale, scale, rtol=1e-12)

    def test_each_column_has_its_own(self) -> None:
        x = np.random.default_rng(0).normal(size=(500, 3)) * [1e-6, 1.0, 1e6] + [1.0, -5.0, 1e9]
        for model in (Normal(3), Normal(3, "diagonal"), Mixture(Normal(3), 2)):
            found = standardisation_of(model, sample(x))
            np.testing.assert_allclose(found.shift, [1, -5, 1e9], rtol=0.1)
            np.testing.assert_allclose(found.scale, [1e-6, 1, 1e6], rtol=0.3)
            z = found.apply(x)
            np.testing.assert_allclose(np.median(z, 0), 0, atol=0.02)
            np.testing.assert_allclose(z.std(0), 1, atol=0.2)

    def test_one_scale_for_all(self) -> None:
        x = np.random.default_rng(0).normal(size=(500, 2)) * [3.0, 4.0]
        alone = standardisation_of(Normal(2), sample(x)).scale
        for model in (
            Normal(2, "isotropic"),
            Mixture(Normal(2, "isotropic"), 2),
            LinearGaussian(Normal(2, "isotropic"), Normal(1)),
        ):
            found = standardisation_of(model, sample(x))
            np.testing.assert_allclose(found.scale, np.sqrt(np.mean(alone**2)), rtol=1e-14)

    def test_one_scale_where_nothing_varies(self) -> None:
        found = standardisation_of(Normal(2, "isotropic"), sample([[3.0, -7.0]] * 4))
        assert found.scale.tolist() == [7, 7]

    @pytest.mark.parametrize(
        "model", [Poisson(2), VonMises(2), Boltzmann(2), Mixture(Poisson(2), 3)]
    )
    def test_counts_angles_and_states_stay_as_they_are(self, model: Any) -> None:
        found = standardisation_of(model, sample([[0, 1], [1, 0], [1, 1]]))
        assert found.is_identity
        assert found.log_scale == 0

    def test_too_small_to_square(self) -> None:
        with pytest.raises(ValueError, match=r"column 1 varies by .*e-80.*choose other units"):
            standardisation_of(Normal(2), sample([[0.0, 0], [1, 1e-80], [2, 3e-80]]))

    def test_weights_are_repetition(self) -> None:
        rng = np.random.default_rng(0)
        x, counts = rng.normal(size=(60, 2)), rng.integers(0, 4, 60)
        weighted = standardisation_of(Normal(2), sample(x, counts))
        repeated = standardisation_of(Normal(2), sample(np.repeat(x, counts, axis=0)))
        np.testing.assert_array_equal(weighted.shift, repeated.shift)
        np.testing.assert_array_equal(weighted.scale, repeated.scale)

    @given(exponents=st.lists(st.integers(-200, 200), min_size=2, max_size=2))
    def test_equivariance(self, exponents: list[int]) -> None:
        x = np.random.default_rng(0).normal(size=(50, 2))
        unit = 2.0 ** np.array(exponents)
        plain, scaled = (standardisation_of(Normal(2), sample(rows)) for rows in (x, unit * x))
        np.testing.assert_array_equal(scaled.shift, unit * plain.shift)
        np.testing.assert_array_equal(scaled.scale, unit * plain.scale)


class TestStandardisation:
    def test_there(self) -> None:
        standard = Standardisation(np.array([1.0, -2]), np.array([2.0, 4]))
        x = np.array([[1.0, 2], [5, np.nan]])
        np.testing.assert_array_equal(standard.apply(x), [[0, 1], [2, np.nan]])
        np.testing.assert_allclose(standard.log_scale, np.log(8))
        assert not standard.is_identity

    def test_nothing_to_do(self) -> None:
        standard, x = Standardisation(np.zeros(2), np.ones(2)), np.ones((3, 2))
        source = ArraySource(x)
        assert standard.apply(x) is x
        assert standard.source(source) is source

    def test_sources(self) -> None:
        standard = Standardisation(np.array([1.0]), np.array([2.0]))
        x, weights = np.array([[1.0], [3.0], [5.0]]), np.array([1.0, 2.0, 3.0])
        for source in both(x, weights, piece=2):
            moved = standard.source(source)
            assert moved.n_features == 1
            for _ in range(2):
                blocks = list(moved.blocks())
                np.testing.assert_array_equal(
                    np.concatenate([b[0] for b in blocks]), [[0], [1], [2]]
                )
                np.testing.assert_array_equal(
                    np.concatenate([b[1] for b in blocks if b[1] is not None]), weights
                )
        assert isinstance(standard.source(ArraySource(x)), ArraySource)
