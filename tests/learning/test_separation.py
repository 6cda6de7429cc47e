"""Factors along which clusters lie apart."""

import numpy as np

from harmonium import LinearGaussian, Mixture, Normal
from harmonium.learning import fit
from harmonium.learning.factors import principal_factors
from harmonium.learning.separation import separating_factors
from harmonium.validation import FloatArray


def hierarchical(seed: int) -> FloatArray:
    """Two clusters along the first axis, more variance along the second."""
    rng = np.random.default_rng(seed)
    y = np.where(rng.random(400) < 0.5, -2.5, 2.5) + rng.normal(size=400)
    return np.column_stack([y, np.zeros(400)]) + rng.normal(size=(400, 2)) * np.sqrt([0.1, 8.0])


def test_clusters_before_variance() -> None:
    x = hierarchical(2)
    x = x - x.mean(0)
    found = separating_factors(x, np.ones(400), 1, 2, np.random.default_rng(0))
    assert found is not None
    # along the first axis, where clusters are, not the second, which varies most
    assert abs(found.loadings[0, 0]) > 5 * abs(found.loadings[1, 0])
    assert abs(principal_factors(x, 1).loadings[1, 0]) > 1
    variances = found.noise + (found.loadings**2).sum(1)
    np.testing.assert_allclose(variances, x.var(0))


def test_more_factors_than_differences() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 5)) @ rng.normal(size=(5, 5))
    x -= x.mean(0)
    found = separating_factors(x, np.ones(300), 3, 2, rng)
    assert found is not None
    assert np.linalg.matrix_rank(found.loadings) == 3
    assert (found.noise >= 0).all()


def test_weights_are_repetition() -> None:
    x = hierarchical(0)[:100]
    weights = np.random.default_rng(1).integers(1, 4, 100).astype(float)
    x = x - np.average(x, axis=0, weights=weights)
    one = separating_factors(x, weights, 1, 2, np.random.default_rng(0))
    two = separating_factors(x, 7 * weights, 1, 2, np.random.default_rng(0))
    assert one is not None
    assert two is not None
    np.testing.assert_allclose(one.loadings, two.loadings, rtol=1e-9)


def test_no_direction_without_variance() -> None:
    x = np.column_stack([np.arange(10.0) - 4.5, np.zeros(10)])
    assert separating_factors(x, np.ones(10), 1, 2, np.random.default_rng(0)) is None
    x[:, 1] = 2 * x[:, 0]
    assert separating_factors(x, np.ones(10), 1, 2, np.random.default_rng(0)) is None


def test_the_global_optimum_from_the_start() -> None:
    # about half of random starts end 0.28 nats above it; the truth leads there
    for seed, covariance in ((2, "full"), (2, "diagonal"), (11, "full")):
        x = hierarchical(seed)
        model = LinearGaussian(Normal(2, covariance), Mixture(Normal(1), 2))  # type: ignore[arg-type]
        prior = model.latent.from_parameters(
            weights=[0.5, 0.5], mean=[[-2.5], [2.5]], covariance=np.ones((2, 1, 1))
        )
        truth = model.from_parameters(
            mean=[0.0, 0.0], loadings=[[1.0], [0.0]], noise=np.diag([0.1, 8.0]), prior=prior
        )
        options = {"max_iter": 200, "accelerate": True, "warn": False}
        best = fit(model, x, initial=truth, **options)  # type: ignore[arg-type]
        found = fit(model, x, seed=seed, **options)  # type: ignore[arg-type]
        assert found.cross_entropy < best.cross_entropy + 1e-3
