"""Von Mises-Fisher directions in any dimension."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import gammaln

from harmonium.families.base import ExponentialFamily
from harmonium.numerics.bessel_of_order import (
    bessel_ratio_of_order,
    inverse_bessel_ratio_of_order,
    log_hypergeometric,
    log_hypergeometric_less_argument,
)
from harmonium.numerics.sphere_draws import draw_one_less_cosine
from harmonium.numerics.symmetric import outer
from harmonium.validation import FloatArray, as_count, as_floats, check_unit_vectors


class VonMisesFisherParameters(NamedTuple):
    """People's parameters: mean directions (..., n), of length one, and concentrations (...)."""

    direction: FloatArray
    concentration: FloatArray


@dataclass(frozen=True)
class VonMisesFisher(ExponentialFamily):
    """Directions in ``n`` dimensions: unit vectors, with densities by area on the sphere.

    ``s(x) = x``, base measure one over the sphere's area ``2 pi**(n/2) / Gamma(n/2)``,
    ``psi = log 0F1(; n/2; |theta|**2 / 4)``, ``theta = concentration * direction`` (Mardia and
    Jupp, 2000, 9.3.2); concentrations from 0 to 1e12. Maximum likelihood of identical directions
    is held at a concentration of 1e12. In two dimensions it is the von Mises law of the angle.

    Parameters
    ----------
    n : int
        Dimension of the space, at least 2; the sphere has one less.
    """

    n: int

    #: Largest concentration, as of von Mises angles.
    MAX_CONCENTRATION = 1e12

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", as_count(self.n, name="n", minimum=2))

    @property
    def dimension(self) -> int:
        """Length of natural and mean vectors: n."""
        return self.n

    @property
    def n_features(self) -> int:
        """Columns of an observation: n."""
        return self.n

    @property
    def _order(self) -> float:
        return 0.5 * self.n - 1.0

    @property
    def _log_area(self) -> float:
        return float(np.log(2) + 0.5 * self.n * np.log(np.pi) - gammaln(0.5 * self.n))

    @property
    def _most_length(self) -> float:
        """The length of the mean at the largest concentration, rounded up."""
        gap = bessel_ratio_of_order(self._order, np.array(self.MAX_CONCENTRATION)).one_less
        return float(1 - gap + 2 * np.finfo(float).eps)

    def _statistic(self, x: FloatArray) -> FloatArray:
        return x / _length(x)[..., None]

    def _log_base_measure(self, x: FloatArray) -> FloatArray:
        return np.full(len(x), -self._log_area)

    def _kernel_family(self) -> tuple[str, float]:
        return "von_mises_fisher", -self._log_area

    def _expected_log_base_measure(self, natural: FloatArray) -> FloatArray:
        return np.full(natural.shape[:-1], -self._log_area)

    def _log_partition(self, natural: FloatArray) -> FloatArray:
        return log_hypergeometric(self._order, _length(natural))

    def _to_mean(self, natural: FloatArray) -> FloatArray:
        # the ratio over its argument tends to 1 / n at zero
        factor = bessel_ratio_of_order(self._order, _length(natural)).over_argument
        return natural * factor[..., None]

    def _to_natural(self, mean: FloatArray) -> FloatArray:
        length = _length(mean)
        # near the largest concentration the rounding of the length alone can pass it
        inside = np.minimum(length, 1 - 0.5 * np.finfo(float).eps)
        found = inverse_bessel_ratio_of_order(self._order, inside)
        concentration = np.minimum(found, self.MAX_CONCENTRATION)
        safe = np.where(length > 0, length, 1.0)
        return mean * np.where(length > 0, concentration / safe, float(self.n))[..., None]

    def _fisher_information(self, natural: FloatArray) -> FloatArray:
        k = _length(natural)
        at = bessel_ratio_of_order(self._order, k)
        direction = natural / np.where(k > 0, k, 1.0)[..., None]
        along = outer(direction, direction)
        across = np.eye(self.n) - along
        return at.slope[..., None, None] * along + at.over_argument[..., None, None] * across

    def _entropy(self, natural: FloatArray) -> FloatArray:
        # psi - k A, where both are large: psi - k and k (1 - A) are not
        k = _length(natural)
        spare = k * bessel_ratio_of_order(self._order, k).one_less
        return np.asarray(log_hypergeometric_less_argument(self._order, k) + spare + self._log_area)

    def _sample(self, natural: FloatArray, rng: np.random.Generator) -> FloatArray:
        k = _length(natural)
        gap = draw_one_less_cosine(k, self.n - 1, rng)
        tangent = rng.standard_normal((*k.shape, self.n - 1))
        # as often 1 as -1 in two dimensions
        tangent = tangent / _length(tangent)[..., None]
        sine = np.sqrt(gap * (2.0 - gap))
        first = np.concatenate([(1.0 - gap)[..., None], sine[..., None] * tangent], -1)
        return _turned(first, natural / np.where(k > 0, k, 1.0)[..., None], k > 0)

    def _outside(self, natural: FloatArray) -> tuple[Any, str] | None:
        mask = _length(natural) > self.MAX_CONCENTRATION * (1 + 1e-12)
        return (mask, "concentrations must not pass 1e12") if np.any(mask) else None

    def _on_boundary(self, mean: FloatArray) -> tuple[Any, str] | None:
        mask = _length(mean) > self._most_length
        rule = "means must be shorter than one, by at least what a concentration of 1e12 leaves"
        return (mask, rule) if np.any(mask) else None

    def _inside(self, mean: FloatArray) -> FloatArray:
        length, most = _length(mean), self._most_length
        # a little below the most, which scaling may round up to
        held = most - np.finfo(float).eps
        factor = np.where(length > most, held / np.maximum(length, held), 1.0)
        return mean * factor[..., None]

    def _check_support(self, x: FloatArray, name: str) -> None:
        check_unit_vectors(x, name)

    def from_parameters(self, *, direction: object, concentration: object) -> FloatArray:  # type: ignore[override]
        """Return natural parameters of directions (..., n), of length one, and concentrations (...).

        Concentrations are zero or above; at zero the direction says nothing.
        """
        towards = as_floats(direction, name="direction")
        if towards.ndim == 0 or towards.shape[-1] != self.n:
            raise ValueError(f"direction: shape {towards.shape}, expected (..., {self.n})")
        if not np.isfinite(towards).all():
            raise ValueError("direction: not finite")
        flat = check_unit_vectors(towards.reshape(-1, self.n), "direction")
        k = as_floats(concentration, name="concentration")
        if not (np.isfinite(k) & (k >= 0)).all():
            bad = k[~(np.isfinite(k) & (k >= 0))].ravel()[0]
            raise ValueError(f"concentration: must be zero or above, and finite; got {bad}")
        point = k[..., None] * flat.reshape(towards.shape)
        return self.check_natural(point, "concentration")

    def to_parameters(self, natural: object) -> VonMisesFisherParameters:
        """Return directions (..., n) and concentrations (...); the first axis where there is none."""
        point = self.check_natural(natural)
        k = _length(point)
        direction = point / np.where(k > 0, k, 1.0)[..., None]
        axis = np.eye(self.n)[0]
        return VonMisesFisherParameters(np.where((k > 0)[..., None], direction, axis), k)


def _length(vectors: FloatArray) -> FloatArray:
    """Euclidean lengths (...) of vectors (..., n), whatever their scale."""
    scale = np.abs(vectors).max(-1)
    safe = np.where(scale > 0, scale, 1.0)
    return np.asarray(scale * np.sqrt(((vectors / safe[..., None]) ** 2).sum(-1)))


def _turned(x: FloatArray, direction: FloatArray, known: Any) -> FloatArray:
    """Vectors about the first axis, reflected so that they lie about their directions."""
    # Householder's reflection to -direction or direction, whichever is the farther from the axis
    sign = np.where(direction[..., 0] < 0, 1.0, -1.0)
    mirror = -sign[..., None] * direction
    mirror[..., 0] += 1.0
    square = np.maximum((mirror**2).sum(-1), np.finfo(float).tiny)
    along = 2 * (mirror * x).sum(-1) / square
    # H e1 = sign * direction
    turned = sign[..., None] * (x - along[..., None] * mirror)
    return np.where(known[..., None], turned, x)
