"""The declared domains of the families, as maps of the unit cube onto them, for the accuracy table.

A coordinate of 0 or 1 is an end of the domain. Points are spread evenly over the cube; of every ten,
two are moved to its faces (each coordinate to an end, with probability one half) and one to a corner.
What has no ends, like a direction or a rotation, is drawn beside.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any
from zlib import crc32

import numpy as np

from harmonium import (
    Bernoulli,
    Beta,
    Binomial,
    Boltzmann,
    Categorical,
    CoMPoisson,
    Dirichlet,
    Exponential,
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
from harmonium.numerics.symmetric import pack_lower
from harmonium.validation import FloatArray
from laws import exact
from laws.exact import Exact
from laws.exact_counts import com_poisson

Rng = np.random.Generator
#: Natural parameters (m, dimension) of cube coordinates (m, coordinates).
DomainChart = Callable[[FloatArray, Rng], FloatArray]

EPS = float(np.finfo(float).eps)
#: What is promised of psi and the means: of simple families, and of all others.
SIMPLE, GENERAL = 8 * EPS, 1e-12


def span(u: FloatArray, least: float, most: float) -> FloatArray:
    """From ``least`` to ``most``, evenly on a log scale."""
    low, high = np.log(least), np.log(most)
    out = np.exp(low + u * (high - low))
    return np.where(u == 0, least, np.where(u == 1, most, out))


def signed(u: FloatArray, least: float, most: float) -> FloatArray:
    """Of either sign, sizes evenly on a log scale: from -most over -least and least to most."""
    return np.where(u < 0.5, -1.0, 1.0) * span(np.abs(2 * u - 1), least, most)


@dataclass(frozen=True)
class Declared:
    """A family with an oracle, the domain that its points are spread over, and what is promised."""

    family: Any
    exact: Exact
    #: In words, for the table.
    domain: str
    coordinates: int
    chart: DomainChart
    #: Largest error of psi and of the mean, relative to the value times the condition number.
    forward: float = SIMPLE
    #: The log base measure as a constant and coefficients of the statistic; None where it is no
    #: such thing, and entropies have no oracle here.
    base: Callable[[Any], tuple[float, FloatArray | float]] | None = lambda family: (0.0, 0.0)
    #: Whether the mean is a multiple of the natural parameters: errors are those of lengths.
    radial: bool = False
    #: Largest error of there and back, relative to the value times the condition number.
    round_trip: float = 1e-9
    #: Most points sent there and back, where that takes long.
    returns: int = 10**9
    #: The family's name where its own is long.
    name: str = ""

    def __repr__(self) -> str:
        return self.name or repr(self.family)

    def points(self, seed: int, n: int) -> FloatArray:
        """Natural parameters (n, dimension)."""
        rng = np.random.default_rng([seed, crc32(repr((self.family, self.domain)).encode())])
        u = rng.random((n, self.coordinates))
        ends = rng.integers(0, 2, u.shape)
        kind = np.arange(n) % 10
        moved = (kind == 9)[:, None] | ((kind >= 7)[:, None] & (rng.random(u.shape) < 0.5))
        return np.asarray(self.chart(np.where(moved, ends, u), rng), dtype=float)


# ------------------------------------------------------------------------------------- charts


def _signed(most: float, least: float = 1e-8) -> DomainChart:
    return lambda u, rng: signed(u, least, most)


def _com_poisson(modes: tuple[float, float], shapes: tuple[float, float]) -> DomainChart:
    def chart(u: FloatArray, rng: Rng) -> FloatArray:
        mode, shape = span(u[:, :1], *modes), span(u[:, 1:], *shapes)
        return np.concatenate([shape * np.log(mode), -shape], -1)

    return chart


def _gamma(u: FloatArray, rng: Rng) -> FloatArray:
    shape, mean = span(u[:, :1], 1e-100, 1e15), span(u[:, 1:], 1e-100, 1e100)
    return np.concatenate([shape, -shape / mean], -1)


def _inverse_gaussian(u: FloatArray, rng: Rng) -> FloatArray:
    mean, ratio = span(u[:, :1], 1e-100, 1e100), span(u[:, 1:], 1e-40, 1e30)
    return np.concatenate([-0.5 * ratio / mean, -0.5 * ratio * mean], -1)


def _spherical(n: int) -> DomainChart:
    def chart(u: FloatArray, rng: Rng) -> FloatArray:
        direction = rng.standard_normal((len(u), n))
        direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
        return np.where(u == 0, 0.0, span(u, 1e-12, 1e12)) * direction

    return chart


def _definite(u: FloatArray, rng: Rng, decades: float) -> FloatArray:
    """Symmetric matrices (m, n, n) at random angles: their eigenvalues, 10**±decades at the most.

    The last coordinate says how far apart they may lie, so that there are round matrices too.
    """
    n = u.shape[-1] - 1
    rotation = np.linalg.qr(rng.standard_normal((len(u), n, n)))[0]
    root = rotation * 10.0 ** (decades * u[:, None, -1:] * (u[:, None, :-1] - 0.5))
    return np.asarray(root @ root.swapaxes(-1, -2))


def _normal(n: int) -> DomainChart:
    """Means in standard deviations, eigenvalues of the precision, and units."""

    def chart(u: FloatArray, rng: Rng) -> FloatArray:
        units = span(u[:, -1:], 1e-8, 1e8)
        precision = _definite(u[:, n:-1], rng, 6.0)
        location = np.einsum("mij,mj->mi", precision, signed(u[:, :n], 1e-3, 1e3))
        location /= np.sqrt(np.diagonal(precision, axis1=-2, axis2=-1))
        return np.concatenate([location / units, pack_lower(-0.5 * precision, 2.0) / units**2], -1)

    return chart


def _normal_columns(n: int) -> DomainChart:
    def chart(u: FloatArray, rng: Rng) -> FloatArray:
        scale = span(u[:, n:], 1e-70, 1e70)
        return np.concatenate([signed(u[:, :n], 1e-6, 1e4) / scale, -0.5 / scale**2], -1)

    return chart


def _wishart(n: int) -> DomainChart:
    """Eigenvalues of the inverse scale, half the degrees of freedom above their least, and units."""

    def chart(u: FloatArray, rng: Rng) -> FloatArray:
        inverse_scale = _definite(u[:, : n + 1], rng, 6.0)
        half = 0.5 * (n - 1) + span(u[:, n + 1 : n + 2], 1e-8, 9.9e12)
        triangle = pack_lower(-0.5 * inverse_scale, 2.0) * span(u[:, n + 2 :], 1e-50, 1e50)
        return np.concatenate([triangle, half], -1)

    return chart


def _normal_wishart(n: int) -> DomainChart:
    """A mean in units of its spread, kappa, and the Wishart law's coordinates without units."""

    def chart(u: FloatArray, rng: Rng) -> FloatArray:
        inverse_scale = _definite(u[:, : n + 1], rng, 3.0)
        half = 0.5 * (n - 1) + span(u[:, n + 1 : n + 2], 1e-8, 9.9e12)
        kappa = span(u[:, n + 2 : n + 3], 1e-8, 1e8)
        spread = np.sqrt(np.diagonal(inverse_scale, axis1=-2, axis2=-1) / kappa)
        mean = signed(u[:, n + 3 :], 1e-3, 1e3) * spread
        pulled = inverse_scale + kappa[..., None] * mean[:, :, None] * mean[:, None, :]
        return np.concatenate([kappa * mean, pack_lower(pulled), -0.5 * kappa, half], -1)

    return chart


