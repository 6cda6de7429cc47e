"""Many members over the same rows: the kernels against the plain pass, for every family and model."""

from typing import Any

import numpy as np
import pytest

from harmonium import Normal, set_threads
from harmonium.expectation import member_log_densities, member_sums
from harmonium.validation import FloatArray
from laws import family_cases, harmonium_cases
from laws.random_points import random_point, rows_of, with_missing

MODELS = [(case.name, case.model) for case in harmonium_cases.CASES] + [
    (repr(case.family), case.family) for case in family_cases.CASES
]
every_model = pytest.mark.parametrize(
    "model", [model for _, model in MODELS], ids=[name for name, _ in MODELS]
)


def stack_of(model: Any, rng: np.random.Generator, count: int = 3) -> tuple[Any, FloatArray]:
    """Members of a family, and rows of all of them."""
    points = np.stack([random_point(model, rng) for _ in range(count)])
    x = np.concatenate([rows_of(model, point, 30, rng) for point in points])
    return model.prepare(points), x


@every_model
def test_kernels_agree_with_the_plain_pass(model: Any) -> None:
    rng = np.random.default_rng(0)
    prepared, x = stack_of(model, rng)
    missing = x.copy()
    missing[::7] = np.nan  # whole rows, which every family takes
    weights = rng.uniform(size=(len(x), 3))
    weights[5] = 0.0
    weights[:, 2] *= 1e-20
    for table in (x, missing):
        plain = member_log_densities(prepared, table, engine="numpy")
        found = member_log_densities(prepared, table)
        np.testing.assert_allclose(found, plain, rtol=1e-9, atol=1e-10)
        sums = member_sums(prepared, table, weights, engine="numpy")
        scale = np.abs(sums).max(-1, keepdims=True)
        gap = np.abs(member_sums(prepared, table, weights) - sums)
        assert (gap <= 1e-9 * scale).all()
    # what is not observed says nothing
    assert np.abs(member_log_densities(prepared, missing)[::7]).max() < 1e-13


@every_model
def test_one_member_is_the_density(model: Any) -> None:
    rng = np.random.default_rng(1)
    prepared, x = stack_of(model, rng, 2)
    logs = member_log_densities(prepared, x)
    for k, point in enumerate(prepared.natural):
        density = getattr(model, "log_observable_density", model.log_density)
        np.testing.assert_allclose(logs[:, k], density(point, x), rtol=1e-7, atol=1e-8)


def test_rows_without_weight_may_be_anything() -> None:
    prepared = Normal(1).prepare(Normal(1).from_parameters(mean=[[0.0], [1.0]], covariance=[[1]]))
    weights = np.array([[0.0, 0.0], [1.0, 2.0]])
    for engine in ("auto", "numpy"):
        sums = member_sums(prepared, np.array([[1e300], [3.0]]), weights, engine=engine)
        np.testing.assert_allclose(sums, [[1, 3, 9], [2, 4, 8]])


def test_overflow_names_the_row() -> None:
    model = Normal(2)
    prepared = model.prepare(model.from_parameters(mean=np.zeros(2), covariance=np.eye(2)))
    x = np.zeros((70_000, 2))
    x[66_000] = np.inf
    for engine in ("auto", "numpy"):
        logs = member_log_densities(prepared, x[:66_000], engine=engine)
        assert logs.shape == (66_000, 1)
        with pytest.raises(ValueError, match="overflow"):
            member_sums(prepared, x, np.ones((70_000, 1)), engine=engine)


@pytest.mark.parametrize("missing", [False, True])
def test_the_same_bits_for_any_number_of_threads(missing: bool) -> None:
    rng = np.random.default_rng(2)
    model = Normal(6)
    points = np.stack([random_point(model, rng) for _ in range(8)])
    prepared = model.prepare(points)
    x = rows_of(model, points[0], 20_000, rng)
    if missing:
        x = with_missing(x, 0.01, rng)
    weights = rng.uniform(size=(len(x), 8))
    found = []
    try:
        for threads in (1, 2, 3, 8):
            set_threads(threads)
            found.append((member_log_densities(prepared, x), member_sums(prepared, x, weights)))
    finally:
        set_threads(None)
    for logs, sums in found[1:]:
        assert np.array_equal(logs, found[0][0])
        assert np.array_equal(sums, found[0][1])
