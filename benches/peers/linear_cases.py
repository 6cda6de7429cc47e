"""Linear Gaussian models with clusters or binary units behind them, beside numpy scripts."""

from collections.abc import Callable
from typing import Any

import numpy as np
from interleave import Side
from numpy.typing import NDArray
from scipy.special import logsumexp

from harmonium import Boltzmann, LinearGaussian, Mixture, Normal

Floats = NDArray[np.float64]
Learn = Callable[[Any, Floats, int], float]
Work = tuple[Side, Side, Any, Floats]


def regression(n: float, sums: tuple[Floats, ...]) -> tuple[Floats, Floats, Floats]:
    """Offset, loadings and residual second moments of x on z, from Σ x, Σ z, Σ x zT, Σ z zT, Σ x xT."""
    x, z, xz, zz, xx = (part / n for part in sums)
    loadings = np.linalg.solve(zz - np.outer(z, z), (xz - np.outer(x, z)).T).T
    offset = x - loadings @ z
    residual = xx - np.outer(x, x) - loadings @ (xz - np.outer(x, z)).T
    return offset, loadings, residual


# ---------------------------------------------------------------- reduction and clusters


def clustered_factors(iterations: int, em: Learn) -> Work:
    """Eight clusters of four factors behind 64 columns of 10,000 rows."""
    n, d, m, k = 10_000, 64, 4, 8
    rng = np.random.default_rng(4)
    w, noise = rng.normal(size=(d, m)), rng.uniform(0.5, 1.5, d)
    centres = 3.0 * rng.normal(size=(k, m))
    z = centres[rng.integers(k, size=n)] + rng.normal(size=(n, m))
    x = z @ w.T + np.sqrt(noise) * rng.normal(size=(n, d))
    means, spreads = centres + rng.normal(size=(k, m)), np.repeat(np.eye(m)[None], k, 0)
    weights, start = np.full(k, 1 / k), w + 0.3 * rng.normal(size=(d, m))
    model = LinearGaussian(Normal(d, "diagonal"), Mixture(Normal(m), k))
    prior = model.latent.from_parameters(weights=weights, mean=means, covariance=spreads)
    likelihood = {"mean": np.zeros(d), "loadings": start, "noise": np.ones(d)}
    prepared = model.prepare(model.from_parameters(**likelihood, prior=prior))

    def script() -> float:
        b, w, psi, share, mu, sigma = np.zeros(d), start, np.ones(d), weights, means, spreads
        squares = (x**2).sum(0)
        for iteration in range(iterations + 1):
            gain = w.T / psi
            tilt = gain @ w
            shift = (x - b) @ gain.T
            precision = np.linalg.inv(sigma)
            spread = np.linalg.inv(precision + tilt)
            offset = np.einsum("kij,kj->ki", precision, mu)
            pulled = shift[:, None] + offset
            z = np.einsum("kij,nkj->nki", spread, pulled)
            log = np.log(share) + 0.5 * (
                np.einsum("nki,nki->nk", pulled, z)
                + np.linalg.slogdet(spread)[1]
                - np.linalg.slogdet(sigma)[1]
                - np.einsum("ki,ki->k", mu, offset)
            )
            total = logsumexp(log, axis=1)
            if iteration == iterations:
                break
            r = np.exp(log - total[:, None])
            of = r.sum(0)
            first = np.einsum("nk,nki->ki", r, z)
            second = np.einsum("nk,nki,nkj->kij", r, z, z, optimize=True)
            second = second + of[:, None, None] * spread
            mean = np.einsum("nk,nki->ni", r, z)
            sums = (x.sum(0), first.sum(0), x.T @ mean, second.sum(0), np.diag(squares))
            b, w, left = regression(n, sums)
            psi, share, mu = np.diag(left), of / n, first / of[:, None]
            sigma = second / of[:, None, None] - mu[:, :, None] * mu[:, None, :]
        base = ((x - b) ** 2 / psi).sum(1) + np.log(2 * np.pi * psi).sum()
        return float((total - 0.5 * base).mean())

    ours = Side("harmonium", lambda: em(prepared, x, iterations))
    return ours, Side("numpy script", script), prepared, x


# --------------------------------------------------------------------- Gaussian-Boltzmann


def binary_factors(rows: int, iterations: int, em: Learn) -> Work:
    """Ten coupled binary units behind eight columns with full noise."""
    d, m = 8, 10
    rng = np.random.default_rng(5)
    w = rng.normal(size=(d, m))
    x = (rng.random((rows, m)) < 0.4) @ w.T + 0.7 * rng.normal(size=(rows, d))
    start = w + 0.3 * rng.normal(size=(d, m))
    natural = 0.1 * rng.normal(size=m * (m + 1) // 2)
    model = LinearGaussian(Normal(d), Boltzmann(m))
    likelihood = {"mean": np.zeros(d), "loadings": start, "noise": np.eye(d)}
    prepared = model.prepare(model.from_parameters(**likelihood, prior=natural))
    i, j = np.tril_indices(m, -1)
    units = (np.arange(1 << m)[:, None] >> np.arange(m) & 1).astype(float)
    statistic = np.hstack([units, units[:, i] * units[:, j]])

    def matched(theta: Floats, mean: Floats) -> Floats:
        for _ in range(50):
            logs = statistic @ theta
            p = np.exp(logs - logsumexp(logs))
            own = p @ statistic
            if np.abs(mean - own).max() < 1e-13:
                break
            theta = theta + np.linalg.solve(
                (statistic * p[:, None]).T @ statistic - np.outer(own, own), mean - own
            )
        return theta

    def script() -> float:
        b, w, psi, theta = np.zeros(d), start, np.eye(d), natural
        scatter = x.T @ x
        for iteration in range(iterations + 1):
            gain = np.linalg.solve(psi, w).T
            energies = statistic @ theta - 0.5 * np.einsum("si,ij,sj->s", units, gain @ w, units)
            energies -= logsumexp(statistic @ theta)
            law, xz, total = np.zeros(1 << m), np.zeros((d, m)), 0.0
            for at in range(0, rows, 1000):
                block = x[at : at + 1000]
                logs = (block - b) @ gain.T @ units.T + energies
                top = logs.max(1, keepdims=True)
                p = np.exp(logs - top)
                norm = p.sum(1, keepdims=True)
                p /= norm
                total += (top + np.log(norm)).sum()
                law += p.sum(0)
                xz += block.T @ (p @ units)
            if iteration == iterations:
                break
            mean = law @ statistic
            second = (units * law[:, None]).T @ units
            sums = (x.sum(0), mean[:m], xz, second, scatter)
            b, w, psi = regression(rows, sums)
            theta = matched(theta, mean / rows)
        deviation = np.linalg.solve(np.linalg.cholesky(psi), (x - b).T)
        log_norm = np.linalg.slogdet(2 * np.pi * psi)[1]
        return float((total - 0.5 * (deviation**2).sum()) / rows - 0.5 * log_norm)

    ours = Side("harmonium", lambda: em(prepared, x, iterations))
    return ours, Side("numpy script", script), prepared, x