def _mixed(u: FloatArray, rng: Rng) -> FloatArray:
    return np.concatenate(
        [_normal_columns(1)(u[:, :2], rng), -690 + 1390 * u[:, 2:3], signed(u[:, 3:], 1e-8, 700)],
        -1,
    )


# ------------------------------------------------------------------------------------ domains

_LOGITS = "natural parameters ±1e-8 to ±700"
_CIRCLE = "any direction, concentrations 0 and 1e-12 to 1e12"


def _negative_logs(family: Any) -> tuple[float, float]:
    """Base measures that are one over what the statistic is the logarithm of."""
    return 0.0, -1.0


def _gamma_base(family: Any) -> tuple[float, FloatArray]:
    return 0.0, np.repeat([-1.0, 0.0], family.n)


def _normal_base(family: Any) -> tuple[float, float]:
    return -0.5 * family.n * np.log(2 * np.pi), 0.0


def _wishart_base(family: Any) -> tuple[float, FloatArray]:
    return 0.0, -0.5 * (family.n + 1) * np.eye(family.dimension)[-1]


def _normal_wishart_base(family: Any) -> tuple[float, FloatArray]:
    return -0.5 * family.n * np.log(2 * np.pi), -0.5 * family.n * np.eye(family.dimension)[-1]


def _spheres() -> list[Declared]:
    return [
        Declared(
            VonMisesFisher(n),
            exact.von_mises_fisher,
            _CIRCLE,
            1,
            _spherical(n),
            GENERAL,
            base=lambda family: (-family._log_area, 0.0),
            radial=True,
        )
        for n in (2, 3, 10, 100, 1000)
    ]


