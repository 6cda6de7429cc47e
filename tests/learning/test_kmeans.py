"""Weighted k-means: exact distances, no dependence on threads, an outlier or the size of weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import KMeans

from harmonium.learning.kmeans import kmeans, seeds, squared_distances
from harmonium.validation import FloatArray


def blobs(n: int = 60, k: int = 3, d: int = 2, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """Clusters far apart, and which row is whose."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(k), n)
    return rng.normal(size=(n * k, d)) + 20 * labels[:, None], labels


def same_partition(left: FloatArray, right: FloatArray) -> bool:
    pairs = set(zip(left.tolist(), right.tolist(), strict=True))
    return len(pairs) == len(set(left.tolist())) == len(set(right.tolist()))


def cost(x: FloatArray, weights: FloatArray, labels: FloatArray) -> float:
    """The weighted squares about the clusters' means."""
    total = 0.0
    for k in np.unique(labels):
        own = labels == k
        centre = np.average(x[own], axis=0, weights=weights[own])
        total += float(weights[own] @ ((x[own] - centre) ** 2).sum(-1))
    return total


class TestClusters:
    @pytest.mark.parametrize("seed", range(5))
    def test_far_clusters_are_found(self, seed: int) -> None:
        x, truth = blobs()
        labels = kmeans(x, np.ones(len(x)), 3, np.random.default_rng(seed))
        assert same_partition(labels, truth)

    @pytest.mark.parametrize("k", [1, 2, 4, 7])
    def test_as_good_as_scikit_learns(self, k: int) -> None:
        rng = np.random.default_rng(1)
        x, weights = rng.normal(size=(300, 3)), rng.gamma(1.0, size=300)
        ours = min(cost(x, weights, kmeans(x, weights, k, rng)) for _ in range(5))
        theirs = KMeans(k, n_init=5, random_state=0).fit(x, sample_weight=weights).inertia_
        assert ours <= 1.02 * theirs

    def test_each_row_is_with_the_nearest_mean(self) -> None:
        x = np.random.default_rng(2).normal(size=(200, 2))
        labels = kmeans(x, np.ones(200), 4, np.random.default_rng(0))
        means = np.stack([x[labels == k].mean(0) for k in range(4)])
        np.testing.assert_array_equal(squared_distances(x, means).argmin(-1), labels)

    @pytest.mark.parametrize("far", [1e6, 1e12, 1e15])
    def test_an_outlier_is_a_cluster_of_its_own(self, far: float) -> None:
        # and the others are told apart beside it
        x, truth = blobs(k=2)
        x, truth = np.concatenate([x, [[far, far]]]), np.r_[truth, 2]
        for seed in range(5):
            labels = kmeans(x, np.ones(len(x)), 3, np.random.default_rng(seed))
            assert same_partition(labels, truth)

    def test_clusters_a_hundred_million_times_smaller_than_their_distance(self) -> None:
        x, truth = blobs(k=2)
        x = np.concatenate([1e-8 * x, 1.0 + 1e-8 * x])
        truth = np.r_[truth, truth + 2]
        labels = kmeans(x, np.ones(len(x)), 4, np.random.default_rng(0))
        assert same_partition(labels, truth)

    @pytest.mark.parametrize("factor", [1e-300, 1.0, 1e300])
    def test_only_ratios_of_weights_matter(self, factor: float) -> None:
        rng = np.random.default_rng(3)
        x, weights = rng.normal(size=(100, 2)), rng.gamma(1.0, size=100)
        plain = kmeans(x, weights, 3, np.random.default_rng(0))
        scaled = kmeans(x, factor * weights, 3, np.random.default_rng(0))
        np.testing.assert_array_equal(plain, scaled)

    def test_weights_move_means(self) -> None:
        # two rows to the left outweigh many to the right
        x = np.concatenate([[[-1.0]], [[0.0]], np.linspace(1, 2, 50)[:, None]])
        weights = np.r_[1e6, 1e6, np.ones(50)]
        labels = kmeans(x, weights, 2, np.random.default_rng(0))
        assert labels[0] != labels[1]

    @pytest.mark.parametrize("k", [2, 3, 5])
    def test_fewer_points_than_clusters(self, k: int) -> None:
        x = np.repeat([[0.0], [1.0]], 5, axis=0)
        labels = kmeans(x, np.ones(10), k, np.random.default_rng(0))
        assert len(np.unique(labels)) == 2
        assert ((labels >= 0) & (labels < k)).all()

    def test_every_cluster_has_a_point(self) -> None:
        # wherever it began: empty ones take the furthest point of others
        rng = np.random.default_rng(4)
        for seed in range(20):
            x = rng.integers(0, 4, size=(30, 2)).astype(float)
            k = min(8, len(np.unique(x, axis=0)))
            labels = kmeans(x, np.ones(30), k, np.random.default_rng(seed))
            assert len(np.unique(labels)) == k

    @given(
        n=st.integers(1, 20),
        k=st.integers(1, 6),
        d=st.integers(1, 3),
        seed=st.integers(0, 2**31),
        whole=st.booleans(),
    )
    def test_any(self, n: int, k: int, d: int, seed: int, whole: bool) -> None:
        rng = np.random.default_rng(seed)
        x = rng.integers(0, 3, size=(n, d)).astype(float) if whole else rng.normal(size=(n, d))
        weights = 10.0 ** rng.uniform(-300, 300, n)
        labels = kmeans(x, weights, k, np.random.default_rng(0))
        assert labels.shape == (n,)
        assert ((labels >= 0) & (labels < k)).all()
        np.testing.assert_array_equal(labels, kmeans(x, weights, k, np.random.default_rng(0)))


class TestSeeds:
    def test_far_apart(self) -> None:
        x, truth = blobs(k=4)
        for seed in range(10):
            chosen = seeds(x, np.ones(len(x)), 4, np.random.default_rng(seed))
            assert sorted(truth[chosen]) == [0, 1, 2, 3]

    def test_of_weight(self) -> None:
        # rows that weigh nothing beside others are not drawn
        x, _ = blobs(k=2)
        weights = np.where(np.arange(len(x)) < 60, 1.0, 1e-200)
        for seed in range(20):
            first = seeds(x, weights, 1, np.random.default_rng(seed))
            assert first[0] < 60

    def test_in_proportion(self) -> None:
        x = np.array([[0.0], [1.0], [2.0]])
        rng = np.random.default_rng(0)
        drawn = [int(seeds(x, np.array([1.0, 2.0, 7.0]), 1, rng)[0]) for _ in range(5000)]
        shares = np.bincount(drawn, minlength=3) / 5000
        # six standard deviations
        np.testing.assert_allclose(shares, [0.1, 0.2, 0.7], atol=0.04)


def test_distances() -> None:
    rng = np.random.default_rng(0)
    x, centres = rng.normal(size=(30, 4)) + 1e9, rng.normal(size=(5, 4)) + 1e9
    expected = ((x[:, None] - centres) ** 2).sum(-1)
    np.testing.assert_allclose(squared_distances(x, centres), expected, rtol=1e-14)
