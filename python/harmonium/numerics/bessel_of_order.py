"""Modified Bessel functions of any order from zero: what laws on spheres of any dimension need.

With nu the order and k the argument, all comes from two expansions. Where both are small, or k
is small next to the order, the power series of ``0F1(; nu + 1; k**2 / 4)``, whose terms are all
positive. Elsewhere Debye's uniform expansion (DLMF 10.41) in ``1 / s``, ``s = hypot(nu, k)``: for
orders near zero it is Hankel's expansion for large arguments, for k near zero Stirling's series.
What cancels between leading terms is taken out by hand, so that nothing is lost at either end.
"""

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from scipy.special import gammaln

from harmonium.numerics.gamma_functions import stirling_remainder
from harmonium.validation import FloatArray

#: Up to here arguments go by the power series ...
_NEAR = 30.0
#: ... and further if ``k**2 / 4 (nu + 1)``, its first term, is at most this.
_SLOW = 4.0
#: Terms of the power series and of Debye's expansion.
_TERMS, _DEBYE_TERMS = 90, 20
#: From this order on the leading terms of Debye's expansion are combined with Stirling's formula.
_LARGE_ORDER = 20.0


def _debye_polynomials() -> list[list[Fraction]]:
    """``U_j(p) / p**j`` as coefficients of powers of t = p**2, exactly (DLMF 10.41.9)."""
    out = [[Fraction(1)]]
    for j in range(_DEBYE_TERMS - 1):
        u = {j + 2 * i: c for i, c in enumerate(out[-1])}
        following = [Fraction(0)] * (j + 2)
        for power, c in u.items():
            # p**2 (1 - p**2) U' / 2 and the integral of (1 - 5 t**2) U / 8
            up = Fraction(power, 2) + Fraction(1, 8 * (power + 1))
            down = Fraction(power, 2) + Fraction(5, 8 * (power + 3))
            following[(power - j) // 2] += c * up
            following[(power - j) // 2 + 1] -= c * down
        out.append(following)
    return out


def _tables() -> tuple[Any, Any]:
    """Coefficients (j, power of t) of U_j / p**j, and of ``(j W + 2 t W')`` for these W."""
    plain = np.zeros((_DEBYE_TERMS, _DEBYE_TERMS))
    slopes = np.zeros((_DEBYE_TERMS, _DEBYE_TERMS))
    for j, polynomial in enumerate(_debye_polynomials()):
        for i, c in enumerate(polynomial):
            plain[j, i] = float(c)
            slopes[j, i] = float((j + 2 * i) * c)
    return plain, slopes


_PLAIN, _SLOPES = _tables()


class BesselRatio(NamedTuple):
    """Of ``A = I_(nu + 1) / I_nu``: A, A / k, 1 - A and the slope of A, each to full accuracy."""

    ratio: FloatArray
    over_argument: FloatArray
    one_less: FloatArray
    slope: FloatArray


def log_hypergeometric(order: float, k: FloatArray) -> FloatArray:
    """Return ``log 0F1(; order + 1; k**2 / 4)`` for k >= 0, ``order`` >= 0.

    That is ``log(Gamma(order + 1) (2 / k)**order I_order(k))``: zero at zero, never overflowing.
    """
    k = np.asarray(k, dtype=float)
    near = _is_near(order, k)
    small = np.log1p(_power_series(order, np.where(near, k, 0.0)))
    far = np.where(near, max(_NEAR, order), k)
    s = np.hypot(order, far)
    growth = far * (far / (s + order)) if order >= _LARGE_ORDER else s
    return np.where(near, small, growth + _log_far(order, far))


def log_hypergeometric_less_argument(order: float, k: FloatArray) -> FloatArray:
    """Return :func:`log_hypergeometric` less k, to which it tends, without their cancellation."""
    k = np.asarray(k, dtype=float)
    near = _is_near(order, k)
    small = np.log1p(_power_series(order, np.where(near, k, 0.0))) - k
    far = np.where(near, max(_NEAR, order), k)
    growth = order * (order / (np.hypot(order, far) + far))
    growth = growth - order if order >= _LARGE_ORDER else growth
    return np.where(near, small, growth + _log_far(order, far))


def _log_far(order: float, k: FloatArray) -> FloatArray:
    """Debye's expansion of log 0F1 but for its largest term: s, less the order where that is large."""
    s = np.hypot(order, k)
    series = np.log(_in_debye(_PLAIN, order, s))
    if order >= _LARGE_ORDER:
        beyond = k * (k / (s + order))
        powers = order * np.log1p(beyond / (2 * order)) + 0.5 * np.log1p(beyond / order)
        return np.asarray(series - powers + stirling_remainder(np.array(order)))
    constant = gammaln(order + 1) - 0.5 * np.log(2 * np.pi) + order * np.log(2)
    return np.asarray(series - order * np.log(order + s) - 0.5 * np.log(s) + constant)


def bessel_ratio_of_order(order: float, k: FloatArray) -> BesselRatio:
    """Return ``I_(order + 1)(k) / I_order(k)`` for k >= 0, ``order`` >= 0, and what goes with it."""
    k = np.asarray(k, dtype=float)
    near = _is_near(order, k)
    small = _ratio_near(order, np.where(near, k, 0.0))
    large = _ratio_far(order, np.where(near, max(_NEAR, order), k))
    return BesselRatio(*(np.where(near, a, b) for a, b in zip(small, large, strict=True)))


def inverse_bessel_ratio_of_order(order: float, length: FloatArray) -> FloatArray:
    """Return the k >= 0 at which the ratio is ``length``, in [0, 1).

    Newton from a lower bound, from which the concave ratio is approached from one side; near one
    it matches ``1 - length``, so nothing but the rounding of the length itself is lost.
    """
    r = np.asarray(length, dtype=float)
    # Segura (2011): A(k) < k / (a + sqrt(a**2 + k**2)), a = nu + 1/2; and A(k) < k / (2 nu + 2)
    k = np.maximum((2 * order + 1) * r / ((1 - r) * (1 + r)), (2 * order + 2) * r)
    for _ in range(12):
        at = bessel_ratio_of_order(order, k)
        short = np.where(r > 0.5, at.one_less - (1 - r), r - at.ratio)
        step = short / at.slope
        k = np.maximum(k + step, 0.5 * k)
        if (np.abs(step) <= 1e-16 * k).all():
            break
    return np.asarray(k)


def _is_near(order: float, k: FloatArray) -> Any:
    return (k <= _NEAR) | (k * k <= 4 * _SLOW * (order + 1))


def _power_series(order: float, k: FloatArray) -> FloatArray:
    """``0F1 - 1``: a sum of positive terms, nested."""
    quarter = 0.25 * k * k
    tail = np.zeros_like(k)
    for i in range(_TERMS, 0, -1):
        tail = (1.0 + tail) * (quarter / (i * (order + i)))
    return tail


def _ratio_near(order: float, k: FloatArray) -> BesselRatio:
    parts = [1.0 + _power_series(order + i, k) for i in range(3)]
    over = 0.5 / (order + 1) * parts[1] / parts[0]
    ratio = k * over
    following = 0.5 * k / (order + 2) * parts[2] / parts[1]
    # of A' = A / k - A (A - A_next), which cancels least
    return BesselRatio(ratio, over, 1 - ratio, over - ratio * (ratio - following))


def _in_debye(table: Any, order: float, s: FloatArray, first: int = 0) -> FloatArray:
    """``sum_j s**-j (polynomial j of (order / s)**2)`` from term ``first``, that one times one."""
    t, u = (order / s) ** 2, 1.0 / s
    total = np.zeros_like(s)
    for j in range(_DEBYE_TERMS - 1, first - 1, -1):
        polynomial = np.zeros_like(s)
        for i in range(j, -1, -1):
            polynomial = polynomial * t + table[j, i]
        total = total * u + polynomial
    return total


def _ratio_far(order: float, k: FloatArray) -> BesselRatio:
    """From ``I' = s R I / k`` with ``R = 1 - (k / s)**2 Q / s``, Q = 1/2 + O(1 / s)."""
    s = np.hypot(order, k)
    share = (k / s) ** 2
    beyond = k * (k / (s + order))  # s - order
    series = _in_debye(_PLAIN, order, s)
    extra = _in_debye(_SLOPES, order, s, first=1) / series  # s (Q - 1/2)
    q = 0.5 + extra / s
    ratio = (beyond - share * q) / k
    one_less = (order - order * (order / (s + k)) + share * q) / k
    # Riccati's equation for A, the terms of the size of s taken out
    slope = order / s * beyond + share * (2 * extra + q - share * q * q)
    return BesselRatio(ratio, ratio / k, one_less, slope / k / k)
