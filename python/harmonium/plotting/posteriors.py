"""Labels and places of rows in the latent space of a fit."""

from typing import Any

import numpy as np

from harmonium.families.base import ExponentialFamily
from harmonium.families.categorical import Categorical
from harmonium.harmonium import Harmonium
from harmonium.learning.fit import Fit
from harmonium.rules.linear import LinearRule
from harmonium.validation import FloatArray


def posterior_shares(fitted: Any, x: object) -> FloatArray:
    """Return the posterior probabilities (n, K) of a fit's categories, given each row.

    The categories of a mixture, or of the mixture behind the latent of a linear Gaussian model.

    Raises
    ------
    ValueError
        For a model without categories.
    """
    result = _fit_of(fitted)
    model: Any = result.model
    if not has_categories(model):
        raise ValueError(f"fitted: {model!r} has no categories")
    if isinstance(model.latent, Categorical):
        return np.asarray(result.latent(x))
    table = result.standardisation.apply(model.check_table(x))
    points, model = model.posterior(result.prepared.natural[0], table), model.latent
    while isinstance(model, Harmonium):
        points, model = model.prior(points), model.latent
    return np.asarray(model.to_parameters(points).probabilities)


def has_categories(model: ExponentialFamily) -> bool:
    """Whether what is behind all else in a model is a category: in mixtures at any depth."""
    while isinstance(model, Harmonium):
        model = model.latent
    return isinstance(model, Categorical)


def latent_plane(fitted: Any, x: object) -> FloatArray:
    """Return places (n, 2) of the rows in the latent space: posterior means, seen from one side.

    Of more than two dimensions those two combinations are shown in which the posterior categories
    differ most, against the spread within them (linear discriminants); without categories the
    two of largest variance. Both have variance one.

    Raises
    ------
    ValueError
        For a model that is not linear Gaussian.
    """
    result = _fit_of(fitted)
    model: Any = result.model
    if not isinstance(model, Harmonium) or not isinstance(model.rule, LinearRule):
        raise ValueError(f"fitted: {model!r} has no latent space; a linear Gaussian model has")
    scores = result.latent(x)
    scores = scores - scores.mean(0)
    if scores.shape[1] == 1:
        raise ValueError("fitted: the latent has one dimension; a plane needs two")
    if scores.shape[1] == 2:
        return scores
    total = scores.T @ scores / len(scores)
    if has_categories(model):
        shares = posterior_shares(result, x)
        weights = shares.sum(0)
        means = (shares.T @ scores) / np.where(weights > 0, weights, 1.0)[:, None]
        between = (means * weights[:, None]).T @ means / len(scores)
        return _leading(scores, between, total)
    return _leading(scores, total, np.eye(len(total)))


def _leading(scores: FloatArray, of: FloatArray, against: FloatArray) -> FloatArray:
    """The two combinations of the scores with most of one variance for their share of another."""
    values, axes = np.linalg.eigh(against)
    kept = values > 1e-12 * values[-1]
    whitening = axes[:, kept] / np.sqrt(values[kept])
    directions = whitening @ np.linalg.eigh(whitening.T @ of @ whitening)[1][:, ::-1][:, :2]
    # the sign of a direction is anyone's choice: the largest entry is positive
    largest = np.abs(directions).argmax(0)
    directions = directions * np.sign(directions[largest, np.arange(2)])
    places = scores @ directions
    return np.asarray(places / np.maximum(places.std(0), np.finfo(float).tiny))


def _fit_of(fitted: Any) -> Fit:
    fitted = getattr(fitted, "fit_", fitted)
    if not isinstance(fitted, Fit):
        raise TypeError(f"fitted: a Fit or a fitted estimator, not {type(fitted).__name__}")
    return fitted
