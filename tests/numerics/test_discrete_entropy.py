"""Entropies of finitely many outcomes against high precision, near certainty above all."""

import mpmath
import numpy as np
import pytest
from mpmath import mpf

from harmonium.numerics.discrete_entropy import discrete_entropy


def exact(logits):
    with mpmath.workdps(1500):
        weights = [mpmath.exp(mpf(float(t))) for t in logits]
        total = mpmath.fsum(weights)
        return float(-mpmath.fsum(w / total * mpmath.log(w / total) for w in weights))


@pytest.mark.parametrize("scale", [1e-9, 1.0, 30.0, 300.0])
def test_against_high_precision(scale):
    logits = scale * np.random.default_rng(0).normal(size=(10, 4))
    expected = [exact(row) for row in logits]
    # a logit's rounding moves an entropy by as much, relatively
    np.testing.assert_allclose(discrete_entropy(logits), expected, rtol=1e-15 * (4 + 3 * scale))


def test_certain_fair_and_shifted():
    assert discrete_entropy(np.array([0.0, -1e5])) == 0.0
    assert discrete_entropy(np.array([1e5])) == 0.0
    np.testing.assert_allclose(discrete_entropy(np.full((2, 8), 1e8)), np.log(8), rtol=1e-15)
    logits = np.array([0.0, -600.0, -601.0])
    np.testing.assert_array_equal(discrete_entropy(logits), discrete_entropy(logits + 1024.0))
