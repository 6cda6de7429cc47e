"""The expectation step of hidden Markov models: whole, or between checkpoints."""

from typing import Any, Protocol

import numpy as np

from harmonium.expectation import (
    Prepared,
    Totals,
    get_threads,
    member_log_densities,
    member_sums,
)
from harmonium.sequences.hidden_markov_source import Sequences
from harmonium.sequences.lengths import Offsets
from harmonium.validation import FloatArray


class Point(Protocol):
    """What the expectation step asks of a hidden Markov model at parameters."""

    emissions: Prepared
    n_states: int
    size: int

    @property
    def learns_emissions(self) -> bool:
        """Whether the emissions' sums are asked for."""

    def kernel(self) -> Any:
        """Return the compiled chain."""

    def join_sums(self, starts: FloatArray, pairs: FloatArray, emissions: FloatArray) -> FloatArray:
        """Return the sums (1, size) of three parts."""


class Expectations:
    """Expected first states, transitions and emissions of sequences (Baum and others, 1970)."""

    def __init__(self, sequences: Sequences) -> None:
        self._sequences = sequences

    def expectation(self, prepared: Point) -> Totals:
        """Return the log-likelihood and the sums of all sequences: the E-step."""
        sequences = self._sequences
        if not sequences.checkpoint:
            every = slice(0, len(sequences.x))
            log_likelihood, sums = _whole(
                prepared, sequences.x, every, sequences.offsets, sequences.weights
            )
            return Totals(log_likelihood, sequences.weight_of_rows(), sums)
        log_likelihood, sums = 0.0, np.zeros((1, prepared.size))
        most = sequences.segment_rows()
        for rows, offsets, weights in sequences.groups():
            if len(offsets) == 2 and offsets[1] > most:
                weight = 1.0 if weights is None else float(weights[0])
                part = _segmented(prepared, sequences.x[rows], rows.start, most, weight)
            else:
                part = _whole(prepared, sequences.x, rows, offsets, weights)
            log_likelihood += part[0]
            sums += part[1]
        return Totals(log_likelihood, sequences.weight_of_rows(), sums)


def _whole(
    prepared: Point,
    x: FloatArray,
    rows: slice,
    offsets: Offsets,
    weights: FloatArray | None,
) -> tuple[float, FloatArray]:
    """The E-step over sequences that are held at once."""
    own = x[rows]
    logs = member_log_densities(prepared.emissions, own, origin=rows.start)
    states, log_predictive, transitions, _, _ = prepared.kernel().smooth(
        logs, offsets, get_threads(), weights, origin=rows.start
    )
    likelihoods = np.add.reduceat(log_predictive, offsets[:-1])
    log_likelihood = float(likelihoods.sum() if weights is None else weights @ likelihoods)
    starts = states[offsets[:-1]].sum(0)
    return log_likelihood, _sums(prepared, starts, transitions, own, states)


def _sums(
    prepared: Point,
    starts: FloatArray,
    transitions: FloatArray,
    x: FloatArray,
    states: FloatArray,
) -> FloatArray:
    emissions = prepared.emissions
    if prepared.learns_emissions:
        sums = member_sums(emissions, x, states)
    else:
        sums = np.zeros((emissions.count, emissions.size))
    return prepared.join_sums(starts, transitions, sums)


def _segmented(
    prepared: Point, x: FloatArray, origin: int, most: int, weight: float
) -> tuple[float, FloatArray]:
    """The E-step over one long sequence, of which a segment is held at a time.

    Forwards once, keeping the prediction with which each segment begins; then the segments from
    the last to the first, each swept both ways, with the backward message of the next one's first
    row. Emissions are evaluated twice (Tarnas and Hughey, 1998).
    """
    kernel, threads = prepared.kernel(), get_threads()
    # a segment holds the first row of the next one too: the pair across belongs to it
    cuts = range(0, len(x) - 1, most)
    segments = [slice(a, min(a + most, len(x) - 1) + 1) for a in cuts]

    def evaluate(rows: slice) -> tuple[FloatArray, Offsets]:
        logs = member_log_densities(prepared.emissions, x[rows], origin=origin + rows.start)
        return logs, np.array([0, len(logs)])

    first: list[Any] = [None]
    for rows in segments[:-1]:
        predicted, in_logs, _ = kernel.predict(
            *evaluate(rows), threads, first[-1], origin=origin + rows.start
        )
        first.append((predicted[-1].copy(), bool(in_logs[-1])))
    last: Any = None
    log_likelihood, sums = 0.0, np.zeros((1, prepared.size))
    for rows, before in zip(reversed(segments), reversed(first), strict=True):
        logs, offsets = evaluate(rows)
        states, log_predictive, transitions, _, left = kernel.smooth(
            logs, offsets, threads, None, False, before, last, origin=origin + rows.start
        )
        own = slice(0, len(states) - (last is not None))  # else the row counts twice
        log_likelihood += float(log_predictive[own].sum())
        starts = states[0] if before is None else np.zeros(prepared.n_states)
        sums += _sums(prepared, starts, transitions, x[rows][own], states[own])
        last = left
    return weight * log_likelihood, weight * sums
