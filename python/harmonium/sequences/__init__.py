"""Sequences: hidden Markov models and linear state-space models, exact recursions over time."""

from harmonium.sequences.hidden_markov import HiddenMarkovFit, HiddenMarkovModel
from harmonium.sequences.hidden_markov_chain import HiddenMarkovChain, HiddenMarkovParameters

__all__ = ["HiddenMarkovChain", "HiddenMarkovFit", "HiddenMarkovModel", "HiddenMarkovParameters"]
