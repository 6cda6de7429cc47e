"""Von Mises angles."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from harmonium.families.independent import IndependentFamily
from harmonium.numerics.bessel import (
    bessel_ratio,
    bessel_ratio_slope,
    inverse_bessel_ratio,
    log_bessel_zero,
)
from harmonium.numerics.bessel_of_order import (
    bessel_ratio_of_order,
    log_hypergeometric_less_argument,
)
from harmonium.numerics.sphere_draws import draw_one_less_cosine
from harmonium.validation import FloatArray, as_count, as_floats, check_angles, check_finite


class VonMisesParameters(NamedTuple):
    """People's parameters: mean directions in radians and concentrations, (..., n) each."""

    mean: FloatArray
    concentration: FloatArray


@dataclass(frozen=True)
class VonMises(IndependentFamily):
    """Independent von Mises angles, in radians, taken modulo two pi.

    ``s(x) = (cos x, sin x)``, cosines of all angles first, base measure ``1 / 2 pi``,
    ``psi = sum log I0(|theta|)``, ``theta = concentration (cos mean, sin mean)``;
    concentrations from 0 to 1e12. Maximum likelihood of identical angles is held at a
    concentration of 1e12.

    Parameters
    ----------
    n : int
        Number of angles.
    """

    n: int = 1

    #: Largest concentration: beyond, the mean resultant length is one to double precision.
    MAX_CONCENTRATION = 1e12
    #: Its mean resultant length, rounded up: lengths are stored to 1e-16.
    _MOST_LENGTH = 1 - 0.5 / MAX_CONCENTRATION + 2 * np.finfo(float).eps

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", as_count(self.n, name="n"))

    @property
    def dimension(self) -> int:
        """Length of natural and mean vectors: 2 n."""
        return 2 * self.n

    @property
    def n_features(self) -> int:
        """Columns of an observation: n."""
        return self.n

    def _copies(self, n: int) -> "VonMises":
        return VonMises(n)

    def _polar(self, point: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        cosine, sine = point[..., : self.n], point[..., self.n :]
        return np.hypot(cosine, sine), cosine, sine

    def _statistic(self, x: FloatArray) -> FloatArray:
        return np.concatenate([np.cos(x), np.sin(x)], -1)

    def _log_base_measure(self, x: FloatArray) -> FloatArray:
        return np.full(len(x), -self.n * np.log(2 * np.pi))

    def _expected_log_base_measure(self, natural: FloatArray) -> FloatArray:
        return np.full(natural.shape[:-1], -self.n * np.log(2 * np.pi))

    def _log_partitions(self, natural: FloatArray) -> FloatArray:
        return log_bessel_zero(self._polar(natural)[0])

    def _to_mean(self, natural: FloatArray) -> FloatArray:
        concentration, cosine, sine = self._polar(natural)
        # A(k) / k tends to one half at zero
        safe = np.where(concentration > 0, concentration, 1.0)
        factor = np.where(concentration > 0, bessel_ratio(concentration) / safe, 0.5)
        return np.concatenate([factor * cosine, factor * sine], -1)

    def _to_natural(self, mean: FloatArray) -> FloatArray:
        length, cosine, sine = self._polar(mean)
        safe = np.where(length > 0, length, 1.0)
        # near the largest concentration the rounding of the length alone can pass it
        concentration = np.minimum(inverse_bessel_ratio(length), self.MAX_CONCENTRATION)
        factor = np.where(length > 0, concentration / safe, 2.0)
        return np.concatenate([factor * cosine, factor * sine], -1)

    def _entropy(self, natural: FloatArray) -> FloatArray:
        # psi - k A, where both are large: psi - k and k (1 - A) are not
        k = self._polar(natural)[0]
        spare = k * bessel_ratio_of_order(0.0, k).one_less
        each = log_hypergeometric_less_argument(0.0, k) + spare + np.log(2 * np.pi)
        return np.asarray(each.sum(-1))

    def _fisher_information(self, natural: FloatArray) -> FloatArray:
        k, cosine, sine = self._polar(natural)
        safe = np.where(k > 0, k, 1.0)
        across = np.where(k > 0, bessel_ratio(k) / safe, 0.5)
        along = bessel_ratio_slope(k)
        c, s = np.where(k > 0, cosine / safe, 1.0), np.where(k > 0, sine / safe, 0.0)
        matrix = np.zeros((*natural.shape[:-1], 2 * self.n, 2 * self.n))
        i = np.arange(self.n)
        matrix[..., i, i] = along * c**2 + across * s**2
        matrix[..., i + self.n, i + self.n] = along * s**2 + across * c**2
        matrix[..., i, i + self.n] = matrix[..., i + self.n, i] = (along - across) * c * s
        return matrix

    def _sample(self, natural: FloatArray, rng: np.random.Generator) -> FloatArray:
        concentration, cosine, sine = self._polar(natural)
        mean = np.arctan2(sine, cosine)
        # beyond these numpy turns to approximations: a uniform and a wrapped normal law
        plain = (concentration >= 1e-5) & (concentration <= 1e6)
        draws = rng.vonmises(mean, np.where(plain, concentration, 1.0))
        other = np.flatnonzero(~plain)
        if len(other):
            gap = draw_one_less_cosine(concentration.ravel()[other], 1, rng)
            away = 2 * np.arcsin(np.sqrt(0.5 * gap)) * np.where(rng.random(len(gap)) < 0.5, -1, 1)
            draws.ravel()[other] = mean.ravel()[other] + away
        return _wrapped(draws)

    def _outside(self, natural: FloatArray) -> tuple[Any, str] | None:
        mask = (self._polar(natural)[0] > self.MAX_CONCENTRATION * (1 + 1e-12)).any(-1)
        return (mask, "concentrations must not pass 1e12") if np.any(mask) else None

    def _on_boundary(self, mean: FloatArray) -> tuple[Any, str] | None:
        mask = (self._polar(mean)[0] > self._MOST_LENGTH).any(-1)
        rule = "mean resultant lengths must be below one by at least 5e-13 (concentration 1e12)"
        return (mask, rule) if np.any(mask) else None

    def _inside(self, mean: FloatArray) -> FloatArray:
        length = self._polar(mean)[0]
        # a little below the most, which scaling the two sides may round up to
        most = self._MOST_LENGTH - np.finfo(float).eps
        factor = np.where(length > self._MOST_LENGTH, most / np.maximum(length, most), 1.0)
        return np.asarray(mean * np.concatenate([factor, factor], -1))

    def _check_support(self, x: FloatArray, name: str) -> None:
        check_angles(x, name)

    def _kernel_family(self) -> tuple[str, float]:
        return "von_mises", 0.0

    def from_parameters(self, *, mean: object, concentration: object) -> FloatArray:  # type: ignore[override]
        """Return natural parameters of mean directions and concentrations (>= 0), (..., n) each."""
        centre = np.atleast_1d(as_floats(mean, name="mean"))
        k = np.atleast_1d(as_floats(concentration, name="concentration"))
        check_finite(centre, "mean")
        check_finite(k, "concentration")
        if (k < 0).any():
            raise ValueError(f"concentration: must be at least 0; got {k[k < 0][0]}")
        point = np.concatenate(np.broadcast_arrays(k * np.cos(centre), k * np.sin(centre)), -1)
        return self.check_natural(point, "concentration")

    def to_parameters(self, natural: object) -> VonMisesParameters:
        """Return mean directions in [0, 2 pi) and concentrations, (..., n) each."""
        length, cosine, sine = self._polar(self.check_natural(natural))
        return VonMisesParameters(_wrapped(np.arctan2(sine, cosine)), length)


def _wrapped(angle: FloatArray) -> FloatArray:
    """Angles in [0, 2 pi): of a tiny negative one the remainder alone rounds to 2 pi."""
    turned = np.mod(angle, 2 * np.pi)
    return np.where(turned < 2 * np.pi, turned, 0.0)
