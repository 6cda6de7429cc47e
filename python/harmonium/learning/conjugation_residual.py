"""How far a likelihood is from conjugated: the residual of Eq. 10."""

from typing import NamedTuple

import numpy as np

from harmonium.harmonium import Harmonium
from harmonium.learning.floating_point import steady
from harmonium.validation import FloatArray


class ConjugationError(NamedTuple):
    """How far ``psi_X(theta_X + Theta s_Z(z))`` is from ``s_Z(z) . rho + chi``, in nats.

    Attributes
    ----------
    largest, root_mean_square : float
        Of the residuals at the points asked for.
    rho : (statistics,) array
        The rule's own, on the latent's leading statistics; those of least squares, on all of
        them, where the rule has none.
    chi : float
        The constant with it.
    """

    largest: float
    root_mean_square: float
    rho: FloatArray
    chi: float


@steady
def conjugation_error(model: Harmonium, natural: object, region: object = None) -> ConjugationError:
    """Return how far a likelihood is from affine in the latent's statistic (Eq. 10).

    Zero exactly where the model is conjugated, so that its prior is in the latent's family. What is
    found holds for the points asked for; it says nothing beyond.

    Parameters
    ----------
    model : Harmonium
        Conjugated or not.
    natural : (dimension,) array
        Its natural parameters.
    region : (n, latent's columns) array, optional
        Points of the latent's space; by default all states, where these can be listed.

    Raises
    ------
    ValueError
        For points off the latent's support, and without ``region`` where states have no end.
    """
    if not isinstance(model, Harmonium):
        raise TypeError(f"model: a Harmonium, not {model!r}")
    point = model.check_natural(natural)
    if point.ndim != 1:
        raise ValueError(f"natural: one point of shape ({model.dimension},), not {point.shape}")
    if region is None and model.latent.n_states is None:
        raise ValueError(f"region: give points of {model.latent!r}, whose states have no end")
    z = model.latent.states() if region is None else model.latent.check_data(region, "region")
    statistic = model.latent._statistic(z)
    psi = model.observable._log_partition(model._likelihood(model._split(point), z))
    if model.rule.conjugates:
        rho, constant = model.conjugation(point)
        chi = float(constant)
    else:
        rho, chi = _least_squares(statistic, psi)
    residual = psi - statistic[:, : len(rho)] @ rho - chi
    return ConjugationError(
        float(np.abs(residual).max()), float(np.sqrt(np.mean(residual**2))), rho, chi
    )


def _least_squares(statistic: FloatArray, psi: FloatArray) -> tuple[FloatArray, float]:
    """The affine function of the statistic nearest to psi, of least slope where that is not one."""
    centre, level = statistic.mean(0), psi.mean()
    rho = np.linalg.lstsq(statistic - centre, psi - level, rcond=None)[0]
    return rho, float(level - centre @ rho)
