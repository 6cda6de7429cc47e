"""The fast oracles of the accuracy table agree with the plain ones, and know enough digits."""

from typing import Any

import mpmath
import numpy as np
import pytest
from mpmath import mpf

import harmonium as hm
from laws import exact, exact_counts, formulas
from laws.declared import DECLARED
from laws.exact import DIGITS, Exact, digits_for, evaluate
from laws.family_cases import CASES

#: The fast oracle of each family.
ORACLES: dict[type, Any] = {
    hm.Categorical: lambda family: exact.categorical,
    hm.Bernoulli: lambda family: exact.binomial(),
    hm.Binomial: lambda family: exact.binomial(family.trials),
    hm.Poisson: lambda family: exact.poisson,
    hm.NegativeBinomial: lambda family: exact.negative_binomial(family.failures),
    hm.Geometric: lambda family: exact.negative_binomial(1),
    hm.CoMPoisson: lambda family: exact_counts.com_poisson,
    hm.Exponential: lambda family: exact.exponential,
    hm.Gamma: lambda family: exact.gamma,
    hm.Beta: lambda family: exact.beta,
    hm.InverseGaussian: lambda family: exact.inverse_gaussian,
    hm.Dirichlet: lambda family: exact.dirichlet,
    hm.VonMises: lambda family: exact.von_mises,
    hm.VonMisesFisher: lambda family: exact.von_mises_fisher,
    hm.Normal: lambda family: {
        "full": exact.normal(family.n),
        "diagonal": exact.normal_diagonal,
        "isotropic": exact.normal_isotropic,
    }[family.covariance],
    hm.Wishart: lambda family: exact.wishart(family.n),
    hm.NormalWishart: lambda family: exact.normal_wishart(family.n),
    hm.Boltzmann: lambda family: exact.boltzmann(family.n, family.edges),
}
OWN = [case for case in CASES if type(case.family) in ORACLES and case.family.dimension]
every_declared = pytest.mark.parametrize("declared", DECLARED, ids=lambda d: f"{d}, {d.domain}")


def assert_agree(left, right, relative):
    for a, b in zip([left[0], *left[1]], [right[0], *right[1]], strict=True):
        assert abs(a - b) <= relative * abs(b)


@pytest.mark.parametrize("case", OWN, ids=repr)
def test_closed_forms_against_plain_formulas(case):
    oracle: Exact = ORACLES[type(case.family)](case.family)
    for natural in case.points(50, 2):
        plain = formulas.evaluate(case.formula, natural), formulas.gradient(case.formula, natural)
        # those are differences
        assert_agree(evaluate(oracle, natural), plain, mpf(10) ** -30)


def test_every_family_is_in_the_table():
    declared = {type(one.family) for one in DECLARED}
    assert {type(case.family) for case in CASES if "harmonium" in type(case.family).__module__} <= (
        declared
    )


@every_declared
def test_more_digits_change_nothing(declared):
    """Of the sums of counts too: every tenth point is a corner."""
    tenth = declared.points(51, 10)
    for natural in tenth[[0, 3, 9] if declared.family.dimension < 100 else [9]]:
        if isinstance(declared.family, hm.CoMPoisson) and natural[1] > -0.01:
            continue  # a long sum, term by term: as exact as its terms
        digits = digits_for(natural)
        few = evaluate(declared.exact, natural)
        assert_agree(few, evaluate(declared.exact, natural, digits + 60), mpf(10) ** -36)


@pytest.mark.parametrize(("mode", "shape"), [(1e4, 0.05), (3e3, 0.15), (1e5, 1.3), (2e4, 0.0071)])
def test_sums_of_counts_in_steps_and_one_by_one(mode, shape):
    with mpmath.workdps(DIGITS):
        power = -mpf(shape)
        rate = -power * mpmath.log(mode)
        whole = int(mpmath.floor(mpmath.exp(-rate / power)))
        deviation = float(np.sqrt(mode / shape))
        steps = exact_counts._in_steps(rate, power, whole, deviation)
        each = exact_counts._one_by_one(rate, power, whole)
        assert steps is not None
        for a, b, size in zip(steps, each, (1.0, deviation, deviation), strict=True):
            assert abs(a - b) <= mpf(10) ** -34 * size * each[0]


def test_a_law_that_reaches_zero_is_not_summed_in_steps():
    with mpmath.workdps(DIGITS):
        assert exact_counts._in_steps(mpf(3) / 1000, -mpf(1) / 1000, 20, 141.0) is None
