"""Bayesian estimation against Bayes' rule itself, sums and integrals, and its own calibration."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from harmonium import (
    Bernoulli,
    Beta,
    Binomial,
    Boltzmann,
    Categorical,
    CoMPoisson,
    ConjugatePrior,
    Dirichlet,
    Exponential,
    Gamma,
    Geometric,
    InverseGaussian,
    NegativeBinomial,
    Normal,
    Poisson,
    Product,
    VonMises,
    VonMisesFisher,
    Wishart,
)
from harmonium.validation import FloatArray
from laws.random_points import random_point

SPREAD = [[2.0, 0.6], [0.6, 1.0]]

MODELS = {
    "categories": ConjugatePrior(Categorical(4)),
    "two categories": ConjugatePrior(Categorical(2)),
    "binary": ConjugatePrior(Bernoulli(3)),
    "binomial": ConjugatePrior(Binomial(5, 2)),
    "negative binomial": ConjugatePrior(NegativeBinomial(2.5, 2)),
    "geometric": ConjugatePrior(Geometric(2)),
    "Poisson": ConjugatePrior(Poisson(3)),
    "exponential": ConjugatePrior(Exponential(2)),
    "gamma rate": ConjugatePrior(Gamma(2), shape=[2.0, 0.7]),
    "inverse Gaussian shape": ConjugatePrior(InverseGaussian(2), mean=[1.0, 3.0]),
    "angles": ConjugatePrior(VonMises(2), concentration=[2.0, 0.5]),
    "directions": ConjugatePrior(VonMisesFisher(3), concentration=4.0),
    "Wishart scale": ConjugatePrior(Wishart(2), degrees_of_freedom=4.5),
    "normal": ConjugatePrior(Normal(2)),
    "one normal": ConjugatePrior(Normal(1, "isotropic")),
    "diagonal normal": ConjugatePrior(Normal(3, "diagonal")),
    "normal mean": ConjugatePrior(Normal(2), covariance=SPREAD),
    "diagonal mean": ConjugatePrior(Normal(2, "diagonal"), covariance=[1.0, 3.0]),
    "isotropic mean": ConjugatePrior(Normal(3, "isotropic"), covariance=2.0),
    "precision": ConjugatePrior(Normal(3), mean=[1.0, -1.0, 0.5]),
    "diagonal precisions": ConjugatePrior(Normal(2, "diagonal"), mean=[1.0, -1.0]),
    "isotropic precision": ConjugatePrior(Normal(3, "isotropic"), mean=0.5),
    "product": ConjugatePrior(
        Product(Poisson(2), Normal(2), VonMises(1)), parts=[{}, {}, {"concentration": 3.0}]
    ),
}
every_pair = pytest.mark.parametrize("name", MODELS)
#: Those of which single columns may be missing.
BY_COLUMN = [
    "binary",
    "binomial",
    "Poisson",
    "gamma rate",
    "angles",
    "diagonal normal",
    "diagonal mean",
    "diagonal precisions",
]


def rng_of(name: str, *seed: int) -> np.random.Generator:
    return np.random.default_rng([*seed, *name.encode()])


def drawn(name: str, n: int, seed: int = 0) -> tuple[ConjugatePrior, FloatArray, FloatArray]:
    """A model, a random prior, and data of one law: of the parameter at the prior's mean draw."""
    model, rng = MODELS[name], rng_of(name, seed)
    prior = random_point(model.prior, rng)
    z = model.prior.sample(prior, rng)
    laws = np.repeat(model.likelihood(z[None]), n, 0)
    return model, prior, model.observable.sample(laws, rng)


def log_likelihoods(model: ConjugatePrior, z: FloatArray, x: FloatArray) -> FloatArray:
    """(parameters, rows), by the observable's own density."""
    return model.observable.log_density(model.likelihood(z)[:, None], x)


