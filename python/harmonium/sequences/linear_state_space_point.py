"""A linear state-space model that learns: the M-step, its gradient, its coordinates."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from harmonium.expectation import Learned, Totals, get_threads
from harmonium.numerics.symmetric import lower_root, semidefinite_root
from harmonium.rules.linear_stack import NOISE_FLOOR
from harmonium.sequences.linear_state_space_data import DrivenSequences
from harmonium.sequences.linear_state_space_moments import (
    Moments,
    left_over,
    regression,
    standardised,
)
from harmonium.sequences.linear_state_space_parameters import (
    LinearStateSpaceParameters,
    as_matrix,
    spread,
)
from harmonium.validation import FloatArray

#: What can be learned.
Part = Literal[
    "transition",
    "offset",
    "transition_inputs",
    "transition_noise",
    "loadings",
    "mean",
    "observation_inputs",
    "noise",
    "initial_mean",
    "initial_covariance",
]
#: Least variance of learned noise, in the units of the data.
FLOOR = NOISE_FLOOR**2
_NOTE = (
    "noise variances that tended to zero are held at 1e-12 of their column's: the states explain "
    "a column, or a combination of columns, exactly"
)


def as_parts(learn: object) -> frozenset[Part]:
    """Return what is to be learned; ValueError for what can not be."""
    names = [learn] if isinstance(learn, str) else list(learn)  # type: ignore[call-overload]
    if "initial" in names:
        names = [name for name in names if name != "initial"]
        names += ["initial_mean", "initial_covariance"]
    for name in names:
        if name not in get_args(Part):
            words = ", ".join(f'"{part}"' for part in get_args(Part))
            raise ValueError(f'learn: of {words}, "initial" for both of the last; got {name!r}')
    if not names:
        raise ValueError("learn: nothing; use at(...) for a model at given parameters")
    return frozenset(names)


class Expectations:
    """The E-step over sequences, by the kernel."""

    def __init__(self, sequences: DrivenSequences) -> None:
        self._sequences = sequences

    def expectation(self, prepared: "LinearStateSpacePoint") -> Totals:
        """Return the log-likelihood and the sums of all sequences."""
        own = self._sequences
        sums = prepared.parameters.kernel().moments(
            own.x,
            own.inputs,
            own.offsets,
            own.weights,
            own.held_rows(prepared.parameters.n_states),
            get_threads(),
        )
        if sums[0] == -np.inf:
            raise ValueError(
                "x: impossible at the starting point, which has no noise where the data have: give "
                "noise there"
            )
        return Totals(float(sums[0]), own.weight_of_rows(), sums[None])


@dataclass(frozen=True, eq=False)
class LinearStateSpacePoint(Learned):
    """Parameters in the coordinates of the fit, and which of them are learned."""

    parameters: LinearStateSpaceParameters
    learn: frozenset[Part]

    def summarise(self, blocks: Any) -> Any:
        """Return the expectation step over sequences: no row can do without its neighbours."""
        assert isinstance(blocks, DrivenSequences)
        return Expectations(blocks)

    def moments(self, sums: FloatArray) -> Moments:
        """Return the parts of the sums (1, size)."""
        own = self.parameters
        correlated = own.noise.ndim == 2
        return Moments.of(sums[0], own.n_states, own.n_observed, own.n_inputs, correlated)

    def _columns(self, *names: Part) -> np.ndarray:
        """Regressors ``(z, 1, u)`` whose coefficients, of these names, are learned."""
        own = self.parameters
        widths = [own.n_states, 1, own.n_inputs]
        learned = [
            np.full(width, name in self.learn) for name, width in zip(names, widths, strict=True)
        ]
        return np.flatnonzero(np.concatenate(learned))

    # ------------------------------------------------------------------------- the M-step

    def maximise(self, sums: FloatArray, notes: set[str]) -> "LinearStateSpacePoint":
        """Return the parameters that fit the expected moments best, of what is learned.

        Shumway and Stoffer (1982), with what is regressed taken at the present parameters.
        """
        moments = self.moments(sums)
        own = self._transition(self.parameters, moments)
        own = self._observation(own, moments, notes)
        changes: dict[str, FloatArray] = {}
        first = moments.initial / moments.sequences
        if "initial_mean" in self.learn:
            changes["initial_mean"] = own.initial_mean + first
        if "initial_covariance" in self.learn:
            known = np.zeros_like(first) if "initial_mean" not in self.learn else first
            square = moments.initial_square / moments.sequences
            mixed = np.outer(known, first)
            square = square - mixed - mixed.T + np.outer(known, known)
            changes["initial_covariance"] = np.asarray((square + square.T) / 2)
        return LinearStateSpacePoint(own._replace(**changes), self.learn)

    def _transition(
        self, own: LinearStateSpaceParameters, moments: Moments
    ) -> LinearStateSpaceParameters:
        if moments.transitions == 0:
            return own
        columns = self._columns("transition", "offset", "transition_inputs")
        gram, cross = moments.transition_gram, moments.transition_cross
        change = regression(gram, cross, columns)
        d = own.n_states
        own = own._replace(
            transition=own.transition + change[:, :d],
            offset=own.offset + change[:, d],
            transition_inputs=own.transition_inputs + change[:, d + 1 :],
        )
        if "transition_noise" in self.learn:
            square = left_over(moments.disturbance, cross, gram, change) / moments.transitions
            own = own._replace(transition_noise=_structured(square, own.transition_noise))
        return own

    def _observation(
        self, own: LinearStateSpaceParameters, moments: Moments, notes: set[str]
    ) -> LinearStateSpaceParameters:
        d, p = own.n_states, own.n_observed
        rows = moments.column_rows(p)
        if not rows.any():
            return own
        columns = self._columns("loadings", "mean", "observation_inputs")
        grams = moments.grams if len(moments.grams) > 1 else moments.grams[0]
        change = regression(grams, moments.cross, columns)
        own = own._replace(
            loadings=own.loadings + change[:, :d],
            mean=own.mean + change[:, d],
            observation_inputs=own.observation_inputs + change[:, d + 1 :],
        )
        if "noise" not in self.learn:
            return own
        square = left_over(moments.noise, moments.cross, grams, change)
        if own.noise.ndim == 2:
            return own._replace(noise=_lifted(square / rows[0], notes))
        if own.noise.ndim == 1:
            found = np.where(rows > 0, square / np.where(rows > 0, rows, 1.0), own.noise)
        else:
            found = square.sum() / rows.sum()
        if (found < FLOOR).any():
            notes.add(_NOTE)
        return own._replace(noise=np.maximum(found, FLOOR))

    # ------------------------------------------------------------------------ convergence

    def residual(self, sums: FloatArray) -> float:
        """Return the largest standardised difference over the parts that are learned.

        Correlations of disturbances and of noise with what they are regressed on, and relative
        differences of their covariances, each by its share of the rows: the gradient of the
        likelihood, by Fisher's identity, in units of the model's own.
        """
        moments, own = self.moments(sums), self.parameters
        total = max(moments.transitions, float(moments.rows.max()), moments.sequences)
        parts = [*self._transition_gaps(moments), *self._observation_gaps(moments)]
        first = moments.initial
        white = _whitening(own.initial_covariance)
        if "initial_mean" in self.learn:
            parts.append(white @ first)
        if "initial_covariance" in self.learn:
            whitened = white @ moments.initial_square @ white.T
            parts.append(whitened - moments.sequences * np.eye(len(white)))
        return float(max((np.abs(part).max(initial=0.0) for part in parts), default=0.0) / total)

    def _transition_gaps(self, moments: Moments) -> list[FloatArray]:
        own, n = self.parameters, moments.transitions
        if n == 0:
            return []
        white = _whitening(as_matrix(own.transition_noise, own.n_states))
        gaps = []
        columns = self._columns("transition", "offset", "transition_inputs")
        if len(columns):
            cross = standardised(moments.transition_cross, moments.transition_gram, columns)
            gaps.append(np.sqrt(n) * (white @ cross))
        if "transition_noise" in self.learn:
            square = moments.disturbance
            if own.transition_noise.ndim == 2:
                gaps.append(white @ square @ white.T - n * np.eye(len(white)))
            else:
                gaps.append(_relative(np.diagonal(square), own.transition_noise, n))
        return gaps

    def _observation_gaps(self, moments: Moments) -> list[FloatArray]:
        own, p = self.parameters, self.parameters.n_observed
        rows = moments.column_rows(p)
        gaps = []
        columns = self._columns("loadings", "mean", "observation_inputs")
        grams = moments.grams if len(moments.grams) > 1 else moments.grams[0]
        matrix = own.noise.ndim == 2
        white = _whitening(own.noise) if matrix else np.empty(0)
        if len(columns):
            cross = standardised(moments.cross, grams, columns)
            if matrix:
                gaps.append(np.sqrt(rows[0]) * (white @ cross))
            else:
                deviation = np.sqrt(spread(own.noise, p))
                safe = np.where(deviation > 0, deviation, 1.0)
                gaps.append(np.sqrt(rows)[:, None] * cross / safe[:, None])
        if "noise" in self.learn:
            if matrix:
                gap = white @ moments.noise @ white.T - rows[0] * np.eye(len(white))
                # at the floor only growth counts
                held = np.linalg.eigvalsh(own.noise)[0] <= FLOOR * (1 + 1e-6)
                gaps.append(np.maximum(gap, 0.0) if held else gap)
            else:
                gap = _relative(moments.noise, own.noise, rows)
                held = np.broadcast_to(own.noise, (p,))[: len(gap)] <= FLOOR
                gaps.append(np.where(held, np.maximum(gap, 0.0), gap))
        return gaps

    # --------------------------------------------------------------------- acceleration

    @property
    def coordinates(self) -> FloatArray:
        """What is learned, (1, p): coefficients, and roots of covariances."""
        return np.concatenate([np.ravel(self._value(name)) for name in sorted(self.learn)])[None]

    def _value(self, name: Part) -> FloatArray:
        value: FloatArray = np.asarray(getattr(self.parameters, name))
        if name not in ("noise", "transition_noise", "initial_covariance"):
            return value
        if value.ndim == 2:
            root = lower_root(semidefinite_root(value))
            return np.asarray(root[np.tril_indices(len(value))])
        return np.asarray(np.sqrt(value))

    def at(self, coordinates: FloatArray) -> "LinearStateSpacePoint":
        """Return the point at other coordinates."""
        flat, changes = coordinates[0], {}
        for name in sorted(self.learn):
            old = np.asarray(getattr(self.parameters, name))
            size = self._value(name).size
            own, flat = flat[:size], flat[size:]
            if name not in ("noise", "transition_noise", "initial_covariance"):
                changes[name] = own.reshape(old.shape)
            elif old.ndim == 2:
                root = np.zeros(old.shape)
                root[np.tril_indices(len(old))] = own
                changes[name] = root @ root.T
            else:
                changes[name] = np.square(own).reshape(old.shape)
        if "noise" in changes:
            noise = changes["noise"]
            changes["noise"] = (
                _lifted(noise, set()) if noise.ndim == 2 else np.maximum(noise, FLOOR)
            )
        return LinearStateSpacePoint(self.parameters._replace(**changes), self.learn)


def _structured(square: FloatArray, like: FloatArray) -> FloatArray:
    """A covariance in the form of another."""
    if like.ndim == 2:
        return square
    variances = np.maximum(np.diagonal(square), 0.0)
    return variances if like.ndim == 1 else np.array(variances.mean())


def _lifted(noise: FloatArray, notes: set[str]) -> FloatArray:
    """A covariance with no eigenvalue below the floor."""
    values, vectors = np.linalg.eigh(noise)
    if values[0] >= FLOOR:
        return noise
    notes.add(_NOTE)
    lifted = (vectors * np.maximum(values, FLOOR)) @ vectors.T
    return np.asarray((lifted + lifted.T) / 2)


def _whitening(covariance: FloatArray) -> FloatArray:
    """A (rank, n) matrix that makes the covariance an identity, in the directions that it has."""
    return np.asarray(np.linalg.pinv(semidefinite_root(covariance), rcond=1e-14), np.float64)


def _relative(square: FloatArray, variance: FloatArray, n: FloatArray | float) -> FloatArray:
    """Sums of squares in units of the variances, less how many there are; their average if tied."""
    count = np.broadcast_to(n, square.shape)
    safe = np.where(variance > 0, variance, 1.0)
    gaps = np.where(variance > 0, square / safe - count, 0.0)
    return gaps if variance.ndim else gaps.mean(keepdims=True)
