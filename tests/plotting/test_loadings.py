"""Loadings as a heat map."""

import numpy as np
import pytest

from harmonium.plotting import plot_loadings

LOADINGS = np.array([[0.9, -0.1], [0.2, -2.0], [-0.001, 0.4]])


def test_picture() -> None:
    ax = plot_loadings(LOADINGS, names=["a", "b", "c"], label="effect")
    np.testing.assert_array_equal(ax.images[0].get_array(), LOADINGS)
    assert ax.images[0].get_clim() == (-2, 2)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b", "c"]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["factor 1", "factor 2"]
    written = [t.get_text() for t in ax.texts]
    assert written == ["0.90", "−0.10", "0.20", "−2.00", "0.00", "0.40"]
    assert ax.figure.axes[1].get_ylabel() == "effect"


def test_many_columns_have_no_numbers() -> None:
    wide = np.random.default_rng(0).standard_normal((40, 3))
    ax = plot_loadings(wide, limit=1.0, colour_bar=False)
    assert not ax.texts
    assert ax.images[0].get_clim() == (-1, 1)
    assert len(ax.figure.axes) == 1


def test_nothing_loaded() -> None:
    assert plot_loadings(np.zeros((2, 1))).images[0].get_clim() == (-1, 1)


def test_refused() -> None:
    with pytest.raises(ValueError, match="names: 1 names for 3"):
        plot_loadings(LOADINGS, names=["a"])
    with pytest.raises(TypeError, match="names: a list"):
        plot_loadings(LOADINGS, factor_names="ab")
    with pytest.raises(ValueError, match="loadings"):
        plot_loadings([1.0, 2.0])