@every_pair
class TestBayes:
    @settings(max_examples=5)
    @given(seed=st.integers(0, 2**32 - 1))
    def test_the_posterior_is_prior_times_likelihood(self, name: str, seed: int) -> None:
        # at any parameter: log q(z | x) + log q(x) = log q(z) + log q(x | z)
        model, prior, x = drawn(name, 7, seed)
        z = model.prior.sample(prior, seed, size=5)
        posterior = model.posterior(prior, x)
        left = model.prior.log_density(posterior, z) + model.log_marginal_likelihood(prior, x)
        right = model.prior.log_density(prior, z) + log_likelihoods(model, z, x).sum(-1)
        np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-8)

    def test_one_by_one_is_all_at_once(self, name: str) -> None:
        model, prior, x = drawn(name, 9)
        steps = model.posteriors(prior, x)
        np.testing.assert_allclose(steps[-1], model.posterior(prior, x), rtol=1e-12, atol=1e-12)
        point = prior
        for row, after in zip(x, steps, strict=True):
            point = model.posterior(point, row[None])
            np.testing.assert_allclose(point, after, rtol=1e-11, atol=1e-12)
        batches = model.posterior(model.posterior(prior, x[:4]), x[4:])
        np.testing.assert_allclose(batches, steps[-1], rtol=1e-11, atol=1e-12)

    def test_the_evidence_is_the_product_of_predictions(self, name: str) -> None:
        model, prior, x = drawn(name, 9)
        before = [prior, *model.posteriors(prior, x)[:-1]]
        logs = [
            model.log_predictive_density(p, row[None])[0] for p, row in zip(before, x, strict=True)
        ]
        np.testing.assert_allclose(
            model.log_marginal_likelihood(prior, x), np.sum(logs), rtol=1e-10, atol=1e-9
        )

    def test_weights_repeat_rows(self, name: str) -> None:
        model, prior, x = drawn(name, 6)
        counts = np.array([0, 1, 2, 0, 3, 1])
        repeated = np.repeat(x, counts, 0)
        for method in (model.posterior, model.log_marginal_likelihood):
            np.testing.assert_allclose(
                method(prior, x, counts), method(prior, repeated), rtol=1e-11, atol=1e-11
            )

    def test_a_missing_row_adds_nothing(self, name: str) -> None:
        model, prior, x = drawn(name, 6)
        holes = np.concatenate([x, np.full((2, x.shape[1]), np.nan)])
        np.testing.assert_allclose(
            model.posterior(prior, holes), model.posterior(prior, x), rtol=1e-13
        )
        assert (model.log_predictive_density(prior, holes)[-2:] == 0).all()

    def test_batches_of_priors(self, name: str) -> None:
        model, prior, x = drawn(name, 4)
        priors = np.stack([prior, random_point(model.prior, rng_of(name, 7))])
        np.testing.assert_allclose(
            model.posterior(priors, x)[1], model.posterior(priors[1], x), rtol=1e-13
        )
        np.testing.assert_allclose(
            model.log_marginal_likelihood(priors, x)[1],
            model.log_marginal_likelihood(priors[1], x),
            rtol=1e-12,
        )

    def test_draws(self, name: str) -> None:
        model, prior, _ = drawn(name, 1)
        x, z = model.sample(prior, 3, size=(2, 3))
        assert x.shape == (2, 3, model.observable.n_features)
        assert z.shape == (2, 3, model.prior.n_features)
        again, _ = model.sample(prior, np.random.default_rng(3), size=(2, 3))
        assert np.array_equal(x, again)


@pytest.mark.parametrize("name", BY_COLUMN)
def test_columns_may_be_missing(name: str) -> None:
    # what is left are the other columns: a prediction of one alone sums its own part
    model, prior, x = drawn(name, 6)
    holes = x.copy()
    holes[::2, 0] = np.nan
    holes[1::3, 1:] = np.nan
    z = model.prior.sample(prior, 1, size=4)
    seen = ~np.isnan(holes)
    one: Any = Normal(1) if isinstance(model.observable, Normal) else model.observable._copies(1)
    laws = model.likelihood(z)
    n = model.observable.n_features
    expected = np.zeros(len(z))
    for column in range(n):
        own = laws[:, column::n]
        rows = x[seen[:, column], column : column + 1]
        expected += one.log_density(own[:, None], rows).sum(-1)
    left = model.prior.log_density(model.posterior(prior, holes), z)
    left = left + model.log_marginal_likelihood(prior, holes)
    np.testing.assert_allclose(
        left, model.prior.log_density(prior, z) + expected, rtol=1e-10, atol=1e-9
    )


