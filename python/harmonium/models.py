"""Models by name: constructors of harmoniums, no more."""

from typing import Literal

from harmonium.families.base import ExponentialFamily
from harmonium.families.categorical import Categorical
from harmonium.families.product import Product
from harmonium.harmonium import Harmonium
from harmonium.rules.linear import LinearRule
from harmonium.rules.mixture import MixtureRule
from harmonium.rules.population import PopulationRule
from harmonium.rules.regions import Region
from harmonium.rules.views import ViewsRule


def Mixture(  # noqa: N802 - the name of a kind of model
    observable: ExponentialFamily,
    n_components: int,
    shared: Literal["shape"] | None = None,
) -> Harmonium:
    """Return the mixtures of ``n_components`` laws of any family (Theorem 12).

    With ``shared="shape"`` the components differ in location only.
    """
    return Harmonium(observable, Categorical(n_components), MixtureRule(shared))


def LinearGaussian(  # noqa: N802 - the name of a kind of model
    observable: ExponentialFamily, latent: ExponentialFamily
) -> Harmonium:
    """Return the linear Gaussian models ``x = mean + loadings z + noise`` (Theorem 13).

    ``observable`` is a Normal: diagonal for factor analysis, isotropic for probabilistic
    principal components. ``latent`` holds every product of its coordinates: a full Normal, a
    dense Boltzmann, or a harmonium on one of them, such as a mixture of normals.
    """
    return Harmonium(observable, latent, LinearRule())


def PopulationCode(  # noqa: N802 - the name of a kind of model
    observable: ExponentialFamily, latent: ExponentialFamily, region: Region
) -> Harmonium:
    """Return the population codes: counts with tuning curves of a latent (Eq. 21).

    ``observable`` is Poisson, Bernoulli or Binomial, one count for each neuron; ``latent`` von
    Mises, Normal, a product of them, or a harmonium on one; ``region`` is where Eq. 10 is fitted:
    ``Circle(points)`` or ``Grid(lower, upper, points)``.
    """
    return Harmonium(observable, latent, PopulationRule(region))


def Views(*models: Harmonium) -> Harmonium:  # noqa: N802 - the name of a kind of model
    """Return the models of several observables of one latent (Fig. 7a).

    ``models`` are harmoniums with the same latent; what is observed are their columns side by
    side, and any view may be missing in any row.
    """
    if not models:
        raise ValueError("models: at least one")
    for i, model in enumerate(models):
        if not isinstance(model, Harmonium):
            raise TypeError(f"models: harmoniums, not {model!r} (model {i})")
        if model.latent != models[0].latent:
            raise ValueError(
                f"models: one latent for all; model {i} has {model.latent!r}, "
                f"model 0 has {models[0].latent!r}"
            )
    observable = Product(*(model.observable for model in models))
    return Harmonium(observable, models[0].latent, ViewsRule([model.rule for model in models]))
