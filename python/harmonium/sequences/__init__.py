"""Sequences: hidden Markov models and linear state-space models, exact recursions over time."""
