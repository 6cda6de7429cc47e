"""Population codes against sums and integrals over the latent."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from harmonium import (
    Bernoulli,
    Binomial,
    Boltzmann,
    Categorical,
    Circle,
    Gamma,
    Grid,
    Harmonium,
    LinearGaussian,
    Mixture,
    Normal,
    Poisson,
    PopulationCode,
    Product,
    VonMises,
)
from harmonium.errors import BoundaryError, RegionWarning
from harmonium.expectation import ArraySource, expectation
from harmonium.learning import fit
from harmonium.rules import PopulationRule, Region
from harmonium.validation import FloatArray
from laws.random_points import random_point, with_missing

ANGLES = 2 * np.pi * np.arange(20) / 20
_PEAKS = np.stack(np.meshgrid(np.linspace(-4, 4, 5), np.linspace(-4, 4, 5)), -1).reshape(-1, 2)
_MIXED = LinearGaussian(Normal(2), Boltzmann(2))
_CLUSTERS = Mixture(Normal(1), 2)
#: Twenty even curves on the circle: Eq. 10 holds to rounding.
EVEN = PopulationCode(Poisson(20), VonMises(1), Circle(400))


def even(prior: FloatArray | None = None) -> FloatArray:
    law = VonMises(1).from_parameters(mean=np.pi, concentration=2.0) if prior is None else prior
    return EVEN.from_parameters(gains=0.7, preferred=ANGLES, concentrations=1.5, prior=law)


@cache
def _cases() -> dict[str, tuple[Harmonium, Any]]:
    rng = np.random.default_rng(0)
    angle = VonMises(1).from_parameters(mean=2.0, concentration=2.0)
    plane = Normal(2).from_parameters(mean=[0.4, -0.3], covariance=[[0.8, 0.2], [0.2, 0.5]])
    clusters = _CLUSTERS.from_parameters(
        weights=[0.3, 0.7], mean=[[-1.5], [1.0]], covariance=[[[0.3]], [[0.5]]]
    )
    torus = Product(VonMises(1), VonMises(1))
    uneven = {"gains": rng.uniform(0.5, 2, 8), "preferred": rng.uniform(0, 6, 8)}
    return {
        "angle": (
            PopulationCode(Poisson(8), VonMises(1), Circle(300)),
            {**uneven, "concentrations": rng.uniform(0.5, 3, 8), "prior": angle},
        ),
        "binary angle": (
            PopulationCode(Bernoulli(8), VonMises(1), Circle(300)),
            {**uneven, "concentrations": 2.0, "prior": angle},
        ),
        "binomial angle": (
            PopulationCode(Binomial(4, 8), VonMises(1), Circle(300)),
            {**uneven, "concentrations": 1.0, "prior": angle},
        ),
        "plane": (
            PopulationCode(Poisson(25), Normal(2), Grid(-5, [5, 5], 60)),
            {"gains": 1.0, "preferred": _PEAKS, "widths": 1.5, "prior": plane},
        ),
        "clusters": (
            PopulationCode(Poisson(6), _CLUSTERS, Grid(-6, 6, 200)),
            {
                "gains": 2.0,
                "preferred": np.linspace(-3, 3, 6),
                "widths": 1.2,
                "prior": clusters,
            },
        ),
        "binary clusters": (
            PopulationCode(Bernoulli(6), _CLUSTERS, Grid(-8, 8, 300)),
            {
                "gains": 2.0,
                "preferred": np.linspace(-3, 3, 6),
                "widths": 1.2,
                "prior": clusters,
            },
        ),
        "Boltzmann": (
            PopulationCode(Poisson(25), _MIXED, Grid(-5, [5, 5], 60)),
            {
                "gains": 1.0,
                "preferred": _PEAKS,
                "covariances": np.tile([[1.5, 0.3], [0.3, 2.0]], (25, 1, 1)),
                "prior": random_point(_MIXED, rng),
            },
        ),
        "torus": (
            PopulationCode(Poisson(9), torus, Circle(60, n=2)),
            {
                "gains": 1.0,
                "preferred": [rng.uniform(0, 6, 9), rng.uniform(0, 6, 9)],
                "concentrations": [2.0, 1.0],
                "prior": torus.from_parameters(parts=[(1.0, 2.0), (2.0, 0.5)]),
            },
        ),
    }


def case(name: str) -> tuple[Harmonium, FloatArray]:
    model, parameters = _cases()[name]
    return model, model.from_parameters(**parameters)


every_code = pytest.mark.parametrize(
    "name",
    [
        "angle",
        "binary angle",
        "binomial angle",
        "plane",
        "clusters",
        "binary clusters",
        "Boltzmann",
        "torus",
    ],
)


def rule_of(model: Harmonium) -> PopulationRule:
    assert isinstance(model.rule, PopulationRule)
    return model.rule


class Integral:
    """Expectations under a law of the latent by sums over a fine region, by the density alone."""

    def __init__(self, model: Harmonium, natural: FloatArray) -> None:
        self.model, self.natural = model, natural
        leading = model.latent.leading
        fine: Region = (
            Circle(1000 if leading.n_features == 1 else 120, n=leading.n_features)
            if leading.n_features != 2 or not isinstance(leading, Normal)
            else Grid(-9, [9, 9], 150)
        )
        if isinstance(leading, Normal) and leading.n_features == 1:
            fine = Grid(-12, 12, 1500)
        self.z = fine.latents()
        self.log_volumes = np.log(fine.volumes())
        statistic = leading.sufficient_statistic(self.z)
        self.statistic = statistic
        parts = model.split(natural)
        self.laws = parts.observable + statistic @ parts.interaction.T

    def log_weights(self, law: FloatArray) -> FloatArray:
        """Log probabilities of the nodes under a law of the latent."""
        latent = self.model.latent
        if isinstance(latent, Harmonium):
            logs = latent.log_observable_density(law, self.z)
        else:
            logs = latent.log_density(law, self.z)
        return np.asarray(logs + self.log_volumes)


@every_code
class TestExpectations:
    def test_under_the_prior(self, name: str) -> None:
        model, natural = case(name)
        integral = Integral(model, natural)
        weights = np.exp(integral.log_weights(model.prior(natural)))
        assert weights.sum() == pytest.approx(1, abs=1e-9)
        rates = model.observable.to_mean(integral.laws)
        parts = model.split(model.to_mean(natural))
        np.testing.assert_allclose(parts.observable, weights @ rates, rtol=1e-9)
        cross = (rates * weights[:, None]).T @ integral.statistic
        np.testing.assert_allclose(parts.interaction, cross, rtol=1e-8, atol=1e-10)
        expected = model.latent.to_mean(model.prior(natural))
        np.testing.assert_allclose(parts.latent, expected, rtol=1e-12)

    def test_there_and_back(self, name: str) -> None:
        model, natural = case(name)
        back = model.to_natural(model.to_mean(natural))
        np.testing.assert_allclose(back, natural, rtol=1e-6, atol=1e-7)

    def test_of_missing_neurons(self, name: str) -> None:
        # given the posterior of what is observed
        model, natural = case(name)
        integral = Integral(model, natural)
        x = model.sample(natural, 3, size=2)[:, : model.n_observed]
        partial = x.copy()
        partial[0, ::2] = np.nan
        partial[1] = np.nan
        posterior = model.posterior(natural, partial)
        rates = model.observable.to_mean(integral.laws)
        for row, known, law in zip(partial, x, posterior, strict=True):
            weights = np.exp(integral.log_weights(law))
            expected = np.where(np.isnan(row), weights @ rates, known)
            parts = model.split(model.expectation(natural, row[None]))
            np.testing.assert_allclose(parts.observable, expected, rtol=1e-8)
            values = np.where(np.isnan(row), rates, known)
            cross = (values * weights[:, None]).T @ integral.statistic
            np.testing.assert_allclose(parts.interaction, cross, rtol=1e-7, atol=1e-9)
            np.testing.assert_allclose(parts.latent, model.latent.to_mean(law), rtol=1e-10)

    def test_samples_have_them(self, name: str) -> None:
        model, natural = case(name)
        draws = model.sufficient_statistic(model.sample(natural, 1, size=20_000))
        spread = draws.std(0)
        error = np.abs(draws.mean(0) - model.to_mean(natural))
        constant = spread < 1e-12
        assert (error[constant] < 1e-10).all()
        scores = error[~constant] / spread[~constant] * np.sqrt(len(draws))
        # rare counts are far from normal: the bound is that of a million comparisons
        assert scores.max() < 6.5


@every_code
class TestBayes:
    def test_is_an_addition(self, name: str) -> None:
        model, natural = case(name)
        x = model.sample(natural, 2, size=5)[:, : model.n_observed]
        rho = model.conjugation(natural).rho
        parts = model.split(natural)
        expected = np.tile(model.prior(natural), (5, 1))
        expected[:, : len(rho)] += x @ parts.interaction - rho
        np.testing.assert_allclose(model.posterior(natural, x), expected, rtol=1e-10, atol=1e-10)

    def test_missing_neurons_add_nothing(self, name: str) -> None:
        # each neuron's rho is its own: the others' add up to the whole
        model, natural = case(name)
        parts = model.split(natural)
        own = rule_of(model).by_neuron(
            model.observable, model.latent, parts.observable, parts.interaction
        )
        rho, chi = model.conjugation(natural)
        np.testing.assert_allclose(own.rho.sum(0), rho, rtol=1e-9, atol=1e-9)
        assert own.chi.sum() == pytest.approx(float(chi), rel=1e-9)
        x = model.sample(natural, 2, size=4)[:, : model.n_observed]
        x[:, 1::2] = np.nan
        seen = slice(0, None, 2)
        expected = np.tile(model.prior(natural), (4, 1))
        expected[:, : len(rho)] += x[:, seen] @ parts.interaction[seen] - own.rho[seen].sum(0)
        np.testing.assert_allclose(model.posterior(natural, x), expected, rtol=1e-9, atol=1e-9)
        nothing = np.full((1, model.n_observed), np.nan)
        np.testing.assert_allclose(
            model.posterior(natural, nothing)[0], model.prior(natural), rtol=1e-12
        )
        assert model.log_observable_density(natural, nothing) == pytest.approx([0.0], abs=1e-12)

    def test_the_density_is_equation_14(self, name: str) -> None:
        model, natural = case(name)
        x = model.sample(natural, 2, size=5)[:, : model.n_observed]
        parts = model.split(natural)
        expected = (
            x @ parts.observable
            + model.observable.log_base_measure(x)
            + model.latent.log_partition(model.posterior(natural, x))
            - model.log_partition(natural)
        )
        np.testing.assert_allclose(
            model.log_observable_density(natural, x), expected, rtol=1e-10, atol=1e-9
        )

    def test_one_by_one_is_all_at_once(self, name: str) -> None:
        model, natural = case(name)
        x = model.sample(natural, 4, size=3)[:, : model.n_observed]
        together = model.joint_posterior(natural, x)
        steps = model.recursive_posteriors(natural, x)
        np.testing.assert_allclose(steps[-1], together, rtol=1e-11, atol=1e-11)
        again = model.joint_posterior(natural, x[1:], prior=steps[0])
        np.testing.assert_allclose(again, together, rtol=1e-10, atol=1e-10)


class TestEvenCurves:
    """Where Eq. 10 holds, a population code is as exact as any model."""

    def test_equation_10(self) -> None:
        natural = even()
        z = np.random.default_rng(0).uniform(0, 2 * np.pi, (1000, 1))
        rho, chi = EVEN.conjugation(natural)
        psi = EVEN.observable.log_partition(EVEN.likelihood(natural, z))
        gap = psi - VonMises(1).sufficient_statistic(z) @ rho - chi
        assert np.abs(gap).max() <= 1e-10
        parts = EVEN.split(natural)
        residuals = rule_of(EVEN).residuals(
            EVEN.observable, EVEN.latent, parts.observable, parts.interaction
        )
        assert np.abs(residuals).max() <= 1e-10

    def test_posterior_and_density_are_brute_force(self) -> None:
        natural = even()
        x = EVEN.sample(natural, 1, size=4)[:, :20]
        x = np.concatenate([x, 30 * x])  # probabilities down to 1e-300 and beyond
        integral = Integral(EVEN, natural)
        prior = integral.log_weights(EVEN.prior(natural))
        laws = np.exp(integral.laws)
        logs = stats.poisson.logpmf(x[:, None], laws).sum(-1)
        joint = prior + logs
        evidence = logsumexp(joint, -1)
        np.testing.assert_allclose(
            EVEN.log_observable_density(natural, x), evidence, rtol=1e-10, atol=1e-10
        )
        posterior = EVEN.posterior(natural, x)
        found = VonMises(1).log_density(posterior[:, None], integral.z) + integral.log_volumes
        expected = joint - evidence[:, None]
        visible = expected > np.log(1e-300)
        np.testing.assert_allclose(found[visible], expected[visible], rtol=1e-9, atol=1e-9)

    def test_calibration(self) -> None:
        natural, rng = even(), np.random.default_rng(5)
        draws = EVEN.sample(natural, rng, size=2000)
        posterior = EVEN.posterior(natural, draws[:, :20])
        others = VonMises(1).sample(posterior, rng, size=99)
        ranks = (others[..., 0] < draws[:, 20]).sum(0)
        assert stats.chisquare(np.bincount(ranks // 5, minlength=20)).pvalue > 1e-4


class TestLearning:
    def test_the_prior_is_learned(self) -> None:
        truth = VonMises(1).from_parameters(mean=2.0, concentration=3.0)
        x = EVEN.sample(even(truth), 1, size=3000)[:, :20]
        fitted = fit(EVEN, x, initial=even(np.array([0.1, 0.1])))
        assert fitted.converged
        assert (np.diff(fitted.history) <= 1e-12).all()
        np.testing.assert_allclose(EVEN.prior(fitted.natural), truth, atol=0.25)
        parts, before = EVEN.split(fitted.natural), EVEN.split(even())
        np.testing.assert_array_equal(parts.interaction, before.interaction)
        np.testing.assert_array_equal(parts.observable, before.observable)

    @every_code
    def test_the_likelihood_never_falls(self, name: str) -> None:
        model, natural = case(name)
        x = model.sample(natural, 2, size=120)[:, : model.n_observed]
        x = with_missing(x, 0.1, np.random.default_rng(1))[:60]
        parts = model.split(natural)
        elsewhere = random_point(model.latent, np.random.default_rng(9))
        prepared = model.prepare(
            model.from_prior_and_likelihood(
                prior=elsewhere, observable=parts.observable, interaction=parts.interaction
            )
        )
        history = []
        for _ in range(6):
            totals = expectation(prepared, ArraySource(x))
            history.append(totals.log_likelihood)
            prepared = prepared.maximise(totals.sums, set())
        assert (np.diff(history) >= -1e-10 * np.abs(history[1:])).all()

    def test_mixtures_of_codes(self) -> None:
        # a harmonium is a family: two priors of the stimulus, one set of curves
        model = Mixture(EVEN, 2)
        priors = [VonMises(1).from_parameters(mean=m, concentration=8.0) for m in (1.0, 4.0)]
        point = model.from_parameters(weights=[0.4, 0.6], components=[even(p) for p in priors])
        x = model.sample(point, 1, size=500)[:, :20]
        fitted = fit(model, x, initial=point, max_iter=20, warn=False)
        assert (np.diff(fitted.history) <= 1e-12).all()


class TestParameters:
    @every_code
    def test_there_and_back(self, name: str) -> None:
        model, natural = case(name)
        found = model.to_parameters(natural)
        again = model.from_parameters(
            gains=found.gains, tuning=model.split(natural).interaction, prior=model.prior(natural)
        )
        np.testing.assert_allclose(again, natural, rtol=1e-9, atol=1e-9)

    def test_tuning_curves(self) -> None:
        # Fig. 4 and Fig. 11: gain e^{k cos(z - mu)} / I0(k), and peaks of gain / width^2
        model, natural = case("angle")
        given = _cases()["angle"][1]
        z = np.linspace(0, 6, 7)[:, None]
        rates = np.exp(model.likelihood(natural, z))
        k = given["concentrations"]
        expected = given["gains"] * np.exp(k * np.cos(z - given["preferred"])) / np.i0(k)
        np.testing.assert_allclose(rates, expected, rtol=1e-12)
        found = model.to_parameters(natural)
        np.testing.assert_allclose(found.gains, given["gains"], rtol=1e-12)
        np.testing.assert_allclose(found.tuning.mean[:, 0], given["preferred"], rtol=1e-12)
        model, natural = case("plane")
        rates = np.exp(model.likelihood(natural, _PEAKS[:1]))
        assert rates[0, 0] == pytest.approx(1 / 1.5**2)

    def test_curves_without_a_peak(self) -> None:
        model = PopulationCode(Poisson(2), Normal(1), Grid(-2, 2, 50))
        prior = Normal(1).from_parameters(mean=[0], covariance=[[0.1]])
        natural = model.from_prior_and_likelihood(
            prior=prior, observable=[0.0, 0.0], interaction=[[1.0, -1.0], [1.0, 0.5]]
        )
        with pytest.raises(ValueError, match="tuning curve of neuron 1 has no preferred value"):
            model.to_parameters(natural)
        assert np.isfinite(model.to_mean(natural)).all()

    def test_infinite_expectations(self) -> None:
        model = PopulationCode(Poisson(1), Normal(1), Grid(-2, 2, 50))
        wide = Normal(1).from_parameters(mean=[0], covariance=[[4.0]])
        natural = model.from_prior_and_likelihood(
            prior=wide, observable=[0.0], interaction=[[0.0, 0.5]]
        )
        with pytest.raises(ValueError, match="expected rate of a neuron is infinite"):
            model.to_mean(natural)


class TestErrors:
    def test_models(self) -> None:
        with pytest.raises(ValueError, match="Poisson, Bernoulli or Binomial"):
            PopulationCode(Gamma(2), VonMises(1), Circle(10))
        with pytest.raises(ValueError, match="region: has 1 axes"):
            PopulationCode(Poisson(2), VonMises(2), Circle(10))
        with pytest.raises(TypeError, match="a Circle or a Grid"):
            PopulationCode(Poisson(2), VonMises(1), 100)  # type: ignore[arg-type]  # on purpose
        with pytest.raises(ValueError, match="do not tell the 3 statistics"):
            PopulationCode(Poisson(2), Normal(1), Grid(-1, 1, 2))
        with pytest.raises(ValueError, match=r"categor(y|ies)|whole"):
            PopulationCode(Poisson(2), Categorical(3), Grid(0.5, 1.5, 3))

    def test_rates_beyond_numbers(self) -> None:
        with pytest.raises(ValueError, match="log rates must be at most 700"):
            EVEN.from_parameters(
                gains=1e304, preferred=ANGLES, concentrations=500.0, prior=np.zeros(2)
            )

    @pytest.mark.parametrize(
        ("changed", "error", "words"),
        [
            ({"gains": -1.0}, ValueError, "gains: must be above zero"),
            ({"gains": np.ones(7)}, ValueError, "gains|shape|broadcast"),
            ({"widths": 1.0}, TypeError, "preferred: of"),
            ({"preferred": ANGLES[:3]}, ValueError, "3,"),
            ({"peaks": 1.0}, TypeError, "parameters: prior, gains"),
            ({"tuning": np.zeros((20, 2))}, TypeError, "tuning: takes the place"),
            ({"prior": None}, TypeError, "prior: natural parameters"),
        ],
    )
    def test_parameters(self, changed: Any, error: type[Exception], words: str) -> None:
        given = {"gains": 1.0, "preferred": ANGLES, "concentrations": 1.0, "prior": np.zeros(2)}
        with pytest.raises(error, match=words):
            EVEN.from_parameters(**{**given, **changed})

    def test_a_prior_beyond_the_region(self) -> None:
        model = PopulationCode(Bernoulli(3), Normal(1), Grid(-2, 2, 50))
        wide = Normal(1).from_parameters(mean=[0], covariance=[[4.0]])
        natural = model.from_parameters(gains=1.0, preferred=[-1, 0, 1], widths=1.0, prior=wide)
        with pytest.warns(RegionWarning, match="take a wider region"):
            model.to_mean(natural)

    def test_means_that_no_curves_have(self) -> None:
        mean = EVEN.to_mean(even())
        mean[0] = 0.0
        with pytest.raises(BoundaryError, match="rates must be above zero"):
            EVEN.to_natural(mean)
        mean = EVEN.to_mean(even())
        mean[22:24] = 10.0
        with pytest.raises(BoundaryError, match=r"E\[x s_Z\]"):
            EVEN.to_natural(mean)

    def test_counts_are_not_shifted(self) -> None:
        with pytest.raises(ValueError, match="not closed under shifts"):
            EVEN.affine(even(), 1.0, 2.0)
