"""A hidden Markov model at parameters, and what EM asks of it."""

from collections.abc import Iterable
from typing import Any, Literal, get_args

import numpy as np
from scipy.special import logsumexp

from harmonium import _kernels
from harmonium.expectation import Learned, Prepared
from harmonium.families.base import LOG_FLOOR
from harmonium.sequences.hidden_markov_pass import Expectations
from harmonium.sequences.hidden_markov_source import Sequences
from harmonium.validation import FloatArray

#: The parts of a hidden Markov model that may be learned.
Part = Literal["initial", "transition", "emissions"]
PARTS: frozenset[Part] = frozenset(get_args(Part))


def as_parts(learn: object) -> frozenset[Part]:
    """Return the parts to be learned; ValueError for others, TypeError for what names none."""
    if isinstance(learn, str):
        learn = (learn,)
    if not isinstance(learn, Iterable):
        raise TypeError(f"learn: names of parts, not {learn!r}")
    names = list(learn)
    for name in names:
        if name not in PARTS:
            raise ValueError(f"learn: of {get_args(Part)}; got {name!r}")
    return frozenset(names)


class HiddenMarkovPrepared(Learned):
    """Initial and transition probabilities of K states, and a stack of K emissions.

    Its sums are the expected numbers of first states (K) and of transitions (K x K), then the
    emissions' sums, state by state. Probabilities are held as logarithms; one of zero is a
    transition that can not be, and stays zero.
    """

    count = 1

    def __init__(
        self,
        log_initial: FloatArray,
        log_transition: FloatArray,
        emissions: Prepared,
        learn: frozenset[Part] = PARTS,
    ) -> None:
        self.log_initial = log_initial
        self.log_transition = log_transition
        self.emissions = emissions
        self.learn = learn
        self.n_states = len(log_initial)
        self.n_observed = emissions.n_observed
        self._starts = slice(0, self.n_states)
        self._pairs = slice(self.n_states, self.n_states * (1 + self.n_states))
        self.size = self._pairs.stop + self.n_states * emissions.size

    def with_emissions(self, emissions: Prepared) -> "HiddenMarkovPrepared":
        """Return the chain with other emissions."""
        return HiddenMarkovPrepared(self.log_initial, self.log_transition, emissions, self.learn)

    def learning(self, learn: frozenset[Part]) -> "HiddenMarkovPrepared":
        """Return the same point, of which these parts are learned."""
        return HiddenMarkovPrepared(self.log_initial, self.log_transition, self.emissions, learn)

    def affine(self, shift: FloatArray, scale: FloatArray) -> "HiddenMarkovPrepared":
        """Return the model of ``shift + scale * x``."""
        return self.with_emissions(self.emissions.affine(shift, scale))

    @property
    def initial(self) -> FloatArray:
        """Probabilities of the first state, (K,)."""
        return np.exp(self.log_initial)

    @property
    def transition(self) -> FloatArray:
        """Probabilities of the next state, (K, K), from row to column."""
        return np.exp(self.log_transition)

    @property
    def learns_emissions(self) -> bool:
        """Whether the emissions' sums are asked for."""
        return "emissions" in self.learn

    def kernel(self) -> Any:
        """Return the compiled chain."""
        return _kernels.Chain(self.initial, self.transition)

    def summarise(self, blocks: object) -> Any:
        """Return the expectation step over sequences: no row can do without its neighbours."""
        assert isinstance(blocks, Sequences)
        return Expectations(blocks)

    # ------------------------------------------------------------------------- learning

    def join_sums(self, starts: FloatArray, pairs: FloatArray, emissions: FloatArray) -> FloatArray:
        """Return the sums (1, size) of three parts."""
        return np.concatenate([starts, pairs.ravel(), emissions.ravel()])[None]

    def split_sums(self, sums: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the expected first states, transitions, and the emissions' sums (K, size)."""
        k = self.n_states
        flat = sums[0]
        return (
            flat[self._starts],
            flat[self._pairs].reshape(k, k),
            flat[self._pairs.stop :].reshape(k, -1),
        )

    def maximise(self, sums: FloatArray, notes: set[str]) -> "HiddenMarkovPrepared":
        """Return the probabilities and emissions that fit the sums best; a part is kept if not learned.

        States that no row is in stay as they are.
        """
        starts, pairs, own = self.split_sums(sums)
        log_initial, log_transition = self.log_initial, self.log_transition
        emissions = self.emissions
        if "initial" in self.learn:
            log_initial = _shares(starts[None], log_initial[None])[0]
        if "transition" in self.learn:
            log_transition = _shares(pairs, log_transition)
        if "emissions" in self.learn:
            empty = np.flatnonzero(emissions.weights(own) <= 0)
            if len(empty):
                notes.add(
                    f"state {', '.join(map(str, empty))} emptied: its probabilities are held at "
                    "e**-690 and its emissions where they were"
                )
            emissions = emissions.maximise(own, notes)
        return HiddenMarkovPrepared(log_initial, log_transition, emissions, self.learn)

    def residual(self, sums: FloatArray) -> float:
        """Return the largest standardised difference over the parts that are learned."""
        starts, pairs, own = self.split_sums(sums)
        total = float(starts.sum() + pairs.sum())
        worst = 0.0
        if "initial" in self.learn:
            worst = max(worst, _gap(starts[None], self.log_initial[None], total))
        if "transition" in self.learn:
            worst = max(worst, _gap(pairs, self.log_transition, total))
        if "emissions" in self.learn:
            worst = max(worst, self.emissions.residual(own))
        return worst

    @property
    def coordinates(self) -> FloatArray:
        """Log probabilities that are not zero, then the emissions' coordinates: what is learned."""
        parts = []
        if "initial" in self.learn:
            parts.append(self.log_initial[np.isfinite(self.log_initial)])
        if "transition" in self.learn:
            parts.append(self.log_transition[np.isfinite(self.log_transition)])
        if "emissions" in self.learn:
            parts.append(self.emissions.coordinates.ravel())
        return np.concatenate(parts)[None] if parts else np.empty((1, 0))

    def at(self, coordinates: FloatArray) -> "HiddenMarkovPrepared":
        """Return the point at other coordinates."""
        flat = coordinates[0]
        log_initial, log_transition = self.log_initial, self.log_transition
        emissions = self.emissions
        if "initial" in self.learn:
            log_initial, flat = _refilled(log_initial, flat)
        if "transition" in self.learn:
            log_transition, flat = _refilled(log_transition, flat)
        if "emissions" in self.learn:
            emissions = emissions.at(flat.reshape(self.n_states, -1))
        return HiddenMarkovPrepared(log_initial, log_transition, emissions, self.learn)


def _shares(counts: FloatArray, logs: FloatArray) -> FloatArray:
    """Log shares of expected counts, row by row; where there are none, those that there were."""
    total = counts.sum(-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.maximum(np.log(counts / total), LOG_FLOOR)
    shares = np.where(np.isfinite(logs), shares, -np.inf)
    shares = np.where(total > 0, shares, logs)
    return np.asarray(shares - logsumexp(shares, -1, keepdims=True))


def _gap(counts: FloatArray, logs: FloatArray, total: float) -> float:
    """The largest difference of shares and probabilities, in standard deviations of a draw."""
    weight = counts.sum(-1, keepdims=True)
    heavy = weight[:, 0] > 0
    if total <= 0 or not heavy.any() or counts.shape[-1] == 1:
        return 0.0
    p, weight = np.exp(logs[heavy]), weight[heavy]
    spread = np.sqrt(np.maximum(p * (1 - p), np.finfo(float).eps * p))
    gap = np.abs(counts[heavy] / weight - p) / np.maximum(spread, 1e-300)
    return float((np.sqrt(weight / total) * gap).max())


def _refilled(logs: FloatArray, flat: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Log probabilities with other values where they are not zero, and the values left over."""
    free = np.isfinite(logs)
    out = logs.copy()
    out[free] = flat[: free.sum()]
    return np.asarray(out - logsumexp(out, -1, keepdims=True)), flat[free.sum() :]
