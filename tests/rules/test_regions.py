"""Regions stand evenly for what they cover."""

from typing import Any

import numpy as np
import pytest
from scipy import special

from harmonium import Circle, Grid


class TestCircle:
    def test_sums_are_integrals(self) -> None:
        region = Circle(64)
        z = region.latents()
        assert z.shape == (64, 1)
        total = (region.volumes() * np.exp(3 * np.cos(z[:, 0]))).sum()
        assert total == pytest.approx(2 * np.pi * special.i0(3.0), rel=1e-14)

    def test_a_torus(self) -> None:
        region = Circle(40, n=2)
        assert region.n_features == 2
        z = region.latents()
        assert len(np.unique(z, axis=0)) == 1600
        total = (region.volumes() * np.exp(np.cos(z).sum(-1))).sum()
        assert total == pytest.approx((2 * np.pi * special.i0(1.0)) ** 2, rel=1e-13)

    def test_arguments(self) -> None:
        with pytest.raises(ValueError, match="points must be at least 4"):
            Circle(2)
        with pytest.raises(TypeError, match="n must be an integer"):
            Circle(10, n=1.5)  # type: ignore[arg-type]  # the point of the test


class TestGrid:
    def test_sums_are_integrals(self) -> None:
        region = Grid([-8, -9], [8, 9], [81, 91])
        z = region.latents()
        assert z.shape == (81 * 91, 2)
        assert region.volumes().sum() == pytest.approx(16 * 18, rel=1e-13)
        total = (region.volumes() * np.exp(-0.5 * (z**2).sum(-1))).sum()
        assert total == pytest.approx(2 * np.pi, rel=1e-12)

    def test_one_number_serves_every_axis(self) -> None:
        assert Grid([-1, -2], [1, 2], 10) == Grid([-1, -2], [1, 2], [10, 10])
        assert Grid(-1, [1, 2], 10).n_features == 2
        assert Grid(0.0, 1.0, 5).latents().ravel() == pytest.approx([0, 0.25, 0.5, 0.75, 1])
        assert hash(Grid([0, 0], 1)) == hash(Grid(0, [1, 1]))

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ((1.0, 0.0), "on axis 0 they are 1.0 and 0.0"),
            (([0, 0], [1, 2, 3]), "one for each axis"),
            ((0.0, np.inf), "lower must be below upper"),
            (([], 1.0), "one for each axis"),
            ((0.0, 1.0, 1), "points must be at least 2"),
        ],
    )
    def test_arguments(self, arguments: Any, words: str) -> None:
        with pytest.raises(ValueError, match=words):
            Grid(*arguments)

    def test_more_points_than_can_be_held(self) -> None:
        with pytest.raises(
            ValueError, match=r"at most 33,554,432 points in all, not about 10\*\*16"
        ):
            Grid([0] * 8, [1] * 8, 100)
        with pytest.raises(ValueError, match="at most 33,554,432 points"):
            Circle(10**9, n=10**9)
        assert Grid([0] * 5, 1, 32).n_features == 5  # exactly as many as there may be