def _normals() -> list[Declared]:
    full = [
        Declared(
            Normal(n),
            exact.normal(n),
            "precisions with eigenvalues 1e-6 to 1e6, means to 1e3 standard deviations, "
            "units 1e-8 to 1e8",
            2 * n + 2,
            _normal(n),
            GENERAL,
            _normal_base,
        )
        for n in (2, 3, 4, 6)
    ]
    columns = [
        (Normal(1), exact.normal(1), 2),
        (Normal(3, "diagonal"), exact.normal_diagonal, 6),
        (Normal(3, "isotropic"), exact.normal_isotropic, 4),
    ]
    return [
        *(
            Declared(
                family,
                oracle,
                "standard deviations 1e-70 to 1e70, means to 1e4 of them",
                size,
                _normal_columns(family.n),
                # logarithms of precisions of several columns cancel
                SIMPLE if family.n == 1 else GENERAL,
                base=_normal_base,
            )
            for family, oracle, size in columns
        ),
        *full,
    ]


def _wisharts() -> list[Declared]:
    freedom = "degrees of freedom n - 1 + 2e-8 to 2e13"
    wisharts = [
        Declared(
            Wishart(n),
            exact.wishart(n),
            f"{freedom}, scales with condition numbers to 1e12, units 1e-50 to 1e50",
            n + 3,
            _wishart(n),
            GENERAL,
            _wishart_base,
        )
        for n in (1, 2, 4)
    ]
    joint = [
        Declared(
            NormalWishart(n),
            exact.normal_wishart(n),
            f"{freedom}, scales with condition numbers to 1e6, precision scales 1e-8 to 1e8, "
            "means to 1e3 standard deviations",
            2 * n + 3,
            _normal_wishart(n),
            GENERAL,
            _normal_wishart_base,
        )
        for n in (1, 3)
    ]
    return [*wisharts, *joint]


def _lattice(rows: int, columns: int) -> list[tuple[int, int]]:
    cells = [(r, c) for r in range(rows) for c in range(columns)]
    near = [(a, b) for a, b in combinations(cells, 2) if abs(a[0] - b[0]) + abs(a[1] - b[1]) == 1]
    return [(b[0] * columns + b[1], a[0] * columns + a[1]) for a, b in near]


