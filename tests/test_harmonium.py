"""What a harmonium refuses, and in what words."""

import re
from typing import Any

import numpy as np
import pytest

from harmonium import (
    Boltzmann,
    Categorical,
    Harmonium,
    LinearGaussian,
    Mixture,
    Normal,
    Poisson,
    VonMises,
)
from harmonium.rules import LinearRule, MixtureRule

FACTORS = LinearGaussian(Normal(3, "diagonal"), Normal(2))
MIXTURE = Mixture(Normal(2), 3)
COUNTS = Mixture(Poisson(2), 2)


def of(model: Harmonium) -> Any:
    """Some natural parameters of one of the models above."""
    if model is FACTORS:
        return model.from_parameters(mean=np.ones(3), loadings=np.ones((3, 2)), noise=np.ones(3))
    if model is COUNTS:
        return model.from_parameters(rate=[[1.0, 2.0], [3.0, 4.0]])
    return model.from_parameters(mean=[[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]], covariance=np.eye(2))


class TestStructure:
    @pytest.mark.parametrize(
        "latent",
        [
            Normal(3, "diagonal"),
            Normal(2, "isotropic"),
            Poisson(2),
            VonMises(1),
            Categorical(3),
            Mixture(Normal(2, "diagonal"), 3),
            Mixture(Poisson(2), 3),
            FACTORS,
        ],
        ids=repr,
    )
    def test_latents_that_lack_products(self, latent: Any) -> None:
        words = re.escape(f"latent: {latent!r} does not hold every product z_i z_j")
        with pytest.raises(ValueError, match=words + ".* take a full Normal, a dense Boltzmann"):
            LinearGaussian(Normal(4), latent)

    @pytest.mark.parametrize(
        "observable", [Poisson(2), VonMises(1), Categorical(3), Boltzmann(2), MIXTURE], ids=repr
    )
    def test_observables_that_are_not_normal(self, observable: Any) -> None:
        words = re.escape(f"observable: a linear Gaussian model's is a Normal, not {observable!r}")
        with pytest.raises(ValueError, match=words):
            LinearGaussian(observable, Normal(1))

    def test_a_mixture_s_latent_is_categorical(self) -> None:
        with pytest.raises(ValueError, match=r"latent: a mixture's is a Categorical, not Normal"):
            Harmonium(Normal(2), Normal(1), MixtureRule())

    def test_what_is_shared(self) -> None:
        with pytest.raises(ValueError, match=r'shared: None or "shape"; got \'size\''):
            Mixture(Normal(2), 2, shared="size")  # type: ignore[arg-type]  # the error under test

    @pytest.mark.parametrize("thing", ["Normal", 3, None, Normal, np.zeros(3)], ids=repr)
    def test_what_is_no_family(self, thing: Any) -> None:
        with pytest.raises(TypeError, match="observable: an exponential family, not "):
            Mixture(thing, 2)
        with pytest.raises(TypeError, match="latent: an exponential family, not "):
            LinearGaussian(Normal(2), thing)

    @pytest.mark.parametrize("count", [0, -1, 2.5, "two", True])
    def test_numbers_of_components(self, count: Any) -> None:
        with pytest.raises((ValueError, TypeError), match="n_categories"):
            Mixture(Normal(2), count)

    def test_equal_models_are_equal_and_hashable(self) -> None:
        same = LinearGaussian(Normal(3, "diagonal"), Mixture(Normal(2), 2))
        again = LinearGaussian(Normal(3, "diagonal"), Mixture(Normal(2), 2))
        others = [
            LinearGaussian(Normal(3), Mixture(Normal(2), 2)),
            LinearGaussian(Normal(3, "diagonal"), Mixture(Normal(2), 3)),
            LinearGaussian(Normal(3, "diagonal"), Mixture(Normal(2), 2, shared="shape")),
        ]
        assert same == again
        assert hash(same) == hash(again)
        assert len({same, again, *others}) == 4

    def test_models_cannot_be_changed(self) -> None:
        with pytest.raises(AttributeError):
            FACTORS.rule = MixtureRule()  # type: ignore[misc]  # the error under test

    def test_a_model_says_what_it_is(self) -> None:
        assert isinstance(FACTORS.rule, LinearRule)
        assert repr(COUNTS) == (
            "Harmonium(observable=Poisson(n=2), latent=Categorical(n_categories=2), "
            "rule=MixtureRule(shared=None))"
        )


