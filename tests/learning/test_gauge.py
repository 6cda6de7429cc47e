import numpy as np
import pytest
from sklearn.decomposition import FactorAnalysis

from harmonium import Boltzmann, LinearGaussian, Mixture, Normal, Poisson
from harmonium.estimators import FactorAnalysis as Estimator
from harmonium.learning import fit
from harmonium.learning.gauge import with_standard_latent
from laws.random_points import with_missing

MODELS = [
    LinearGaussian(Normal(8, "diagonal"), Normal(2)),
    LinearGaussian(Normal(8, "isotropic"), Normal(2)),
    LinearGaussian(Normal(8), Normal(2)),
    LinearGaussian(Normal(8, "diagonal"), Normal(9)),
    LinearGaussian(Normal(8, "diagonal"), Normal(1, "isotropic")),
    LinearGaussian(Normal(8, "diagonal"), Mixture(Normal(2), 3)),
    LinearGaussian(Normal(8, "diagonal"), Mixture(Normal(2), 2, "shape")),
    LinearGaussian(Normal(8, "diagonal"), LinearGaussian(Normal(2), Boltzmann(2))),
    LinearGaussian(Normal(8, "diagonal"), LinearGaussian(Normal(2), Mixture(Normal(1), 2))),
]


def table():
    """Eight columns of different scale and offset, all of which the noise reaches."""
    rng = np.random.default_rng(5)
    z = rng.normal(size=(200, 2)) + 3 * rng.integers(0, 2, size=(200, 1)) * [1, -1]
    x = z @ rng.normal(size=(2, 8)) + rng.normal(size=(200, 8)) * np.linspace(0.5, 2, 8)
    return x * [1, 10, 0.01, 1, 1, 1, 100, 1] + [0, 5, -3, 100, 0, 0, 0, 1]


@pytest.fixture(scope="module", params=MODELS, ids=repr)
def fitted(request):
    before = fit(request.param, table(), seed=0, max_iter=4, warn=False)
    return before, with_standard_latent(before)


def test_the_law_of_the_data_stays(fitted):
    before, after = fitted
    for x in (table(), with_missing(table(), 0.3, np.random.default_rng(1))):
        np.testing.assert_allclose(after.log_density(x), before.log_density(x), rtol=1e-9)


def moments_of_latent(fitted):
    model = fitted.model.latent
    natural = fitted.prepared.prior.natural[0]
    leading = model.leading
    first, second = leading.location_moments(model.to_mean(natural)[: leading.dimension])
    return first, second - np.outer(first, first)


def test_the_latent_is_standard(fitted):
    mean, covariance = moments_of_latent(fitted[1])
    np.testing.assert_allclose(mean, 0, atol=1e-9)
    np.testing.assert_allclose(covariance, np.eye(len(mean)), atol=1e-8)


def test_axes_are_principal_and_signed(fitted):
    after = fitted[1].in_units
    loadings, noise = after.loadings[0], after.noise.matrices[0]
    explained = loadings.T @ np.linalg.solve(noise, loadings)
    strengths = np.diagonal(explained)
    np.testing.assert_allclose(explained, np.diag(strengths), atol=1e-8 * strengths.max())
    assert (np.diff(strengths) <= 1e-9 * strengths.max()).all()
    used = strengths > 1e-9 * strengths.max()
    deviations = np.sqrt(np.diagonal(noise) + (loadings**2).sum(1))
    largest = np.abs(loadings / deviations[:, None]).argmax(0)
    assert (loadings[largest, np.arange(len(largest))][used] > 0).all()


def test_once_is_enough(fitted):
    after = fitted[1]
    again = with_standard_latent(after).prepared
    strongest = min(after.prepared.width, 8)
    np.testing.assert_allclose(
        again.loadings[0][:, :strongest], after.prepared.loadings[0][:, :strongest], atol=1e-8
    )


def test_posterior_means_follow_the_loadings(fitted):
    before, after = (one.in_units for one in fitted)
    latents = [one.latent(table()) for one in fitted]
    explained = [
        part.noise.means[0] + z @ part.loadings[0].T
        for part, z in zip((before, after), latents, strict=True)
    ]
    np.testing.assert_allclose(explained[1], explained[0], rtol=1e-8, atol=1e-8)


def test_factors_are_the_estimators():
    model = LinearGaussian(Normal(8, "diagonal"), Normal(2))
    after = with_standard_latent(fit(model, table(), seed=0, accelerate=True, max_iter=5000))
    estimator = Estimator(2).fit(table())
    np.testing.assert_allclose(
        after.in_units.loadings[0].T, estimator.components_, rtol=1e-5, atol=1e-7
    )
    theirs = FactorAnalysis(2, tol=1e-6, max_iter=10000).fit(table() / table().std(0))
    ours = after.in_units.loadings[0] / table().std(0)[:, None]
    np.testing.assert_allclose(
        ours @ ours.T, theirs.components_.T @ theirs.components_, rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize(
    "model",
    [
        LinearGaussian(Normal(8, "diagonal"), Boltzmann(2)),
        LinearGaussian(Normal(8, "diagonal"), Mixture(Boltzmann(2), 2)),
        Mixture(Normal(8), 2),
        Mixture(LinearGaussian(Normal(8, "diagonal"), Normal(1)), 2),
    ],
    ids=repr,
)
def test_other_models_stay_as_they_are(model):
    before = fit(model, table(), seed=0, max_iter=2, warn=False)
    assert with_standard_latent(before) is before


def test_a_family_alone_stays_as_it_is():
    before = fit(Poisson(1), np.arange(5.0)[:, None], seed=0)
    assert with_standard_latent(before) is before
