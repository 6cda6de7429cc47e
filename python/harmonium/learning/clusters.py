"""Probabilities of the clusters that a model sorts rows into, however deep they lie."""

import numpy as np

from harmonium.families.base import ExponentialFamily
from harmonium.families.categorical import Categorical
from harmonium.harmonium import Harmonium
from harmonium.learning.fit import Fit
from harmonium.rules.mixture import MixtureRule
from harmonium.validation import FloatArray


def n_clusters(model: ExponentialFamily) -> int | None:
    """Return how many categories the model's last latent variable has; None: it is no Categorical."""
    latent: ExponentialFamily = model
    while isinstance(latent, Harmonium):
        latent = latent.latent
    has = latent is not model and isinstance(latent, Categorical)
    return latent.n_categories if has and isinstance(latent, Categorical) else None


def cluster_probabilities(fitted: Fit, x: object) -> FloatArray:
    """Return the probabilities (n, K) of the clusters given each row, of what is observed of it.

    The clusters are the categories of the last latent variable: of a mixture, or of a mixture
    that is the latent of something else.

    Raises
    ------
    ValueError
        For a model without clusters, and for data that it can not take.
    """
    model = fitted.model
    if n_clusters(model) is None:
        raise ValueError(f"{model!r} has no clusters: its last latent variable is no Categorical")
    assert isinstance(model, Harmonium)
    if isinstance(model.rule, MixtureRule):
        return fitted.latent(x)
    table = fitted.standardisation.apply(model.check_table(x))
    latent: ExponentialFamily = model.latent
    points = model.posterior(fitted.prepared.natural[0], table)
    while isinstance(latent, Harmonium):
        points, latent = latent.prior(points), latent.latent
    assert isinstance(latent, Categorical)
    return np.exp(latent.log_probabilities(points))
