"""Fitting: the one function behind every estimator."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from harmonium.expectation import (
    ArraySource,
    Prepared,
    Source,
    as_source,
    latents,
    log_densities,
)
from harmonium.expectation.sources import Block
from harmonium.families.base import ExponentialFamily
from harmonium.harmonium import Harmonium
from harmonium.learning.em import Adjust, Step, em
from harmonium.learning.floating_point import steady
from harmonium.learning.loop import give_warnings, iterate, mean_log_scale
from harmonium.learning.scale import with_data_scale
from harmonium.learning.standardisation import (
    Standardisation,
    sample_rows,
    standardisation_of,
)
from harmonium.learning.starting import Sharing, as_sharing, start
from harmonium.validation import (
    FloatArray,
    as_count,
    as_generator,
    as_positive,
    as_weights,
)

#: Methods of learning.
Method = Literal["EM"]


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted model.

    Attributes
    ----------
    model : Harmonium
        What was fitted.
    prepared : Prepared
        The fitted point in standardised coordinates, where it is kept and evaluated.
    standardisation : Standardisation
        Those coordinates.
    history : (n_iterations + 1,) array
        Cross-entropy (nats a row, in the data's units) of the start and after each iteration.
    converged : bool
        Whether the residual reached the tolerance: a small gradient, not a lazy step.
    residual : float
        Largest standardised difference between average and model expectation.
    n_iterations : int
        How many iterations were made.
    message : str
        Why the fit ended.
    """

    model: ExponentialFamily
    prepared: Prepared
    standardisation: Standardisation
    history: FloatArray
    converged: bool
    residual: float
    n_iterations: int
    message: str
    notes: frozenset[str] = field(default_factory=frozenset)

    @cached_property
    @steady
    def natural(self) -> FloatArray:
        """The natural parameters (dimension,) in the data's own units."""
        return np.asarray(self.in_units.natural[0])

    @cached_property
    @steady
    def in_units(self) -> Prepared:
        """The fitted point in the data's own units."""
        standard = self.standardisation
        if standard.is_identity:
            return self.prepared
        return self.prepared.affine(standard.shift, standard.scale)

    @property
    def cross_entropy(self) -> float:
        """Average negative log density of the data, in nats a row."""
        return float(self.history[-1])

    @steady
    def log_density(self, x: object) -> FloatArray:
        """Return log densities (n,) in nats of rows of data, of what is observed of them."""
        source = self.standardisation.source(_checked(self.model, x))
        return log_densities(self.prepared, source) - self._log_scale(source)

    @steady
    def latent(self, x: object) -> FloatArray:
        """Return posteriors (n, width): probabilities of all components, or means of the latent."""
        return latents(self.prepared, self.standardisation.source(_checked(self.model, x)))

    @steady
    def sample(self, n: int, seed: object = None) -> tuple[FloatArray, FloatArray]:
        """Return ``n`` draws: data (n, n_observed) in their own units, and the latents' columns.

        Nested models give the latents of all levels, the innermost first.
        """
        members = np.zeros(as_count(n, name="n"), dtype=np.intp)
        drawn = self.prepared.sample(members, as_generator(seed))
        width = self.prepared.n_observed
        x = self.standardisation.shift + self.standardisation.scale * drawn[:, :width]
        return x, drawn[:, width:]

    def _log_scale(self, source: Source) -> FloatArray | float:
        if self.standardisation.is_identity:
            return 0.0
        logs = np.log(self.standardisation.scale)
        parts = [(~np.isnan(x)) @ logs for x, _ in source.blocks()]
        return np.concatenate(parts) if parts else 0.0


