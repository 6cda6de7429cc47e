"""The backward mapping of beta laws converges from everywhere."""

import numpy as np

from harmonium.numerics import match_beta as module
from harmonium.numerics.gamma_functions import digamma_difference


def test_means_are_met_over_the_whole_domain(monkeypatch):
    rng = np.random.default_rng(0)
    a, b = np.exp(rng.uniform(np.log(1e-20), np.log(1e15), (2, 3000)))
    b[:1000] = a[:1000] * np.exp(rng.normal(0, 2, 1000))
    steps = []
    step = module._newton_step
    monkeypatch.setattr(module, "_newton_step", lambda *args: steps.append(1) or step(*args))
    one, other = digamma_difference(a, b), digamma_difference(b, a)
    found = module.match_beta(-one, -other)
    np.testing.assert_allclose(digamma_difference(*found), one, rtol=2e-14)
    np.testing.assert_allclose(digamma_difference(*found[::-1]), other, rtol=2e-14)
    assert len(steps) <= 30


def test_parameters_so_small_that_trigammas_squared_overflow():
    a, b = np.exp(np.random.default_rng(1).uniform(np.log(1e-100), np.log(1e-70), (2, 500)))
    found = module.match_beta(-digamma_difference(a, b), -digamma_difference(b, a))
    np.testing.assert_allclose(found[0], a, rtol=1e-13)
    np.testing.assert_allclose(found[1], b, rtol=1e-13)
