"""Places and labels in the latent space, and from which side it is seen."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from harmonium import Boltzmann, LinearGaussian, Normal
from harmonium.learning import Fit, fit
from harmonium.plotting import (
    components_of,
    latent_plane,
    plot_latent,
    plot_points,
    posterior_shares,
)
from harmonium.plotting.plane import separating_plane, widest_plane
from harmonium.plotting.posteriors import has_categories


def test_shares_are_bayes_rule(any_fit: Fit, rows: np.ndarray) -> None:
    if not has_categories(any_fit.model):
        with pytest.raises(ValueError, match="no categories"):
            posterior_shares(any_fit, rows)
        return
    weights, means, covariances = components_of(any_fit)
    joint = weights * np.stack(
        [multivariate_normal(m, c).pdf(rows) for m, c in zip(means, covariances, strict=True)], -1
    )
    shares = posterior_shares(any_fit, rows)
    np.testing.assert_allclose(shares, joint / joint.sum(-1, keepdims=True), atol=1e-9)


def data_of(fitted: Fit, n: int = 150) -> np.ndarray:
    return fitted.sample(n, 5)[0]


def test_two_dimensions_are_as_they_are(rows: np.ndarray) -> None:
    fitted = fit(LinearGaussian(Normal(3, "isotropic"), Normal(2)), rows, warn=False)
    np.testing.assert_array_equal(latent_plane(fitted, rows), fitted.latent(rows))


def test_without_categories_the_widest_plane(rows: np.ndarray) -> None:
    fitted = fit(LinearGaussian(Normal(3), Boltzmann(3)), rows, seed=0, max_iter=3, warn=False)
    scores = fitted.latent(rows)
    values, axes = np.linalg.eigh(np.cov(scores.T))
    expected = (scores - scores.mean(0)) @ axes[:, ::-1][:, :2]
    correlation = np.corrcoef(latent_plane(fitted, rows).T, expected.T)[:2, 2:]
    np.testing.assert_allclose(np.abs(correlation), np.eye(2), atol=1e-7)
    assert values[-1] > 0


def overlap(places: np.ndarray, shares: np.ndarray) -> float:
    """Of groups in the plane, the places in units of the spread within."""
    weights = shares.sum(0) / shares.sum()
    means = shares.T @ places / shares.sum(0)[:, None]
    within = places.T @ places / len(places) - (means.T * weights) @ means
    i, j = np.triu_indices(len(means), 1)
    gap = means[i] - means[j]
    squared = np.einsum("ni,ij,nj->n", gap, np.linalg.inv(within), gap)
    return float(np.sqrt(weights[i] * weights[j]) @ np.exp(-squared / 8))


def test_groups_overlap_less_than_from_elsewhere(reduction_fit: Fit) -> None:
    x = data_of(reduction_fit)
    shares = posterior_shares(reduction_fit, x)
    scores = reduction_fit.latent(x)
    scores = scores - scores.mean(0)
    chosen = overlap(separating_plane(scores, shares), shares)
    rng = np.random.default_rng(0)
    for _ in range(200):
        assert chosen < overlap(scores @ rng.standard_normal((4, 2)), shares) + 1e-9


def test_the_plane_is_in_units_within_groups(reduction_fit: Fit) -> None:
    x = data_of(reduction_fit)
    shares = posterior_shares(reduction_fit, x)
    places = latent_plane(reduction_fit, x)
    means = shares.T @ places / shares.sum(0)[:, None]
    within = sum(
        (shares[:, k, None] * (places - means[k])).T @ (places - means[k]) for k in range(4)
    ) / len(x)
    np.testing.assert_allclose(within, np.eye(2), atol=1e-6)


def test_the_plane_does_not_depend_on_coordinates(reduction_fit: Fit) -> None:
    x = data_of(reduction_fit)
    shares = posterior_shares(reduction_fit, x)
    scores = reduction_fit.latent(x)
    scores = scores - scores.mean(0)
    mixing = np.random.default_rng(1).standard_normal((4, 4))
    one, other = separating_plane(scores, shares), separating_plane(scores @ mixing, shares)
    assert overlap(one, shares) == pytest.approx(overlap(other, shares), rel=1e-4)


def test_few_groups_and_flat_scores_still_have_a_plane() -> None:
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((40, 3))
    two = np.eye(2)[np.arange(40) % 2]
    assert separating_plane(scores - scores.mean(0), two).shape == (40, 2)
    flat = np.outer(rng.standard_normal(40), [1.0, 2.0, 3.0])
    flat = flat - flat.mean(0)
    places = separating_plane(flat, two)
    assert np.isfinite(places).all()
    assert np.isfinite(widest_plane(np.zeros((5, 3)))).all()
    # a group that nobody belongs to
    empty = np.column_stack([two, np.zeros(40)])
    np.testing.assert_allclose(
        separating_plane(scores - scores.mean(0), empty),
        separating_plane(scores - scores.mean(0), two),
    )


def test_picture_by_posterior_label(reduction_fit: Fit) -> None:
    x = data_of(reduction_fit)
    labels = posterior_shares(reduction_fit, x).argmax(-1)
    ax = plot_latent(reduction_fit, x)
    for kind, drawn in zip(np.unique(labels), ax.collections, strict=True):
        expected = latent_plane(reduction_fit, x)[labels == kind]
        np.testing.assert_allclose(np.asarray(drawn.get_offsets()), expected)
    own = plot_latent(reduction_fit, x, labels=np.where(x[:, 0] > 0, "high", "low"))
    assert [t.get_text() for t in own.get_legend().get_texts()] == ["high", "low"]


def test_no_latent_space(mixture_fit: Fit, rows: np.ndarray) -> None:
    with pytest.raises(ValueError, match="no latent space"):
        plot_latent(mixture_fit, rows)
    line = fit(LinearGaussian(Normal(3, "diagonal"), Normal(1)), rows, warn=False)
    with pytest.raises(ValueError, match="one dimension"):
        plot_latent(line, rows)
    with pytest.raises(TypeError, match="fitted"):
        latent_plane("model", rows)


# --------------------------------------------------------------------------------- points


def test_points_and_their_legend() -> None:
    points = np.arange(12.0).reshape(6, 2)
    ax = plot_points(
        points,
        [2, 0, 2, 0, 0, 7],
        names=("across", "upward"),
        label_names=["a", "b", "c"],
        legend_title="kind",
    )
    assert [len(c.get_offsets()) for c in ax.collections] == [3, 2, 1]
    legend = ax.get_legend()
    assert [t.get_text() for t in legend.get_texts()] == ["a", "b", "c"]
    assert legend.get_title().get_text() == "kind"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("across", "upward")
    assert plot_points(points, [1] * 6, legend=False).get_legend() is None
    assert len(plot_points(points).collections) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"points": [[1.0, 2.0, 3.0]]}, "points"),
        ({"points": [[1.0, 2.0]], "labels": [1, 2]}, "labels: shape"),
        ({"points": [[1.0, 2.0]], "names": ["x"]}, "names"),
        ({"points": [[1.0, 2.0]], "labels": [1], "label_names": ["a", "b"]}, "label_names"),
    ],
)
def test_points_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plot_points(**arguments)