class TestPeoplesParameters:
    """The latent is what it is said to be."""

    def test_rates_and_probabilities(self) -> None:
        z = np.array([[0.3, 2.0, 5.0]])
        assert MODELS["Poisson"].observable.to_parameters(
            MODELS["Poisson"].likelihood(z)
        ).rate == pytest.approx(z)
        z = np.array([[0.2, 0.5, 0.1, 0.2]])
        model = MODELS["categories"]
        assert model.observable.to_parameters(model.likelihood(z)).probabilities == pytest.approx(z)
        z = np.array([[0.2, 0.7]])
        for name in ("binomial", "negative binomial", "geometric"):
            model = MODELS[name]
            law = model.observable.to_parameters(model.likelihood(z))
            assert law.probability == pytest.approx(z), name
        z = np.array([[0.2, 7.0]])
        model = MODELS["gamma rate"]
        law = model.observable.to_parameters(model.likelihood(z))
        assert law.rate == pytest.approx(z)
        assert law.shape == pytest.approx(np.array([[2.0, 0.7]]))
        model = MODELS["inverse Gaussian shape"]
        law = model.observable.to_parameters(model.likelihood(z))
        assert law.shape == pytest.approx(z)
        assert law.mean == pytest.approx(np.array([[1.0, 3.0]]))

    def test_normals(self) -> None:
        precision = np.array([[2.0, 0.3], [0.3, 1.0]])
        z = np.array([[1.0, -2.0, 2.0, 0.3, 1.0]])
        model = MODELS["normal"]
        law = model.observable.to_parameters(model.likelihood(z))
        np.testing.assert_allclose(law.mean[0], [1.0, -2.0], rtol=1e-12)
        np.testing.assert_allclose(law.covariance[0], np.linalg.inv(precision), rtol=1e-12)
        model = MODELS["normal mean"]
        law = model.observable.to_parameters(model.likelihood([[1.0, -2.0]]))
        np.testing.assert_allclose(law.mean[0], [1.0, -2.0], rtol=1e-12)
        np.testing.assert_allclose(law.covariance[0], SPREAD, rtol=1e-12)
        model = MODELS["precision"]
        z = np.array([[2.0, 0.3, 1.0, 0.1, 0.2, 3.0]])
        law = model.observable.to_parameters(model.likelihood(z))
        full = np.array([[2.0, 0.3, 0.1], [0.3, 1.0, 0.2], [0.1, 0.2, 3.0]])
        np.testing.assert_allclose(law.mean[0], [1.0, -1.0, 0.5], rtol=1e-12)
        np.testing.assert_allclose(law.covariance[0], np.linalg.inv(full), rtol=1e-12)

    def test_textbook_updates(self) -> None:
        x = [[0], [2], [2], [1]]
        posterior = MODELS["categories"].posterior([0.5, 0.5, 0.5, 0.5], x)
        np.testing.assert_allclose(posterior, [1.5, 1.5, 2.5, 0.5])
        gamma = Gamma(1)
        model = ConjugatePrior(Poisson(1))
        after = gamma.to_parameters(model.posterior([3.0, -2.0], [[4], [0], [7]]))
        assert (after.shape, after.rate) == (pytest.approx([14.0]), pytest.approx([5.0]))
        beta = ConjugatePrior(Bernoulli(1)).posterior([1.0, 1.0], [[1], [1], [0]])
        np.testing.assert_allclose(beta, [3.0, 2.0])


class TestPredictions:
    def test_negative_binomial_counts(self) -> None:
        # gamma-Poisson: scipy's negative binomial
        model = ConjugatePrior(Poisson(1))
        x = np.arange(60.0)[:, None]
        expected = stats.nbinom.logpmf(x[:, 0], 3.0, 2.0 / 3.0)
        np.testing.assert_allclose(
            model.log_predictive_density([3.0, -2.0], x), expected, rtol=1e-11
        )

    def test_beta_binomial_counts(self) -> None:
        model = ConjugatePrior(Binomial(9, 1))
        x = np.arange(10.0)[:, None]
        expected = stats.betabinom.logpmf(x[:, 0], 9, 0.7, 2.5)
        np.testing.assert_allclose(
            model.log_predictive_density([0.7, 2.5], x), expected, rtol=1e-11
        )

    def test_student_s_t(self) -> None:
        model = ConjugatePrior(Normal(2))
        family = model.prior
        scale = np.array([[1.0, 0.2], [0.2, 0.5]])
        prior = family.from_parameters(
            mean=[1.0, -1.0], precision_scale=2.0, scale=scale, degrees_of_freedom=5.0
        )
        x = np.array([[0.0, 0.0], [3.0, -4.0]])
        freedom = 5.0 - 2 + 1
        shape = np.linalg.inv(scale) * (2.0 + 1) / (2.0 * freedom)
        expected = stats.multivariate_t(loc=[1.0, -1.0], shape=shape, df=freedom).logpdf(x)
        np.testing.assert_allclose(model.log_predictive_density(prior, x), expected, rtol=1e-10)

    def test_lomax_times(self) -> None:
        model = ConjugatePrior(Exponential(1))
        prior = model.prior.from_parameters(shape=3.0, rate=2.0)
        x = np.array([[0.1], [4.0]])
        expected = stats.lomax.logpdf(x[:, 0], 3.0, scale=2.0)
        np.testing.assert_allclose(model.log_predictive_density(prior, x), expected, rtol=1e-11)

    @pytest.mark.parametrize("name", ["two categories", "angles", "gamma rate"])
    def test_integrate_to_one(self, name: str) -> None:
        model, prior, _ = drawn(name, 1)
        if name == "two categories":
            x = np.array([[0.0], [1.0]])
            assert special.logsumexp(model.log_predictive_density(prior, x)) == pytest.approx(0)
            return
        upper = 2 * np.pi if name == "angles" else np.inf

        def density(value: float) -> float:
            # the other column missing: the marginal
            return float(np.exp(model.log_predictive_density(prior, [[value, np.nan]]))[0])

        assert integrate.quad(density, 0, upper)[0] == pytest.approx(1, abs=1e-7)


