"""Expectation maximisation side by side with scikit-learn and with short numpy scripts.

    python benches/peers/expectation.py [--pairs 5] [--quick] [--markdown]

Both sides start from the same parameters, make the same number of iterations, and must end at the
same mean log-likelihood. scikit-learn's ``fit`` makes one expectation and one maximisation an
iteration, and one more expectation at the end (``BaseMixture.fit_predict``); from given weights,
means and precisions it starts without any. Ours are as many, the last one for the likelihood.
"""

import argparse
import platform
import time
import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
from interleave import Side, interleave, table, threads
from linear_cases import binary_factors, clustered_factors
from markdown import show
from numpy.typing import NDArray
from rich.table import Table
from scipy.special import gammaln, logsumexp
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from harmonium import Harmonium, LinearGaussian, Mixture, Normal, Poisson
from harmonium.expectation import as_source, expectation, log_densities
from harmonium.expectation.prepared import Prepared

Floats = NDArray[np.float64]
GIGA = 1e9


def em(prepared: Prepared, x: Floats, iterations: int) -> float:
    """Make the iterations; return the mean log-likelihood at the end."""
    source, notes = as_source(x), set[str]()
    for _ in range(iterations):
        prepared = prepared.maximise(expectation(prepared, source).sums, notes)
    return float(log_densities(prepared, source).mean())


# ------------------------------------------------------------------- mixtures of normals


def clusters(n: int, d: int, k: int) -> Floats:
    """Rows from ``k`` overlapping correlated normals."""
    rng = np.random.default_rng(0)
    centres = 1.5 * rng.normal(size=(k, d))
    roots = np.eye(d) + rng.normal(size=(k, d, d)) / np.sqrt(d)
    which = rng.integers(k, size=n)
    noise = rng.normal(size=(n, d))
    x = np.empty((n, d))
    for j in range(k):
        x[which == j] = centres[j] + noise[which == j] @ roots[j].T
    return x


