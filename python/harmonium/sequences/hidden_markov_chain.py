"""A hidden Markov model at parameters: filtering, smoothing, paths, forecasts, simulation."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harmonium.expectation import get_threads, member_log_densities
from harmonium.learning.floating_point import steady
from harmonium.learning.standardisation import Standardisation
from harmonium.sequences.hidden_markov_data import as_sequences
from harmonium.sequences.hidden_markov_forecast import Forecast
from harmonium.sequences.hidden_markov_point import HiddenMarkovPrepared
from harmonium.sequences.hidden_markov_source import Sequences
from harmonium.sequences.lengths import Offsets, as_offsets
from harmonium.validation import FloatArray, as_count, as_generator

if TYPE_CHECKING:
    from harmonium.families.base import ExponentialFamily

#: States by number.
States = np.ndarray[Any, np.dtype[np.int64]]
#: Uniform numbers that are held at once while paths are drawn.
_UNIFORMS = 1 << 23


class HiddenMarkovParameters(NamedTuple):
    """People's parameters: initial (K,) and transition (K, K) probabilities, and the emissions'."""

    initial: FloatArray
    transition: FloatArray
    emissions: Any


class Filtered(NamedTuple):
    """States (n, K) given the rows so far; log density (n,) of each row given those before it."""

    states: FloatArray
    log_predictive: FloatArray


class Smoothed(NamedTuple):
    """States given the whole sequence, and pairs of neighbours.

    Attributes
    ----------
    states : (n, K) array
        Probabilities of the state in each row.
    transitions : (K, K) array
        Expected numbers of transitions, from row to column, over all sequences.
    pairs : (n - n_sequences, K, K) array, or None
        Probabilities of the states in each row and the next of the same sequence, if asked for.
    """

    states: FloatArray
    transitions: FloatArray
    pairs: FloatArray | None


class Path(NamedTuple):
    """The most probable states (n,), and log density (n_sequences,) of path and rows together."""

    states: States
    log_probability: FloatArray


@dataclass(frozen=True, eq=False)
class HiddenMarkovChain:
    """A hidden Markov model at parameters, which reads sequences.

    Made by :meth:`HiddenMarkovModel.at` and by fitting. ``z_1`` emits ``x_1``: the initial
    probabilities are those of the first row's state. Data are a table (n, n_observed) of sequences
    one below the other, with ``lengths`` if they are several; NaN is a missing value, and a row of
    NaN a missing observation. Methods raise ValueError for data that are not the family's, for
    lengths that do not add up, and for a row that has density zero in every state that can be
    reached there.

    Attributes
    ----------
    observable : ExponentialFamily
        The family of the emissions.
    prepared : HiddenMarkovPrepared
        The point in standardised coordinates, where it is kept and evaluated.
    standardisation : Standardisation
        Those coordinates.
    """

    observable: "ExponentialFamily"
    prepared: HiddenMarkovPrepared
    standardisation: Standardisation

    # ------------------------------------------------------------------------ parameters

    @property
    def n_states(self) -> int:
        """How many states."""
        return self.prepared.n_states

    @property
    def initial(self) -> FloatArray:
        """Probabilities of the first row's state, (K,)."""
        return self.prepared.initial

    @property
    def transition(self) -> FloatArray:
        """Probabilities of the next state, (K, K), from row to column."""
        return self.prepared.transition

    @cached_property
    @steady
    def in_units(self) -> HiddenMarkovPrepared:
        """The point in the data's own units."""
        standard = self.standardisation
        if standard.is_identity:
            return self.prepared
        return self.prepared.affine(standard.shift, standard.scale)

    @property
    def emissions(self) -> FloatArray:
        """Natural parameters of the emissions, (K, dimension), in the data's own units."""
        return self.in_units.emissions.natural

    @property
    def parameters(self) -> HiddenMarkovParameters:
        """People's parameters, the emissions' as their family names them, in the data's units."""
        own = self.observable.to_parameters(self.emissions)
        return HiddenMarkovParameters(self.initial, self.transition, own)

    # ------------------------------------------------------------------------- inference

    def _read(self, x: object, lengths: object) -> Sequences:
        return as_sequences(self.observable, x, lengths).standardised(self.standardisation)

    def _log_densities(self, sequences: Sequences) -> FloatArray:
        """Emission log densities (n, K) in the data's units."""
        logs = member_log_densities(self.prepared.emissions, sequences.x)
        if self.standardisation.is_identity:
            return logs
        scales = np.log(self.standardisation.scale)
        return np.asarray(logs - ((~np.isnan(sequences.x)) @ scales)[:, None])

    @steady
    def log_likelihood(self, x: object, lengths: object = None) -> FloatArray:
        """Return the log density in nats of each sequence, (n_sequences,), of what is observed.

        The sum of its rows' log predictive densities.
        """
        sequences = self._read(x, lengths)
        logs = self._log_densities(sequences)
        log_predictive = self.prepared.kernel().predict(logs, sequences.offsets, get_threads())[2]
        return np.add.reduceat(log_predictive, sequences.offsets[:-1])

    @steady
    def filter(self, x: object, lengths: object = None) -> Filtered:
        """Return each row's state given the rows up to it, and its log predictive density."""
        sequences = self._read(x, lengths)
        logs = self._log_densities(sequences)
        return Filtered(*self.prepared.kernel().filter(logs, sequences.offsets, get_threads()))

    @steady
    def smooth(self, x: object, lengths: object = None, *, pairs: bool = False) -> Smoothed:
        """Return each row's state given its whole sequence; with ``pairs``, those of neighbours."""
        sequences = self._read(x, lengths)
        logs = self._log_densities(sequences)
        states, _, transitions, listed, _ = self.prepared.kernel().smooth(
            logs, sequences.offsets, get_threads(), None, bool(pairs)
        )
        if listed is not None and len(listed):
            listed = np.delete(listed, sequences.offsets[1:] - 1, axis=0)
        return Smoothed(states, transitions, listed)

    @steady
    def most_probable_path(self, x: object, lengths: object = None) -> Path:
        """Return the path of states that is most probable as a whole (Viterbi, 1967).

        Of equally probable ones, that with the lower state wherever they meet from the end on.
        """
        sequences = self._read(x, lengths)
        logs = self._log_densities(sequences)
        kernel = self.prepared.kernel()
        return Path(*kernel.most_probable_paths(logs, sequences.offsets, get_threads()))

    @steady
    def sample_paths(
        self, x: object, rng: object = None, size: int = 1, lengths: object = None
    ) -> States:
        """Return ``size`` independent draws of the path of states given the data, (size, n).

        ``rng`` is None, a seed or a numpy Generator. Filtered forwards once, drawn backwards
        (Fruhwirth-Schnatter, 1994); exact.
        """
        sequences = self._read(x, lengths)
        size = as_count(size, name="size", minimum=0)
        logs = self._log_densities(sequences)
        return self._draw(logs, sequences.offsets, as_generator(rng, name="rng"), size)

    def _draw(
        self, logs: FloatArray, offsets: Offsets, rng: np.random.Generator, size: int
    ) -> States:
        kernel, threads = self.prepared.kernel(), get_threads()
        predicted, in_logs, _ = kernel.predict(logs, offsets, threads)
        out = np.empty((size, len(logs)), dtype=np.int64)
        step = max(1, _UNIFORMS // len(logs))
        for start in range(0, size, step):
            some = slice(start, min(size, start + step))
            uniforms = rng.random((some.stop - start, len(logs)))
            out[some] = kernel.draw_paths(logs, offsets, predicted, in_logs, uniforms, threads)
        return out

    # ------------------------------------------------------------- the future, and no data

    @steady
    def predict(self, x: object, steps: int = 1, lengths: object = None) -> Forecast:
        """Return the law of the ``steps`` rows that follow each sequence."""
        steps = as_count(steps, name="steps")
        sequences = self._read(x, lengths)
        logs = self._log_densities(sequences)
        filtered = self.prepared.kernel().filter(logs, sequences.offsets, get_threads())[0]
        states = np.empty((len(sequences), steps, self.n_states))
        now, transition = filtered[sequences.offsets[1:] - 1], self.transition
        for step in range(steps):
            now = now @ transition
            states[:, step] = now
        return Forecast(
            self.observable,
            states if lengths is not None else states[0],
            self.prepared.emissions,
            self.standardisation,
        )

    @steady
    def sample(
        self, n: int = 1, rng: object = None, lengths: object = None
    ) -> tuple[FloatArray, States]:
        """Return a simulated sequence of ``n`` rows, (n, n_observed), and its states, (n,).

        With ``lengths``, which add up to n, so many sequences one below the other.
        """
        n = as_count(n, name="n")
        offsets = as_offsets(lengths, n, data="the table")
        generator = as_generator(rng, name="rng")
        # what is not observed says nothing: paths from their prior
        states = self._draw(np.zeros((n, self.n_states)), offsets, generator, 1)[0]
        drawn = self.prepared.emissions.sample(states.astype(np.intp), generator)
        standard = self.standardisation
        return standard.shift + standard.scale * drawn[:, : self.prepared.n_observed], states