@pytest.mark.parametrize(
    "name", ["categories", "Poisson", "normal", "angles", "Wishart scale", "product"]
)
def test_calibration(name: str) -> None:
    # 2,000 parameters and data, 99 posterior draws each: ranks are uniform (Talts et al., 2018)
    model, rng = MODELS[name], rng_of(name, 5)
    prior = random_point(model.prior, rng)
    x, z = model.sample(prior, rng, size=2000)
    posteriors = prior + model._messages(x).shift
    draws = model.prior.sample(posteriors, rng, size=99)
    columns = min(3, z.shape[1])
    below = (draws[..., :columns] < z[:, :columns]).sum(0)
    worst = min(
        stats.chisquare(np.bincount(below[:, c] // 5, minlength=20)).pvalue for c in range(columns)
    )
    # Bonferroni over the columns of six models
    assert worst * 6 * 3 > 1e-4


class TestErrors:
    @pytest.mark.parametrize("family", [Beta(1), CoMPoisson(1), Boltzmann(2), Dirichlet(3)])
    def test_families_without_a_tractable_prior(self, family: Any) -> None:
        with pytest.raises(ValueError, match="no conjugate prior with a tractable"):
            ConjugatePrior(family)

    def test_what_is_known(self) -> None:
        with pytest.raises(TypeError, match="concentration known; got nothing"):
            ConjugatePrior(VonMises(1))
        with pytest.raises(TypeError, match="got rate"):
            ConjugatePrior(Poisson(1), rate=2)
        with pytest.raises(ValueError, match="concentration: must be above zero"):
            ConjugatePrior(VonMises(1), concentration=-1.0)
        with pytest.raises(ValueError, match="isotropic"):
            ConjugatePrior(Normal(2, "isotropic"))
        with pytest.raises(TypeError, match="observable"):
            ConjugatePrior("Poisson")  # type: ignore[arg-type]  # the point of the test
        with pytest.raises(TypeError, match="parts"):
            ConjugatePrior(Product(Poisson(1), VonMises(1)), parts=[{}])

    def test_data(self) -> None:
        model = MODELS["normal"]
        prior = random_point(model.prior, rng_of("normal"))
        with pytest.raises(ValueError, match=r"x: row 1 is partly missing"):
            model.posterior(prior, [[0.0, 1.0], [np.nan, 1.0]])
        with pytest.raises(ValueError, match=r"x.* -2|-2"):
            MODELS["Poisson"].posterior(np.r_[1.0, 1, 1, -1, -1, -1], [[1, -2, 0]])
        with pytest.raises(ValueError, match="prior"):
            MODELS["Poisson"].posterior(np.r_[1.0, 1, 1, -1, -1, 1], [[1, 2, 0]])
        with pytest.raises(ValueError, match="prior: one law"):
            model.posteriors(np.stack([prior, prior]), [[0.0, 1.0]])

    def test_words(self) -> None:
        assert repr(MODELS["gamma rate"]) == "ConjugatePrior(Gamma(n=2), shape=[2.0, 0.7])"
        model = MODELS["Poisson"]
        np.testing.assert_array_equal(model.rho, [0, 0, 0, 1, 1, 1])
        assert model.interaction.shape == (3, 6)
        assert model.chi == 0.0
