"""Sequences: hidden Markov models and linear state-space models, exact recursions over time."""

from harmonium.sequences.hidden_markov import HiddenMarkovFit, HiddenMarkovModel
from harmonium.sequences.hidden_markov_chain import HiddenMarkovChain, HiddenMarkovParameters
from harmonium.sequences.linear_state_space import LinearStateSpace, LinearStateSpaceFit
from harmonium.sequences.linear_state_space_parameters import LinearStateSpaceParameters
from harmonium.sequences.linear_state_space_process import LinearStateSpaceProcess

__all__ = [
    "HiddenMarkovChain",
    "HiddenMarkovFit",
    "HiddenMarkovModel",
    "HiddenMarkovParameters",
    "LinearStateSpace",
    "LinearStateSpaceFit",
    "LinearStateSpaceParameters",
    "LinearStateSpaceProcess",
]
