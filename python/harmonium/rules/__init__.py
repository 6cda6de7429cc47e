"""Conjugation rules: for which likelihoods the posterior is an addition, and of what."""

from harmonium.rules.base import Block, ConjugationRule
from harmonium.rules.linear import LinearRule
from harmonium.rules.mixture import MixtureRule

__all__ = ["Block", "ConjugationRule", "LinearRule", "MixtureRule"]
