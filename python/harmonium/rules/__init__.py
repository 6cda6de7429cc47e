"""Conjugation rules: for which likelihoods the posterior is an addition, and of what."""

from harmonium.rules.any_pair import AnyPair
from harmonium.rules.base import Block, ConjugationRule
from harmonium.rules.linear import LinearRule
from harmonium.rules.mixture import MixtureRule

__all__ = ["AnyPair", "Block", "ConjugationRule", "LinearRule", "MixtureRule"]
