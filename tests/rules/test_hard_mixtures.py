"""Mixtures where others lose digits: tiny weights, tiny clusters, outliers, emptied components."""

from typing import Any

import numpy as np
import pytest

from harmonium import Boltzmann, Harmonium, LinearGaussian, Mixture, Normal, Poisson
from harmonium.expectation import ArraySource, Prepared, expectation, latents, log_densities
from harmonium.rules.mixture_stack import MixturePrepared
from harmonium.validation import FloatArray
from laws.random_points import random_point, rows_of
from laws.tolerances import assert_close


def mixture(k: int, means: Any, variances: Any, weights: Any) -> tuple[Harmonium, FloatArray]:
    model = Mixture(Normal(1), k)
    covariances = np.asarray(variances, dtype=float)[:, None, None]
    centres = np.asarray(means, dtype=float)[:, None]
    return model, model.from_parameters(weights=weights, mean=centres, covariance=covariances)


def iterate(prepared: Prepared, source: ArraySource, n: int) -> Any:
    for _ in range(n):
        prepared = prepared.maximise(expectation(prepared, source).sums, set())
    return prepared


@pytest.mark.parametrize("engine", ["auto", "numpy"])
@pytest.mark.parametrize("tiny", [0, 1, 2])
def test_a_component_of_weight_1e_15_is_exact(tiny: int, engine: str) -> None:
    # its rows weigh 1e-15 of all, lie apart, and are its alone
    rng = np.random.default_rng(tiny)
    own = 50 + rng.normal(size=(40, 2)) @ np.array([[1.0, 0.4], [0.0, 0.8]])
    others = rng.normal(size=(3000, 2)) * 2
    others[::2] -= 25
    x = np.concatenate([own, others])
    share = rng.uniform(0.5, 1.5, 40)
    weights = np.concatenate([share / share.sum() * 1e-15, np.full(3000, 1 / 3000)])
    model = Mixture(Normal(2), 3)
    means = np.array([[0.0, 0.0], [-25.0, -25.0]])
    order = np.insert(means, tiny, [48.0, 49.0], 0)
    tilt = np.insert([0.5, 0.5], tiny, 1e-15)
    start = model.from_parameters(
        weights=tilt / tilt.sum(), mean=order, covariance=np.stack([2 * np.eye(2)] * 3)
    )
    prepared: Any = model.prepare(start)
    source = ArraySource(x, weights)
    for _ in range(5):
        prepared = prepared.maximise(expectation(prepared, source, engine=engine).sums, set())
    mean = np.average(own, axis=0, weights=share)
    covariance = np.cov(own.T, aweights=share, ddof=0)
    assert_close(prepared.components.means[tiny], mean, 1e-12)
    assert_close(prepared.components.covariances[tiny], covariance, 1e-12)
    np.testing.assert_allclose(np.exp(prepared.log_weights[0, tiny]), 1e-15, rtol=1e-12)
    # and in natural coordinates
    components = model.to_parameters(prepared.natural[0])
    np.testing.assert_allclose(components.weights[tiny], 1e-15, rtol=1e-9)
    assert_close(components.components.mean[tiny], mean, 1e-9)
    assert_close(components.components.covariance[tiny], covariance, 1e-9)


@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_clusters_of_width_1e_8(offset: float) -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(2, 500)) * 1e-8
    x = (offset + np.array([[-1.0], [1.0]]) + noise).reshape(-1, 1)
    model, start = mixture(2, [offset - 0.7, offset + 0.6], [0.2, 0.3], [0.5, 0.5])
    end = iterate(model.prepare(start), ArraySource(x), 60)
    clusters = x.reshape(2, 500)
    deviations = np.sqrt(end.components.covariances[:, 0, 0])
    np.testing.assert_allclose(deviations, clusters.std(1), rtol=1e-6)
    spread = np.abs(end.components.means[:, 0] - clusters.mean(1))
    assert (spread <= 1e-15 + 2e-16 * offset).all()
    np.testing.assert_allclose(np.exp(end.log_weights[0]), 0.5, rtol=1e-12)


