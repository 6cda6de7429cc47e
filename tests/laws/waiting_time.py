"""A family written in Python alone: what users may add, with no more than they must state."""

from dataclasses import dataclass

import numpy as np

from harmonium.families import ExponentialFamily
from harmonium.validation import check_positive_data


@dataclass(frozen=True)
class WaitingTime(ExponentialFamily):
    """An exponential law: ``s(x) = x``, base measure 1, ``psi = -log(-theta)``, ``theta < 0``."""

    dimension = 1
    n_features = 1

    def _statistic(self, x):
        return x

    def _log_partition(self, natural):
        return -np.log(-natural[..., 0])

    def _to_mean(self, natural):
        return -1 / natural

    def _to_natural(self, mean):
        return -1 / mean

    def _sample(self, natural, rng):
        return rng.standard_exponential(natural.shape) / -natural

    def _outside(self, natural):
        mask = (natural >= 0).any(-1)
        return (mask, "rates must be above zero") if mask.any() else None

    def _on_boundary(self, mean):
        mask = (mean <= 0).any(-1)
        return (mask, "means must be above zero") if mask.any() else None

    def _inside(self, mean):
        return np.maximum(mean, 1e-300)

    def _check_support(self, x, name):
        check_positive_data(x, name)
