"""Log densities and maximum likelihood beside scipy.stats."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import polygamma, psi
from side_by_side import Case

from harmonium.families import Beta, Dirichlet, Gamma, Normal, Poisson, VonMises

Floats = NDArray[np.float64]

D = 5
CONCENTRATION = np.array([0.5, 1.0, 2.0, 3.0, 4.0])


def covariance() -> Floats:
    """Of five columns."""
    root = np.random.default_rng(0).normal(size=(D, D))
    return root @ root.T + np.eye(D)


def laws() -> list[tuple[str, Any, dict[str, Any], Any]]:
    """Families, people's parameters, and scipy's frozen laws."""
    centre, spread = np.arange(float(D)), covariance()
    return [
        ("normal", Normal(1), {"mean": [1.0], "covariance": [[4.0]]}, stats.norm(1.0, 2.0)),
        (
            f"normal, {D} columns",
            Normal(D),
            {"mean": centre, "covariance": spread},
            stats.multivariate_normal(centre, spread),
        ),
        ("gamma", Gamma(), {"shape": [2.5], "rate": [1.5]}, stats.gamma(2.5, scale=1 / 1.5)),
        ("beta", Beta(), {"a": [2.5], "b": [1.5]}, stats.beta(2.5, 1.5)),
        (
            f"Dirichlet, {D} weights",
            Dirichlet(D),
            {"concentration": CONCENTRATION},
            stats.dirichlet(CONCENTRATION),
        ),
        ("Poisson", Poisson(), {"rate": [2.5]}, stats.poisson(2.5)),
        (
            "von Mises",
            VonMises(),
            {"mean": [2.5], "concentration": [3.0]},
            stats.vonmises(3.0, 2.5),
        ),
    ]


def density_cases(n: int) -> Iterator[Case]:
    """One law, its own draws."""
    for title, family, parameters, law in laws():
        point = family.from_parameters(**parameters)
        x = family.sample(point, rng=1, size=n)
        logs = getattr(law, "logpmf", None) if title == "Poisson" else law.logpdf
        rows = x.T.copy() if title.startswith("Dirichlet") else x if x.shape[1] > 1 else x[:, 0]
        yield Case(
            title,
            "scipy.stats",
            lambda _, f=family, p=point, x=x: f.log_density(p, x),
            lambda _, logs=logs, rows=rows: logs(rows),
        )


def dirichlet_newton(x: Floats) -> Floats:
    """Concentrations of largest likelihood by Minka's (2000) Newton steps."""
    mean_log = np.log(x).mean(0)
    mean, square = x.mean(0), (x[:, 0] ** 2).mean()
    alpha = mean * (mean[0] - square) / (square - mean[0] ** 2)
    for _ in range(100):
        gradient = psi(alpha.sum()) - psi(alpha) + mean_log
        q, z = -polygamma(1, alpha), polygamma(1, alpha.sum())
        step = (gradient - (gradient / q).sum() / (1 / z + (1 / q).sum())) / q
        alpha = np.where(alpha > step, alpha - step, 0.5 * alpha)
        if np.abs(step).max() < 1e-12 * alpha.max():
            break
    return np.asarray(alpha)


def estimate_cases(n: int) -> Iterator[Case]:
    """People's parameters of largest likelihood, both sides."""
    rng = np.random.default_rng(2)
    known = {title: (family, family.from_parameters(**given)) for title, family, given, _ in laws()}

    def case(title: str, peer: str, flat: Any, theirs: Any) -> Case:
        family, point = known[title]
        x = family.sample(point, rng, n)
        return Case(
            title,
            peer,
            lambda _: flat(family.to_parameters(family.maximum_likelihood(x))),
            lambda _: theirs(x),
        )

    def joined(parameters: Any) -> Floats:
        return np.concatenate([np.ravel(part) for part in parameters])

    def normal(parameters: Any) -> Floats:
        return np.array([parameters.mean[0], np.sqrt(parameters.covariance[0, 0])])

    def gamma(x: Floats) -> Floats:
        shape, _, scale = stats.gamma.fit(x[:, 0], floc=0)
        return np.array([shape, 1 / scale])

    def von_mises(x: Floats) -> Floats:
        concentration, centre, _ = stats.vonmises.fit(x[:, 0], fscale=1)
        return np.array([centre % (2 * np.pi), concentration])

    yield case("normal", "scipy.stats", normal, lambda x: stats.norm.fit(x[:, 0]))
    yield case(
        f"normal, {D} columns",
        "scipy.stats",
        joined,
        lambda x: joined(stats.multivariate_normal.fit(x)),
    )
    yield case("gamma", "scipy.stats", joined, gamma)
    yield case(
        "beta", "scipy.stats", joined, lambda x: stats.beta.fit(x[:, 0], floc=0, fscale=1)[:2]
    )
    yield case(f"Dirichlet, {D} weights", "numpy script, Newton", joined, dirichlet_newton)
    yield case("Poisson", "numpy, mean", joined, lambda x: x.mean(0))
    yield case("von Mises", "scipy.stats", joined, von_mises)
