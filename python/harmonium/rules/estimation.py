"""Which prior conjugates the estimation of which family, and by which constants (Eq. 22 and 31).

The latent is the parameter itself: ``log q(x | z) = s_X(x) . (theta + Theta s_Z(z)) + log mu(x) -
rho . s_Z(z) - chi`` with everything but z constant, so that posteriors are exact additions and a
model's parameters are its prior's alone.
"""

from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np
from scipy.special import gammaln

from harmonium.families.base import ExponentialFamily, Indices
from harmonium.families.beta import Beta
from harmonium.families.categorical import Categorical
from harmonium.families.dirichlet import Dirichlet
from harmonium.families.exponential import Exponential
from harmonium.families.gamma import Gamma
from harmonium.families.geometric import Geometric
from harmonium.families.inverse_gaussian import InverseGaussian
from harmonium.families.negative_binomial import NegativeBinomial
from harmonium.families.normal import Normal
from harmonium.families.normal_wishart import NormalWishart
from harmonium.families.poisson import Poisson
from harmonium.families.product import Product
from harmonium.families.trials import TrialsFamily
from harmonium.families.von_mises import VonMises
from harmonium.families.von_mises_fisher import VonMisesFisher
from harmonium.families.wishart import Wishart
from harmonium.numerics.bessel import log_bessel_zero
from harmonium.numerics.multivariate_gamma import log_multivariate_gamma
from harmonium.numerics.symmetric import outer, pack_lower
from harmonium.validation import FloatArray, as_floats


class Part(NamedTuple):
    """Columns of an observation that are known or missing together, and the family they are of."""

    family: ExponentialFamily
    columns: Indices


class Estimation(NamedTuple):
    """A prior and the constants of its likelihood.

    ``theta`` (dimension of X,), ``interaction`` (dimension of X, of Z); ``rho`` (parts, dimension
    of Z) and ``chi`` (parts,) of the ``parts`` of an observation that may be missing by themselves;
    ``statistics``: to which part each statistic of X belongs.
    """

    prior: ExponentialFamily
    theta: FloatArray
    interaction: FloatArray
    rho: FloatArray
    chi: FloatArray
    parts: tuple[Part, ...]
    statistics: Indices


@singledispatch
def estimation(family: ExponentialFamily, **known: object) -> Estimation:  # noqa: ARG001 - of others
    """Return the conjugate prior of a family's unknown parameters, ``known`` ones by name.

    Raises
    ------
    ValueError
        For a family of which no prior with a tractable log-partition function conjugates.
    TypeError
        For parameters known or unknown that no prior here goes with.
    """
    raise ValueError(
        f"family: {family!r} has no conjugate prior with a tractable log-partition function"
    )


def _refuse(family: ExponentialFamily, known: dict[str, object], *allowed: str) -> None:
    """TypeError unless exactly one of these sets of known parameters, words apart, is given."""
    given = " ".join(sorted(known))
    if given not in allowed:
        ways = " or ".join(f"{way} known" if way else "nothing known" for way in allowed)
        raise TypeError(f"known: of {family!r} with {ways}; got {given or 'nothing'}")


def _by_column(
    family: Any,
    prior: ExponentialFamily,
    interaction: Any,
    rho: Any,
    chi: Any = 0.0,
    theta: Any = None,
) -> Estimation:
    """Independent copies: (statistics, latent's statistics) and (latent's statistics) of one.

    Entries are numbers, or one for each column.
    """
    n = family.n_features
    groups, others = family.dimension // n, prior.dimension // n
    eye = np.eye(n)
    full = np.zeros((family.dimension, prior.dimension))
    parts = np.zeros((n, prior.dimension))
    bias = np.zeros(family.dimension)
    for j in range(others):
        columns = slice(j * n, (j + 1) * n)
        parts[:, columns] = eye * np.broadcast_to(rho[j], n)
        for i in range(groups):
            full[i * n : (i + 1) * n, columns] = eye * np.broadcast_to(interaction[i][j], n)
    if theta is not None:
        for i in range(groups):
            bias[i * n : (i + 1) * n] = theta[i]
    return Estimation(
        prior,
        bias,
        full,
        parts,
        np.array(np.broadcast_to(chi, n)),
        _columns(Normal(1) if isinstance(family, Normal) else family._copies(1), n),
        np.tile(np.arange(n), groups),
    )


def _columns(one: ExponentialFamily, n: int) -> tuple[Part, ...]:
    """Each column by itself."""
    return tuple(Part(one, np.array([column])) for column in range(n))


def _jointly(
    family: ExponentialFamily,
    prior: ExponentialFamily,
    interaction: FloatArray,
    rho: FloatArray,
    chi: float = 0.0,
    theta: FloatArray | None = None,
) -> Estimation:
    """An observation that is known or missing as a whole."""
    return Estimation(
        prior,
        np.zeros(family.dimension) if theta is None else theta,
        interaction,
        rho[None],
        np.array([chi]),
        (Part(family, np.arange(family.n_features)),),
        np.zeros(family.dimension, dtype=np.intp),
    )


