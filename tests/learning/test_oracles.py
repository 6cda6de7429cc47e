"""Monte Carlo expectations: unbiased for every model, with the error rates stated."""

import numpy as np
import pytest
from scipy import stats

from harmonium.expectation import ArraySource
from harmonium.learning.batches import Batches
from harmonium.learning.oracles import Exact, MonteCarlo, with_latents
from harmonium.learning.space import Space
from harmonium.validation import FloatArray
from laws.harmonium_cases import HarmoniumCase, every_model
from laws.random_points import random_point, rows_of

#: Chance that an unbiased estimator fails a test.
FALSE_ALARM = 1e-6
REPLICATES = 30


def assert_unbiased(replicates: FloatArray, exact: FloatArray) -> None:
    """Each coordinate's average lies as near as a t law says, all at once (Bonferroni).

    Each replicate is itself an average of many draws, so that rare states leave it near normal.
    A bias of 12 standard errors fails all but surely.
    """
    n, size = replicates.shape
    spread = replicates.std(0, ddof=1) / np.sqrt(n)
    varies = spread > 1e-12 * np.maximum(1.0, np.abs(exact))
    gap = np.abs(replicates.mean(0) - exact)
    np.testing.assert_allclose(gap[~varies], 0.0, atol=1e-8 * np.abs(exact).max(initial=1.0))
    bound = stats.t.isf(FALSE_ALARM / (2 * size), n - 1)
    assert (gap[varies] <= bound * spread[varies]).all(), (gap[varies] / spread[varies]).max()


@every_model
class TestEveryModel:
    def test_of_the_model(self, case: HarmoniumCase) -> None:
        space, point = Space(case.small), _point(case)
        oracle = MonteCarlo(space, case.rng(9), 50, 1)
        found = np.stack([oracle.of_model(point) for _ in range(REPLICATES)])
        assert_unbiased(found, Exact(space).of_model(point))

    @pytest.mark.parametrize("kind", ["complete", "missing and weighted"])
    def test_of_the_data(self, case: HarmoniumCase, kind: str) -> None:
        model, space, point = case.small, Space(case.small), _point(case)
        x = rows_of(model, point, 12, case.rng(2))
        weights = None
        if kind != "complete":
            x = case.with_missing(x, 0.2, case.rng(3))
            weights = case.rng(4).gamma(2.0, size=len(x))
        source = ArraySource(x, weights)
        oracle = MonteCarlo(space, case.rng(9), 1, 40)
        found = np.stack([oracle.of_data(point, source) for _ in range(REPLICATES)])
        assert_unbiased(found, Exact(space).of_data(point, source))

    def test_of_lots_of_rows(self, case: HarmoniumCase) -> None:
        # shares times lots' averages, over one epoch: exactly the average of all rows
        model, space, point = case.small, Space(case.small), _point(case)
        x = rows_of(model, point, 12, case.rng(2))
        source = ArraySource(x, case.rng(4).gamma(2.0, size=12))
        oracle = Exact(space)
        lots = Batches(source, 4, case.rng(5))
        pairs = zip(lots, range(3), strict=False)
        found = np.stack([lots.share(lot) * oracle.of_data(point, lot) for lot, _ in pairs])
        np.testing.assert_allclose(
            found.mean(0), oracle.of_data(point, source), rtol=1e-7, atol=1e-9
        )

    def test_latents_of_all_levels(self, case: HarmoniumCase) -> None:
        # a draw given the data has the law of the pair: its statistic averages to the forward map
        model, point = case.model, case.point(1)
        drawn = model.sample(point, case.rng(2), 40)
        again = with_latents(model, point, drawn[:, : model.n_observed], case.rng(3))
        assert again.shape == drawn.shape
        assert np.array_equal(again[:, : model.n_observed], drawn[:, : model.n_observed])
        model.check_data(again)


def _point(case: HarmoniumCase) -> FloatArray:
    return random_point(case.small, case.rng(4))
