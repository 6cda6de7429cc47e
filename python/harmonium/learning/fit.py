"""Fitting: the one function behind every estimator."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np

from harmonium.expectation import Prepared, Source, latents, log_densities
from harmonium.families.base import ExponentialFamily
from harmonium.learning.batches import Batches
from harmonium.learning.data import checked, heavy_rows
from harmonium.learning.descent import descend
from harmonium.learning.em import Adjust, Step, climb, em
from harmonium.learning.floating_point import steady
from harmonium.learning.loop import STOPPED, give_warnings, iterate, mean_log_scale
from harmonium.learning.objective import Penalty
from harmonium.learning.optimisers import Optimiser
from harmonium.learning.options import Method, OptimiserName, Options, options_of
from harmonium.learning.oracles import Exact, MonteCarlo, Oracle
from harmonium.learning.penalties import as_penalties
from harmonium.learning.restricting import Restrictions
from harmonium.learning.scale import with_data_scale
from harmonium.learning.standardisation import (
    Standardisation,
    sample_rows,
    standardisation_of,
)
from harmonium.learning.starting import Sharing, start
from harmonium.learning.subspace import Subspace
from harmonium.learning.within import WorkWithin
from harmonium.validation import (
    FloatArray,
    as_count,
    as_generator,
    as_positive,
)


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
        source = self.standardisation.source(checked(self.model, x))
        return log_densities(self.prepared, source) - self._log_scale(source)

    @steady
    def latent(self, x: object) -> FloatArray:
        """Return posteriors (n, width): probabilities of all components, or means of the latent."""
        return latents(self.prepared, self.standardisation.source(checked(self.model, x)))

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
    max_iter: int | None = None,
    tol: float = 1e-6,
    n_init: int = 1,
    sharing: Sharing | Literal["auto"] = "auto",
    accelerate: bool = False,
    adjust: Adjust | None = None,
    fix: str | Sequence[str] = (),
    subspace: Subspace | None = None,
    penalty: Penalty | Sequence[Penalty] | None = None,
    optimiser: OptimiserName | Optimiser | None = None,
    rate: float | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    joint_samples: int | None = None,
    posterior_samples: int | None = None,
    callback: Callable[[Step], object] | None = None,
    warn: bool = True,
) -> Fit:
    """Fit a model to data: by exact expectation-maximisation, or by gradients.

    Parameters
    ----------
    model : Harmonium or ExponentialFamily
        What to fit.
    x : (n, n_observed) table, or a block source
        Data; NaN is a missing value.
    method : {"EM", "CE-GD", "EM-GD", "CE-MCGD", "EM-MCGD"}
        How to learn: by exact EM (Eq. 27); by gradient descent on the cross-entropy (Eq. 28), or
        on the M-step at posteriors that are held for ``steps`` steps; by either with gradients
        that are estimated from exact samples.
    weights : (n,) array, optional
        Weight of each row.
    initial : (dimension,) array, optional
        Natural parameters to start from, in the data's units; by default found from the data.
    seed : None, int or numpy Generator
        Source of the starting points, of the order of rows and of samples.
    max_iter : int, optional
        Most iterations, of EM or of ``steps`` gradient steps each; 0 returns the starting point.
        By default 1000, and 200 where gradients are from samples or batches.
    tol : float
        Bound on the standardised difference between average and model expectation.
    n_init : int
        How many starting points to try; the most likely fit is kept.
    sharing : {"auto", "kmeans", "k-means++", "random", "random_from_data"}
        How mixtures first share the rows; "auto" takes "kmeans" for the first start, and
        "random_from_data" and "kmeans" in turn for the others.
    accelerate : bool
        Whether to mix iterations of EM with those before them where that raises the likelihood
        (`harmonium.learning.acceleration`).
    adjust : function, optional
        From the (1, size) sums of each pass of EM to those that are met instead, such as the
        variance of a regularisation; "converged" then means that these agree with the model's.
    fix : str or sequence of str
        Parts that stay where they start: "likelihood", "observable", "interaction", "prior",
        "latent", "location", "shape", or parts of parts (`harmonium.learning.parts`).
    subspace : Subspace, optional
        Where natural parameters lie: of the model; or of its latent, for the prior. One of the
        model, like a fixed "latent" or "location", is meant in the data's own units, in which the
        model is then fitted.
    penalty : Penalty or sequence of such, optional
        Negative log priors of parameters in nats, which count once beside the weight of all rows;
        ``history`` leaves them out.
    optimiser : str or Optimiser, optional
        Of gradient methods: "Adam" (the default), "momentum", "gradient descent", an object such
        as ``Adam(3e-3)``; and for exact gradients of all rows "L-BFGS" or "natural". It starts
        anew at each iteration of "EM-GD" and "EM-MCGD". A step that would leave the domain is
        shortened.
    rate : float, optional
        Of the optimiser named, in natural coordinates of the standardised data; 0.01, or 1 for
        the natural gradient.
    steps : int, optional
        Gradient steps of an iteration; 100.
    batch_size : int, optional
        Rows of each gradient, shuffled in every epoch; by default all.
    joint_samples, posterior_samples : int, optional
        Samples of (x, z), 10, and of z for each row, 1, of each Monte Carlo gradient.
    callback : function, optional
        Called with each :class:`~harmonium.learning.em.Step`. If it returns True the fit stops and
        returns the best start so far; its exceptions, like Ctrl-C, pass through, and nothing is
        left behind.
    warn : bool
        Whether to give ConvergenceWarning and BoundaryWarning. A fit by samples or batches that
        reaches ``max_iter``, or one that a callback stops, gives no ConvergenceWarning.

    Raises
    ------
    ValueError
        For data that the model can not take and for options that do not go together; nothing is
        half done.
    TypeError
        If ``model`` is no exponential family.
    """
    if not isinstance(model, ExponentialFamily):
        raise TypeError(f"model: an exponential family, not {model!r}")
    options = options_of(
        method, max_iter, optimiser, rate, steps, batch_size, joint_samples, posterior_samples
    )
    kinds = ("auto", *get_args(Sharing))
    if sharing not in kinds:
        raise ValueError(f"sharing: one of {kinds}; got {sharing!r}")
    as_count(n_init, name="n_init")
    as_positive(tol, name="tol", allow_zero=True)
    restrictions = Restrictions(model, subspace, fix, as_penalties(penalty, model))
    _check_plain(options, restrictions, adjust, accelerate)
    data = heavy_rows(model, x, weights)
    rng = as_generator(seed)
    if restrictions.depends_on_units:
        standard = Standardisation(np.zeros(data.n_features), np.ones(data.n_features))
    else:
        standard = standardisation_of(model, sample_rows(data))
    source = standard.source(data)
    best: Fit | None = None
    for attempt in range(1 if initial is not None else n_init):
        if initial is not None:
            prepared = _initial(model, initial, standard)
        else:
            prepared = start(model, sample_rows(source), rng, _sharing(sharing, attempt))
        if not standard.is_identity:
            prepared = with_data_scale(prepared, np.ones(data.n_features))
        steps_of = _steps(
            options, restrictions, prepared, source, standard, rng, accelerate, adjust,
            given=initial is not None,
        )  # fmt: skip
        fitted = _run(model, steps_of, source, standard, options, tol, adjust, callback)
        if best is None or fitted.history[-1] < best.history[-1]:
            best = fitted
        if fitted.message == STOPPED:
            break
    assert best is not None
    if warn:
        give_warnings(best, tol, honest=options.is_exact and fitted.message != STOPPED)
    return best


def _check_plain(
    options: Options, restrictions: Restrictions, adjust: Adjust | None, accelerate: bool
) -> None:
    if adjust is not None and (options.descends or restrictions.any):
        raise ValueError("adjust: for exact EM of a whole model; take a penalty")
    if accelerate and options.descends:
        raise ValueError('accelerate: of method "EM"; gradient methods have optimisers')


def _sharing(sharing: Any, attempt: int) -> Sharing:
    if sharing != "auto":
        return sharing  # type: ignore[no-any-return]  # held against the names
    return "random_from_data" if attempt % 2 else "kmeans"


def _steps(
    options: Options,
    restrictions: Restrictions,
    prepared: Prepared,
    source: Source,
    standard: Standardisation,
    rng: np.random.Generator,
    accelerate: bool,
    adjust: Adjust | None,
    *,
    given: bool,
) -> Iterator[Step]:
    """The iterations of a method from one start."""
    if not options.descends and not restrictions.any:
        return em(prepared, source, adjust, accelerate=accelerate)
    space = restrictions.space(apart=not options.descends)
    if not standard.is_identity:
        space.scale = np.ones(source.n_features)
    space, begun = restrictions.settle(space, prepared, given=given)
    work = WorkWithin(source, begun, space, restrictions.penalties)
    if not options.descends:
        return climb(work, begun, accelerate=accelerate)
    oracle: Oracle = Exact(space)
    if options.samples:
        oracle = MonteCarlo(space, rng, options.joint_samples, options.posterior_samples)
    return descend(
        work,
        space,
        begun,
        options.search(space),
        oracle,
        Batches(source, options.batch_size, rng),
        steps=options.steps,
        hold=options.holds,
    )


def _run(
    model: ExponentialFamily,
    steps: Iterator[Step],
    source: Source,
    standard: Standardisation,
    options: Options,
    tol: float,
    adjust: Adjust | None,
    callback: Callable[[Step], object] | None,
) -> Fit:
    def told(step: Step) -> object:
        return None if callback is None else callback(replace(step, standardisation=standard))

    end = iterate(
        steps,
        log_scale=mean_log_scale(source, standard),
        max_iter=options.max_iter,
        tol=tol,
        rising=adjust is None,
        stalls=options.is_exact,
        callback=told,
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
