"""Hidden Markov models: emissions of any family, exact inference and EM."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from harmonium.expectation import Prepared
from harmonium.families.base import ExponentialFamily
from harmonium.learning.em import Step, em
from harmonium.learning.floating_point import steady
from harmonium.learning.loop import give_warnings, iterate, mean_log_scale
from harmonium.learning.scale import with_data_scale
from harmonium.learning.standardisation import (
    Standardisation,
    sample_rows,
    standardisation_of,
)
from harmonium.learning.starting import Sharing, as_sharing
from harmonium.sequences.hidden_markov_chain import HiddenMarkovChain
from harmonium.sequences.hidden_markov_data import as_sequences
from harmonium.sequences.hidden_markov_point import HiddenMarkovPrepared, as_parts
from harmonium.sequences.hidden_markov_source import Sequences
from harmonium.sequences.hidden_markov_starting import start_chain
from harmonium.sequences.probabilities import as_initial, as_transition, warn_unreachable
from harmonium.validation import (
    FloatArray,
    as_count,
    as_generator,
    as_positive,
)


@dataclass(frozen=True, eq=False)
class HiddenMarkovFit(HiddenMarkovChain):
    """A fitted hidden Markov model: a :class:`HiddenMarkovChain`, and how it was found.

    Attributes
    ----------
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
    notes : frozenset of str
        What was moved inside its domain.
    """

    history: FloatArray
    converged: bool
    residual: float
    n_iterations: int
    message: str
    notes: frozenset[str] = field(default_factory=frozenset)

    @property
    def cross_entropy(self) -> float:
        """Average negative log density of the data, in nats a row."""
        return float(self.history[-1])


@dataclass(frozen=True)
class HiddenMarkovModel:
    """Sequences whose rows are emitted by one of K states that follow each other at random.

    ``z_1 ~ initial``, ``z_t ~ transition[z_{t-1}]`` and ``x_t ~ emissions[z_t]``, the emissions
    points of one family, which may be any: products and harmoniums included. Stateless and
    hashable; :meth:`at` gives it parameters and :meth:`fit` finds them, and both return a
    :class:`HiddenMarkovChain` that filters, smooths and predicts. It is a harmonium whose latent
    is the whole path of states: the posterior of each step is an addition of log densities.

    Parameters
    ----------
    observable : ExponentialFamily
        The family of the emissions, a harmonium such as a mixture or factor analysis included.
    n_states : int
        How many states.
    """

    observable: ExponentialFamily
    n_states: int

    def __post_init__(self) -> None:
        if not isinstance(self.observable, ExponentialFamily):
            raise TypeError(f"observable: an exponential family, not {self.observable!r}")
        object.__setattr__(self, "n_states", as_count(self.n_states, name="n_states"))

    def at(
        self,
        *,
        initial: object = None,
        transition: object,
        emissions: object = None,
        **parameters: object,
    ) -> HiddenMarkovChain:
        """Return the model at parameters.

        Parameters
        ----------
        initial : (K,) array, optional
            Probabilities of the first row's state; by default all are even.
        transition : (K, K) array
            Probabilities of the next state, from row to column; zero where it can not be.
        emissions : (K, dimension) array, optional
            Natural parameters of the emissions, or a stack that a family has prepared.
        **parameters
            In their place people's parameters of the family, (K, ...) each: ``mean`` and
            ``covariance`` of normals, ``rate`` of Poisson counts.

        Raises
        ------
        ValueError
            For what are no probabilities: negative, not summing to one, a row of zeros; and for
            emissions outside their domain or not one for each state.

        Warns
        -----
        DataWarning
            For states that can never be reached.
        """
        k = self.n_states
        first = as_initial(initial, k)
        matrix = as_transition(transition, k)
        stack = self._emissions(emissions, parameters)
        warn_unreachable(first, matrix)
        with np.errstate(divide="ignore"):
            prepared = HiddenMarkovPrepared(np.log(first), np.log(matrix), stack)
        n = stack.n_observed
        return HiddenMarkovChain(
            self.observable, prepared, Standardisation(np.zeros(n), np.ones(n))
        )

    def _emissions(self, emissions: object, parameters: dict[str, object]) -> Prepared:
        if emissions is not None and parameters:
            raise TypeError(f"emissions: natural parameters or {', '.join(parameters)}, not both")
        if isinstance(emissions, Prepared):
            stack = emissions
        else:
            if emissions is None:
                natural = self.observable.from_parameters(**parameters)
            else:
                natural = self.observable.check_natural(emissions, "emissions")
            if natural.ndim != 2:
                raise ValueError(
                    f"emissions: one point for each of {self.n_states} states, of shape "
                    f"({self.n_states}, {self.observable.dimension}), not {natural.shape}"
                )
            stack = self.observable._prepare(natural)
        if stack.count != self.n_states or stack.n_observed != self.observable.n_observed:
            raise ValueError(
                f"emissions: {stack.count} points of {stack.n_observed} columns for "
                f"{self.n_states} states of {self.observable.n_observed}"
            )
        return stack

    def fit(
        self,
        x: object,
        lengths: object = None,
        *,
        weights: object = None,
        learn: object = ("initial", "transition", "emissions"),
        initial: HiddenMarkovChain | None = None,
        seed: object = None,
        n_init: int = 1,
        max_iter: int = 1000,
        tol: float = 1e-6,
        sharing: Sharing = "kmeans",
        accelerate: bool = False,
        checkpoint: bool = False,
        callback: Callable[[Step], object] | None = None,
        warn: bool = True,
    ) -> HiddenMarkovFit:
        """Fit by exact expectation-maximisation (Baum and Welch).

        Parameters
        ----------
        x : (n, n_observed) table
            Sequences one below the other; NaN is a missing value, a row of NaN a missing
            observation.
        lengths : (n_sequences,) integers, optional
            How many rows each sequence has; by default there is one.
        weights : (n_sequences,) array, optional
            Weight of each sequence; an integer weight is that many repetitions.
        learn : names of parts
            Of "initial", "transition", "emissions"; the others stay as they start. Transitions
            and first states of probability zero stay zero.
        initial : HiddenMarkovChain, optional
            Where to start: parameters from :meth:`at`, or an earlier fit. By default emissions
            start as the components of a mixture, in a chain without memory.
        seed : None, int or numpy Generator
            Source of the starting points.
        n_init : int
            How many starting points to try; the most likely fit is kept.
        max_iter : int
            Most iterations; 0 returns the starting point.
        tol : float
            Bound on the standardised difference between average and model expectation.
        sharing : {"kmeans", "k-means++", "random", "random_from_data"}
            How states first share the rows.
        accelerate : bool
            Whether to step along the trend of EM where that raises the likelihood (SQUAREM).
        checkpoint : bool
            Whether to hold the messages of a segment at a time: besides the data, memory in
            proportion to the square root of n, for about 1.5 times the work.
        callback : function, optional
            Called with each :class:`~harmonium.learning.em.Step`; its exceptions pass through.
        warn : bool
            Whether to give ConvergenceWarning and BoundaryWarning.

        Raises
        ------
        ValueError
            For data that the family can not take, lengths that do not add up, or a row that
            has density zero in every state that can be reached there; nothing is half done.
        """
        parts = as_parts(learn)
        sharing = as_sharing(sharing)
        max_iter = as_count(max_iter, name="max_iter", minimum=0)
        n_init = as_count(n_init, name="n_init")
        tol = as_positive(tol, name="tol", allow_zero=True)
        given = as_sequences(self.observable, x, lengths, weights, checkpoint=bool(checkpoint))
        rng = as_generator(seed)
        data = given.heavy()
        standard = standardisation_of(self.observable, sample_rows(data))
        sequences = data.standardised(standard)
        best: HiddenMarkovFit | None = None
        for _ in range(1 if initial is not None else n_init):
            if initial is not None:
                prepared = self._initial(initial, standard)
            else:
                prepared = start_chain(self.observable, self.n_states, sequences, rng, sharing)
            if not standard.is_identity:
                ones = np.ones(sequences.n_features)
                prepared = prepared.with_emissions(with_data_scale(prepared.emissions, ones))
            fitted = self._run(
                prepared.learning(parts), sequences, standard, max_iter, tol, accelerate, callback
            )
            if best is None or fitted.history[-1] < best.history[-1]:
                best = fitted
        assert best is not None
        if warn:
            give_warnings(best, tol)
        return best

    @steady
    def _initial(
        self, initial: HiddenMarkovChain, standard: Standardisation
    ) -> HiddenMarkovPrepared:
        if not isinstance(initial, HiddenMarkovChain):
            raise TypeError(f"initial: a HiddenMarkovChain, as from at(...), not {initial!r}")
        if (initial.observable, initial.n_states) != (self.observable, self.n_states):
            raise ValueError(
                f"initial: {initial.n_states} states of {initial.observable!r}, but the model has "
                f"{self.n_states} of {self.observable!r}"
            )
        if standard.is_identity:
            return initial.in_units
        return initial.in_units.affine(-standard.shift / standard.scale, 1 / standard.scale)

    def _run(
        self,
        prepared: HiddenMarkovPrepared,
        sequences: Sequences,
        standard: Standardisation,
        max_iter: int,
        tol: float,
        accelerate: bool,
        callback: Callable[[Step], object] | None,
    ) -> HiddenMarkovFit:
        end = iterate(
            em(prepared, sequences, accelerate=accelerate),
            log_scale=mean_log_scale(sequences, standard),
            max_iter=max_iter,
            tol=tol,
            callback=callback,
        )
        assert isinstance(end.step.prepared, HiddenMarkovPrepared)
        return HiddenMarkovFit(
            self.observable,
            end.step.prepared,
            standard,
            end.history,
            end.converged,
            end.step.residual,
            end.step.iteration,
            end.message,
            end.step.all_notes(),
        )