@estimation.register
def _(family: Categorical, **known: object) -> Estimation:
    _refuse(family, known, "")
    k = family.n_categories
    if k < 2:
        raise ValueError(f"family: {family!r} has no parameter to estimate")
    # category i is worth log p_i - log p_0
    interaction = np.column_stack([-np.ones(k - 1), np.eye(k - 1)])
    return _jointly(family, Dirichlet(k), interaction, -np.eye(k)[0])


@estimation.register
def _(family: TrialsFamily, **known: object) -> Estimation:
    _refuse(family, known, "")
    return _by_column(family, Beta(family.n), [[1.0, -1.0]], [0.0, -float(family._trials)])


def _failures(family: Any, failures: float) -> Estimation:
    return _by_column(family, Beta(family.n), [[1.0, 0.0]], [0.0, -failures])


@estimation.register
def _(family: NegativeBinomial, **known: object) -> Estimation:
    _refuse(family, known, "")
    return _failures(family, float(family.failures))


@estimation.register
def _(family: Geometric, **known: object) -> Estimation:
    _refuse(family, known, "")
    return _failures(family, 1.0)


@estimation.register
def _(family: Poisson, **known: object) -> Estimation:
    _refuse(family, known, "")
    return _by_column(family, Gamma(family.n), [[1.0, 0.0]], [0.0, 1.0])


@estimation.register
def _(family: Exponential, **known: object) -> Estimation:
    _refuse(family, known, "")
    return _by_column(family, Gamma(family.n), [[0.0, -1.0]], [-1.0, 0.0])


@estimation.register
def _(family: Gamma, **known: object) -> Estimation:
    _refuse(family, known, "shape")
    shape = _positive(known["shape"], family.n, "shape")
    return _by_column(
        family,
        Gamma(family.n),
        [[0.0, 0.0], [0.0, -1.0]],
        [-shape, 0.0],
        gammaln(shape),
        [shape, 0.0],
    )


@estimation.register
def _(family: InverseGaussian, **known: object) -> Estimation:
    _refuse(family, known, "mean")
    mean = _positive(known["mean"], family.n, "mean")
    return _by_column(
        family,
        Gamma(family.n),
        [[0.0, -0.5 / mean**2], [0.0, -0.5]],
        [-0.5, -1.0 / mean],
    )


@estimation.register
def _(family: VonMises, **known: object) -> Estimation:
    _refuse(family, known, "concentration")
    k = _positive(known["concentration"], family.n, "concentration")
    return _by_column(
        family, VonMises(family.n), [[k, 0.0], [0.0, k]], [0.0, 0.0], log_bessel_zero(k)
    )


@estimation.register
def _(family: VonMisesFisher, **known: object) -> Estimation:
    _refuse(family, known, "concentration")
    k = float(_positive(known["concentration"], 1, "concentration")[0])
    psi = float(family._log_partition(k * np.eye(family.n)[0]))
    return _jointly(family, VonMisesFisher(family.n), k * np.eye(family.n), np.zeros(family.n), psi)


@estimation.register
def _(family: Wishart, **known: object) -> Estimation:
    _refuse(family, known, "degrees_of_freedom")
    freedom = float(_positive(known["degrees_of_freedom"], 1, "degrees_of_freedom")[0])
    n, half = family.n, 0.5 * freedom
    if freedom <= n - 1:
        raise ValueError(f"degrees_of_freedom: must be above n - 1 = {n - 1}; got {freedom}")
    # the latent is the inverse P of the scale: -tr(P W) / 2 + nu / 2 log det P
    entries = family.n_features
    twice = pack_lower(np.ones((n, n)), 2.0)
    interaction = np.zeros((entries + 1, entries + 1))
    interaction[:entries, :entries] = -0.5 * np.diag(twice)
    rho, theta = np.zeros(entries + 1), np.zeros(entries + 1)
    rho[-1], theta[-1] = -half, half
    chi = n * half * np.log(2) + float(log_multivariate_gamma(np.array(half), n))
    return _jointly(family, Wishart(n), interaction, rho, chi, theta)


@estimation.register
def _(family: Normal, **known: object) -> Estimation:
    _refuse(family, known, "", "covariance", "mean")
    if "covariance" in known:
        return _normal_mean(family, known["covariance"])
    if "mean" in known:
        return _normal_precision(family, known["mean"])
    if family.holds_products:
        prior = NormalWishart(family.n)
        d = family.dimension
        rho = np.zeros(d + 2)
        rho[-2:] = 0.5, -0.5
        return _jointly(family, prior, np.eye(d, d + 2), rho)
    if family.covariance == "isotropic":
        raise ValueError(
            f"family: {family!r} has no conjugate prior here with mean and covariance unknown; "
            "take a full or a diagonal covariance, or give mean= or covariance="
        )
    n = family.n
    prior_of_each = Product(*[NormalWishart(1)] * n)
    interaction, rho = np.zeros((2 * n, 4 * n)), np.zeros((n, 4 * n))
    i = np.arange(n)
    interaction[i, 4 * i] = interaction[n + i, 4 * i + 1] = 1.0
    rho[i, 4 * i + 2], rho[i, 4 * i + 3] = 0.5, -0.5
    parts = _columns(Normal(1), n)
    return Estimation(
        prior_of_each, np.zeros(2 * n), interaction, rho, np.zeros(n), parts, np.tile(i, 2)
    )


