"""Spikes of neurons that tile the plane, and learning the law of what they see."""

import time
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy.special import gammaln, logsumexp

from harmonium.cli.gallery.brute_force import PlaneByStates
from harmonium.cli.gallery.gradient_em import Learned, Schedule, em_by_gradients
from harmonium.families.boltzmann import Boltzmann
from harmonium.families.normal import Normal
from harmonium.harmonium import Harmonium
from harmonium.models import LinearGaussian
from harmonium.rules.base import add_leading
from harmonium.validation import FloatArray

SIDE = 28
UNITS = 6
#: Rates are ``PEAK exp(-|y - preferred|**2 / (2 VARIANCE))``.
GAIN, VARIANCE = 2.0, 0.15
PEAK = GAIN / VARIANCE
LATENT = LinearGaussian(Normal(2), Boltzmann(UNITS))


class Responses(NamedTuple):
    """Stimuli (n, 2), spike counts (n, neurons), and what these say of any prior.

    ``shifts`` (n, 5) are what each spike vector adds to the prior, ``sum_k n_k Theta_k - rho``;
    ``constants`` (n,) what is left of its log probability.
    """

    stimuli: FloatArray
    counts: FloatArray
    shifts: FloatArray
    constants: FloatArray


def preferred() -> FloatArray:
    """Return the preferred stimuli (neurons, 2), the second coordinate running fastest."""
    side = np.linspace(-6, 6, SIDE)
    return np.stack(np.meshgrid(side, side, indexing="ij"), -1).reshape(-1, 2)


def responses_to(
    stimuli: FloatArray, model: Harmonium, natural: FloatArray, rng: np.random.Generator
) -> Responses:
    """Return one response to each stimulus, and what it says of any prior."""
    theta, _, pull = model.split(natural)
    rho, chi = model.conjugation(natural)
    counts = rng.poisson(rates(stimuli)).astype(float)
    constants = counts @ theta - gammaln(counts + 1).sum(-1) - chi
    return Responses(stimuli, counts, counts @ pull - rho, constants)


def paper_start(rng: np.random.Generator) -> FloatArray:
    """Return the paper's starting point of the prior, as in Figure 3."""
    plane: Any = LATENT.observable
    return LATENT.from_prior_and_likelihood(
        prior=rng.uniform(-1, 1, LATENT.latent.dimension),
        interaction=rng.uniform(-1, 1, (2, UNITS)),
        observable=plane.from_parameters(mean=np.zeros(2), covariance=np.eye(2)),
    )


def rates(y: FloatArray) -> FloatArray:
    """Rates (n, neurons) at stimuli (n, 2), as the paper writes them."""
    squared = ((y[:, None] - preferred()) ** 2).sum(-1)
    return np.asarray(PEAK * np.exp(-squared / (2 * VARIANCE)))


def evidence(prior: FloatArray, shifts: FloatArray) -> FloatArray:
    """Return what the prior says of each response (n,), in nats: Eq. 14 without constants."""
    posterior = LATENT.log_partition(add_leading(prior, shifts))
    return np.asarray(posterior - LATENT.log_partition(prior))


def _cross_entropy(prior: FloatArray, responses: Responses) -> float:
    return -float((responses.constants + evidence(prior, responses.shifts)).mean())


def _expectation(prior: FloatArray, responses: Responses) -> FloatArray:
    """The E-step: the average of the posteriors' mean parameters."""
    return np.asarray(LATENT.to_mean(add_leading(prior, responses.shifts)).mean(0))


def posterior_means(prior: FloatArray, responses: Responses) -> FloatArray:
    """Return the mean stimulus (n, 2) given each response."""
    return np.asarray(LATENT.to_mean(add_leading(prior, responses.shifts))[:, :2])


def exact_em(prior: FloatArray, responses: Responses, iterations: int) -> Learned:
    """Learn the prior by expectation-maximisation, the tuning curves being known.

    Each spike vector enters as what it adds to the prior: the spikes are not read again. The
    M-step is the library's, which keeps what is on its way to a boundary (two neurons that are
    never on together) inside.
    """
    began = time.perf_counter()
    history = [_cross_entropy(prior, responses)]
    for _ in range(iterations):
        stack = LATENT.prepare(prior)
        sums = stack.sums_of(np.ones(1), _expectation(prior, responses)[None])
        prior = stack.maximise(sums, set()).natural[0]
        history.append(_cross_entropy(prior, responses))
    return Learned(prior, np.array(history), time.perf_counter() - began)


def descend(prior: FloatArray, responses: Responses, schedule: Schedule) -> Learned:
    """Learn the prior by gradient steps, the tuning curves being known."""
    return em_by_gradients(
        PlaneByStates(UNITS),
        prior,
        partial(_expectation, responses=responses),
        partial(_cross_entropy, responses=responses),
        schedule,
    )


def brute_force(prior: FloatArray, responses: Responses, row: int) -> tuple[float, FloatArray]:
    """Return the log probability of a response and the mean stimulus (2,) given it, by a grid."""
    counts = responses.counts[row]
    # of 60 spikes, each of which says where the stimulus is to within the width of a tuning curve,
    # the posterior is far narrower than this grid
    centre = counts @ preferred() / counts.sum()
    side, step = np.linspace(-0.6, 0.6, 61, retstep=True)
    grid = centre + np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    expected = rates(grid)
    logs = np.log(expected) @ counts - expected.sum(-1) - gammaln(counts + 1).sum()
    joint = logs + LATENT.log_observable_density(prior, grid)
    total = logsumexp(joint)
    return float(total + 2 * np.log(step)), np.exp(joint - total) @ grid
