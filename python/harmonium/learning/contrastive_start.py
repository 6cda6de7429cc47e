"""Where models without conjugation start: interactions that are random, but not in the way."""

import numpy as np

from harmonium.expectation import Source
from harmonium.families.base import ExponentialFamily
from harmonium.families.normal import Normal
from harmonium.harmonium import Harmonium
from harmonium.learning.floating_point import steady
from harmonium.learning.standardisation import sample_rows
from harmonium.validation import FloatArray

#: Standard deviation of the interactions at the start (Hinton, 2012).
_SMALL = 0.01
#: Share of a normal's variance that the latent starts with.
_SHARE = 0.5
#: Draws of the latent from which its bias is found.
_DRAWS = 500


@steady
def contrastive_start(model: Harmonium, source: Source, rng: np.random.Generator) -> FloatArray:
    """Return natural parameters (dimension,) to start from.

    The observable's bias is its maximum likelihood, after one more row of the law at zero where
    that is in the domain; the latent's is zero, for normals their standard law; interactions of
    location statistics are random and about 0.01. A normal at its maximum likelihood would leave
    nothing to explain, a saddle that gradients hardly leave: there the latent starts with half
    of the variance, in random directions, and about its law at zero as the prior.

    Raises
    ------
    ValueError
        For a latent, or a model, whose domain holds no such point.
    """
    theta, latent_bias = _observable_bias(model.observable, source), _reference(model.latent)
    small = _SMALL * rng.standard_normal((len(model.pair.rows), len(model.pair.columns)))
    candidates = [
        model._join(theta, latent_bias, np.where(_placed(model), small, 0.0)),
        model._join(theta, latent_bias, np.zeros_like(small)),
    ]
    if isinstance(model.observable, Normal) and _placed(model).any():
        candidates.insert(0, _shared_variance(model, theta, latent_bias, rng))
    broken = None
    for natural in candidates:
        broken = model._outside(natural)
        if broken is None:
            return natural
    assert broken is not None
    raise ValueError(f"initial: no starting point is known for {model!r} ({broken[1]}); give one")


def _observable_bias(observable: ExponentialFamily, source: Source) -> FloatArray:
    sample = sample_rows(source)
    mean, total = sample.weights @ observable._statistic(sample.x), sample.weights.sum()
    nothing = np.zeros(observable.dimension)
    if observable._outside(nothing) is None:
        mean, total = mean + observable._to_mean(nothing), total + 1
    return observable._to_natural(observable._inside(mean / total))


def _reference(family: ExponentialFamily) -> FloatArray:
    """A point in the middle of a family's domain."""
    if isinstance(family, Normal):
        return family.pack_quadratic(np.zeros(family.n), -0.5 * np.eye(family.n))
    zero = np.zeros(family.dimension)
    if family._outside(zero) is not None:
        raise ValueError(f"initial: no starting point is known for a latent {family!r}; give one")
    return zero


def _placed(model: Harmonium) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Which interactions are of location statistics on both sides."""
    rows = np.isin(model.pair.rows, model.observable.location)
    columns = np.isin(model.pair.columns, model.latent.location)
    return np.outer(rows, columns)


def _shared_variance(
    model: Harmonium, theta: FloatArray, latent_bias: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """A normal that leaves a share of its variance to random directions of the latent."""
    observable, pair = model.observable, model.pair
    assert isinstance(observable, Normal)
    precision = -2 * observable.quadratic(theta)
    spread = np.sqrt(np.diagonal(np.linalg.inv(precision)))
    # the same mean with less variance: all natural parameters grow alike
    theta, precision = theta / (1 - _SHARE), precision / (1 - _SHARE)
    placed = _placed(model)
    rows, columns = placed.any(1), placed.any(0)
    variances = np.diagonal(model.latent._fisher_information(latent_bias))[pair.columns[columns]]
    directions = rng.standard_normal((observable.n, int(columns.sum())))
    shift = np.sqrt(_SHARE / variances.sum()) * spread[:, None] * directions
    interaction = np.zeros(placed.shape)
    interaction[np.ix_(rows, columns)] = (precision @ shift)[pair.rows[rows]]
    # about the latent's mean, and with its bias less the rho of least squares (Eq. 10) for a prior
    theta[pair.rows] -= interaction @ model.latent._to_mean(latent_bias)[pair.columns]
    z = model.latent._sample(np.broadcast_to(latent_bias, (_DRAWS, len(latent_bias))), rng)
    statistic = model.latent._statistic(z)
    parts = model.split(model._join(theta, latent_bias, interaction))
    psi = observable._log_partition(model._likelihood(parts, z))
    rho = np.linalg.lstsq(statistic - statistic.mean(0), psi - psi.mean(), rcond=None)[0]
    return model._join(theta, latent_bias - rho, interaction)
