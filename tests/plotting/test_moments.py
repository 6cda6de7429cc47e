"""Second moments of binary units, lettered panels, and correlations in deeper colours."""

import numpy as np
import pytest

from harmonium.plotting import panels, plot_correlations, plot_moments, style

MATRIX = np.array([[0.8, 0.1, 0.5], [0.1, 0.2, 0.0], [0.5, 0.0, 0.6]])


def test_moments() -> None:
    ax = plot_moments(MATRIX, names=["a", "b", "c"])
    np.testing.assert_array_equal(np.asarray(ax.images[0].get_array()), MATRIX)
    assert ax.images[0].get_clim() == (0, 1)
    assert [t.get_text() for t in ax.get_xticklabels()] == ["a", "b", "c"]
    assert len(ax.texts) == 9
    assert not plot_moments(MATRIX, numbers=False, colour_bar=False).texts


def test_refused() -> None:
    with pytest.raises(ValueError, match="square"):
        plot_moments(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="between 0 and 1"):
        plot_moments(-MATRIX)
    with pytest.raises(ValueError, match="limit"):
        plot_correlations(MATRIX, limit=0)


def test_weak_correlations_in_deep_colours() -> None:
    ax = plot_correlations(0.2 * MATRIX, limit=0.25)
    assert ax.images[0].get_clim() == (-0.25, 0.25)


def test_panels() -> None:
    with style():
        figure, axes = panels((4, 3), "ab;cc", {"a": "first", "c": "last"})
    assert tuple(figure.get_size_inches()) == (4, 3)
    assert sorted(axes) == ["a", "b", "c"]
    assert axes["a"].get_title(loc="left").endswith("  first")
    assert "bf{c}" in axes["c"].get_title(loc="left")
    assert axes["b"].get_title(loc="left") == ""
