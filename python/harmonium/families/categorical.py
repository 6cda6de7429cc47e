"""Categories, counted from zero."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import logsumexp

from harmonium.families.base import (
    LOG_FLOOR,
    Completed,
    ExponentialFamily,
    Indices,
    distinct,
)
from harmonium.validation import (
    FloatArray,
    as_count,
    as_floats,
    check_categories,
    check_finite,
    check_simplex,
)


class CategoricalParameters(NamedTuple):
    """People's parameters of a categorical: the probabilities, (..., n_categories)."""

    probabilities: FloatArray


@dataclass(frozen=True)
class Categorical(ExponentialFamily):
    """One of ``n_categories`` categories 0, 1, ...

    ``s(x)`` is one-hot without category 0, ``psi = log(1 + sum exp(theta))``,
    ``theta_k = log p_k / p_0``. Maximum likelihood holds unseen categories at a log
    probability of -690; category 0, whose mean is one less the others', at the rounding of one.

    Parameters
    ----------
    n_categories : int
        How many categories; with one there is nothing to tell.
    """

    n_categories: int

    def __post_init__(self) -> None:
        count = as_count(self.n_categories, name="n_categories")
        object.__setattr__(self, "n_categories", count)

    @property
    def dimension(self) -> int:
        """Length of natural and mean vectors: n_categories - 1."""
        return self.n_categories - 1

    @property
    def n_features(self) -> int:
        """One column."""
        return 1

    @property
    def levels(self) -> tuple[int, ...]:
        """The categories."""
        return (self.n_categories,)

    def log_probabilities(self, natural: object) -> FloatArray:
        """Return the log probabilities of all categories, (..., n_categories)."""
        return self._log_probabilities(self.check_natural(natural))

    def _log_probabilities(self, natural: FloatArray) -> FloatArray:
        logits = np.concatenate([np.zeros((*natural.shape[:-1], 1)), natural], -1)
        return np.asarray(logits - logsumexp(logits, -1, keepdims=True))

    def _from_log_probabilities(self, log_probabilities: FloatArray) -> FloatArray:
        return log_probabilities[..., 1:] - log_probabilities[..., :1]

    def _statistic(self, x: FloatArray) -> FloatArray:
        return np.asarray(x == np.arange(1, self.n_categories), dtype=float)

    def _log_partition(self, natural: FloatArray) -> FloatArray:
        zero = np.zeros((*natural.shape[:-1], 1))
        return np.asarray(logsumexp(np.concatenate([zero, natural], -1), -1))

    def _to_mean(self, natural: FloatArray) -> FloatArray:
        return np.exp(self._log_probabilities(natural)[..., 1:])

    def _to_natural(self, mean: FloatArray) -> FloatArray:
        return np.asarray(np.log(mean) - np.log1p(-mean.sum(-1, keepdims=True)))

    def _fisher_information(self, natural: FloatArray) -> FloatArray:
        p = self._to_mean(natural)
        return p[..., None] * np.eye(self.dimension) - p[..., :, None] * p[..., None, :]

    def _sample(self, natural: FloatArray, rng: np.random.Generator) -> FloatArray:
        once = distinct(natural)
        top = once.max(-1, keepdims=True, initial=0.0)
        cumulative = np.exp(np.concatenate([-top, once - top], -1)).cumsum(-1)
        uniform = rng.random((*natural.shape[:-1], 1)) * cumulative[..., -1:]
        if cumulative.size == self.n_categories:  # one law: its table is searched
            table = cumulative.ravel()[:-1]
            return np.asarray(np.searchsorted(table, uniform, side="right"), dtype=float)
        return np.asarray((uniform >= cumulative[..., :-1]).sum(-1, keepdims=True), dtype=float)

    def _complete(self, natural: FloatArray, x: FloatArray, observed: Indices) -> Completed:
        return Completed(np.zeros(len(x)), np.repeat(self._to_mean(natural)[None], len(x), 0))

    def _outside(self, natural: FloatArray) -> tuple[Any, str] | None:
        return None

    def _on_boundary(self, mean: FloatArray) -> tuple[Any, str] | None:
        mask = (mean <= 0).any(-1) | (mean.sum(-1) >= 1)
        rule = "probabilities must be above zero and leave some to category 0"
        return (mask, rule) if np.any(mask) else None

    def _inside(self, mean: FloatArray) -> FloatArray:
        if not self.dimension:
            return mean
        inside = np.maximum(mean, np.exp(LOG_FLOOR))
        # category 0 is one less the others: what it gets must survive the rounding of their sum
        total = inside.sum(-1, keepdims=True)
        room = 1.0 - 2 * self.n_categories * np.finfo(float).eps
        return np.asarray(np.where(total > room, inside * (room / total), inside))

    def _check_support(self, x: FloatArray, name: str) -> None:
        check_categories(x, name=name, n_categories=self.n_categories)

    def _kernel_family(self) -> tuple[str, float]:
        return "categorical", 0.0

    def from_parameters(self, *, probabilities: object) -> FloatArray:  # type: ignore[override]
        """Return natural parameters of ``probabilities`` (..., n_categories), all above zero."""
        p = as_floats(probabilities, name="probabilities")
        if p.ndim == 0 or p.shape[-1] != self.n_categories:
            raise ValueError(f"probabilities: shape {p.shape}, expected (..., {self.n_categories})")
        check_finite(p, "probabilities")
        rows = check_simplex(p.reshape(-1, self.n_categories), name="probabilities")
        return self._from_log_probabilities(np.log(rows).reshape(p.shape))

    def to_parameters(self, natural: object) -> CategoricalParameters:
        """Return the probabilities, (..., n_categories)."""
        return CategoricalParameters(np.exp(self.log_probabilities(natural)))
