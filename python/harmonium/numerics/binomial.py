"""Binomial and negative binomial laws: coefficients, and expectations by sums over counts."""

from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit

from harmonium.numerics.count_sums import count_moments
from harmonium.numerics.deviance import poisson_deviance
from harmonium.numerics.gamma_functions import log_beta
from harmonium.numerics.log_factorial import log_factorial_remainder
from harmonium.validation import FloatArray

_TINY = 1e-300

_Members = np.ndarray[Any, np.dtype[np.intp]]


class CountExpectations(NamedTuple):
    """Expected log base measures and entropies of n laws, (n,) each, in nats."""

    log_base_measure: FloatArray
    entropy: FloatArray


def log_binomial(trials: float, x: FloatArray) -> FloatArray:
    """Return ``log(trials! / (x! (trials - x)!))`` for counts x from 0 to ``trials``."""
    return np.asarray(-log_beta(trials - x + 1.0, x + 1.0) - np.log(trials + 1.0))


def log_negative_binomial(failures: float, x: FloatArray) -> FloatArray:
    """Return ``log(Gamma(x + failures) / (x! Gamma(failures)))`` for counts x."""
    return np.asarray(-log_beta(np.full_like(x, failures), x + 1.0) - np.log(x + failures))


def binomial_expectations(trials: int, log_odds: FloatArray) -> CountExpectations:
    """Return expectations under n binomial laws of these log odds of a success, (n,)."""
    # of the rarer outcome; rarer than this, expectations are zero to double precision
    log_odds = np.maximum(-np.abs(log_odds), -690.0)
    successes, misses = trials * expit(log_odds), trials * expit(-log_odds)

    def log_probability(members: _Members, x: FloatArray) -> FloatArray:
        rest = trials - x
        factor = log_factorial_remainder(np.array(float(trials)))
        factor = factor - log_factorial_remainder(x) - log_factorial_remainder(rest)
        deviance = poisson_deviance(x, successes[members, None])
        return np.asarray(factor - deviance - poisson_deviance(rest, misses[members, None]))

    spread = np.sqrt(successes * expit(-log_odds))
    mode = np.floor((trials + 1.0) * expit(log_odds))
    return _expectations(
        log_probability, lambda x: log_binomial(trials, x), mode, spread, float(trials)
    )


def negative_binomial_expectations(failures: float, log_success: FloatArray) -> CountExpectations:
    """Return expectations under n laws of these log probabilities of a success, (n,)."""
    success, failure = np.exp(np.maximum(log_success, -690.0)), -np.expm1(log_success)
    size = np.array(failures)

    def log_probability(members: _Members, x: FloatArray) -> FloatArray:
        total = x + failures
        factor = log_factorial_remainder(total) - log_factorial_remainder(size)
        factor = factor - log_factorial_remainder(x) - np.log1p(x / failures)
        deviance = poisson_deviance(x, total * success[members, None])
        return np.asarray(
            factor - deviance - poisson_deviance(size, total * failure[members, None])
        )

    mode = np.floor(max(failures - 1.0, 0.0) * success / failure)
    spread = np.sqrt(max(failures - 1.0, 0.0) * success) / failure
    return _expectations(
        log_probability, lambda x: log_negative_binomial(failures, x), mode, spread, np.inf
    )


def _expectations(
    log_probability: Any, log_base: Any, mode: FloatArray, spread: FloatArray, highest: float
) -> CountExpectations:
    top = log_probability(np.arange(len(mode)), mode[:, None])[:, 0]

    def log_mass(members: _Members, x: FloatArray) -> FloatArray:
        return np.asarray(log_probability(members, x) - top[members, None])

    def statistics(members: _Members, x: FloatArray) -> FloatArray:
        return np.stack([log_base(x), -log_probability(members, x)])

    mean = count_moments(log_mass, statistics, mode, spread, highest).mean
    return CountExpectations(mean[:, 0], mean[:, 1])
