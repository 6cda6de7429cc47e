"""Laws of samplers, by tests that together fail a right one at a rate of one in a million.

Seeds are fixed and nothing is tried twice: what passes today passes tomorrow.
"""

import numpy as np
import pytest
from scipy import stats

from laws.family_cases import CASES, every_family, families_with, families_with_parameters
from laws.scales import COMPARISONS, LARGEST_Z, SMALLEST_P

DRAWS = 20_000
#: Fewest expected draws of a cell.
CELL = 10.0


def test_comparisons_are_as_many_as_stated():
    dimensions = np.array([case.family.dimension for case in CASES])
    columns = np.array([case.family.n_features for case in CASES])
    moments = dimensions + dimensions * (dimensions + 1) // 2
    assert (2 * moments + columns + 1).sum() <= COMPARISONS


@every_family
def test_moments_of_the_statistic(case):
    points = case.points(31, 2)
    draws = case.family.sample(points, rng=1, size=DRAWS)
    for natural, x in zip(points, draws.swapaxes(0, 1), strict=True):
        deviation = case.family.sufficient_statistic(x) - case.family.to_mean(natural)
        fisher = case.family.fisher_information(natural)
        variance = np.diagonal(fisher)
        assert (np.abs(deviation.mean(0)) <= LARGEST_Z * np.sqrt(variance / DRAWS)).all()
        for i in range(case.family.dimension):
            products = deviation[:, i, None] * deviation[:, i:]
            error = LARGEST_Z * products.std(0) / np.sqrt(DRAWS)
            rounding = 1e-12 * np.sqrt(variance[i] * variance[i:])
            assert (np.abs(products.mean(0) - fisher[i, i:]) <= error + rounding).all()


@families_with("support", discrete=True)
def test_frequencies_of_discrete_laws(case):
    natural = case.points(32)
    nodes = case.support.nodes(case.family, natural)
    expected = DRAWS * np.exp(case.family.log_density(natural, nodes.x))
    cells = {tuple(row): i for i, row in enumerate(nodes.x)}
    observed = np.zeros(len(cells))
    for row in case.rows(natural, DRAWS, seed=3):
        observed[cells[tuple(row)]] += 1
    frequent = expected >= CELL
    rest = expected[~frequent].sum()
    expected = np.append(expected[frequent], rest)
    observed = np.append(observed[frequent], observed[~frequent].sum())
    if rest < CELL:  # too few to judge: they join the rarest cell
        at = np.argmin(expected[:-1])
        expected[at] += expected[-1]
        observed[at] += observed[-1]
        expected, observed = expected[:-1], observed[:-1]
    if len(expected) == 1:
        assert observed[0] == DRAWS
        return
    statistic = ((observed - expected) ** 2 / expected).sum()
    assert stats.chi2.sf(statistic, len(expected) - 1) >= SMALLEST_P


@families_with("support", "marginals", discrete=False)
def test_distributions_of_columns(case):
    natural = case.points(33)
    x = case.rows(natural, DRAWS, seed=4)
    laws = case.marginals(case.family.to_parameters(natural))
    for law, column in zip(laws, x.T, strict=True):
        if hasattr(law, "pmf"):  # a column of counts beside continuous ones
            continue
        # scipy's cdf of a circular law goes on from turn to turn
        uniform = np.mod(law.cdf(column), 1.0)
        assert stats.kstest(uniform, "uniform").pvalue >= SMALLEST_P


@every_family
def test_draws_lie_on_the_support(case):
    for natural in (*case.points(34, 3), *case.extremes(35, 5)):
        case.family.check_data(case.rows(natural, 50))


@families_with_parameters
def test_seeds_repeat(case):
    natural = case.points(36)
    first, second, other = (case.rows(natural, 50, seed=s) for s in (7, 7, 8))
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()
    rng = np.random.default_rng(7)
    np.testing.assert_array_equal(case.family.sample(natural, rng=rng, size=50), first)
    assert (case.family.sample(natural, rng=rng, size=50) != first).any()


@every_family
@pytest.mark.parametrize("size", [None, 3, (2, 3), 0, (), (0, 2)])
@pytest.mark.parametrize("batch", [(), (4,), (2, 1), (0,)])
def test_shapes(case, size, batch):
    draws = case.family.sample(case.points(37, *batch), rng=0, size=size)
    lead = () if size is None else size if isinstance(size, tuple) else (size,)
    assert draws.shape == (*lead, *batch, case.family.n_features)
    assert draws.dtype == np.float64


@families_with_parameters
def test_draws_without_a_seed_differ(case):
    draws = [case.family.sample(case.points(38), size=200) for _ in range(2)]
    assert (draws[0] != draws[1]).any()


@every_family
@pytest.mark.parametrize("size", [-1, 1.5, "3", True])
def test_sizes_that_are_none_of_ours(case, size):
    with pytest.raises((ValueError, TypeError), match="size"):
        case.family.sample(case.points(39), rng=0, size=size)
