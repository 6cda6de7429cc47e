"""The normals that a fitted density is a sum of, whatever the model's depth."""

from typing import Any, NamedTuple

import numpy as np

from harmonium.expectation.prepared import Prepared
from harmonium.families.boltzmann import Boltzmann
from harmonium.families.normal_stack import NormalPrepared
from harmonium.learning.fit import Fit
from harmonium.rules.linear_stack import LinearPrepared
from harmonium.rules.mixture_stack import MixturePrepared
from harmonium.validation import FloatArray

#: Units of a Boltzmann machine up to which all its states are listed.
MAX_UNITS = 12


class Components(NamedTuple):
    """Normals that a density is a sum of: weights (K,), means (K, n), covariances (K, n, n)."""

    weights: FloatArray
    means: FloatArray
    covariances: FloatArray


def components_of(fitted: Any) -> Components:
    """Return the normals whose weighted sum is the fitted density, in the data's units.

    Mixtures of normals have one for each component; linear Gaussian models one for each
    component of their latent (``offset + W mean, W covariance WT + noise``), and one for each
    state of binary units; so do models made of these.

    Parameters
    ----------
    fitted : Fit or estimator
        A fitted model of normals, or an estimator with the attribute ``fit_``.

    Raises
    ------
    ValueError
        Where the density is no finite sum of normals, and beyond 12 binary units.
    """
    fitted = getattr(fitted, "fit_", fitted)
    if not isinstance(fitted, Fit):
        raise TypeError(f"fitted: a Fit or a fitted estimator, not {type(fitted).__name__}")
    weights, means, covariances = _components(fitted.in_units)
    return Components(weights[0], means[0], covariances[0])


def _components(stack: Prepared) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Weights (count, K), means (count, K, n) and covariances (count, K, n, n) of a stack."""
    if isinstance(stack, NormalPrepared):
        return np.ones((stack.count, 1)), stack.means[:, None], stack.matrices[:, None]
    if isinstance(stack, MixturePrepared):
        inner, means, covariances = _components(stack.components)
        count = stack.count
        weights = np.exp(stack.log_weights)[..., None] * inner.reshape(
            count, stack.n_components, -1
        )
        return (
            weights.reshape(count, -1),
            means.reshape(count, -1, means.shape[-1]),
            covariances.reshape(count, -1, *covariances.shape[-2:]),
        )
    if isinstance(stack, LinearPrepared):
        weights, means, covariances = _components(stack.prior)
        loadings = stack.loadings[:, None]
        return (
            weights,
            stack.noise.means[:, None] + np.einsum("kcij,kcj->kci", loadings, means),
            stack.noise.matrices[:, None] + loadings @ covariances @ loadings.swapaxes(-1, -2),
        )
    family = getattr(stack, "family", None)
    if isinstance(family, Boltzmann):
        return _states(family, stack.natural)
    raise ValueError(f"fitted: the density of {family or stack!r} is no sum of normals")


def _states(family: Boltzmann, natural: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Every state of the units, with its probability: a normal without spread."""
    if family.n > MAX_UNITS:
        raise ValueError(
            f"fitted: {family.n} binary units have {2**family.n} states, too many to draw; "
            f"at most {MAX_UNITS} units"
        )
    count = len(natural)
    states = (np.arange(2**family.n)[:, None] >> np.arange(family.n) & 1).astype(float)
    weights = np.exp(family.log_density(natural[:, None], states))
    return (
        weights,
        np.broadcast_to(states, (count, *states.shape)),
        np.zeros((count, len(states), family.n, family.n)),
    )
