"""Standard coordinates of a normal latent: which of equally likely solutions to keep."""

from dataclasses import replace
from functools import singledispatch
from typing import Any

import numpy as np

from harmonium.expectation import Prepared
from harmonium.families.normal import Normal
from harmonium.families.normal_stack import NormalPrepared
from harmonium.learning.fit import Fit
from harmonium.rules.linear_stack import LinearPrepared
from harmonium.rules.mixture_stack import MixturePrepared
from harmonium.validation import FloatArray


def with_standard_latent(fitted: Fit) -> Fit:
    """Return the same law of the data, the latent of a linear Gaussian model in standard coordinates.

    Any invertible map of a normal latent, undone by the loadings, leaves the law of the data as
    it is (`harmonium.learning.information` counts these). Here the latent gets mean zero and unit
    covariance, its axes those of what the loadings explain relative to the noise, the strongest
    first, so that the coordinates are independent given the data where the latent is normal; each
    coordinate's largest loading, in standard deviations of its column, is positive. Latents that
    are mixtures or linear Gaussian models of a normal are mapped as a whole. Models that are not
    linear Gaussian, or whose latent is binary or does not vary in some direction, are returned as
    they are.
    """
    prepared = fitted.prepared
    if not isinstance(prepared, LinearPrepared):
        return fitted
    leading = prepared.latent_family.leading
    if not isinstance(leading, Normal):
        return fitted
    means = prepared.latent_family.to_mean(prepared.prior.natural[0])
    mean, second = leading.location_moments(means[: leading.dimension])
    try:
        root = np.linalg.cholesky(second - np.outer(mean, mean))
        inverse_root = np.linalg.inv(root)
    except np.linalg.LinAlgError:
        return fitted
    loadings = prepared.loadings[0] @ root
    factor = prepared.noise.factors[0]
    weighted = factor @ loadings if len(factor) > 1 else factor[0][:, None] * loadings
    turn = np.linalg.svd(weighted)[2]
    loadings = loadings @ turn.T
    deviations = np.sqrt(np.diagonal(prepared.noise.matrices[0]) + (loadings**2).sum(-1))
    largest = np.abs(loadings / deviations[:, None]).argmax(0)
    signs = np.where(loadings[largest, np.arange(len(turn))] < 0, -1.0, 1.0)
    matrix = signs[:, None] * turn @ inverse_root
    noise = NormalPrepared(
        prepared.noise.family,
        prepared.noise.means + prepared.loadings[0] @ mean,
        prepared.noise.covariances,
        prepared.noise.scale,
    )
    prior = _mapped(prepared.prior, matrix, -matrix @ mean)
    return replace(
        fitted,
        prepared=LinearPrepared(
            prepared.observable, prepared.latent_family, (loadings * signs)[None], noise, prior
        ),
    )


@singledispatch
def _mapped(prepared: Prepared, matrix: FloatArray, shift: FloatArray) -> Prepared:  # noqa: ARG001 - the kinds below use them
    """The laws of ``matrix z + shift``, z the leading normal: others stay behind it."""
    raise TypeError(f"{type(prepared).__name__} has no leading normal")


@_mapped.register
def _(prepared: NormalPrepared, matrix: FloatArray, shift: FloatArray) -> Prepared:
    family: Any = prepared.family
    covariances = matrix @ prepared.matrices @ matrix.T
    covariances = 0.5 * (covariances + covariances.swapaxes(-1, -2))
    if family.covariance != "full":  # of one column, whatever its name
        covariances = covariances[:, :, 0]
    return NormalPrepared(family, prepared.means @ matrix.T + shift, covariances)


@_mapped.register
def _(prepared: MixturePrepared, matrix: FloatArray, shift: FloatArray) -> Prepared:
    components = _mapped(prepared.components, matrix, shift)
    return MixturePrepared(prepared.observable, prepared.log_weights, components, prepared.rows)


@_mapped.register
def _(prepared: LinearPrepared, matrix: FloatArray, shift: FloatArray) -> Prepared:
    noise = _mapped(prepared.noise, matrix, shift)
    assert isinstance(noise, NormalPrepared)
    return LinearPrepared(
        prepared.observable,
        prepared.latent_family,
        matrix @ prepared.loadings,
        noise,
        prepared.prior,
    )