#: Means and variances of a bulk and an outlier.
START = [([0.0], 9.0), ([1e12], 1e20)]


def test_an_outlier_at_1e12_has_its_own_component() -> None:
    rng = np.random.default_rng(2)
    bulk = rng.normal(3.0, 2.0, size=(1000, 1))
    x = np.concatenate([bulk, [[1e12]]])
    # a stack of its own: differences of natural parameters would round
    normal = Normal(1)
    components = normal.prepare([normal.from_parameters(mean=m, covariance=v) for m, v in START])
    start = MixturePrepared(normal, np.log([[0.9, 0.1]]), components, np.arange(2))
    end = iterate(start, ArraySource(x), 20)
    np.testing.assert_allclose(end.components.means[0, 0], bulk.mean(), rtol=1e-12)
    np.testing.assert_allclose(end.components.covariances[0, 0, 0], bulk.var(), rtol=1e-11)
    np.testing.assert_allclose(end.components.means[1, 0], 1e12, rtol=1e-12)
    np.testing.assert_allclose(np.exp(end.log_weights[0, 1]), 1 / 1001, rtol=1e-12)
    assert np.isfinite(log_densities(end, ArraySource(x))).all()


def test_moments_far_from_zero() -> None:
    # offset / sd of 1e9, where raw second moments know nothing of the variance
    rng = np.random.default_rng(3)
    x = 1e9 + np.concatenate([rng.normal(-5, 1, 400), rng.normal(5, 1, 600)])[:, None]
    model, start = mixture(2, [1e9 - 3, 1e9 + 3], [1.0, 1.0], [0.5, 0.5])
    end = iterate(model.prepare(start), ArraySource(x), 40)
    left = x[:400]
    np.testing.assert_allclose(end.components.covariances[0, 0, 0], left.var(), rtol=1e-4)
    np.testing.assert_allclose(end.components.means[0, 0] - 1e9, left.mean() - 1e9, rtol=1e-4)


ALL_UNDERFLOW = [
    (Mixture(Normal(2), 3), 1e200),
    (Mixture(Normal(3, "diagonal"), 2), -1e180),
    (Mixture(Normal(2), 2, shared="shape"), 1e155),
    (Mixture(Poisson(2), 3), 2.0**52),
    (Mixture(Mixture(Normal(1), 2), 2), 1e250),
]


@pytest.mark.parametrize(("model", "value"), ALL_UNDERFLOW, ids=repr)
def test_shares_where_every_density_underflows(model: Harmonium, value: float) -> None:
    natural = random_point(model, np.random.default_rng(4))
    prepared = model.prepare(natural)
    x = np.full((3, model.n_observed), value)
    with np.errstate(over="ignore", invalid="ignore"):
        plain = prepared.latent(x)
    for shares in (latents(prepared, ArraySource(x)), plain):
        assert (shares >= 0).all()
        np.testing.assert_allclose(shares.sum(-1), 1, rtol=1e-14)
    for engine in ("auto", "numpy"):
        logs = log_densities(prepared, ArraySource(x), engine=engine)
        assert (logs < -1e10).all()
        assert not np.isnan(logs).any()


@pytest.mark.parametrize("engine", ["auto", "numpy"])
@pytest.mark.parametrize(
    "model",
    [
        Mixture(Normal(2), 2),
        LinearGaussian(Normal(2, "diagonal"), Normal(1)),
        LinearGaussian(Normal(2), Mixture(Normal(1), 2)),
    ],
    ids=repr,
)
def test_sums_that_overflow_are_an_error(model: Harmonium, engine: str) -> None:
    prepared = model.prepare(random_point(model, np.random.default_rng(4)))
    x = np.array([[0.0, 1.0], [1e200, 1.0]])
    with pytest.raises(ValueError, match="x: squares of its values overflow float64"):
        expectation(prepared, ArraySource(x), engine=engine)