def normals(n: int, d: int, k: int, iterations: int) -> tuple[Side, Side, Prepared, Floats]:
    """Ours and scikit-learn's mixture with full covariances, from the same start."""
    x = clusters(n, d, k)
    means = x[np.random.default_rng(1).choice(n, k, replace=False)]
    covariance = np.repeat(np.cov(x.T)[None], k, 0)
    weights = np.full(k, 1 / k)
    model: Harmonium = Mixture(Normal(d), k)
    start = model.from_parameters(weights=weights, mean=means, covariance=covariance)
    prepared = model.prepare(start)

    def theirs() -> float:
        mixture = GaussianMixture(
            k,
            tol=0,
            reg_covar=0,
            max_iter=iterations,
            weights_init=weights,
            means_init=means,
            precisions_init=np.linalg.inv(covariance),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return Fitted(mixture, x).run()

    return (
        Side("harmonium", lambda: em(prepared, x, iterations)),
        Side("scikit-learn", theirs),
        prepared,
        x,
    )


class Fitted:
    """A fit of scikit-learn whose last expectation's log-likelihood is kept.

    ``fit`` makes that expectation for the labels and forgets its value; asking ``score`` for it
    would be one more, which the clock must not see.
    """

    def __init__(self, mixture: GaussianMixture, x: Floats) -> None:
        self.mixture, self.x, self.last = mixture, x, np.nan

    def run(self) -> float:
        step = self.mixture._e_step

        def kept(*args: object, **options: object) -> object:
            out = step(*args, **options)
            self.last = float(out[0])
            return out

        self.mixture._e_step = kept
        self.mixture.fit(self.x)
        return self.last


# ------------------------------------------------------------------- mixtures of Poissons


def counts(n: int, iterations: int) -> tuple[Side, Side, Prepared, Floats]:
    """Ours and a numpy script's mixture of ten Poissons of 50 columns."""
    d, k = 50, 10
    rng = np.random.default_rng(2)
    true = rng.gamma(2.0, 2.0, (k, d))
    x = rng.poisson(true[rng.integers(k, size=n)]).astype(float)
    rates, weights = x.mean(0) * rng.uniform(0.7, 1.3, (k, d)), np.full(k, 1 / k)
    model = Mixture(Poisson(d), k)
    prepared = model.prepare(model.from_parameters(weights=weights, rate=rates))
    base = gammaln(x + 1).sum(1)

    def script() -> float:
        rate, weight = rates, weights
        for iteration in range(iterations + 1):
            logs = x @ np.log(rate).T - rate.sum(1) + np.log(weight)
            marginal = logsumexp(logs, axis=1)
            if iteration < iterations:
                shares = np.exp(logs - marginal[:, None])
                total = shares.sum(0)
                rate, weight = (shares.T @ x) / total[:, None], total / n
        return float((marginal - base).mean())

    ours = Side("harmonium", lambda: em(prepared, x, iterations))
    return ours, Side("numpy script", script), prepared, x


# ------------------------------------------------------------------------ factor analysis


def factors(passes: int) -> tuple[Side, Side, Prepared, Floats]:
    """Ours and a numpy script's expectation of 4 factors behind 64 columns, ``passes`` times."""
    n, d, m = 20_000, 64, 4
    rng = np.random.default_rng(3)
    loadings, noise, mean = rng.normal(size=(d, m)), rng.uniform(0.5, 1.5, d), rng.normal(size=d)
    x = mean + rng.normal(size=(n, m)) @ loadings.T + np.sqrt(noise) * rng.normal(size=(n, d))
    model = LinearGaussian(Normal(d, "diagonal"), Normal(m))
    prepared = model.prepare(model.from_parameters(mean=mean, loadings=loadings, noise=noise))
    source = as_source(x)

    def ours() -> float:
        for _ in range(passes):
            totals = expectation(prepared, source)
        return totals.log_likelihood / totals.weight

    def script() -> float:
        for _ in range(passes):
            gain = loadings.T / noise
            spread = np.linalg.inv(np.eye(m) + gain @ loadings)
            deviation = x - mean
            shift = deviation @ gain.T
            latent = shift @ spread
            # the sums that an M-step asks for
            _ = latent.sum(0), latent.T @ latent + n * spread, deviation.T @ latent
            squares = (deviation**2).sum(0)
            log_norm = np.linalg.slogdet(spread)[1] - np.log(2 * np.pi * noise).sum()
            total = 0.5 * ((shift * latent).sum() - squares @ (1 / noise) + n * log_norm)
        return float(total / n)

    return Side("harmonium", ours), Side("numpy script", script), prepared, x


# --------------------------------------------------------------------------- arithmetic


def shortest(run: Callable[[], object], repeats: int = 7) -> float:
    """Fewest seconds of a call, after one that does not count: other work only adds to them."""
    run()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def matrix_product_rate(size: int = 1024) -> float:
    """Operations a second of numpy's matrix product on one thread."""
    a, b = np.random.default_rng(0).normal(size=(2, size, size))
    with threads(1):
        return 2 * size**3 / shortest(lambda: a @ b)


def mixture_operations(d: int, k: int) -> int:
    """Operations a row of a mixture of normals.

    For each component: centring, the product with a triangle and its squared norm; 40 for its
    share; centring and weighting again, the first moments and a triangle of products.
    """
    triangle = d * (d + 1)
    return k * ((d + triangle + 2 * d) + 40 + (2 * d + 2 * d + triangle))


def factor_operations(d: int, m: int) -> int:
    """Operations a row of a linear model with diagonal noise and a normal latent.

    Centring and squares; shifts of the latent, and products of those with the row.
    """
    return 4 * d + 2 * d * m + 2 * d * m + 4 * m * m


def arithmetic(cases: list[tuple[str, Prepared, Floats, int]]) -> Table:
    """Return what a pass computes and reads, and how fast, beside numpy's matrix product.

    Each row is read twice: to look for missing values, and to work on.
    """
    rate = matrix_product_rate()
    out = Table(title=f"One pass; numpy's matrix product: {rate / GIGA:.0f} GFLOP/s a thread")
    for name in ("model", "threads", "GFLOP", "MB read", "ms", "GFLOP/s", "GB/s", "of product"):
        out.add_column(name, justify="left" if name == "model" else "right")
    for title, prepared, x, each in cases:
        n, d = x.shape
        flops, memory = float(n * each), float(2 * 8 * n * d)
        for n_threads in (1, 2):
            with threads(n_threads):
                source = as_source(x)
                seconds = shortest(partial(expectation, prepared, source), 7)
            out.add_row(
                title,
                str(n_threads),
                f"{flops / GIGA:.2f}",
                f"{memory / 1e6:.0f}",
                f"{1e3 * seconds:.1f}",
                f"{flops / seconds / GIGA:.0f}",
                f"{memory / seconds / GIGA:.1f}",
                f"{flops / seconds / (n_threads * rate):.0%}",
            )
    return out


def hundred_iterations(prepared: Prepared, x: Floats) -> str:
    """Ours alone: the script would take minutes."""
    clock = time.perf_counter()
    end = em(prepared, x, 100)
    seconds = time.perf_counter() - clock
    return f"harmonium alone, EM × 100: {seconds:.1f} s, {end:.9f} nats a row"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5, help="runs of each side")
    parser.add_argument("--quick", action="store_true", help="fewer iterations of fewer rows")
    parser.add_argument("--markdown", action="store_true", help="tables as Markdown")
    options = parser.parse_args()
    quick = options.quick
    pairs = 2 if quick else options.pairs
    runs: list[tuple[str, Side, Side]] = []
    cases: list[tuple[str, Prepared, Floats, int]] = []

    def add(title: str, how: str, work: tuple[Side, Side, Prepared, Floats], each: int) -> None:
        ours, theirs, prepared, x = work
        name = f"{len(x):,} × {x.shape[1]}, {title}"
        runs.append((f"{how}: {name}", ours, theirs))
        cases.append((name, prepared, x, each))

    for n, d, k in ((100_000, 8, 8), (100_000, 32, 16)):
        steps, rows = (1, n // 4) if quick else (5, n)
        work = normals(rows, d, k, steps)
        add(f"{k} normals", f"EM × {steps}", work, mixture_operations(d, k))
    steps, rows = (2, 10_000) if quick else (10, 50_000)
    # a product with the logs of the rates, one with the shares, and 40 for each share
    add("10 Poissons", f"EM × {steps}", counts(rows, steps), 10 * (2 * 50 + 2 * 50 + 40))
    add("4 factors", "expectation × 5", factors(5), factor_operations(64, 4))
    steps = 5 if quick else 20
    # a mixture of the shifts behind the factors, of which three products are full squares
    each = factor_operations(64, 4) + 8 * (3 * 2 * 16 + 40)
    add("4 factors, 8 clusters", f"EM × {steps}", clustered_factors(steps, em), each)
    steps, rows = (1, 10_000) if quick else (2, 100_000)
    # of every state: a sum, an exponential of 20 operations, its share and the shares' total
    add("10 binary units", f"EM × {steps}", binary_factors(rows, steps, em), 1024 * 23)
    comparisons = [
        interleave(title, ours, theirs, n_threads=n_threads, pairs=pairs)
        for title, ours, theirs in runs
        for n_threads in (1, 2)
    ]
    print(f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}\n")
    show(table(comparisons), as_markdown=options.markdown)
    show(arithmetic(cases), as_markdown=options.markdown)
    if not quick:
        name, prepared, x, _ = cases[-1]
        print(f"{name}; {hundred_iterations(prepared, x)}")


if __name__ == "__main__":
    main()
