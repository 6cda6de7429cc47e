"""Tuning curves in people's parameters: gains, preferred values, widths."""

from typing import Any, NamedTuple

import numpy as np

from harmonium.families.base import ExponentialFamily
from harmonium.families.normal import Normal
from harmonium.families.product import Product
from harmonium.families.von_mises import VonMises
from harmonium.validation import FloatArray, as_floats


class PopulationParameters(NamedTuple):
    """People's parameters of a population code.

    ``gains`` (..., n): the rate (or odds) of neuron i is its gain times the density of its tuning
    law relative to the base measure: of an angle, the average over the circle. ``tuning``: the
    parameters of these laws, by the leading family's names, whose means are the preferred values.
    """

    gains: FloatArray
    tuning: Any
    prior: Any


def tuning_to_parameters(
    leading: ExponentialFamily, theta: FloatArray, interaction: FloatArray
) -> tuple[FloatArray, Any]:
    """Return gains and tuning laws; ValueError for a neuron whose tuning curve is no law."""
    broken = leading._outside(interaction)
    if broken is not None:
        neuron = int(np.argwhere(broken[0])[0][-1])
        raise ValueError(
            f"interaction: the tuning curve of neuron {neuron} has no preferred value: {broken[1]}"
        )
    return np.exp(theta + leading._log_partition(interaction)), leading.to_parameters(interaction)


def tuning_from_parameters(
    leading: ExponentialFamily, n_neurons: int, **parameters: object
) -> tuple[FloatArray, FloatArray]:
    """Return theta (..., n) and interaction (..., n, width) of gains and tuning laws."""
    known = {"gains", "tuning", "preferred", "widths", "covariances", "concentrations"}
    unknown = set(parameters) - known
    if unknown or "gains" not in parameters:
        raise TypeError(
            "parameters: prior, gains, and tuning or preferred with widths, covariances or "
            f"concentrations; got {sorted(parameters)}"
        )
    gains = as_floats(parameters.pop("gains"), name="gains")
    if not (np.isfinite(gains) & (gains > 0)).all():
        raise ValueError("gains: must be above zero, and finite")
    if "tuning" in parameters:
        if set(parameters) != {"tuning"}:
            raise TypeError("tuning: takes the place of preferred values and widths")
        laws = leading.check_natural(parameters["tuning"], "tuning")
    else:
        laws = _laws(leading, n_neurons, parameters)
    if laws.ndim < 2 or laws.shape[-2] != n_neurons:
        raise ValueError(
            f"tuning: {laws.shape[:-1]} laws, expected (..., {n_neurons}), one for each neuron"
        )
    theta = np.log(gains) - leading._log_partition(laws)
    if theta.shape[-1] != n_neurons:
        raise ValueError(f"gains: shape {gains.shape}, expected one number or (..., {n_neurons})")
    return theta, laws


def _laws(leading: ExponentialFamily, n_neurons: int, parameters: dict[str, object]) -> FloatArray:
    """Natural parameters (..., n, width) of preferred values and widths."""
    if "preferred" not in parameters:
        raise TypeError("preferred: the neurons' preferred values are needed")
    names = sorted(set(parameters) - {"preferred"})
    if isinstance(leading, Product):
        return _product_laws(leading, n_neurons, parameters)
    preferred = as_floats(parameters["preferred"], name="preferred")
    if leading.n_features == 1 and preferred.ndim == 1:
        preferred = preferred[:, None]
    if isinstance(leading, VonMises) and names == ["concentrations"]:
        k = as_floats(parameters["concentrations"], name="concentrations")
        k = k[:, None] if k.ndim == 1 and leading.n == 1 else k
        return leading.from_parameters(
            mean=preferred, concentration=np.broadcast_to(k, preferred.shape)
        )
    if isinstance(leading, Normal) and names == ["widths"]:
        widths = as_floats(parameters["widths"], name="widths")
        if not (np.isfinite(widths) & (widths > 0)).all():
            raise ValueError("widths: must be above zero, and finite")
        if widths.ndim == 1 and len(widths) == n_neurons != leading.n:
            widths = widths[:, None]
        variances = np.broadcast_to(widths**2, preferred.shape)
        if leading.covariance == "isotropic":
            if (variances != variances[..., :1]).any():
                raise ValueError("widths: one for each neuron, as the latent is isotropic")
            spread = variances[..., 0]
        elif leading.covariance == "diagonal":
            spread = variances
        else:
            spread = variances[..., None] * np.eye(leading.n)
        return leading.from_parameters(mean=preferred, covariance=spread)
    if isinstance(leading, Normal) and names == ["covariances"]:
        return leading.from_parameters(mean=preferred, covariance=parameters["covariances"])
    raise TypeError(
        f"preferred: of {leading!r} they go with concentrations (angles), widths or covariances "
        f"(real numbers); got {names}; or give natural parameters as tuning"
    )


def _product_laws(leading: Product, n_neurons: int, parameters: dict[str, object]) -> FloatArray:
    """The parts' laws side by side, from parameters given as one sequence for each part."""
    n = len(leading.parts)
    for name, value in parameters.items():
        if not isinstance(value, list | tuple) or len(value) != n:
            raise TypeError(f"{name}: a sequence of {n}, one for each part of {leading!r}")
    laws = []
    for i, part in enumerate(leading.parts):
        own = {name: list(value)[i] for name, value in parameters.items()}  # type: ignore[call-overload]  # a sequence, as checked
        laws.append(_laws(part, n_neurons, {k: v for k, v in own.items() if v is not None}))
    return np.concatenate(laws, -1)
