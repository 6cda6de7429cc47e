"""The models under the laws. A new model joins by one line here."""

from dataclasses import dataclass

import numpy as np
import pytest

from harmonium import Harmonium, LinearGaussian, Mixture, Views
from harmonium.families import (
    Bernoulli,
    Beta,
    Binomial,
    Boltzmann,
    Categorical,
    CoMPoisson,
    Dirichlet,
    Exponential,
    ExponentialFamily,
    Gamma,
    Geometric,
    InverseGaussian,
    NegativeBinomial,
    Normal,
    NormalWishart,
    Poisson,
    Product,
    VonMises,
    VonMisesFisher,
    Wishart,
)
from harmonium.validation import FloatArray
from laws.columns import kinds
from laws.random_points import random_point, rows_of, with_missing
from laws.units import allowed, shifts


@dataclass(frozen=True)
class HarmoniumCase:
    """A model under the laws; its structure says which of them apply."""

    name: str
    model: Harmonium
    #: The same in so few dimensions that sums and integrals over every column are feasible:
    #: at most two columns of data, at most two continuous latent ones.
    small: Harmonium
    #: Whether the pass has a compiled kernel.
    compiled: bool = True

    def __repr__(self) -> str:
        return self.name

    @property
    def leaf(self) -> ExponentialFamily:
        """The family of the data."""
        family: ExponentialFamily = self.model
        while isinstance(family, Harmonium):
            family = family.observable
        return family

    @property
    def bounded(self) -> bool:
        """Whether no column can lie far out."""
        return set(kinds(self.leaf)) == {"bounded"}

    def far(self, x: FloatArray, factor: float | FloatArray) -> FloatArray:
        """Rows further out by a factor, as far as columns can be: counts stay whole."""
        kind = np.array(kinds(self.leaf))
        moved = np.where(kind == "bounded", x, factor * x)
        return np.where(kind == "count", np.floor(moved), moved)

    def with_missing(self, x: FloatArray, share: float, rng: np.random.Generator) -> FloatArray:
        """Rows with missing values: of families that know no marginals, whole rows."""
        return with_missing(x, share, rng, whole=not self.model.has_marginals)

    @property
    def shifts(self) -> bool:
        """Whether data may be shifted and scaled."""
        return shifts(self.model)

    def rng(self, *seed: int) -> np.random.Generator:
        """A generator of the case's own for every use."""
        return np.random.default_rng([*seed, *self.name.encode()])

    def point(self, seed: int) -> FloatArray:
        """A random point of the model, (dimension,)."""
        return random_point(self.model, self.rng(seed))

    def rows(self, seed: int, n: int) -> FloatArray:
        """Data (n, n_observed) from the model at its random point of the same seed."""
        return rows_of(self.model, self.point(seed), n, self.rng(seed, 1))

    def shift_and_scale(self, seed: int) -> tuple[FloatArray, FloatArray]:
        """A shift and a scale (n_observed,) that the model allows; a scale may be negative."""
        rng, n = self.rng(seed, 2), self.model.n_observed
        scale = rng.choice([-1.0, 1.0], n) * np.exp(rng.normal(size=n))
        return allowed(self.model, 3 * rng.normal(size=n), scale)


def _case(
    name: str, model: Harmonium, small: Harmonium | None = None, *, compiled: bool = True
) -> HarmoniumCase:
    return HarmoniumCase(name, model, model if small is None else small, compiled)


def _tied(observable: ExponentialFamily, n_components: int) -> Harmonium:
    return Mixture(observable, n_components, shared="shape")


def _diagonal(n: int) -> Normal:
    return Normal(n, "diagonal")


def _isotropic(n: int) -> Normal:
    return Normal(n, "isotropic")


#: A table of measurements, a count, an angle and a category.
_MIXED = Product(Normal(2), Poisson(1), VonMises(1), Categorical(3))
_CHAIN = ((0, 1), (1, 2), (2, 3), (3, 4))
_FACTORS = LinearGaussian(_diagonal(4), Normal(2))
_ONE_FACTOR = LinearGaussian(_diagonal(2), Normal(1))
_BINARY = LinearGaussian(Normal(2), Boltzmann(3))
_ONE_BINARY = LinearGaussian(Normal(1), Boltzmann(2))
_TWO_CLUSTERS = Mixture(Normal(1), 2)