def test_a_posterior_that_is_not_a_number_names_its_row() -> None:
    model = LinearGaussian(Normal(2), Mixture(Normal(1), 2))
    prepared = model.prepare(random_point(model, np.random.default_rng(4)))
    source = ArraySource(np.array([[0.0, 1.0], [1e200, 1.0], [1e200, 0.0]]))
    with pytest.raises(ValueError, match=r"x: squares .* overflow float64 .*\(row 1\)"):
        latents(prepared, source)


@pytest.mark.parametrize("engine", ["auto", "numpy"])
@pytest.mark.parametrize("value", [1e160, 1e300])
def test_a_density_far_beyond_underflow(value: float, engine: str) -> None:
    model = LinearGaussian(Normal(2, "diagonal"), Normal(1))
    prepared = model.prepare(random_point(model, np.random.default_rng(4)))
    logs = log_densities(prepared, ArraySource(np.array([[value, 1.0]])), engine=engine)
    assert logs == -np.inf


def test_components_too_far_apart_for_one_vector() -> None:
    with pytest.raises(ValueError, match=r"parameters: too far apart .* component 1: "):
        mixture(2, [0.0, 1e12], [9.0, 1e20], [0.9, 0.1])


NESTED = [
    Mixture(Normal(2), 3),
    Mixture(Normal(2), 2, shared="shape"),
    Mixture(Poisson(2), 2),
    Mixture(LinearGaussian(Normal(3, "diagonal"), Normal(2)), 2),
    Mixture(LinearGaussian(Normal(3, "isotropic"), Boltzmann(2)), 2),
    Mixture(LinearGaussian(Normal(2), Mixture(Normal(1), 2)), 2),
    Mixture(LinearGaussian(Normal(3, "diagonal"), LinearGaussian(Normal(2), Normal(1))), 2),
    Mixture(Mixture(Normal(2), 2), 2),
    Mixture(Mixture(Normal(2), 2, shared="shape"), 2),
]


@pytest.mark.parametrize("empty", [0, 1])
@pytest.mark.parametrize("model", NESTED, ids=repr)
def test_an_emptied_component_stays_where_it_was(model: Harmonium, empty: int) -> None:
    rng = np.random.default_rng(5)
    natural = random_point(model, rng)
    prepared: Any = model.prepare(natural)
    sums = expectation(prepared, ArraySource(rows_of(model, natural, 100, rng))).sums
    size, k = prepared.components.size, prepared.n_components
    sums[0, empty * size : (empty + 1) * size] = 0.0
    notes: set[str] = set()
    end = prepared.maximise(sums, notes)
    assert any(f"component {empty} emptied" in note for note in notes)
    np.testing.assert_allclose(end.log_weights[0, empty], -690, rtol=1e-12)
    if not model.rule.__dict__["shared"]:
        before = prepared.components.take(np.array([empty])).natural
        assert_close(end.components.take(np.array([empty])).natural, before, 1e-10)
    assert np.isfinite(end.natural).all()
    assert np.isfinite(prepared.residual(sums))
    mean = prepared.mean(sums)[0]
    assert np.isfinite(mean).all()
    # nothing but the others counts
    latent = model.split(mean).latent
    shares = np.concatenate([[1 - latent.sum()], latent])
    assert abs(shares[empty]) <= 1e-12
    assert len(shares) == k


@pytest.mark.parametrize("empty", [0, 1])
@pytest.mark.parametrize("model", NESTED[3:], ids=repr)
def test_the_average_of_an_emptied_component_is_its_own(model: Harmonium, empty: int) -> None:
    natural = random_point(model, np.random.default_rng(5))
    components: Any = model.prepare(natural)
    components = components.components
    own = components.mean(np.zeros((components.count, components.size)))
    expected = model.observable.to_mean(components.natural)
    assert_close(own[empty], expected[empty], 1e-11)
