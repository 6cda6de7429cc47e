"""Where fits start: from clusters, from factors, and never from a trap."""

from typing import Any

import numpy as np
import pytest

from harmonium import Boltzmann, Categorical, LinearGaussian, Mixture, Normal, Poisson, Product
from harmonium.expectation import ArraySource, log_densities
from harmonium.families.normal_stack import NormalPrepared
from harmonium.learning import start
from harmonium.learning.scale import with_data_scale
from harmonium.learning.standardisation import Sample, sample_rows
from harmonium.learning.starting import embedding, share_rows
from harmonium.rules.linear_stack import LinearPrepared
from harmonium.validation import FloatArray
from laws.harmonium_cases import HarmoniumCase, every_model


def begun(model: Any, x: FloatArray, seed: int = 0, sharing: Any = "kmeans") -> Any:
    return start(model, sample_rows(ArraySource(x)), np.random.default_rng(seed), sharing)


def clusters(k: int = 3, n: int = 40, seed: int = 0) -> FloatArray:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(size=(n, 2)) + 15.0 * j for j in range(k)])


@every_model
class TestEveryModel:
    @pytest.mark.parametrize("n", [3, 10, 60])
    def test_finite_for_few_rows(self, case: HarmoniumCase, n: int) -> None:
        x = case.rows(1, n)
        prepared = begun(case.model, x)
        assert prepared.count == 1
        assert np.isfinite(prepared.natural).all()
        assert np.isfinite(log_densities(prepared, ArraySource(x))).all()
        case.model.check_natural(prepared.natural[0])

    def test_finite_with_missing_values(self, case: HarmoniumCase) -> None:
        x = case.with_missing(case.rows(1, 60), 0.4, case.rng(2))
        prepared = begun(case.model, x)
        assert np.isfinite(log_densities(prepared, ArraySource(x))).all()

    def test_one_row_again_and_again(self, case: HarmoniumCase) -> None:
        x = np.repeat(case.rows(1, 1), 20, axis=0)
        prepared = begun(case.model, x)
        assert np.isfinite(log_densities(prepared, ArraySource(x))).all()

    @pytest.mark.parametrize("sharing", ["kmeans", "k-means++", "random", "random_from_data"])
    def test_every_way_to_share(self, case: HarmoniumCase, sharing: str) -> None:
        x = case.rows(1, 60)
        first, second = (begun(case.model, x, 3, sharing) for _ in range(2))
        assert np.array_equal(first.natural, second.natural)
        assert np.isfinite(log_densities(first, ArraySource(x))).all()

    def test_the_order_of_rows_does_not_matter(self, case: HarmoniumCase) -> None:
        x = case.rows(1, 60)
        shuffled = x[case.rng(1).permutation(60)]
        assert np.array_equal(begun(case.model, x).natural, begun(case.model, shuffled).natural)


class TestMixtures:
    def test_a_component_for_each_cluster(self) -> None:
        x = clusters()
        prepared = begun(Mixture(Normal(2), 3), x)
        means = prepared.components.means[np.argsort(prepared.components.means[:, 0])]
        np.testing.assert_allclose(means, [x[40 * j : 40 * j + 40].mean(0) for j in range(3)])
        np.testing.assert_allclose(np.exp(prepared.log_weights), 1 / 3, rtol=1e-12)

    @pytest.mark.parametrize("covariance", ["full", "diagonal", "isotropic"])
    def test_an_outlier_does_not_widen_the_others(self, covariance: Any) -> None:
        x = np.concatenate([clusters(2), [[1e9, 1e9]]])
        prepared = begun(Mixture(Normal(2, covariance), 3), x)
        order = np.argsort(prepared.components.means[:, 0])
        spread = np.sqrt(np.diagonal(prepared.components.matrices, axis1=1, axis2=2))[order]
        assert (spread[:2] < 2).all()
        np.testing.assert_allclose(
            prepared.components.means[order][:2], [x[:40].mean(0), x[40:80].mean(0)]
        )

    def test_single_rows_have_some_spread(self) -> None:
        # a cluster of one row borrows from the others
        x = np.concatenate([clusters(2), [[200.0, -200]]])
        prepared = begun(Mixture(Normal(2), 3), x)
        values = np.linalg.eigvalsh(prepared.components.matrices)
        assert values.min() > 0.01

    def test_counts_are_blended_with_all(self) -> None:
        # no rate starts at zero
        x = np.array([[0, 5], [0, 6], [0, 4], [9, 0], [8, 0], [7, 0]] * 5, float)
        prepared = begun(Mixture(Poisson(2), 2), x)
        rates = np.exp(prepared.components.natural)
        assert (rates > 0.1).all()

    def test_products_part_by_part(self) -> None:
        rng = np.random.default_rng(0)
        x = np.column_stack([clusters(2), rng.poisson(np.repeat([1.0, 9.0], 40))])
        prepared = begun(Mixture(Product(Normal(2), Poisson(1)), 2), x)
        normal, counts = prepared.components.parts
        order = np.argsort(normal.means[:, 0])
        np.testing.assert_allclose(normal.means[order], [x[:40, :2].mean(0), x[40:, :2].mean(0)])
        assert (np.diff(counts.natural[order, 0]) > 1).all()

    def test_weights_only_in_proportion(self) -> None:
        x = clusters(2)
        weights = np.random.default_rng(1).gamma(2.0, size=80)
        points = [
            start(
                Mixture(Normal(2), 2),
                sample_rows(ArraySource(x, factor * weights)),
                np.random.default_rng(0),
            )
            for factor in (1.0, 2.0**-500, 2.0**500)
        ]
        for point in points[1:]:
            np.testing.assert_allclose(point.natural, points[0].natural, rtol=1e-12)


