"""Laws of missing values: what is not observed is summed out."""

from dataclasses import dataclass
from itertools import chain, combinations

import numpy as np
import pytest
from scipy.special import logsumexp

from harmonium.expectation import as_source, log_densities
from harmonium.families import ExponentialFamily, Normal
from laws import charts, formulas
from laws.case import Case, with_holes
from laws.family_cases import CASES, every_family, families_with
from laws.scales import spread
from laws.supports import grid

taking_missing = families_with("missing")


def proper_subsets(n):
    """Columns that may be missing while others are not."""
    return chain.from_iterable(combinations(range(n), k) for k in range(1, n))


@families_with("missing", "support")
def test_missing_columns_are_summed_out(case):
    natural = case.points(21)
    axes = case.support.axes(case.family, natural)
    rows = case.rows(natural, 3)
    scale = spread(case.family, natural)
    for missing in proper_subsets(case.family.n_features):
        nodes = grid([axes[j] for j in missing])
        holes = rows.copy()
        holes[:, missing] = np.nan
        completed = case.family.complete(natural, holes)
        for row, log_marginal, expected in zip(rows, *completed, strict=True):
            filled = np.repeat(row[None], len(nodes.x), 0)
            filled[:, missing] = nodes.x
            logs = nodes.log_weight + case.family.log_density(natural, filled)
            exact = logsumexp(logs)
            assert abs(log_marginal - exact) <= 1e-10 * max(1.0, abs(exact))
            mean = np.exp(logs - exact) @ case.family.sufficient_statistic(filled)
            assert (np.abs(expected - mean) <= 1e-9 * (scale + np.abs(mean))).all()


@taking_missing
def test_a_row_without_values_tells_nothing(case):
    natural = case.points(22)
    empty = np.full((2, case.family.n_features), np.nan)
    log_marginal, expected = case.family.complete(natural, empty)
    assert (np.abs(log_marginal) <= 1e-12 * (1 + abs(case.family.log_partition(natural)))).all()
    mean = case.family.to_mean(natural)
    bound = 1e-12 * (spread(case.family, natural) + np.abs(mean))
    assert (np.abs(expected - mean) <= bound).all()


@taking_missing
def test_patterns_of_missing_values_do_not_mix(case):
    natural = case.points(23)
    x = with_holes(case.rows(natural, 40))
    together = case.family.complete(natural, x)
    for i in range(len(x)):
        alone = case.family.complete(natural, x[i : i + 1])
        np.testing.assert_allclose(
            together.log_marginal[i], alone.log_marginal[0], rtol=1e-12, atol=1e-12
        )
        np.testing.assert_allclose(
            together.expected_statistic[i], alone.expected_statistic[0], rtol=1e-12, atol=1e-12
        )
    by_pass = log_densities(case.family.prepare(natural), as_source(x))
    np.testing.assert_allclose(together.log_marginal, by_pass, rtol=1e-10, atol=1e-10)


@every_family
def test_complete_rows_need_no_completion(case):
    natural = case.points(24)
    x = case.rows(natural, 20)
    log_marginal, expected = case.family.complete(natural, x)
    np.testing.assert_array_equal(expected, case.family.sufficient_statistic(x))
    np.testing.assert_allclose(
        log_marginal, case.family.log_density(natural, x), rtol=1e-12, atol=1e-12
    )


@dataclass(frozen=True)
class WithoutMarginals(Normal):
    """A family that says nothing of missing values."""

    _complete = ExponentialFamily._complete


WITHOUT = [case for case in CASES if not case.missing]
WITHOUT.append(Case(WithoutMarginals(2), formulas.normal(2), chart=charts.normal, missing=False))


@pytest.mark.parametrize("case", WITHOUT, ids=repr)
def test_a_family_without_marginals_says_so(case):
    natural = case.points(25)
    x = case.rows(natural, 3)
    x[1] = np.nan
    log_marginal, expected = case.family.complete(natural, x)
    assert log_marginal[1] == 0
    np.testing.assert_array_equal(expected[1], case.family.to_mean(natural))
    partly = case.rows(natural, 3)
    partly[1, 0] = np.nan
    with pytest.raises(ValueError, match="takes missing values in all columns of a row"):
        case.family.complete(natural, partly)
