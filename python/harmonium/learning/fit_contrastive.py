"""Fitting models without conjugation: by contrastive divergence, or by exact gradients."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import get_args

import numpy as np

from harmonium.errors import ConvergenceWarning
from harmonium.expectation import Source, expectation
from harmonium.expectation.passes import log_densities
from harmonium.harmonium import Harmonium
from harmonium.learning.contrastive import ContrastiveMethod, ContrastiveStep, contrastive
from harmonium.learning.contrastive_start import contrastive_start
from harmonium.learning.data import heavy_rows
from harmonium.learning.fit import Fit
from harmonium.learning.floating_point import steady
from harmonium.learning.optimisers import Adam, Optimiser
from harmonium.learning.standardisation import Standardisation
from harmonium.validation import FloatArray, as_count, as_generator, as_positive, warn_caller

#: With at most so many states on one side cross-entropies are worked out after every epoch.
_FEW_STATES = 1 << 12
#: Cross-entropies that rise by less, relative to their size, may do so by chance.
_NOISE = 0.01
#: The residual below which exact gradients have converged, as for `fit`.
_CONVERGED = 1e-6


@dataclass(frozen=True, eq=False)
class ContrastiveFit(Fit):
    """A model fitted by stochastic gradients; a :class:`Fit`, where densities are exact sums.

    ``history`` holds cross-entropies where one side has at most 2**12 states or the method is
    "ML", else infinity: what is not known. Iterations are epochs.

    Attributes
    ----------
    reconstruction_error : (n_iterations,) array
        Of each epoch: the mean of :attr:`ContrastiveStep.reconstruction_error`.
    n_updates : int
        How many updates were made.
    """

    reconstruction_error: FloatArray = field(default_factory=lambda: np.empty(0))
    n_updates: int = 0


def fit_contrastive(
    model: Harmonium,
    x: object,
    method: ContrastiveMethod = "PCD",
    *,
    weights: object = None,
    initial: object = None,
    seed: object = None,
    n_epochs: int = 20,
    batch_size: int = 100,
    n_steps: int = 1,
    n_chains: int = 100,
    optimiser: Optimiser | None = None,
    weight_decay: float = 0.0,
    average: float = 0.0,
    callback: Callable[[ContrastiveStep], object] | None = None,
) -> ContrastiveFit:
    """Fit a harmonium, conjugated or not, by stochastic gradients of its cross-entropy.

    Parameters
    ----------
    model : Harmonium
        What to fit, such as ``Harmonium(Bernoulli(64), Bernoulli(16))``, a restricted Boltzmann
        machine.
    x : (n, columns) table, or a block source
        Data without missing values. Columns of real numbers are best shifted and scaled first.
    method : {"PCD", "CD", "ML"}
        Persistent contrastive divergence; contrastive divergence, whose bias does not vanish; or
        exact gradients, where one side has at most 2**25 states.
    weights : (n,) array, optional
        Weight of each row.
    initial : (dimension,) array, optional
        Natural parameters to start from; by default those of :func:`contrastive_start`.
    seed : None, int or numpy Generator
        Source of the start, of the order of rows and of the chains.
    n_epochs, batch_size, n_steps, n_chains, weight_decay
        How often all rows are gone through; the rest as in :func:`contrastive`.
    optimiser : Optimiser, optional
        How a step follows from a gradient; by default ``Adam(0.01)``.
    average : float
        Share of the updates, the last ones, whose points are averaged: less noise of the sampling
        (Polyak and Juditsky, 1992). With 0 the last point is the fit.
    callback : function, optional
        Called with each :class:`ContrastiveStep`; its exceptions pass through.

    Raises
    ------
    ValueError
        For data that the model can not take, missing values among them; NotConjugatedError if
        "ML" is asked of two sides that can not be enumerated.
    """
    _check_model(model)
    if method not in get_args(ContrastiveMethod):
        raise ValueError(f"method: one of {get_args(ContrastiveMethod)}; got {method!r}")
    if method == "ML" and not model.rule.conjugates:
        model.pair.check_enumerable()
    epochs = as_count(n_epochs, name="n_epochs", minimum=0)
    share = as_positive(average, name="average", allow_zero=True)
    if share > 1:
        raise ValueError(f"average: a share of the updates, at most 1; got {average}")
    options = {
        "batch_size": as_count(batch_size, name="batch_size"),
        "n_steps": as_count(n_steps, name="n_steps"),
        "n_chains": as_count(n_chains, name="n_chains"),
    }
    decay = as_positive(weight_decay, name="weight_decay", allow_zero=True)
    rng = as_generator(seed)
    source = heavy_rows(model, x, weights)
    n_rows, n_lots = _count(source, options["batch_size"])
    if initial is None:
        natural = contrastive_start(model, source, rng)
    else:
        natural = model.check_natural(initial, "initial")
        if natural.ndim != 1:
            raise ValueError(f"initial: one point ({model.dimension},), not {natural.shape}")
    judge = _Judge(model, source, method)
    history = [judge.cross_entropy(natural)]
    errors: list[float] = []
    lot_errors: list[float] = []
    last, n_updates = natural, n_lots * epochs
    total, kept = np.zeros_like(natural), 0
    steps = contrastive(
        model,
        source,
        natural,
        Adam(0.01) if optimiser is None else optimiser,
        method,
        weight_decay=decay,
        rng=rng,
        **options,
    )
    for step in steps:
        if callback is not None:
            callback(step)
        if step.iteration:
            lot_errors.append(step.reconstruction_error)
        if step.iteration > (1 - share) * n_updates:
            total, kept = total + step.natural, kept + 1
        last = step.natural
        if step.epoch > len(errors):
            errors.append(float(np.mean(lot_errors)))
            lot_errors.clear()
            if step.epoch < epochs:
                history.append(judge.cross_entropy(last))
        if step.epoch >= epochs:
            break
    if kept:
        last = total / kept
    if epochs:
        history.append(judge.cross_entropy(last))
    residual = judge.residual(last)
    n = source.n_features
    fitted = ContrastiveFit(
        model,
        model._prepare(last[None]),
        Standardisation(np.zeros(n), np.ones(n)),
        np.array(history),
        residual <= _CONVERGED,
        residual,
        epochs,
        f"{epochs} epochs of {n_rows} rows by {method}",
        frozenset(),
        np.array(errors),
        n_updates,
    )
    first, end = fitted.history[0], fitted.history[-1]
    if judge.is_known and not end <= first + _NOISE * max(1.0, abs(first)):
        warn_caller(
            f"{fitted.message}: the cross-entropy rose from {first:.6g} to {end:.6g}; lower the "
            "optimiser's rate",
            ConvergenceWarning,
        )
    return fitted


def _check_model(model: Harmonium) -> None:
    if not isinstance(model, Harmonium):
        raise TypeError(f"model: a Harmonium, not {model!r}")
    if model.n_observed != model.observable.n_features:
        raise ValueError(
            f"model: {model.observable!r} has latent columns of its own, which Gibbs sweeps from "
            "the data can not start from; `fit` knows such models"
        )


@steady
def _count(source: Source, batch_size: int) -> tuple[int, int]:
    """How many rows, and in how many lots; ValueError for missing values."""
    rows = lots = 0
    whole = hasattr(source, "x")
    for x, _ in source.blocks():
        missing = np.isnan(x)
        if missing.any():
            row, column = (int(i) for i in np.argwhere(missing)[0])
            raise ValueError(
                f"x: row {rows + row}, column {column} is missing; gradients need whole rows: drop "
                "such rows, or draw what is missing with the model's `gibbs` and `given`"
            )
        rows += len(x)
        lots += -(-len(x) // batch_size)
    return rows, -(-rows // batch_size) if whole else lots


class _Judge:
    """What is exactly known of a point: cross-entropy and residual, where sums are short enough."""

    def __init__(self, model: Harmonium, source: Source, method: str) -> None:
        self._model, self._source, self._exact = model, source, method == "ML"
        counts = (model.observable.n_states, model.latent.n_states)
        least = min(np.inf if count is None else count for count in counts)
        self.is_known = self._exact or model.rule.conjugates or least <= _FEW_STATES

    @steady
    def cross_entropy(self, natural: FloatArray) -> float:
        """Average negative log density in nats a row; infinite where it is not known."""
        if not self.is_known:
            return np.inf
        prepared = self._model._prepare(natural[None])
        logs = log_densities(prepared, self._source)
        shares = [np.ones(len(x)) if w is None else w for x, w in self._source.blocks()]
        return -float(np.average(logs, weights=np.concatenate(shares)))

    @steady
    def residual(self, natural: FloatArray) -> float:
        """The largest standardised difference of expectations, after exact gradients."""
        if not self._exact:
            return np.inf
        prepared = self._model._prepare(natural[None])
        return prepared.residual(expectation(prepared, self._source).sums)
