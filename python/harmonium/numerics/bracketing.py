"""Roots of functions of one variable between bounds, for many at a time."""

from collections.abc import Callable

import numpy as np

from harmonium.validation import FloatArray

_MOST_STEPS = 200


def find_root(
    function: Callable[[FloatArray, np.ndarray], FloatArray], low: FloatArray, high: FloatArray
) -> FloatArray:
    """Return, for each of n functions above zero at ``low`` and below at ``high``, where it is zero.

    ``function(x, members)`` gives the values (k,) of the functions ``members`` at x (k,), finite
    or infinite. Chandrupatla's (1997) method: inverse quadratic interpolation where it is safe,
    else bisection; it ends where doubles tell no more. Bounds of the wrong sign are returned.
    """
    members = np.arange(len(low))
    a, b = np.array(high, dtype=float), np.array(low, dtype=float)
    fa, fb = function(a, members), function(b, members)
    out = np.where(fb <= 0, b, a)
    open_ = (fb > 0) & (fa < 0)
    members, a, b, fa, fb = members[open_], a[open_], b[open_], fa[open_], fb[open_]
    c, fc = a, fa
    t = np.full(len(members), 0.5)
    for _ in range(_MOST_STEPS):
        if not len(members):
            break
        x = a + t * (b - a)
        fx = function(x, members)
        same = (fx > 0) == (fa > 0)
        c, fc = np.where(same, a, b), np.where(same, fa, fb)
        b, fb = np.where(same, b, a), np.where(same, fb, fa)
        a, fa = x, fx
        best = np.where(np.abs(fa) < np.abs(fb), a, b)
        width = np.abs(b - a)
        share = 2 * np.finfo(float).eps * np.abs(best) / width
        done = (share > 0.5) | (fa == 0)
        out[members[done]] = np.where(fa == 0, a, best)[done]
        t = _next(a, b, c, fa, fb, fc, np.minimum(share, 0.5))
        going = ~done
        members, t = members[going], t[going]
        a, b, c, fa, fb, fc = (v[going] for v in (a, b, c, fa, fb, fc))
    out[members] = a
    return out


def _next(
    a: FloatArray,
    b: FloatArray,
    c: FloatArray,
    fa: FloatArray,
    fb: FloatArray,
    fc: FloatArray,
    share: FloatArray,
) -> FloatArray:
    """Where to look next between a (0) and b (1)."""
    with np.errstate(all="ignore"):
        xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
        safe = (phi**2 < xi) & ((1 - phi) ** 2 < 1 - xi)
        inner = fa / (fb - fa) * fc / (fb - fc)
        outer = (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
        t = np.where(safe, inner + outer, 0.5)
    return np.clip(np.where(np.isfinite(t), t, 0.5), share, 1 - share)
