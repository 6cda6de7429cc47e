"""L-BFGS: it finds minima that scipy finds, and never asks for a step outside the domain."""

import itertools

import numpy as np
from scipy import optimize

from harmonium.numerics.quasi_newton import Place, lbfgs
from harmonium.validation import FloatArray


def last(slope: object, start: FloatArray, most: int = 300) -> Place:
    return list(itertools.islice(lbfgs(slope, start), most))[-1]  # type: ignore[arg-type]


def rosenbrock(x: FloatArray) -> tuple[float, FloatArray]:
    return float(optimize.rosen(x)), optimize.rosen_der(x)


def test_rosenbrock() -> None:
    found = last(rosenbrock, np.array([-1.2, 1.0, -0.5, 2.0]))
    np.testing.assert_allclose(found.point, 1.0, atol=1e-6)


def test_it_only_falls() -> None:
    values = [place.value for place in lbfgs(rosenbrock, np.array([-1.2, 1.0]))]
    assert (np.diff(values) <= 0).all()
    assert len(values) < 100


def test_against_scipy() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 8)) * np.logspace(-2, 2, 8)
    labels = (rng.random(60) < 0.5).astype(float)

    def slope(w: FloatArray) -> tuple[float, FloatArray]:
        logits = rows @ w
        value = np.logaddexp(0, logits).mean() - (labels * logits).mean() + 0.01 * w @ w
        gradient = rows.T @ (1 / (1 + np.exp(-logits)) - labels) / 60 + 0.02 * w
        return float(value), gradient

    found = last(slope, np.zeros(8))
    expected = optimize.minimize(slope, np.zeros(8), jac=True, method="BFGS", tol=1e-12)
    assert found.value <= expected.fun + 1e-12
    np.testing.assert_allclose(found.point, expected.x, atol=1e-4)


def test_infinite_outside() -> None:
    # minus log x + x: least at 1; a first step from 1e-3 would be far below 0
    asked = []

    def slope(x: FloatArray) -> tuple[float, FloatArray]:
        asked.append(float(x[0]))
        if x[0] <= 0:
            return np.inf, np.full(1, np.inf)
        return float(x[0] - np.log(x[0])), 1 - 1 / x

    for start in (1e-3, 50.0, 1e6):
        np.testing.assert_allclose(last(slope, np.array([start])).point, 1.0, rtol=1e-6)
    assert min(asked) <= 0


def test_ends_where_it_is() -> None:
    places = list(lbfgs(lambda x: (float(x @ x), 2 * x), np.zeros(2)))
    assert len(places) <= 4
    assert (places[-1].point == 0).all()
