"""The models that ``harmonium fit`` knows by name. A new one joins by one entry in `CHOICES`."""

from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from harmonium.cli.errors import CommandError, as_command_errors
from harmonium.families.boltzmann import Boltzmann
from harmonium.families.normal import Normal
from harmonium.families.poisson import Poisson
from harmonium.families.von_mises import VonMises
from harmonium.harmonium import Harmonium
from harmonium.models import LinearGaussian, Mixture

#: Options that belong to some models only.
OPTIONS = ("components", "factors", "units", "covariance")

_COVARIANCES: dict[str, Literal["full", "diagonal", "isotropic"]] = {
    "full": "full",
    "tied": "full",
    "diag": "diagonal",
    "spherical": "isotropic",
}
#: scikit-learn's names of the shapes of covariances.
COVARIANCES = tuple(_COVARIANCES)


@dataclass(frozen=True)
class Choice:
    """A model by name.

    Attributes
    ----------
    summary
        What it is, in a line of help.
    needs, takes
        The options it must have, and those it may have besides.
    build
        From the number of columns and the options.
    """

    summary: str
    needs: tuple[str, ...]
    build: Callable[[int, Namespace], Harmonium]
    takes: tuple[str, ...] = ()


def _gaussian_mixture(n: int, options: Namespace) -> Harmonium:
    shape = _COVARIANCES[options.covariance or "full"]
    shared: Literal["shape"] | None = "shape" if options.covariance == "tied" else None
    return Mixture(Normal(n, shape), options.components, shared)


CHOICES: dict[str, Choice] = {
    "gaussian-mixture": Choice(
        "clusters of normal rows",
        ("components",),
        _gaussian_mixture,
        takes=("covariance",),
    ),
    "factor-analysis": Choice(
        "normal factors, and noise of a variance for each column",
        ("factors",),
        lambda n, options: LinearGaussian(Normal(n, "diagonal"), Normal(options.factors)),
    ),
    "ppca": Choice(
        "probabilistic principal components: factors, and noise of one variance",
        ("factors",),
        lambda n, options: LinearGaussian(Normal(n, "isotropic"), Normal(options.factors)),
    ),
    "gaussian-boltzmann": Choice(
        "binary units that depend on each other, and noise of a variance for each column",
        ("units",),
        lambda n, options: LinearGaussian(Normal(n, "diagonal"), Boltzmann(options.units)),
    ),
    "reduction-and-clustering": Choice(
        "factors that fall into clusters, both found together",
        ("factors", "components"),
        lambda n, options: LinearGaussian(
            Normal(n, "diagonal"), Mixture(Normal(options.factors), options.components)
        ),
    ),
    "poisson-mixture": Choice(
        "clusters of counts",
        ("components",),
        lambda n, options: Mixture(Poisson(n), options.components),
    ),
    "von-mises-mixture": Choice(
        "clusters of angles, in radians",
        ("components",),
        lambda n, options: Mixture(VonMises(n), options.components),
    ),
}


def check_options(options: Namespace) -> Choice:
    """Return the model that the options name, having checked that they fit it."""
    choice = CHOICES[options.model]
    for option in OPTIONS:
        given = getattr(options, option) is not None
        if option in choice.needs and not given:
            raise CommandError(f"--model {options.model} needs --{option}")
        if given and option not in choice.needs + choice.takes:
            raise CommandError(f"--{option} does not apply to --model {options.model}")
    return choice


def build(choice: Choice, n_columns: int, options: Namespace) -> Harmonium:
    """Return the model for a table of so many columns."""
    if "factors" in choice.needs and options.factors > n_columns:
        raise CommandError(f"--factors: {options.factors} factors of {n_columns} columns")
    with as_command_errors():
        return choice.build(n_columns, options)