class TestSharing:
    def points(self, n: int = 200) -> Sample:
        return Sample(clusters(2, n // 2), np.ones(n))

    def test_shares_are_shares(self) -> None:
        for sharing in ("kmeans", "k-means++", "random", "random_from_data"):
            shares = share_rows(self.points(), 3, np.random.default_rng(0), sharing)
            assert shares.shape == (200, 3)
            np.testing.assert_allclose(shares.sum(1), 1)
            assert (shares >= 0).all()

    def test_at_random_without_replacement(self) -> None:
        # as many components as rows: each has its own
        points = Sample(np.arange(6.0)[:, None], np.ones(6))
        for seed in range(10):
            shares = share_rows(points, 6, np.random.default_rng(seed), "random_from_data")
            assert sorted(shares.argmax(1)) == list(range(6))

    def test_at_random_by_weight(self) -> None:
        # the first component's row: drawn with probability proportional to its weight
        points = Sample(np.arange(3.0)[:, None], np.array([1.0, 2.0, 7.0]))
        rng = np.random.default_rng(0)
        own = [
            int(share_rows(points, 2, rng, "random_from_data")[:, 0].argmax()) for _ in range(4000)
        ]
        # the nearest row to it is itself, or one that is nearer to it than to the other
        assert np.bincount(own, minlength=3)[2] > 1000

    def test_of_very_different_weights(self) -> None:
        # which plain probabilities could not tell from zero
        weights = np.array([1e-320, 1e300, 1e-5])
        points = Sample(np.arange(3.0)[:, None], weights)
        for sharing in ("kmeans", "k-means++", "random_from_data"):
            shares = share_rows(points, 3, np.random.default_rng(0), sharing)
            np.testing.assert_allclose(shares.sum(1), 1)
        # the last way draws each row once, the heaviest first
        np.testing.assert_array_equal(shares, np.eye(3)[[2, 0, 1]])

    def test_more_components_than_rows(self) -> None:
        points = Sample(np.arange(2.0)[:, None], np.ones(2))
        for sharing in ("kmeans", "k-means++", "random", "random_from_data"):
            shares = share_rows(points, 5, np.random.default_rng(0), sharing)
            np.testing.assert_allclose(shares.sum(1), 1)


class TestEmbeddings:
    def test_of_normals(self) -> None:
        x = clusters()
        found = embedding(Mixture(Normal(2), 2), Sample(x, np.ones(len(x))))
        np.testing.assert_allclose(found.x, x / x.std(0))
        # distances are one for all columns where the noise is
        found = embedding(Mixture(Normal(2, "isotropic"), 2), Sample(x, np.ones(len(x))))
        np.testing.assert_array_equal(found.x, x)

    def test_heavy_tails_do_not_decide(self) -> None:
        # in interquartile ranges the second column would be hundreds wide, and cluster by itself
        rng = np.random.default_rng(0)
        apart = np.repeat([-4.0, 4.0], 200) + rng.normal(size=400)
        heavy = np.where(rng.random(400) < 0.1, 300.0, 0.1) * rng.normal(size=400)
        rows = Sample(np.column_stack([apart, heavy]), np.ones(400))
        found = share_rows(embedding(Normal(2), rows), 2, np.random.default_rng(0), "kmeans")
        agree = (found.argmax(1) == (apart > 0)).mean()
        assert max(agree, 1 - agree) > 0.95

    def test_of_counts(self) -> None:
        x = np.random.default_rng(0).poisson([4.0, 400.0], (500, 2)).astype(float)
        found = embedding(Poisson(2), Sample(x, np.ones(500)))
        np.testing.assert_allclose(found.x.std(0), 1, rtol=1e-12)
        seen = x[:, 0] > 0
        ratio = found.x[seen] / np.sqrt(x[seen])
        np.testing.assert_allclose(ratio, np.broadcast_to(ratio[0], ratio.shape))

    def test_of_states(self) -> None:
        x = np.array([[0.0], [1.0], [2.0], [2.0]])
        found = embedding(Categorical(3), Sample(x, np.ones(4)))
        assert found.x.shape == (4, 2)
        assert len(np.unique(found.x, axis=0)) == 3

    def test_of_a_constant(self) -> None:
        found = embedding(Poisson(1), Sample(np.full((5, 1), 3.0), np.ones(5)))
        assert np.isfinite(found.x).all()


class TestFactors:
    def test_noise_of_nothing_is_no_start_for_others(self) -> None:
        # factor analysis alone may end with it; a mixture's EM could not leave it again
        rng = np.random.default_rng(0)
        z = rng.normal(size=(100, 1))
        x = np.column_stack([z, z + 0.5 * rng.normal(size=(100, 1)), rng.normal(size=(100, 2))])
        alone = begun(LinearGaussian(Normal(4, "diagonal"), Normal(1)), x)
        assert (alone.noise.covariances / x.var(0)).min() < 1e-3
        for model in (
            LinearGaussian(Normal(4, "diagonal"), Mixture(Normal(1), 2)),
            LinearGaussian(Normal(4, "diagonal"), Boltzmann(1)),
        ):
            prepared = begun(model, x)
            assert (prepared.noise.covariances / x.var(0)).min() > 0.009
        mixture = begun(Mixture(LinearGaussian(Normal(4, "diagonal"), Normal(1)), 2), x)
        assert mixture.components.noise.covariances.min() > 0.001

    def test_clusters_in_the_factors(self) -> None:
        rng = np.random.default_rng(1)
        z = np.repeat([-4.0, 4.0], 60)[:, None] + 0.3 * rng.normal(size=(120, 1))
        x = z @ np.ones((1, 4)) + 0.5 * rng.normal(size=(120, 4))
        prepared = begun(LinearGaussian(Normal(4, "diagonal"), Mixture(Normal(1), 2)), x)
        means = np.sort(prepared.prior.components.means[:, 0])
        spread = np.sqrt(prepared.prior.components.covariances.max())
        assert means[1] - means[0] > 4 * spread

    def test_a_factor_that_explains_nothing(self) -> None:
        # of three columns that go together and three that do not: no second factor to be seen
        rng = np.random.default_rng(2)
        whole, _ = np.linalg.qr(rng.normal(size=(200, 7)))
        x = np.sqrt(200) * (whole[:, :1] * np.r_[1, 1, 1, 0, 0, 0] + whole[:, 1:])
        x -= x.mean(0)
        prepared = begun(LinearGaussian(Normal(6, "diagonal"), Mixture(Normal(3), 2)), x)
        values = np.linalg.eigvalsh(prepared.prior.components.matrices)
        assert values.min() > 1e-6
        assert np.isfinite(prepared.natural).all()


class TestDataScale:
    def test_reaches_every_normal_of_data(self) -> None:
        scale = np.array([2.0, 3.0])
        x = clusters(2)
        models = [
            Normal(2),
            Mixture(Normal(2), 2),
            Mixture(Mixture(Normal(2), 2), 2),
            LinearGaussian(Normal(2, "diagonal"), Normal(1)),
            Mixture(LinearGaussian(Normal(2, "diagonal"), Normal(1)), 2),
        ]
        for model in models:
            prepared = with_data_scale(begun(model, x), scale)
            while not isinstance(prepared, NormalPrepared):
                prepared = (
                    prepared.noise if isinstance(prepared, LinearPrepared) else prepared.components
                )
            np.testing.assert_array_equal(prepared.scale, scale)

    def test_leaves_the_latent_alone(self) -> None:
        prepared = begun(LinearGaussian(Normal(2, "diagonal"), Normal(1)), clusters(2))
        assert np.array_equal(
            with_data_scale(prepared, np.ones(2)).prior.scale, prepared.prior.scale
        )

    def test_of_products_and_counts(self) -> None:
        x = np.column_stack([clusters(2), np.arange(80) % 3])
        prepared = begun(Mixture(Product(Normal(2), Poisson(1)), 2), x)
        moved = with_data_scale(prepared, np.array([2.0, 3.0, 4.0]))
        np.testing.assert_array_equal(moved.components.parts[0].scale, [2, 3])
        assert moved.components.parts[1] is prepared.components.parts[1]

    def test_says_the_same(self) -> None:
        x = clusters(2)
        prepared = begun(Mixture(Normal(2), 2), x)
        moved = with_data_scale(prepared, np.array([5.0, 5.0]))
        np.testing.assert_array_equal(prepared.evaluate(x), moved.evaluate(x))
