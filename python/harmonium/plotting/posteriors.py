"""Labels and places of rows in the latent space of a fit."""

from typing import Any

import numpy as np

from harmonium.families.base import ExponentialFamily
from harmonium.families.categorical import Categorical
from harmonium.harmonium import Harmonium
from harmonium.learning.fit import Fit
from harmonium.plotting.plane import separating_plane, widest_plane
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

    Of more than two dimensions the plane is shown in which the posterior categories overlap
    least, in standard deviations within a category (:mod:`harmonium.plotting.plane`); without
    categories the plane of largest variance, in standard deviations.

    Raises
    ------
    ValueError
        For a model that is not linear Gaussian, or with a latent of one dimension.
    """
    result = _fit_of(fitted)
    model: Any = result.model
    if not isinstance(model, Harmonium) or not isinstance(model.rule, LinearRule):
        raise ValueError(f"fitted: {model!r} has no latent space; a linear Gaussian model has")
    scores = result.latent(x)
    if scores.shape[1] == 1:
        raise ValueError("fitted: the latent has one dimension; a plane needs two")
    if scores.shape[1] == 2:
        return np.asarray(scores)
    scores = scores - scores.mean(0)
    if has_categories(model):
        return separating_plane(scores, posterior_shares(result, x))
    return widest_plane(scores)


def _fit_of(fitted: Any) -> Fit:
    fitted = getattr(fitted, "fit_", fitted)
    if not isinstance(fitted, Fit):
        raise TypeError(f"fitted: a Fit or a fitted estimator, not {type(fitted).__name__}")
    return fitted
