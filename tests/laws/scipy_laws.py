"""scipy's laws from people's parameters: one for each column, or one for all together."""

from typing import Any

import numpy as np
from scipy import stats


def normals(p: Any) -> list[Any]:
    return [stats.norm(m, v**0.5) for m, v in zip(p.mean, np.diag(p.covariance), strict=True)]


def normal(p: Any) -> Any:
    return stats.multivariate_normal(p.mean, p.covariance)


def von_mises(p: Any) -> list[Any]:
    return [stats.vonmises(k, m) for m, k in zip(p.mean, p.concentration, strict=True)]


def poisson(p: Any) -> list[Any]:
    return [stats.poisson(r) for r in p.rate]


def categorical(p: Any) -> list[Any]:
    return [stats.rv_discrete(values=(np.arange(len(p.probabilities)), p.probabilities))]
