"""Likelihoods by iteration."""

import numpy as np
import pytest

from harmonium.estimators import GaussianMixture
from harmonium.learning import Fit
from harmonium.plotting import plot_history
from harmonium.plotting.style import BRIGHT, HAIRLINE


def test_one_fit(mixture_fit: Fit) -> None:
    ax = plot_history(mixture_fit)
    (line,) = ax.get_lines()
    np.testing.assert_array_equal(line.get_ydata(), -mixture_fit.history)
    np.testing.assert_array_equal(line.get_xdata(), np.arange(len(mixture_fit.history)))
    assert ax.get_legend() is None
    assert ax.get_xlabel() == "iteration"


def test_the_best_restart_stands_out() -> None:
    paths = [np.array([0.0, 1.0]), np.array([0.0, 2.0, 3.0]), np.array([1.0, 3.0 + 1e-15])]
    lines = plot_history(paths).get_lines()
    assert [line.get_color() for line in lines] == [HAIRLINE, HAIRLINE, BRIGHT[0]]
    assert len(lines[-1].get_xdata()) == 3


def test_names_and_references(rows: np.ndarray, mixture_fit: Fit) -> None:
    mixture = GaussianMixture(2, random_state=0).fit(rows)
    ax = plot_history({"two": mixture, "three": mixture_fit}, reference={"best": -1.5})
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["two", "three", "best"]
    two, three, best = ax.get_lines()
    assert two.get_color() != three.get_color()
    assert set(best.get_ydata()) == {-1.5}


def test_refused() -> None:
    with pytest.raises(ValueError, match="fits: at least one"):
        plot_history([])
    with pytest.raises(TypeError, match="fits"):
        plot_history(3)
    with pytest.raises(TypeError, match="fits"):
        plot_history("fit")
