"""How far statistics reach, against draws and optima; domains, against the families' own checks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harmonium import (
    Bernoulli,
    Beta,
    Binomial,
    Boltzmann,
    Categorical,
    CoMPoisson,
    Dirichlet,
    Exponential,
    Gamma,
    Geometric,
    Harmonium,
    InverseGaussian,
    Normal,
    Poisson,
    Product,
    VonMises,
    VonMisesFisher,
    Wishart,
)
from harmonium.families.reach import furthest, natural_bounds

LINE = np.linspace(1e-6, 1 - 1e-6, 4001)
POSITIVE = np.exp(np.linspace(-30, 30, 6001))
TURN = np.linspace(0, 2 * np.pi, 3601)


def _on_the_line(values):
    return np.concatenate([-values[::-1], values])


#: Families of one copy with points so dense that the best of them is the supremum to 1e-3.
ONE_COPY = [
    (Gamma(1), POSITIVE[:, None]),
    (InverseGaussian(1), POSITIVE[:, None]),
    (Exponential(1), POSITIVE[:, None]),
    (Beta(1), LINE[:, None]),
    (Dirichlet(2), np.column_stack([LINE, 1 - LINE])),
    (Poisson(1), np.arange(10_000.0)[:, None]),
    (Geometric(1), np.arange(10_000.0)[:, None]),
    (VonMises(1), TURN[:, None]),
    (VonMisesFisher(2), np.column_stack([np.cos(TURN), np.sin(TURN)])),
    (Normal(1), _on_the_line(POSITIVE[2000:4500])[:, None]),
    (Boltzmann(3, ((0, 1), (1, 2))), Boltzmann(3).states()),
    (Boltzmann(3), Boltzmann(3).states()),
    (Categorical(4), Categorical(4).states()),
    (Binomial(3, 2), Binomial(3, 2).states()),
    (Harmonium(Bernoulli(2), Bernoulli(1)), Bernoulli(3).states()),
]


@pytest.mark.parametrize(("family", "x"), ONE_COPY, ids=lambda v: repr(v)[:30])
@given(seed=st.integers(0, 10_000))
def test_the_furthest_statistic(family, x, seed):
    rng = np.random.default_rng(seed)
    direction = rng.integers(-2, 3, family.dimension) * rng.uniform(0.2, 1, family.dimension)
    reached = family._statistic(x) @ direction
    found = float(furthest(family, direction))
    assert (reached <= found + 1e-9).all()
    if np.isinf(found):
        # logarithms grow slowly: beyond any finite value here, at the end of the points
        assert reached.max() > 2
        assert reached.argmax() in (0, len(x) - 1)
    else:
        assert reached.max() >= found - 2e-3 * max(1, abs(found))


@given(seed=st.integers(0, 10_000))
def test_a_full_normal_s_quadratic_form(seed):
    rng = np.random.default_rng(seed)
    family = Normal(3)
    root = rng.normal(size=(3, 3))
    negative = family.pack_quadratic(rng.normal(size=3), -root @ root.T - 0.1 * np.eye(3))
    # the mode of the normal with these natural parameters
    mode = family.to_parameters(negative).mean
    value = family.sufficient_statistic(mode[None]) @ negative
    assert float(furthest(family, negative)) == pytest.approx(float(value[0]), rel=1e-9)
    assert np.isinf(furthest(family, -negative))


def test_copies_and_parts_add_up_and_batches_are_loops():
    family = Product(Gamma(2), Bernoulli(2), VonMises(1))
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(4, 3, family.dimension))
    directions[..., :2] = np.abs(directions[..., :2])
    directions[..., 2:4] = -np.abs(directions[..., 2:4])
    whole = furthest(family, directions)
    assert whole.shape == (4, 3)
    for place in np.ndindex(4, 3):
        d = directions[place]
        gamma = sum(float(furthest(Gamma(1), d[[k, 2 + k]])) for k in range(2))
        other = np.maximum(d[4:6], 0).sum() + np.hypot(*d[6:])
        assert whole[place] == pytest.approx(gamma + other, rel=1e-12)


def test_unknown_reach_is_not_a_number_but_in_no_direction():
    family = CoMPoisson(1)
    assert np.isnan(furthest(family, np.array([1.0, 1.0])))
    assert furthest(family, np.zeros(2)) == 0


@pytest.mark.parametrize(
    "family",
    [
        Bernoulli(2), Binomial(3), Categorical(3), Boltzmann(2), Poisson(2), Exponential(2),
        Geometric(1), InverseGaussian(2), Beta(2), Dirichlet(3), Gamma(2), Normal(2, "diagonal"),
        Normal(2, "isotropic"), Normal(1), VonMises(2), VonMisesFisher(2),
        Product(Gamma(1), Normal(2, "diagonal")),
    ],
    ids=repr,
)  # fmt: skip
@given(seed=st.integers(0, 10_000))
def test_bounds_are_the_families_own_rules(family, seed):
    lower, upper = natural_bounds(family)
    rng = np.random.default_rng(seed)
    point = rng.uniform(-3, 3, family.dimension)
    inside = bool(((point > lower) & (point < upper)).all())
    assert inside == (family._outside(point) is None)


def test_bounds_that_depend_on_other_parameters():
    lower, upper = natural_bounds(Normal(2))
    assert np.isinf(lower[:2]).all()
    assert np.isnan(upper[2:]).all()
    assert np.isnan(natural_bounds(Wishart(2)).lower).all()
