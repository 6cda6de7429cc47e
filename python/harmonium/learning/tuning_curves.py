"""Learning the tuning curves of a population code, the residual of Eq. 10 penalised."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from harmonium.errors import ConvergenceWarning
from harmonium.expectation import ArraySource, log_densities
from harmonium.expectation.passes import patterns
from harmonium.families.base import ExponentialFamily
from harmonium.families.poisson import Poisson
from harmonium.harmonium import Harmonium
from harmonium.learning.em import Step
from harmonium.learning.fit import Fit
from harmonium.learning.floating_point import steady
from harmonium.learning.standardisation import Standardisation
from harmonium.numerics.quasi_newton import lbfgs
from harmonium.rules.conjugated_stack import ConjugatedPrepared
from harmonium.rules.population import PopulationRule
from harmonium.validation import (
    FloatArray,
    as_count,
    as_positive,
    as_weights,
    warn_caller,
)

#: Halvings of a step that would raise the objective.
_HALVINGS = 12
#: Probabilities (rows, points) held at a time.
_BLOCK = 1 << 22


@steady
def fit_tuning_curves(
    model: Harmonium,
    x: object,
    initial: object,
    *,
    weights: object = None,
    residual_weight: float = 10.0,
    learn_prior: bool = True,
    steps: int = 20,
    max_iter: int = 100,
    tol: float = 1e-3,
    callback: Callable[[Step], object] | None = None,
    warn: bool = True,
) -> Fit:
    """Fit tuning curves, and the prior, of a population code to counts.

    Each iteration takes the posteriors of the rows, then descends what the curves are expected to
    cost under them, ``sum_n sum_i E_n[psi_i(theta_i + Theta_i . s_Z(z))]`` less the linear terms of
    the data (theory: convex in the curves), plus ``residual_weight`` times the mean square, over
    the region, of what Eq. 10 lacks: posteriors are additions within that residual only, so curves
    that stray from conjugation must pay. A step is halved until cross-entropy (Eq. 14) and penalty
    together do not rise.

    Parameters
    ----------
    model : Harmonium
        A ``PopulationCode``.
    x : (n, neurons) table
        Counts; NaN is a missing one.
    initial : (dimension,) array
        Natural parameters to start from: flat curves leave nothing to learn from.
    weights : (n,) array, optional
        Weight of each row.
    residual_weight : float
        Nats a row for each squared nat of residual; larger holds the curves nearer to Eq. 10.
    learn_prior : bool
        Whether the prior moves too.
    steps : int
        Quasi-Newton steps on the curves between two looks at the data.
    max_iter, tol : int, float
        Most iterations, and the bound on the standardised slope of what a step descends.
    callback : function, optional
        Called with each :class:`~harmonium.learning.em.Step`; one that returns True ends the fit.
    warn : bool
        Whether to give a ConvergenceWarning.

    Raises
    ------
    TypeError, ValueError
        For a model that is no population code, and for data off its support.
    """
    if not isinstance(model, Harmonium) or not isinstance(model.rule, PopulationRule):
        raise TypeError(f"model: a PopulationCode, not {model!r}")
    as_count(max_iter, name="max_iter", minimum=0)
    as_count(steps, name="steps")
    as_positive(tol, name="tol", allow_zero=True)
    as_positive(residual_weight, name="residual_weight", allow_zero=True)
    table = model.check_table(x)
    shares = as_weights(weights, len(table), name="weights")
    shares = np.ones(len(table)) if shares is None else shares
    heavy = np.flatnonzero(shares)
    source = ArraySource(table[heavy], shares[heavy] / shares.sum())
    prepared: Any = model.prepare(initial)
    if prepared.count != 1:
        raise ValueError(f"initial: one point of shape ({model.dimension},)")
    history: list[float] = []
    message = f"not converged after {max_iter} iterations"
    for step in _climb(prepared, source, residual_weight, steps, learn_prior=learn_prior):
        history.append(-step.log_likelihood)
        if callback is not None and callback(step) is True:
            message = "stopped by the callback"
            break
        if step.residual <= tol:
            message = "converged"
            break
        if step.iteration >= max_iter:
            break
    else:
        message = "no step lowers cross-entropy and residual together"
    n = model.n_observed
    fitted = Fit(
        model,
        step.prepared,
        Standardisation(np.zeros(n), np.ones(n)),
        np.array(history),
        step.residual <= tol,
        step.residual,
        step.iteration,
        message,
    )
    if warn and not fitted.converged and message != "stopped by the callback":
        warn_caller(
            f"{message}; the largest slope is {fitted.residual:.2g}, tol is {tol:g}",
            ConvergenceWarning,
        )
    return fitted


def _climb(
    prepared: ConjugatedPrepared,
    source: ArraySource,
    residual_weight: float,
    steps: int,
    *,
    learn_prior: bool,
) -> Iterator[Step]:
    """Yield the start, then the point after each iteration, until no step gains."""
    here = _look(prepared, source, residual_weight)
    iteration = 0
    while True:
        curves = _Curves(prepared, source, residual_weight)
        yield Step(
            prepared,
            -here[0],
            curves.standardised_slope(),
            iteration,
            frozenset(),
            np.empty((1, 0)),
            penalty=here[1],
        )
        theta, interaction = curves.descended(steps)
        prior = prepared.prior
        if learn_prior:
            prior = prior.maximise(curves.prior_sums(), set())
        moved = _guarded(prepared, theta, interaction, prior, source, residual_weight, sum(here))
        if moved is None:
            return
        prepared, here = moved
        iteration += 1


def _look(
    prepared: ConjugatedPrepared, source: ArraySource, residual_weight: float
) -> tuple[float, float]:
    """Cross-entropy (Eq. 14) and the penalty of the residual, in nats a row."""
    assert source.weights is not None
    cross_entropy = -float(source.weights @ log_densities(prepared, source))
    rule: Any = prepared.rule
    gap = rule.residuals(
        prepared.observable, prepared.latent_family, prepared.theta[0], prepared.interaction[0]
    )
    return cross_entropy, residual_weight * float(np.mean(gap**2))


def _guarded(
    old: ConjugatedPrepared,
    theta: FloatArray,
    interaction: FloatArray,
    prior: Any,
    source: ArraySource,
    residual_weight: float,
    before: float,
) -> tuple[ConjugatedPrepared, tuple[float, float]] | None:
    """The first point on the way from old to new curves and prior that costs no more."""
    start, end = old.prior.coordinates, prior.coordinates
    share = 1.0
    for _ in range(_HALVINGS):
        moved = ConjugatedPrepared(
            old.rule,
            old.observable,
            old.latent_family,
            old.theta + share * (theta - old.theta[0]),
            old.interaction + share * (interaction - old.interaction[0]),
            prior if share == 1 else old.prior.at(start + share * (end - start)),
        )
        try:
            here = _look(moved, source, residual_weight)
        except (ValueError, np.linalg.LinAlgError):
            here = (np.inf, np.inf)
        if sum(here) <= before:
            return moved, here
        share /= 2
    return None


class _Curves:
    """What curves are expected to cost under the rows' posteriors, and its slope."""

    def __init__(
        self, prepared: ConjugatedPrepared, source: ArraySource, residual_weight: float
    ) -> None:
        assert source.weights is not None
        self._prepared = prepared
        rule: Any = prepared.rule
        observable: Any = prepared.observable
        self._rule, self._observable = rule, observable
        self._latent: ExponentialFamily = prepared.latent_family
        self._residual_weight = residual_weight
        self._weights = source.weights
        x = source.x
        self._seen = (~np.isnan(x)).astype(float)
        self._posteriors = np.empty((len(x), self._latent.dimension))
        for rows, observed in patterns(x):
            values = x[rows] if observed is None else x[rows][:, observed]
            self._posteriors[rows] = prepared.posteriors(0, values, observed)[0]
        self._integrals = rule.integrals(observable, self._latent)
        self._statistic = rule.statistic(self._latent)
        width = self._statistic.shape[1]
        self._z = self._latent._to_mean(self._posteriors)
        counted = np.nan_to_num(x) * self._weights[:, None]
        #: Averages of x and of x E[s_Z], of what is observed.
        self._x = counted.sum(0)
        self._cross = counted.T @ self._z[:, :width]
        self._masses = None
        if not isinstance(self._observable, Poisson):
            self._masses = self._node_masses(self._seen * self._weights[:, None])

    def _node_masses(self, shares: FloatArray) -> FloatArray:
        """Posterior probabilities of the region's points, summed over the rows that have a neuron."""
        out = np.zeros((len(self._statistic), shares.shape[1]))
        step = max(1, _BLOCK // len(self._statistic))
        for start in range(0, len(shares), step):
            some = slice(start, start + step)
            out += self._integrals.probabilities(self._posteriors[some]).T @ shares[some]
        return out

    def prior_sums(self) -> FloatArray:
        """The prior's sums of the posteriors."""
        total = (self._weights @ self._z)[None]
        return self._prepared.prior.sums_of(np.array([self._weights.sum()]), total)

    def _expected(
        self, theta: FloatArray, interaction: FloatArray
    ) -> tuple[float, FloatArray, FloatArray]:
        """Expected log-partition functions (their sum), and their slopes by theta and Theta."""
        if self._masses is None:
            x, cross = self._integrals.forward(theta, interaction, self._posteriors)
            shares = self._seen * self._weights[:, None]
            own = (shares * x).sum(0)
            return float(own.sum()), own, np.einsum("ni,nij->ij", shares, cross)
        moved = theta + self._statistic @ interaction.T
        psi = self._observable._log_partitions(moved)
        rates = self._observable._to_mean(moved) * self._masses
        return float((psi * self._masses).sum()), rates.sum(0), rates.T @ self._statistic

    def _residual(
        self, theta: FloatArray, interaction: FloatArray
    ) -> tuple[float, FloatArray, FloatArray]:
        """The penalty and its slopes: what a regression leaves is orthogonal to what it explains."""
        gap = self._rule.residuals(self._observable, self._latent, theta, interaction)
        factor = self._residual_weight / len(gap)
        rates = self._observable._to_mean(theta + self._statistic @ interaction.T)
        pulled = 2 * factor * gap[:, None] * rates
        return factor * float(gap @ gap), pulled.sum(0), pulled.T @ self._statistic

    def slope(self, flat: FloatArray) -> tuple[float, FloatArray]:
        """Value and gradient at theta beside Theta, row by row; infinite outside the domain."""
        n = len(self._x)
        theta, interaction = flat[:n], flat[n:].reshape(n, -1)
        outside = np.inf, np.full(len(flat), np.inf)
        if self._rule.outside(self._observable, self._latent, theta, interaction) is not None:
            return outside
        with np.errstate(over="ignore", invalid="ignore"):
            try:
                cost, by_theta, by_interaction = self._expected(theta, interaction)
            except ValueError:
                return outside
            gap, more, most = self._residual(theta, interaction)
            value = cost + gap - float(self._x @ theta) - float((self._cross * interaction).sum())
            gradient = np.concatenate(
                [by_theta + more - self._x, (by_interaction + most - self._cross).ravel()]
            )
        return (value, gradient) if np.isfinite(value) else outside

    @property
    def _start(self) -> FloatArray:
        return np.concatenate([self._prepared.theta[0], self._prepared.interaction[0].ravel()])

    def descended(self, steps: int) -> tuple[FloatArray, FloatArray]:
        """Curves after so many quasi-Newton steps."""
        best = self._start
        for taken, place in enumerate(lbfgs(self.slope, self._start)):
            best = place.point
            if taken >= steps:
                break
        n = len(self._x)
        return best[:n], best[n:].reshape(n, -1)

    def standardised_slope(self) -> float:
        """The largest slope in standard deviations of a row's statistic, averaged over rows."""
        gradient = self.slope(self._start)[1]
        n = len(self._x)
        expected = self._expected(self._prepared.theta[0], self._prepared.interaction[0])[1]
        spread = np.sqrt(np.maximum(expected, np.finfo(float).tiny))
        scale = np.sqrt((self._statistic**2).mean(0))
        own = np.abs(gradient[:n]) / spread
        cross = np.abs(gradient[n:].reshape(n, -1)) / (spread[:, None] * scale)
        return float(max(own.max(), cross.max()))
