"""Maximum likelihood against a direct optimiser of scipy's, and never worse.

Away from boundaries both agree to 1e-6, in standard deviations of the statistics that one
observation has; the likelihood is scipy's own where it knows the law.
"""

import numpy as np
import pytest
from scipy import optimize, stats

import harmonium as hm
from laws.family_cases import CASES

ROWS = 300


def log_likelihood(case, x):
    """Of natural parameters: scipy's of the rows where it has the law, else the family's."""
    family = case.family

    def ours(natural):
        return float(family.log_density(natural, x).mean())

    if case.joint is None and case.marginals is None:
        return ours

    def scipy_s(natural):
        people = family.to_parameters(natural)
        if case.joint is not None:
            law = case.joint(people)
            return float(np.mean(law.logpmf(x) if hasattr(law, "logpmf") else law.logpdf(x)))
        total = 0.0
        for law, column in zip(case.marginals(people), x.T, strict=True):
            total += np.mean(law.logpmf(column) if hasattr(law, "pmf") else law.logpdf(column))
        return float(total)

    return scipy_s


def optimum(case, start, loss):
    """The best coordinates, by quasi-Newton steps on central differences, then on finer ones."""
    size = len(start)

    def slope(c, step):
        moved = step * np.eye(size)
        return np.array([(loss(c + m) - loss(c - m)) / (2 * step) for m in moved])

    best = start
    for step in (1e-4, 1e-5):
        best = optimize.minimize(
            loss, best, jac=lambda c, h=step: slope(c, h), method="BFGS", options={"gtol": 1e-10}
        ).x
    return best


# of two columns of counts scipy's sums take long, and they are twice those of one
CHOSEN = [case for case in CASES if case.family.dimension and case.family != hm.CoMPoisson(2)]


@pytest.mark.parametrize("case", CHOSEN, ids=repr)
def test_maximum_likelihood_against_a_direct_optimiser(case):
    coordinates = np.random.default_rng(46).uniform(-0.5, 0.5, case.family.dimension)
    coordinates *= min(case.easy, 1.0)
    x = case.rows(case._point(coordinates), ROWS)
    likelihood = log_likelihood(case, x)
    own = case.family.maximum_likelihood(x)
    found = case._point(optimum(case, coordinates, lambda c: -likelihood(case._point(c))))
    # never worse, but for the rounding of a sum over the rows
    assert likelihood(own) >= likelihood(found) - 1e-13 * (1 + abs(likelihood(found)))
    away = own - found
    assert away @ case.family.fisher_information(own) @ away <= 1e-6**2


def test_von_mises_angles_against_scipy_s_fit():
    for k in (0.5, 2.0, 50.0):
        x = stats.vonmises(k, loc=2.0).rvs(400, random_state=1)
        found = hm.VonMises().to_parameters(hm.VonMises().maximum_likelihood(x[:, None]))
        kappa, loc, _ = stats.vonmises.fit(x, fscale=1)
        assert found.concentration[0] == pytest.approx(kappa, rel=1e-6)
        assert found.mean[0] == pytest.approx(np.mod(loc, 2 * np.pi), rel=1e-6)


def test_columns_against_scipy_s_fit():
    rng = np.random.default_rng(2)
    x = rng.gamma(3.0, 2.0, 500)
    normal = hm.Normal().to_parameters(hm.Normal().maximum_likelihood(x[:, None]))
    assert (normal.mean[0], normal.covariance[0, 0] ** 0.5) == pytest.approx(
        stats.norm.fit(x), rel=1e-12
    )
    waiting = hm.Exponential().to_parameters(hm.Exponential().maximum_likelihood(x[:, None]))
    assert 1 / waiting.rate[0] == pytest.approx(stats.expon.fit(x, floc=0)[1], rel=1e-12)
    passage = hm.InverseGaussian()
    mu, _, scale = stats.invgauss.fit(x, floc=0)
    found = passage.to_parameters(passage.maximum_likelihood(x[:, None]))
    assert (found.mean[0], found.shape[0]) == pytest.approx((mu * scale, scale), rel=1e-6)
    share = rng.beta(2.0, 5.0, 500)
    beta = hm.Beta().to_parameters(hm.Beta().maximum_likelihood(share[:, None]))
    assert (beta.a[0], beta.b[0]) == pytest.approx(
        stats.beta.fit(share, floc=0, fscale=1)[:2], rel=1e-6
    )
    table = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 3))
    both = hm.Normal(3).to_parameters(hm.Normal(3).maximum_likelihood(table))
    mean, covariance = stats.multivariate_normal.fit(table)
    np.testing.assert_allclose(both.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(both.covariance, covariance, rtol=1e-12, atol=1e-12)
