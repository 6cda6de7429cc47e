"""A linear state-space model at parameters: filtering, smoothing, paths, forecasts, simulation."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from harmonium import _kernels
from harmonium.expectation import get_threads
from harmonium.learning.floating_point import steady
from harmonium.numerics.symmetric import semidefinite_root
from harmonium.sequences.lengths import as_offsets
from harmonium.sequences.linear_state_space_data import DrivenSequences, as_driven, as_inputs
from harmonium.sequences.linear_state_space_parameters import (
    LinearStateSpaceParameters,
    as_matrix,
)
from harmonium.validation import FloatArray, as_count, as_seed, check_memory


class FilteredStates(NamedTuple):
    """States given the rows so far, and before each row; n rows of d states.

    Attributes
    ----------
    means, covariances : (n, d) and (n, d, d) arrays
        Of each row's state given the rows up to it; infinite where still diffuse.
    predicted_means, predicted_covariances : (n, d) and (n, d, d) arrays
        The same given the rows before it.
    log_predictive : (n,) array
        Log density in nats of each row given those before it; they add up to the log-likelihood.
    """

    means: FloatArray
    covariances: FloatArray
    predicted_means: FloatArray
    predicted_covariances: FloatArray
    log_predictive: FloatArray


class SmoothedStates(NamedTuple):
    """States given their whole sequence: means (n, d), and covariances (n, d, d) if asked for.

    ``lag_one`` (n, d, d) are the covariances of each row's state (rows of the matrix) and that of
    the row before (columns); zero for the first row of a sequence.
    """

    means: FloatArray
    covariances: FloatArray
    lag_one: FloatArray
    log_predictive: FloatArray


class Prediction(NamedTuple):
    """Normals: means (..., p) and covariances (..., p, p) of observations, those of states (..., d)."""

    mean: FloatArray
    covariance: FloatArray
    state_mean: FloatArray
    state_covariance: FloatArray


@dataclass(frozen=True, eq=False)
class LinearStateSpaceProcess:
    """A linear state-space model at parameters, which reads sequences.

    Made by :meth:`LinearStateSpace.at` and by fitting. ``z_1`` emits ``x_1``. Data are a table
    (n, p) of sequences one below the other, with ``lengths`` if they are several and ``inputs``
    (n, k) if the model has them; NaN is a missing value, and a row of NaN a missing observation.
    Methods raise ValueError for tables of another width, for lengths that do not add up, and where
    an unstable state outgrows float64.

    Covariances are kept as square roots (Kailath, Sayed and Hassibi, 2000, chapter 12), and smoothing
    inverts none: zero noise and singular transitions are allowed. A value that the model, having no
    noise there, knew beforehand adds nothing to the log density; another one makes it -inf.

    Diffuse directions of the first state are exact (Durbin and Koopman, 2012, chapter 5 and section
    7.2): log densities are the limit of ``log p + q/2 log κ`` for a variance ``κ`` in each of the q
    directions, so that an observation that settles one has ``-(log 2π + log F)/2``, ``F`` its
    squared loading.

    Attributes
    ----------
    parameters : LinearStateSpaceParameters
        The parameters.
    """

    parameters: LinearStateSpaceParameters

    @property
    def n_states(self) -> int:
        """Dimension of the state."""
        return self.parameters.n_states

    @cached_property
    def _kernel(self) -> "_kernels.StateSpace":
        return self.parameters.kernel()

    def __getstate__(self) -> dict[str, object]:
        """What is pickled: all but the compiled twin, which is made anew."""
        return {name: value for name, value in self.__dict__.items() if name != "_kernel"}

    def _read(self, x: object, lengths: object, inputs: object) -> DrivenSequences:
        own = self.parameters
        return as_driven(x, lengths, inputs, n_observed=own.n_observed, n_inputs=own.n_inputs)

    # ------------------------------------------------------------------------- inference

    def _filter(self, data: DrivenSequences, states: bool) -> tuple[FloatArray, ...]:
        if states:
            check_memory(16 * len(data.x) * self.n_states * (self.n_states + 1), "x: filtering")
        return self._kernel.filter(data.x, data.inputs, data.offsets, states, get_threads())

    @steady
    def log_likelihood(
        self, x: object, lengths: object = None, *, inputs: object = None
    ) -> FloatArray:
        """Return the log density in nats of each sequence, (n_sequences,), of what is observed.

        The sum of its rows' log predictive densities; of a diffuse start, the diffuse one.
        """
        data = self._read(x, lengths, inputs)
        return np.add.reduceat(self._filter(data, False)[0], data.offsets[:-1])

    @steady
    def filter(self, x: object, lengths: object = None, *, inputs: object = None) -> FilteredStates:
        """Return each row's state given the rows up to it, and before it (Kalman, 1960)."""
        log_predictive, before, spread_before, after, spread = self._filter(
            self._read(x, lengths, inputs), True
        )
        return FilteredStates(after, spread, before, spread_before, log_predictive)

    @steady
    def smooth(
        self,
        x: object,
        lengths: object = None,
        *,
        inputs: object = None,
        covariances: bool = True,
    ) -> SmoothedStates:
        """Return each row's state given its whole sequence (fixed-interval smoothing).

        Without ``covariances`` the means alone; those of states that remain diffuse are one of many.
        """
        data = self._read(x, lengths, inputs)
        d = self.n_states
        if covariances:
            check_memory(8 * len(data.x) * d * (2 * d + 1), "x: smoothing")
        log_predictive, means, spread, lag_one = self._kernel.smooth(
            data.x, data.inputs, data.offsets, covariances, data.held_rows(d), get_threads()
        )
        return SmoothedStates(means, spread, lag_one, log_predictive)

    @steady
    def sample_paths(
        self,
        x: object,
        rng: object = None,
        size: int = 1,
        lengths: object = None,
        *,
        inputs: object = None,
    ) -> FloatArray:
        """Return ``size`` independent draws of the states' path given the data, (size, n, d).

        ``rng`` is None, a seed or a numpy Generator. Filtered forwards once, drawn backwards;
        exact. ValueError where the rows leave the posterior of a diffuse start improper.
        """
        data = self._read(x, lengths, inputs)
        size = as_count(size, name="size", minimum=0)
        check_memory(8 * size * len(data.x) * self.n_states, "size: paths")
        seed = as_seed(rng, name="rng")
        held = data.held_rows(self.n_states)
        return self._kernel.sample_paths(
            data.x, data.inputs, data.offsets, size, seed, held, get_threads()
        )

    # ------------------------------------------------------------- the future, and no data

    def _observed(
        self, means: FloatArray, covariances: FloatArray, inputs: FloatArray
    ) -> Prediction:
        """The law of observations of states of these laws."""
        own = self.parameters
        mean = own.mean + means @ own.loadings.T + inputs @ own.observation_inputs.T
        noise = as_matrix(own.noise, own.n_observed)
        # an infinite variance stays out of columns that do not see it: 0 times infinity is 0
        flat = np.isinf(covariances)
        finite = np.where(flat, 0.0, covariances)
        spread = own.loadings @ finite @ own.loadings.T + noise
        if flat.any():
            signs = np.where(flat, np.sign(covariances), 0.0)
            infinite = own.loadings @ signs @ own.loadings.T
            least = 1e-10 * np.abs(own.loadings) @ np.abs(signs) @ np.abs(own.loadings.T)
            spread = np.where(np.abs(infinite) > least, np.copysign(np.inf, infinite), spread)
        return Prediction(mean, spread, means, covariances)

    @steady
    def predict(self, x: object, lengths: object = None, *, inputs: object = None) -> Prediction:
        """Return the law of each row given those before it: means (n, p), covariances (n, p, p)."""
        data = self._read(x, lengths, inputs)
        _, means, covariances, _, _ = self._filter(data, True)
        return self._observed(means, covariances, data.inputs)

    @steady
    def forecast(
        self,
        x: object,
        steps: int = 1,
        lengths: object = None,
        *,
        inputs: object = None,
        future_inputs: object = None,
    ) -> Prediction:
        """Return the law of the ``steps`` rows that follow each sequence.

        Means (steps, p) and covariances (steps, p, p), with a leading axis of sequences where there
        are ``lengths``. ``future_inputs`` (n_sequences * steps, k) are those of the rows to come.
        """
        data = self._read(x, lengths, inputs)
        steps = as_count(steps, name="steps")
        own, n = self.parameters, len(data)
        future = as_inputs(future_inputs, n * steps, own.n_inputs, "future_inputs")
        # rows to come are missing ones
        ends = np.repeat(data.offsets[1:], steps)
        missing = np.full((n * steps, own.n_observed), np.nan)
        offsets = data.offsets + steps * np.arange(n + 1)
        longer = DrivenSequences(
            np.insert(data.x, ends, missing, axis=0),
            np.insert(data.inputs, ends, future, axis=0),
            offsets,
        )
        _, means, covariances, _, _ = self._filter(longer, True)
        rows = offsets[1:, None] + np.arange(-steps, 0)
        rows = rows if lengths is not None else rows[0]
        return self._observed(means[rows], covariances[rows], longer.inputs[rows])

    @steady
    def sample(
        self,
        n: int = 1,
        rng: object = None,
        lengths: object = None,
        *,
        inputs: object = None,
    ) -> tuple[FloatArray, FloatArray]:
        """Return a simulated sequence of ``n`` rows, (n, p), and its states, (n, d).

        With ``lengths``, which add up to n, so many sequences one below the other. ValueError for a
        diffuse start, which is no law to draw from.
        """
        n = as_count(n, name="n")
        own = self.parameters
        if own.diffuse.shape[1]:
            raise ValueError("initial_covariance: a diffuse start is no law to draw from")
        offsets = as_offsets(lengths, n, data="the table")
        table = as_inputs(inputs, n, own.n_inputs)
        root = semidefinite_root(as_matrix(own.noise, own.n_observed))
        check_memory(8 * n * (own.n_states + own.n_observed), "n: sampling")
        states, x = self._kernel.simulate(
            root, table, offsets, as_seed(rng, name="rng"), get_threads()
        )
        return x, states
