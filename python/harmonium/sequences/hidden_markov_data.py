"""From what a user gives to sequences that a hidden Markov model reads."""

from harmonium.families.base import ExponentialFamily
from harmonium.learning.data import check_table
from harmonium.sequences.hidden_markov_source import Sequences
from harmonium.sequences.lengths import as_offsets, sequence_weights


def as_sequences(
    observable: ExponentialFamily,
    x: object,
    lengths: object,
    weights: object = None,
    *,
    checkpoint: bool = False,
) -> Sequences:
    """Return sequences on the family's support; ValueError for others, naming the first offence."""
    table = check_table(observable, x, "x")
    offsets = as_offsets(lengths, len(table))
    return Sequences(table, offsets, sequence_weights(weights, offsets), checkpoint)