def _normal_mean(family: Normal, covariance: object) -> Estimation:
    """Of known covariance: the prior of the mean is a normal of the same shape."""
    theta = family.from_parameters(mean=np.zeros(family.n), covariance=covariance)
    n, d = family.n, family.dimension
    precision = -2 * family.quadratic(theta)
    log_norm = float(family._log_partition(theta))
    interaction = np.zeros((d, d))
    interaction[:n, :n] = precision
    if family.covariance == "diagonal":
        own, rho = np.arange(n), np.zeros((n, d))
        rho[own, n + own] = 0.5 * np.diagonal(precision)
        chi = -0.5 * np.log(np.diagonal(precision))
        parts = _columns(Normal(1), n)
        return Estimation(family, theta, interaction, rho, chi, parts, np.tile(own, 2))
    rho = family.pack_quadratic(np.zeros(n), 0.5 * precision)
    return _jointly(family, family, interaction, rho, log_norm, theta)


def _normal_precision(family: Normal, mean: object) -> Estimation:
    """Of known mean: the prior of the precision is a Wishart, or gamma laws."""
    centre = np.broadcast_to(as_floats(mean, name="mean"), (family.n,))
    if not np.isfinite(centre).all():
        raise ValueError(f"mean: must be finite; got {centre}")
    n = family.n
    if family.covariance == "diagonal":
        return _by_column(family, Gamma(n), [[0.0, centre], [0.0, -0.5]], [-0.5, 0.5 * centre**2])
    if family.covariance == "isotropic":
        interaction = np.zeros((n + 1, 2))
        interaction[:n, 1], interaction[n, 1] = centre, -0.5
        return _jointly(
            family, Gamma(1), interaction, np.array([-0.5 * n, 0.5 * float(centre @ centre)])
        )
    i, j = np.tril_indices(n)
    entries = len(i)
    interaction = np.zeros((n + entries, entries + 1))
    # m . Lambda x less x . Lambda x / 2, by the entries of Lambda
    at = np.arange(entries)
    interaction[i, at] += centre[j]
    off = i != j
    interaction[j[off], at[off]] += centre[i[off]]
    interaction[n + at, at] = np.where(off, -1.0, -0.5)
    rho = np.concatenate([pack_lower(0.5 * outer(centre, centre), 2.0), [-0.5]])
    return _jointly(family, Wishart(n), interaction, rho)


@estimation.register
def _(family: Product, **known: object) -> Estimation:
    """Side by side; what is known as ``parts``, one mapping for each."""
    _refuse(family, known, "", "parts")
    given = known.get("parts", [{}] * len(family.parts))
    if not isinstance(given, list | tuple) or len(given) != len(family.parts):
        raise TypeError(f"parts: a sequence of {len(family.parts)} mappings of what is known")
    parts = [estimation(part, **dict(own)) for part, own in zip(family.parts, given, strict=True)]
    x, z, c = np.zeros((3, len(parts) + 1), dtype=np.intp)
    x[1:] = np.cumsum([len(part.theta) for part in parts])
    z[1:] = np.cumsum([part.prior.dimension for part in parts])
    c[1:] = np.cumsum([len(part.chi) for part in parts])
    interaction, rho = np.zeros((x[-1], z[-1])), np.zeros((c[-1], z[-1]))
    columns, start = [], 0
    for part, own in zip(parts, family.parts, strict=True):
        columns += [Part(one, at + start) for one, at in part.parts]
        start += own.n_features
    for k, part in enumerate(parts):
        interaction[x[k] : x[k + 1], z[k] : z[k + 1]] = part.interaction
        rho[c[k] : c[k + 1], z[k] : z[k + 1]] = part.rho
    return Estimation(
        Product(*(part.prior for part in parts)),
        np.concatenate([part.theta for part in parts]),
        interaction,
        rho,
        np.concatenate([part.chi for part in parts]),
        tuple(columns),
        np.concatenate([part.statistics + c[k] for k, part in enumerate(parts)]),
    )


def _positive(value: object, n: int, name: str) -> FloatArray:
    array = as_floats(value, name=name)
    if array.ndim > 1 or (array.ndim and len(array) != n):
        raise ValueError(f"{name}: shape {array.shape}, expected one number or ({n},)")
    if not (np.isfinite(array) & (array > 0)).all():
        raise ValueError(f"{name}: must be above zero, and finite; got {array}")
    return np.array(np.broadcast_to(array, (n,)))
