"""Simulation-based calibration (Talts et al., 2018): parameters lie evenly among posterior draws."""

import numpy as np
import pytest
from scipy import stats

from laws.harmonium_cases import CASES, HarmoniumCase

#: Pairs of latent and data, posterior draws of each, and bins of the latent's rank among them.
PAIRS, DRAWS, BINS = 2000, 99, 20
#: Of all columns of all cases together.
FALSE_FAIL = 1e-4
#: One of each kind of latent: categories, normals, states, clusters, models of several levels.
NAMES = (
    "normals",
    "Poissons",
    "von Mises",
    "factors",
    "factors, full noise",
    "binary factors",
    "clustered factors",
    "factors of binary factors",
    "mixture of factors",
    "views of factors",
    "views of clusters",
    "views of categories",
)
CHOSEN = [case for case in CASES if case.name in NAMES]


def columns_of(case: HarmoniumCase) -> int:
    return case.model.latent.n_features


def test_all_names_are_cases() -> None:
    assert len(CHOSEN) == len(NAMES)


@pytest.mark.parametrize("case", CHOSEN, ids=repr)
def test_ranks_are_even(case: HarmoniumCase) -> None:
    model, natural, rng = case.model, case.point(11), case.rng(12)
    observed = model.sample(natural, rng, size=PAIRS)
    x, z = observed[:, : model.n_observed], observed[:, model.observable.n_features :]
    posterior = model.posterior(natural, np.ascontiguousarray(x))
    draws = model.latent.sample(posterior, rng, size=DRAWS)
    # ties, of categories and states, are broken at random
    below = (draws < z).sum(0) + rng.binomial((draws == z).sum(0), rng.random(z.shape))
    worst = min(
        stats.chisquare(np.bincount(own * BINS // (DRAWS + 1), minlength=BINS)).pvalue
        for own in below.T
    )
    assert worst > FALSE_FAIL / sum(map(columns_of, CHOSEN))
