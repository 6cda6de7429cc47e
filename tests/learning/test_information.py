import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from harmonium import (
    Bernoulli,
    Binomial,
    Boltzmann,
    Categorical,
    LinearGaussian,
    Mixture,
    Normal,
    Poisson,
    Product,
    VonMises,
)
from harmonium.learning import fit
from harmonium.learning.information import information_criteria, n_free_parameters
from laws.harmonium_cases import CASES
from laws.random_points import random_point, rows_of


def diagonal(n):
    return Normal(n, "diagonal")


def isotropic(n):
    return Normal(n, "isotropic")


def rank_of_scores(model, seed=0):
    """Dimension of the law of the data around a random point, from derivatives of its log density.

    The derivative of the log density of a row is E[s | x] - E[s].
    """
    rng = np.random.default_rng(seed)
    natural = random_point(model, rng)
    n = 4 * model.dimension + 40
    x = rows_of(model, natural, n, rng)
    hidden = np.full((n, model.n_features - model.n_observed), np.nan)
    expected = model.complete(natural, np.hstack([x, hidden])).expected_statistic
    scores = expected - model.to_mean(natural)
    values = np.linalg.svd(scores / np.sqrt((scores**2).mean(0)), compute_uv=False)
    ratios = values / values[0]
    rank = int((ratios > 1e-11).sum())
    # what is zero is zero to rounding: the answer does not hang on the threshold
    assert rank == len(ratios) or ratios[rank] < 1e-13
    return rank


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("n_components", [1, 2, 5])
@pytest.mark.parametrize("d", [1, 2, 4])
def test_mixtures_of_normals_count_as_scikit_learns(covariance_type, n_components, d):
    x = np.random.default_rng(0).normal(size=(50, d))
    theirs = GaussianMixture(n_components, covariance_type=covariance_type).fit(x)
    shapes = {"full": "full", "tied": "full", "diag": "diagonal", "spherical": "isotropic"}
    shared = "shape" if covariance_type == "tied" else None
    ours = Mixture(Normal(d, shapes[covariance_type]), n_components, shared)
    assert n_free_parameters(ours) == theirs._n_parameters()


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_counts_the_rank_of_the_fisher_information_of_the_models_under_the_laws(case):
    assert n_free_parameters(case.model) == rank_of_scores(case.model)


@pytest.mark.parametrize(
    "model",
    [
        LinearGaussian(noise(d), Normal(m))
        for noise in (diagonal, isotropic, Normal)
        for d in (1, 2, 3, 5)
        for m in (1, 2, 3, 4)
    ],
    ids=repr,
)
def test_counts_factors_below_at_and_beyond_those_that_the_columns_determine(model):
    assert n_free_parameters(model) == rank_of_scores(model)


@pytest.mark.parametrize(
    "model",
    [
        Mixture(Categorical(3), 2),
        Mixture(Mixture(Categorical(5), 1), 2),
        Mixture(Boltzmann(2), 3),
        Mixture(Boltzmann(4, edges=((0, 1), (1, 2))), 2),
        Mixture(Bernoulli(3), 2),
        Mixture(Bernoulli(3), 3),
        Mixture(Binomial(3, 1), 2),
        Mixture(Binomial(3, 1), 3),
        Mixture(Binomial(2, 2), 2),
        Mixture(Product(Bernoulli(1), Categorical(3)), 2),
        Mixture(Product(Bernoulli(2), Poisson(1)), 3),
        Mixture(Poisson(2), 4),
        Mixture(VonMises(2), 2),
        LinearGaussian(Normal(3), Mixture(Normal(2), 2)),
        LinearGaussian(diagonal(4), Mixture(Normal(1), 3)),
        LinearGaussian(isotropic(4), Mixture(Normal(2), 2)),
        LinearGaussian(isotropic(2), Mixture(Normal(3), 2, "shape")),
        LinearGaussian(diagonal(3), LinearGaussian(Normal(2), Normal(1))),
        LinearGaussian(diagonal(5), LinearGaussian(Normal(2), Boltzmann(2))),
        LinearGaussian(Normal(4), LinearGaussian(Normal(2), Boltzmann(2))),
        Mixture(LinearGaussian(diagonal(3), Normal(2)), 2),
        LinearGaussian(diagonal(3), Boltzmann(2)),
        LinearGaussian(Normal(1), Boltzmann(3)),
    ],
    ids=repr,
)
def test_counts_the_rank_of_the_fisher_information(model):
    assert n_free_parameters(model) == rank_of_scores(model, seed=1)


def test_factor_analysis_by_its_formula():
    d, m = 10, 3
    factors = n_free_parameters(LinearGaussian(diagonal(d), Normal(m)))
    assert factors == 2 * d + d * m - m * (m - 1) // 2
    principal = n_free_parameters(LinearGaussian(isotropic(d), Normal(m)))
    assert principal == d + 1 + d * m - m * (m - 1) // 2


def test_a_family_has_as_many_as_its_dimension():
    for family in (Normal(3), isotropic(3), Poisson(2), VonMises(2), Categorical(4), Boltzmann(3)):
        assert n_free_parameters(family) == family.dimension


def test_what_is_no_family_is_refused():
    with pytest.raises(TypeError, match=r"model: .*not 3"):
        n_free_parameters(3)


def test_criteria_are_scikit_learns():
    x = np.random.default_rng(1).normal(size=(80, 3)) * [1, 10, 0.1] + 5
    theirs = GaussianMixture(1, tol=1e-12, reg_covar=0).fit(x)
    ours = information_criteria(fit(Mixture(Normal(3), 1), x, seed=0), len(x))
    assert ours.n_parameters == 9
    assert ours.log_likelihood == pytest.approx(theirs.score(x) * len(x), rel=1e-10)
    assert ours.bic == pytest.approx(theirs.bic(x), rel=1e-10)
    assert ours.aic == pytest.approx(theirs.aic(x), rel=1e-10)


def test_weights_count_as_rows():
    x = np.random.default_rng(2).normal(size=(20, 2))
    weights = np.arange(20) % 3 + 1
    repeated = np.repeat(x, weights, axis=0)
    model = Mixture(diagonal(2), 1)
    weighted = information_criteria(fit(model, x, weights=weights, seed=0), weights.sum())
    plain = information_criteria(fit(model, repeated, seed=0), len(repeated))
    assert weighted.bic == pytest.approx(plain.bic, rel=1e-12)
