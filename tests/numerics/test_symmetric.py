"""Packing, factorising, and moving inside."""

import numpy as np
import pytest

from harmonium.numerics.symmetric import (
    CORRELATION_FLOOR,
    floor_covariances,
    floor_variances,
    inverse,
    lower_root,
    outer,
    pack_lower,
    positive_definite,
    semidefinite_root,
    unpack_lower,
    whitening,
)


def random_covariance(seed, n, condition=1e3, scales=None):
    rng = np.random.default_rng(seed)
    q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    matrix = (q * np.geomspace(1, 1 / condition, n)) @ q.T
    matrix = 0.5 * (matrix + matrix.T)
    return matrix if scales is None else matrix * np.outer(scales, scales)


def test_packing_is_row_by_row():
    matrix = np.array([[1.0, 2, 4], [2, 3, 5], [4, 5, 6]])
    np.testing.assert_array_equal(pack_lower(matrix), [1, 2, 3, 4, 5, 6])
    np.testing.assert_array_equal(pack_lower(matrix, 2.0), [1, 4, 3, 8, 10, 6])
    np.testing.assert_array_equal(unpack_lower(pack_lower(matrix, 2.0), 3, 0.5), matrix)


def test_quadratic_forms():
    matrix = random_covariance(0, 3)
    x = np.random.default_rng(1).standard_normal(3)
    assert x @ matrix @ x == pytest.approx(pack_lower(matrix, 2.0) @ pack_lower(outer(x, x)))


@pytest.mark.parametrize("scales", [None, [1e-8, 1.0, 1e8]])
def test_whitening(scales):
    covariance = np.stack([random_covariance(k, 3, scales=scales) for k in range(4)])
    factor = whitening(covariance)
    white = factor @ covariance @ factor.swapaxes(-1, -2)
    np.testing.assert_allclose(white, np.broadcast_to(np.eye(3), white.shape), atol=1e-11)
    np.testing.assert_array_equal(factor, np.tril(factor))
    scale = np.ones(3) if scales is None else np.array(scales)
    product = inverse(covariance) @ covariance * scale[:, None] / scale
    np.testing.assert_allclose(product, np.broadcast_to(np.eye(3), white.shape), atol=1e-11)


def test_positive_definite_says_which_have_a_factor():
    good, flat, bad = random_covariance(0, 3), np.ones((3, 3)), -np.eye(3)
    zero = np.zeros((3, 3))
    stack = np.stack([good, bad, zero, good, flat]).reshape(5, 1, 3, 3)
    np.testing.assert_array_equal(positive_definite(stack)[:, 0], [True, False, False, True, False])
    assert positive_definite(np.empty((0, 2, 2))).shape == (0,)


@pytest.mark.parametrize("seed", range(20))
def test_positive_definite_is_what_whitening_can_do(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 6))
    matrix = random_covariance(seed, n, 10 ** rng.uniform(14, 18), np.exp(10 * rng.normal(size=n)))
    if positive_definite(matrix):
        assert np.isfinite(whitening(matrix)).all()
    else:
        with pytest.raises(np.linalg.LinAlgError):
            whitening(matrix)


def test_covariances_inside_are_not_touched():
    covariance = np.stack([random_covariance(k, 3) for k in range(2)])
    floored = floor_covariances(covariance, np.full((2, 3), 1e-12))
    assert not floored.moved
    np.testing.assert_array_equal(floored.covariance, covariance)


def test_singular_covariances_are_moved_by_a_relative_amount():
    x = np.random.default_rng(0).standard_normal((50, 2))
    singular = np.cov(np.column_stack([x, x.sum(1)]).T)
    scales = np.array([1e-8, 1.0, 1e8])
    for covariance, unit in ((singular, np.ones(3)), (singular * np.outer(scales, scales), scales)):
        floored = floor_covariances(covariance[None], 1e-24 * unit[None] ** 2)
        assert floored.moved
        correlation = floored.covariance[0] / np.outer(unit, unit)
        np.testing.assert_allclose(correlation, singular, atol=1e-11)
        scale = np.sqrt(np.diagonal(correlation))
        smallest = np.linalg.eigvalsh(correlation / np.outer(scale, scale))[0]
        assert 0.5 * CORRELATION_FLOOR <= smallest <= 2 * CORRELATION_FLOOR
        assert np.isfinite(whitening(floored.covariance)).all()


def test_variances_are_raised_to_the_floor():
    floored = floor_variances(np.array([[1.0, 0.0], [4.0, 9.0]]), np.array([0.5, 0.25]))
    assert floored.moved
    np.testing.assert_array_equal(floored.covariance, [[1.0, 0.25], [4.0, 9.0]])
    assert not floor_variances(np.ones((1, 2)), np.full(2, 0.5)).moved


@pytest.mark.parametrize("rank", [0, 1, 2, 4])
def test_roots_of_semidefinite_matrices_have_their_rank_and_product(rank):
    factor = np.random.default_rng(rank).standard_normal((4, rank))
    scales = np.array([1e-8, 1.0, 0.0, 1e8])
    matrix = (factor * scales[:, None]) @ (factor * scales[:, None]).T
    root = semidefinite_root(matrix)
    assert root.shape == (4, min(rank, 3))
    unit = np.where(scales > 0, scales, 1.0)
    np.testing.assert_allclose(
        root @ root.T / outer(unit, unit), matrix / outer(unit, unit), atol=1e-13
    )
    lower = lower_root(root)
    assert lower.shape == (4, 4)
    assert (np.triu(lower, 1) == 0).all()
    assert (np.diagonal(lower) >= 0).all()
    np.testing.assert_allclose(
        lower @ lower.T / outer(unit, unit), matrix / outer(unit, unit), atol=1e-12
    )