class TestPoints:
    @pytest.mark.parametrize(
        "method",
        ["check_natural", "log_partition", "to_mean", "prior", "conjugation", "prepare", "sample"],
    )
    def test_vectors_of_the_wrong_length(self, method: str) -> None:
        words = re.escape(f"natural: shape (4,), but {MIXTURE!r} has vectors of length 17")
        with pytest.raises(ValueError, match=words):
            getattr(MIXTURE, method)(np.zeros(4))

    def test_vectors_that_are_not_finite(self) -> None:
        bad = np.stack([of(MIXTURE)] * 2)
        bad[1, 3] = np.nan
        with pytest.raises(ValueError, match=r"natural\[1\]: not finite"):
            MIXTURE.log_partition(bad)

    def test_a_component_outside_its_domain(self) -> None:
        bad = of(MIXTURE)
        bad[-1] = 5.0  # the last statistic's move to the last category
        with pytest.raises(ValueError, match="component 2: the precision -2 S must be positive"):
            MIXTURE.check_natural(bad)

    def test_a_noise_outside_its_domain(self) -> None:
        bad = of(FACTORS)
        bad[3] = 0.5
        with pytest.raises(ValueError, match="the precision -2 S must be positive definite"):
            FACTORS.to_mean(bad)

    def test_a_prior_outside_its_domain(self) -> None:
        bad = of(FACTORS)
        latent = slice(6, 11)
        bad[latent][2] = 9.0
        with pytest.raises(ValueError, match="prior: the precision -2 S must be positive definite"):
            FACTORS.to_mean(bad)

    def test_means_on_the_boundary(self) -> None:
        mean = MIXTURE.to_mean(of(MIXTURE))
        mean[5] = 0.0
        with pytest.raises(ValueError, match="latent: probabilities must be above zero"):
            MIXTURE.to_natural(mean)
        mean = FACTORS.to_mean(of(FACTORS))
        mean[3] = 0.0
        with pytest.raises(ValueError, match="must be positive"):
            FACTORS.to_natural(mean)


class TestParameters:
    def test_interactions_of_the_wrong_shape(self) -> None:
        point = FACTORS.split(of(FACTORS))
        with pytest.raises(ValueError, match=r"interaction: shape \(2, 3\), expected .*3, 2\)"):
            FACTORS.from_prior_and_likelihood(
                prior=FACTORS.prior(of(FACTORS)),
                observable=point.observable,
                interaction=point.interaction.T,
            )

    def test_interactions_out_of_the_domain(self) -> None:
        point = MIXTURE.split(of(MIXTURE))
        with pytest.raises(ValueError, match="interaction: component 1: the precision"):
            MIXTURE.from_prior_and_likelihood(
                prior=[0.0, 0.0],
                observable=point.observable,
                interaction=np.ones_like(point.interaction),
            )
        with pytest.raises(ValueError, match="interaction: not finite"):
            MIXTURE.from_prior_and_likelihood(
                prior=[0.0, 0.0],
                observable=point.observable,
                interaction=np.full_like(point.interaction, np.inf),
            )

    def test_priors_of_the_wrong_length(self) -> None:
        point = FACTORS.split(of(FACTORS))
        with pytest.raises(ValueError, match=r"prior: shape \(3,\)"):
            FACTORS.from_prior_and_likelihood(
                prior=np.zeros(3), observable=point.observable, interaction=point.interaction
            )

    def test_loadings_of_the_wrong_shape(self) -> None:
        with pytest.raises(ValueError, match=r"loadings: shape \(2, 3\), expected .*3, 2"):
            FACTORS.from_parameters(mean=np.ones(3), loadings=np.ones((2, 3)), noise=np.ones(3))

    def test_unknown_and_missing_parameters(self) -> None:
        with pytest.raises(TypeError, match="parameters: mean, loadings, noise, prior; got "):
            FACTORS.from_parameters(mean=np.ones(3), loadings=np.ones((3, 2)))
        with pytest.raises(TypeError, match="unknown parameters: rate"):
            MIXTURE.from_parameters(components=np.zeros((3, 5)) - [0, 0, 1, 0, 1], rate=1)

    def test_a_prior_is_needed_where_none_is_standard(self) -> None:
        model = LinearGaussian(Normal(2), Boltzmann(2))
        with pytest.raises(TypeError, match="prior: natural parameters of the latent are needed"):
            model.from_parameters(mean=np.ones(2), loadings=np.ones((2, 2)), noise=np.eye(2))

    def test_weights_and_components(self) -> None:
        with pytest.raises(ValueError, match="probabilities"):
            COUNTS.from_parameters(weights=[0.5, 0.6], rate=[[1.0, 2.0], [3.0, 4.0]])
        with pytest.raises(
            ValueError, match=r"components: shape \(3, 2\), expected \(\.\.\., 2, 2\)"
        ):
            COUNTS.from_parameters(rate=np.ones((3, 2)))

    @pytest.mark.parametrize("scale", [0.0, np.nan, np.inf, [1.0, 0.0, 1.0]])
    def test_scales(self, scale: Any) -> None:
        with pytest.raises(ValueError, match="scale: must be finite and not zero"):
            FACTORS.affine(of(FACTORS), 0.0, scale)

    def test_shifts(self) -> None:
        with pytest.raises(ValueError, match="shift: must be finite"):
            FACTORS.affine(of(FACTORS), np.nan, 1.0)

    def test_counts_are_not_scaled(self) -> None:
        with pytest.raises(ValueError, match="Poisson is not closed under shifts and scales"):
            COUNTS.affine(of(COUNTS), 0.0, 2.0)
        assert np.array_equal(COUNTS.affine(of(COUNTS), 0.0, 1.0), of(COUNTS))