CASES = [
    _case("one normal", Mixture(Normal(2), 1)),
    _case("normals", Mixture(Normal(2), 3)),
    _case("diagonal normals", Mixture(_diagonal(3), 3), Mixture(_diagonal(2), 3)),
    _case("isotropic normals", Mixture(_isotropic(3), 2), Mixture(_isotropic(2), 2)),
    _case("tied normals", _tied(Normal(3), 3), _tied(Normal(2), 3)),
    _case("tied diagonal normals", _tied(_diagonal(3), 2), _tied(_diagonal(2), 2)),
    _case("tied isotropic normals", _tied(_isotropic(3), 2), _tied(_isotropic(2), 2)),
    _case("Poissons", Mixture(Poisson(4), 3), Mixture(Poisson(2), 3)),
    _case("von Mises", Mixture(VonMises(2), 3)),
    _case("categories", Mixture(Categorical(4), 2)),
    _case("Boltzmann machines", Mixture(Boltzmann(3), 2)),
    _case(
        "Boltzmann machines on a graph",
        Mixture(Boltzmann(5, edges=_CHAIN), 2),
        Mixture(Boltzmann(2, edges=((0, 1),)), 2),
        compiled=False,
    ),
    _case("tied Boltzmann machines", _tied(Boltzmann(3), 2)),
    _case("Bernoullis", Mixture(Bernoulli(4), 2), Mixture(Bernoulli(2), 2)),
    _case("binomials", Mixture(Binomial(7, 3), 2), Mixture(Binomial(7, 2), 2)),
    _case("negative binomials", Mixture(NegativeBinomial(2.5, 2), 2)),
    _case("geometric counts", Mixture(Geometric(2), 3), Mixture(Geometric(1), 3)),
    _case("CoM-Poissons", Mixture(CoMPoisson(2), 2), Mixture(CoMPoisson(1), 2)),
    _case("tied CoM-Poissons", _tied(CoMPoisson(2), 3), _tied(CoMPoisson(1), 2)),
    _case("exponentials", Mixture(Exponential(2), 2)),
    _case("gammas", Mixture(Gamma(2), 2)),
    _case("tied gammas", _tied(Gamma(2), 3), _tied(Gamma(1), 3)),
    _case("betas", Mixture(Beta(2), 2)),
    _case("inverse Gaussians", Mixture(InverseGaussian(2), 2)),
    _case("tied inverse Gaussians", _tied(InverseGaussian(2), 2), _tied(InverseGaussian(1), 2)),
    _case("Dirichlets", Mixture(Dirichlet(3), 2), Mixture(Dirichlet(2), 2)),
    _case("von Mises-Fishers", Mixture(VonMisesFisher(3), 2), Mixture(VonMisesFisher(2), 2)),
    _case("Wisharts", Mixture(Wishart(2), 2), Mixture(Wishart(1), 2), compiled=False),
    _case("tied Wisharts", _tied(Wishart(2), 2), _tied(Wishart(1), 2), compiled=False),
    _case(
        "normal-Wisharts",
        Mixture(NormalWishart(2), 2),
        Mixture(NormalWishart(1), 2),
        compiled=False,
    ),
    _case("a mixed table", Mixture(_MIXED, 3), Mixture(Product(Normal(1), Poisson(1)), 2)),
    _case(
        "a tied mixed table",
        _tied(Product(_MIXED, Gamma(1)), 2),
        _tied(Product(Normal(1), Gamma(1)), 2),
    ),
    _case(
        "a nested mixed table",
        Mixture(Product(VonMises(1), Product(_diagonal(2), Categorical(2))), 2),
        Mixture(Product(VonMises(1), Product(Categorical(2))), 2),
    ),
    _case(
        "clusters of clusters of a mixed table",
        Mixture(_tied(Product(Normal(2), Poisson(1)), 2), 2),
        Mixture(_tied(Product(Normal(1), Poisson(1)), 2), 2),
    ),
    _case("factors", _FACTORS, _ONE_FACTOR),
    _case(
        "principal components",
        LinearGaussian(_isotropic(5), Normal(2)),
        LinearGaussian(_isotropic(2), Normal(1)),
    ),
    _case(
        "factors, full noise",
        LinearGaussian(Normal(3), Normal(2)),
        LinearGaussian(Normal(2), Normal(1)),
    ),
    _case(
        "one diagonal factor",
        LinearGaussian(Normal(3), _diagonal(1)),
        LinearGaussian(Normal(2), _diagonal(1)),
    ),
    _case("binary factors", LinearGaussian(Normal(2), Boltzmann(4))),
    _case(
        "clustered factors",
        LinearGaussian(_diagonal(5), Mixture(Normal(2), 3)),
        LinearGaussian(_diagonal(2), Mixture(Normal(1), 2)),
    ),
    _case(
        "tied clustered factors",
        LinearGaussian(_diagonal(4), _tied(Normal(2), 3)),
        LinearGaussian(_diagonal(2), _tied(Normal(1), 2)),
    ),
    _case(
        "factors of binary factors",
        LinearGaussian(_diagonal(4), _BINARY),
        LinearGaussian(_diagonal(2), _ONE_BINARY),
    ),
    _case(
        "factors of clustered factors",
        LinearGaussian(_diagonal(4), LinearGaussian(Normal(3), Mixture(Normal(2), 2))),
        LinearGaussian(_diagonal(2), LinearGaussian(Normal(1), Mixture(Normal(1), 2))),
    ),
    _case(
        "factors of an isotropic factor",
        LinearGaussian(_isotropic(3), LinearGaussian(_isotropic(1), Normal(1))),
        LinearGaussian(_isotropic(2), LinearGaussian(_isotropic(1), Normal(1))),
    ),
    _case(
        "clustered binary factors",
        LinearGaussian(_diagonal(4), Mixture(_BINARY, 2)),
        LinearGaussian(_diagonal(2), Mixture(_ONE_BINARY, 2)),
    ),
    _case(
        "factors of clusters of clusters",
        LinearGaussian(_diagonal(3), Mixture(Mixture(Normal(1), 2), 2)),
        LinearGaussian(_diagonal(2), Mixture(Mixture(Normal(1), 2), 2)),
    ),
    _case(
        "factors of clustered states",
        LinearGaussian(_diagonal(3), Mixture(Boltzmann(3), 2)),
        LinearGaussian(_diagonal(2), Mixture(Boltzmann(3), 2)),
    ),
    _case("mixture of factors", Mixture(_FACTORS, 2), Mixture(_ONE_FACTOR, 2)),
    _case(
        "mixture of binary factors",
        Mixture(LinearGaussian(_diagonal(3), Boltzmann(2)), 2),
        Mixture(LinearGaussian(_diagonal(2), Boltzmann(2)), 2),
    ),
    _case(
        "mixture of clustered factors",
        Mixture(LinearGaussian(_diagonal(3), Mixture(Normal(1), 2)), 2),
        Mixture(LinearGaussian(_diagonal(2), Mixture(Normal(1), 2)), 2),
    ),
    _case("mixture of mixtures", Mixture(Mixture(Normal(2), 2), 2)),
    _case("mixture of tied mixtures", Mixture(_tied(Normal(2), 2), 2)),
    _case(
        "mixture of Poisson mixtures",
        Mixture(Mixture(Poisson(3), 2), 2),
        Mixture(Mixture(Poisson(2), 2), 2),
    ),
    _case(
        "views of categories",
        Views(Mixture(Normal(2), 3), Mixture(Gamma(1), 3), Mixture(Poisson(1), 3)),
        Views(Mixture(Normal(1), 2), Mixture(Poisson(1), 2)),
    ),
    _case(
        "tied views of categories",
        Views(_tied(_diagonal(2), 3), _tied(Normal(1), 3), Mixture(Poisson(1), 3)),
        Views(_tied(Normal(1), 2), Mixture(Poisson(1), 2)),
    ),
    _case(
        "views of factors",
        Views(_FACTORS, LinearGaussian(Normal(2), Normal(2))),
        Views(LinearGaussian(_isotropic(1), Normal(1)), LinearGaussian(Normal(1), Normal(1))),
        compiled=False,
    ),
    _case(
        "views of clusters",
        Views(
            LinearGaussian(_diagonal(3), _TWO_CLUSTERS),
            LinearGaussian(_isotropic(2), _TWO_CLUSTERS),
        ),
        Views(LinearGaussian(Normal(1), _TWO_CLUSTERS), LinearGaussian(Normal(1), _TWO_CLUSTERS)),
        compiled=False,
    ),
    _case(
        "views of states",
        Views(_BINARY, LinearGaussian(_diagonal(2), Boltzmann(3))),
        Views(_ONE_BINARY, _ONE_BINARY),
        compiled=False,
    ),
]

every_model = pytest.mark.parametrize("case", CASES, ids=repr)
models_with_marginals = pytest.mark.parametrize(
    "case", [case for case in CASES if case.model.has_marginals], ids=repr
)
shifting_models = pytest.mark.parametrize("case", [case for case in CASES if case.shifts], ids=repr)
