"""What a family brings to the laws besides itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harmonium.validation import FloatArray
from laws.charts import Chart, everywhere
from laws.formulas import Formula
from laws.supports import Support


@dataclass(frozen=True)
class Case:
    """A family under the laws: itself, an oracle of its log-partition function, its support.

    All else has defaults. A family joins by one line in ``family_cases.py``.
    """

    family: Any
    #: psi in mpmath, from :mod:`laws.formulas`.
    formula: Formula
    #: Where observations lie, from :mod:`laws.supports`; None leaves sums and integrals to a
    #: case of the same family with fewer columns.
    support: Support | None = None
    #: From free coordinates onto the domain of natural parameters.
    chart: Chart = everywhere
    #: Coordinates of ordinary points lie within this of zero.
    easy: float = 1.5
    #: Coordinates of extreme points lie within this of zero.
    reach: float = 30.0
    #: scipy's laws of the columns, from people's parameters: their cdf, and where ``joint`` is
    #: None the density, as of independent columns.
    marginals: Callable[[Any], Sequence[Any]] | None = None
    #: scipy's law of an observation, from people's parameters: logpdf or logpmf.
    joint: Callable[[Any], Any] | None = None
    #: Whether missing values are taken.
    missing: bool = True
    #: Whether the pass has a compiled kernel.
    kernel: bool = False
    #: Natural parameters outside the domain.
    outside: Sequence[Sequence[float]] = ()
    #: A mean on the boundary; by default the statistic of the support's corner.
    boundary: Sequence[float] | None = None
    #: Allowed error of psi and of the mean, times the condition number: what the library promises.
    #: Simple families state 8 eps.
    forward: float = 1e-12
    #: Allowed error of there and back, times the condition number: a thousandth of the promise.
    round_trip: float = 1e-12
    #: What else tells this case from another of the same family.
    label: str = ""

    def __repr__(self) -> str:
        return repr(self.family) + self.label

    def _point(self, coordinates: FloatArray) -> FloatArray:
        return np.asarray(self.chart(self.family, coordinates), dtype=float)

    def _draw(self, seed: int, size: tuple[int, ...], reach: float) -> FloatArray:
        rng = np.random.default_rng([seed, self.family.dimension])
        coordinates = rng.uniform(-reach, reach, (*size, self.family.dimension))
        points = np.empty_like(coordinates)
        for place in np.ndindex(size):
            points[place] = self._point(coordinates[place])
        return points

    def points(self, seed: int, *size: int) -> FloatArray:
        """Ordinary points, (*size, dimension)."""
        return self._draw(seed, size, self.easy)

    def extremes(self, seed: int, *size: int) -> FloatArray:
        """Points all over the domain, (*size, dimension)."""
        return self._draw(seed, size, self.reach)

    def any_point(self, reach: float | None = None) -> st.SearchStrategy[FloatArray]:
        """Hypothesis' points: ordinary ones unless a reach is given."""
        bound = self.easy if reach is None else reach
        return hnp.arrays(
            float, self.family.dimension, elements=st.floats(-bound, bound, allow_subnormal=False)
        ).map(self._point)

    def rows(self, natural: FloatArray, n: int, seed: int = 1) -> FloatArray:
        """Observations (n, n_features) of the law itself."""
        return np.asarray(self.family.sample(natural, rng=seed, size=n))

    def boundary_mean(self) -> FloatArray:
        """A mean on the boundary."""
        if self.boundary is not None:
            return np.asarray(self.boundary, dtype=float)
        if self.support is None:
            raise ValueError(f"{self!r}: needs a support or a boundary")
        corner = self.support.corner(self.family)
        return np.asarray(self.family.sufficient_statistic(corner[None])[0])


def with_holes(x: FloatArray, share: float = 0.3, seed: int = 0) -> FloatArray:
    """A copy with values missing at random."""
    holes = np.random.default_rng(seed).random(x.shape) < share
    return np.where(holes, np.nan, x)
