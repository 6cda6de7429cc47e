"""How far a likelihood is from conjugated: the residual of Eq. 10."""

from typing import NamedTuple

import numpy as np

from harmonium.harmonium import Harmonium, Parts
from harmonium.learning.floating_point import steady
from harmonium.rules.population import PopulationRule
from harmonium.rules.regions import Region
from harmonium.validation import FloatArray, as_table


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
    region : Region or array, optional
        A ``Circle`` or ``Grid``, or points (n, columns) of the latent's space or of its leading
        variable's; by default the rule's own region, or all states where these can be listed.

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
    statistic = _statistic(model, region)
    parts = model._split(point)
    met = statistic[:, model._columns]
    psi = model.observable._log_partition(_moved(model, parts, met))
    if model.rule.conjugates:
        rho, constant = model.conjugation(point)
        chi = float(constant)
    else:
        rho, chi = _least_squares(statistic, psi)
    residual = psi - statistic[:, : len(rho)] @ rho - chi
    return ConjugationError(
        float(np.abs(residual).max()), float(np.sqrt(np.mean(residual**2))), rho, chi
    )


def _statistic(model: Harmonium, region: object) -> FloatArray:
    """Statistics at the points: of the leading variable, which alone meets the observable, or all."""
    latent = model.latent
    if region is None and isinstance(model.rule, PopulationRule):
        region = model.rule.region
    if isinstance(region, Region):
        return latent.leading._statistic(latent.leading.check_data(region.latents(), "region"))
    if region is None:
        if latent.n_states is None:
            raise ValueError(f"region: give points of {latent!r}, whose states have no end")
        return latent._statistic(latent.states())
    table = as_table(region, name="region")
    leading = model.rule.conjugates and table.shape[1] == latent.leading.n_features
    family = latent.leading if leading else latent
    return family._statistic(family.check_data(table, "region"))


def _moved(model: Harmonium, parts: Parts, statistic: FloatArray) -> FloatArray:
    """The observable's parameters (n, ...) at statistics of the latent."""
    laws = np.repeat(parts.observable[None], len(statistic), 0)
    laws[:, model._rows] += statistic @ parts.interaction.T
    return laws


def _least_squares(statistic: FloatArray, psi: FloatArray) -> tuple[FloatArray, float]:
    """The affine function of the statistic nearest to psi, of least slope where that is not one."""
    centre, level = statistic.mean(0), psi.mean()
    rho = np.linalg.lstsq(statistic - centre, psi - level, rcond=None)[0]
    return rho, float(level - centre @ rho)