def fit(
    model: ExponentialFamily,
    x: object,
    method: Method = "EM",
    *,
    weights: object = None,
    initial: object = None,
    seed: object = None,
    max_iter: int = 1000,
    tol: float = 1e-6,
    n_init: int = 1,
    sharing: Sharing = "kmeans",
    accelerate: bool = False,
    adjust: Adjust | None = None,
    callback: Callable[[Step], object] | None = None,
    warn: bool = True,
) -> Fit:
    """Fit a model to data by exact expectation-maximisation.

    Parameters
    ----------
    model : Harmonium or ExponentialFamily
        What to fit.
    x : (n, n_observed) table, or a block source
        Data; NaN is a missing value.
    method : "EM"
        How to learn.
    weights : (n,) array, optional
        Weight of each row.
    initial : (dimension,) array, optional
        Natural parameters to start from, in the data's units; by default found from the data.
    seed : None, int or numpy Generator
        Source of the starting points.
    max_iter : int
        Most iterations; 0 returns the starting point.
    tol : float
        Bound on the standardised difference between average and model expectation.
    n_init : int
        How many starting points to try; the most likely fit is kept.
    sharing : {"kmeans", "k-means++", "random", "random_from_data"}
        How mixtures first share the rows.
    accelerate : bool
        Whether to step along the trend of EM where that raises the likelihood (SQUAREM).
    adjust : function, optional
        From the (1, size) sums of each pass to those that are met instead, such as the variance of
        a regularisation; "converged" then means that these agree with the model's.
    callback : function, optional
        Called with each :class:`~harmonium.learning.em.Step`; its exceptions pass through.
    warn : bool
        Whether to give ConvergenceWarning and BoundaryWarning.

    Raises
    ------
    ValueError
        For data that the model can not take; nothing is half done.
    TypeError
        If ``model`` is no exponential family.
    """
    if not isinstance(model, ExponentialFamily):
        raise TypeError(f"model: an exponential family, not {model!r}")
    if method != "EM":
        raise ValueError(f'method: "EM"; got {method!r}')
    as_sharing(sharing)
    as_count(max_iter, name="max_iter", minimum=0)
    as_count(n_init, name="n_init")
    as_positive(tol, name="tol", allow_zero=True)
    data = _data(model, x, weights)
    rng = as_generator(seed)
    standard = standardisation_of(model, sample_rows(data))
    source = standard.source(data)
    best: Fit | None = None
    for _ in range(1 if initial is not None else n_init):
        if initial is not None:
            prepared = _initial(model, initial, standard)
        else:
            prepared = start(model, sample_rows(source), rng, sharing)
        if not standard.is_identity:
            prepared = with_data_scale(prepared, np.ones(data.n_features))
        fitted = _run(
            model, prepared, source, standard, max_iter, tol, accelerate, adjust, callback
        )
        if best is None or fitted.history[-1] < best.history[-1]:
            best = fitted
    assert best is not None
    if warn:
        give_warnings(best, tol)
    return best


def _run(
    model: ExponentialFamily,
    prepared: Prepared,
    source: Source,
    standard: Standardisation,
    max_iter: int,
    tol: float,
    accelerate: bool,
    adjust: Adjust | None,
    callback: Callable[[Step], object] | None,
) -> Fit:
    steps = em(prepared, source, adjust, accelerate=accelerate)
    end = iterate(
        steps,
        log_scale=mean_log_scale(source, standard),
        max_iter=max_iter,
        tol=tol,
        rising=adjust is None,
        callback=callback,
    )
    assert isinstance(end.step.prepared, Prepared)
    return Fit(
        model,
        end.step.prepared,
        standard,
        end.history,
        end.converged,
        end.step.residual,
        end.step.iteration,
        end.message,
        end.step.all_notes(),
    )


def _checked(model: ExponentialFamily, x: object, weights: object = None) -> Source:
    """The data as a source whose rows are on the model's support."""
    source = as_source(x, weights)
    if not isinstance(source, ArraySource):
        return _Checked(source, model)
    table = check_table(model, source.x, "x")
    # a memory map stays one, and is standardised block by block
    mapped = isinstance(source.x, np.memmap) and np.may_share_memory(source.x, table)
    shares = as_weights(source.weights, len(table), name="weights")
    return ArraySource(source.x if mapped else table, shares)


def _data(model: ExponentialFamily, x: object, weights: object) -> Source:
    """What to fit to: rows without weight are left out, and influence not even a rounding."""
    source = _checked(model, x, weights)
    if not isinstance(source, ArraySource):
        return _Heavy(source)
    if source.weights is None or source.weights.all():
        return source
    heavy = np.flatnonzero(source.weights)
    return ArraySource(source.x[heavy], source.weights[heavy])


@dataclass(frozen=True)
class _Checked:
    """Blocks of a source, held against the model's support as they are read."""

    inner: Source
    model: ExponentialFamily

    @property
    def n_features(self) -> int:
        """How many columns."""
        return self.inner.n_features

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks."""
        rows = 0
        for x, weights in self.inner.blocks():
            yield check_table(self.model, x, f"x, rows from {rows} on" if rows else "x"), weights
            rows += len(x)


@dataclass(frozen=True)
class _Heavy:
    """The rows of a source that have weight."""

    inner: Source

    @property
    def n_features(self) -> int:
        """How many columns."""
        return self.inner.n_features

    def blocks(self) -> Iterator[Block]:
        """Yield what is left of the blocks."""
        for x, weights in self.inner.blocks():
            if weights is None or weights.all():
                yield x, weights
            else:
                heavy = np.flatnonzero(weights)
                yield x[heavy], weights[heavy]


def check_table(model: ExponentialFamily, x: object, name: str) -> FloatArray:
    """Return data (n, n_observed) of a family or a harmonium, NaN where missing; ValueError else."""
    if isinstance(model, Harmonium):
        return model.check_table(x, name)
    return model.check_data(x, name, missing=True)


def _initial(model: ExponentialFamily, initial: object, standard: Standardisation) -> Prepared:
    prepared = initial if isinstance(initial, Prepared) else model.prepare(initial)
    if prepared.natural.shape != (1, model.dimension):
        raise ValueError(
            f"initial: one point of {model.dimension} parameters, not of shape "
            f"{prepared.natural.shape}"
        )
    if standard.is_identity:
        return prepared
    return prepared.affine(-standard.shift / standard.scale, 1 / standard.scale)