def _machines() -> list[Declared]:
    graphs: list[tuple[int, str, Sequence[tuple[int, int]] | None]] = [
        (1, "", None),
        (4, "", None),
        (8, "", None),
        (10, ", edges of a chain", [(i + 1, i) for i in range(9)]),
        (10, ", edges of a tree", [(i, (i - 1) // 2) for i in range(1, 10)]),
        (12, ", edges of a 3 x 4 lattice", _lattice(3, 4)),
    ]
    return [
        Declared(
            machine := Boltzmann(n, edges),
            exact.boltzmann(n, machine.edges),
            "biases and couplings ±1e-8 to ±100",
            machine.dimension,
            _signed(100.0),
            GENERAL,
            returns=200,
            name=f"Boltzmann(n={n}{graph})",
        )
        for n, graph, edges in graphs
    ]


DECLARED = [
    *(
        Declared(Categorical(k), exact.categorical, _LOGITS, k - 1, _signed(700.0))
        for k in (2, 5, 20)
    ),
    Declared(Bernoulli(1), exact.binomial(), _LOGITS, 1, _signed(700.0)),
    Declared(Binomial(1000, 1), exact.binomial(1000), _LOGITS, 1, _signed(690.0), base=None),
    Declared(
        Poisson(1),
        exact.poisson,
        "rates 1e-300 to e^700",
        1,
        lambda u, rng: -690.8 + 1390.8 * u,
        base=None,
    ),
    Declared(
        NegativeBinomial(2.5, 1),
        exact.negative_binomial(2.5),
        "probabilities of success 1e-300 to 1 - 5e-16",
        1,
        lambda u, rng: -span(u, 5.001e-16, 690.0),
        base=None,
    ),
    Declared(
        Geometric(1),
        exact.negative_binomial(1),
        "probabilities of success 1e-300 to 1 - 5e-16",
        1,
        lambda u, rng: -span(u, 5.001e-16, 690.0),
    ),
    Declared(
        CoMPoisson(1),
        com_poisson,
        "modes 1e-6 to 1e5, shapes 1e-3 to 50",
        2,
        _com_poisson((1e-6, 1e5), (1e-3, 50.0)),
        GENERAL,
    ),
    Declared(
        CoMPoisson(1),
        com_poisson,
        "modes 1e5 to 1e15, shapes 1e-2 to 1e6",
        2,
        _com_poisson((1e5, 1e15), (1e-2, 1e6)),
        GENERAL,
    ),
    Declared(
        Exponential(1),
        exact.exponential,
        "rates 1e-100 to 1e100",
        1,
        lambda u, rng: -span(u, 1e-100, 1e100),
    ),
    Declared(
        Gamma(1),
        exact.gamma,
        "shapes 1e-100 to 1e15, means 1e-100 to 1e100",
        2,
        _gamma,
        GENERAL,
        _gamma_base,
    ),
    Declared(
        Beta(1),
        exact.beta,
        "a and b 1e-100 to 1e100",
        2,
        lambda u, rng: span(u, 1e-100, 1e100),
        GENERAL,
        _negative_logs,
    ),
    *(
        Declared(
            Dirichlet(n),
            exact.dirichlet,
            "concentrations 1e-100 to 1e14",
            n,
            lambda u, rng: span(u, 1e-100, 1e14),
            GENERAL,
            _negative_logs,
        )
        for n in (2, 3, 10)
    ),
    Declared(
        InverseGaussian(1),
        exact.inverse_gaussian,
        "means 1e-100 to 1e100, shapes 1e-40 to 1e30 means",
        2,
        _inverse_gaussian,
        base=None,
    ),
    Declared(
        VonMises(1),
        exact.von_mises,
        _CIRCLE,
        1,
        _spherical(2),
        base=lambda family: (-float(np.log(2 * np.pi)), 0.0),
        radial=True,
        round_trip=1e-12,
    ),
    *_spheres(),
    *_normals(),
    *_wisharts(),
    *_machines(),
    Declared(
        Product(Normal(1), Poisson(1), Categorical(3)),
        exact.side_by_side((exact.normal(1), 2), (exact.poisson, 1), (exact.categorical, 2)),
        "those of the parts",
        5,
        _mixed,
        base=None,
    ),
]
