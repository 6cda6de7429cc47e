"""Models by name: constructors of harmoniums, no more."""

from typing import Literal

from harmonium.families.base import ExponentialFamily
from harmonium.families.categorical import Categorical
from harmonium.harmonium import Harmonium
from harmonium.rules.linear import LinearRule
from harmonium.rules.mixture import MixtureRule


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
