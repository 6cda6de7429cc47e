"""Ellipses are where normals say."""

from typing import Any

import numpy as np
import pytest

from harmonium.plotting import plot_ellipses

MEANS = np.array([[1.0, 2.0, 0.0], [-3.0, 0.0, 5.0]])
ROOTS = np.random.default_rng(0).standard_normal((2, 3, 3))
COVARIANCES = ROOTS @ ROOTS.swapaxes(-1, -2)


def test_every_point_is_at_its_distance() -> None:
    ax = plot_ellipses(MEANS, COVARIANCES, columns=(2, 0), radii=(1.0, 2.5))
    lines = ax.get_lines()
    assert len(lines) == 4
    for place, line in enumerate(lines):
        mean = MEANS[place // 2, [2, 0]]
        covariance = COVARIANCES[place // 2][np.ix_([2, 0], [2, 0])]
        away = np.asarray(line.get_xydata()) - mean
        distance = np.einsum("ni,ij,nj->n", away, np.linalg.inv(covariance), away)
        np.testing.assert_allclose(np.sqrt(distance), (1.0, 2.5)[place % 2], rtol=1e-9)
        # all the way round
        assert np.ptp(np.arctan2(*away.T)) > 6


def test_singular_covariances_are_lines() -> None:
    ax = plot_ellipses(np.zeros((1, 2)), np.array([[[4.0, 0.0], [0.0, 0.0]]]), radii=(1,))
    points = np.asarray(ax.get_lines()[0].get_xydata())
    assert np.abs(points[:, 1]).max() == 0
    assert np.abs(points[:, 0]).max() == pytest.approx(2)


def test_light_ones_are_faint_and_colours_differ() -> None:
    ax = plot_ellipses(MEANS, COVARIANCES, weights=[0.2, 0.8], radii=(1,))
    faint, strong = ax.get_lines()
    assert faint.get_alpha() == pytest.approx(0.25)
    assert strong.get_alpha() == pytest.approx(1.0)
    assert faint.get_color() != strong.get_color()
    same = plot_ellipses(MEANS, COVARIANCES, colour="#123456", radii=(1,)).get_lines()
    assert {line.get_color() for line in same} == {"#123456"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"covariances": COVARIANCES[:1]}, "covariances: shape"),
        ({"covariances": -COVARIANCES}, "negative"),
        ({"covariances": np.arange(18.0).reshape(2, 3, 3)}, "symmetric"),
        ({"weights": [1.0]}, "weights"),
        ({"weights": [0.0, 0.0]}, "weights"),
        ({"radii": (0.0,)}, "radii"),
        ({"columns": (0, 7)}, "columns"),
    ],
)
def test_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plot_ellipses(**{"means": MEANS, "covariances": COVARIANCES, **arguments})
