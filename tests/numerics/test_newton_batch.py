"""Newton's method for many problems at once."""

import numpy as np

from harmonium.numerics.newton_batch import Local, minimise, solve


def rates(target):
    """Of Poisson counts: ``sum exp(t) - target . t`` has its minimum at the log of the target."""

    def oracle(members, points):
        with np.errstate(all="ignore"):
            value = np.exp(points)
            return Local(
                (value - target[members] * points).sum(-1),
                value - target[members],
                value[..., None] * np.eye(points.shape[-1]),
                np.zeros_like(points),
            )

    return oracle


def test_each_finds_its_own():
    target = np.geomspace(1e-8, 1e8, 51).reshape(17, 3)
    found = minimise(rates(target), np.full(target.shape, -2.0), 500)
    assert found.found.all()
    np.testing.assert_allclose(found.point, np.log(target), rtol=1e-10, atol=1e-12)


def test_a_minimum_at_infinity_is_not_found():
    found = minimise(rates(np.array([[1.0], [-1.0], [2.0]])), np.zeros((3, 1)))
    assert found.found.tolist() == [True, False, True]


def test_steps_stay_inside_the_domain():
    # -log t + target t, of t above zero: the first step from far out would leave it
    target = np.array([1e-3, 1.0, 50.0])

    def oracle(members, points):
        t, b = points[:, 0], target[members]
        inside = t > 0
        safe = np.where(inside, t, 1.0)
        return Local(
            np.where(inside, b * safe - np.log(safe), np.inf),
            (b - 1 / safe)[:, None],
            (safe**-2)[:, None, None],
            np.zeros((len(t), 1)),
        )

    found = minimise(oracle, np.full((3, 1), 20.0))
    assert found.found.all()
    np.testing.assert_allclose(found.point[:, 0], 1 / target, rtol=1e-12)


def test_no_coordinates():
    found = minimise(rates(np.empty((4, 0))), np.empty((4, 0)))
    assert found.point.shape == (4, 0)
    assert found.found.all()


def test_solves_whatever_the_scales():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(5, 4, 4))
    scale = np.geomspace(1e-60, 1e60, 4)
    matrix = (root @ root.swapaxes(-1, -2)) * np.outer(scale, scale)
    exact = rng.normal(size=(5, 4)) / scale
    found = solve(matrix, np.einsum("kij,kj->ki", matrix, exact))
    np.testing.assert_allclose(found * scale, exact * scale, rtol=1e-8, atol=1e-8)