class TestData:
    @pytest.mark.parametrize("method", ["posterior", "log_observable_density", "expectation"])
    def test_what_data_must_be(self, method: str) -> None:
        ask = getattr(COUNTS, method)
        with pytest.raises(ValueError, match=r"x has 3 features, but .* is expecting 2 features"):
            ask(of(COUNTS), np.ones((4, 3)))
        with pytest.raises(ValueError, match="x: Expected 2D array, got 1D array"):
            ask(of(COUNTS), np.ones(2))
        with pytest.raises(ValueError, match=r"x: .*row 1, column 0"):
            ask(of(COUNTS), [[1.0, 1.0], [-1.0, 1.0]])
        with pytest.raises(ValueError, match="x contains infinity"):
            ask(of(COUNTS), [[1.0, np.inf]])

    def test_weights(self) -> None:
        x = [[1.0, 2.0], [3.0, 4.0]]
        with pytest.raises(ValueError, match="weights must have 2 entries, but it has 3"):
            COUNTS.expectation(of(COUNTS), x, [1.0, 2.0, 3.0])
        with pytest.raises(ValueError, match="weights must be zero or positive"):
            COUNTS.expectation(of(COUNTS), x, [1.0, -2.0])
        with pytest.raises(ValueError, match="weights must contain at least one non-zero"):
            COUNTS.expectation(of(COUNTS), x, [0.0, 0.0])

    def test_latents_off_their_support(self) -> None:
        with pytest.raises(ValueError, match="z"):
            COUNTS.likelihood(of(COUNTS), [[2.0]])

    def test_several_points_with_missing_values(self) -> None:
        points = np.stack([of(COUNTS)] * 2)
        with pytest.raises(ValueError, match="natural: one point for rows with missing values"):
            COUNTS.posterior(points, [[np.nan, 1.0], [2.0, 1.0]])

    def test_a_density_has_one_point(self) -> None:
        with pytest.raises(ValueError, match="natural: a pass is over one point, not 2"):
            COUNTS.log_observable_density(np.stack([of(COUNTS)] * 2), [[1.0, 1.0]])


def test_a_shared_shape_needs_a_closed_form():
    factors = LinearGaussian(Normal(3, "diagonal"), Normal(1))
    with pytest.raises(ValueError, match="shared"):
        Mixture(factors, 2, shared="shape")
