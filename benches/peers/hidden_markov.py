"""Hidden Markov models side by side with hmmlearn and with dynamax, in one process.

    pip install hmmlearn dynamax threadpoolctl
    python benches/peers/hidden_markov.py [--rows 100000] [--states 5] [--columns 4] [--pairs 5]

Full normals. Both sides read the same sequence, from the same parameters, and must end at the same
log-likelihood a row, to 1e-8. hmmlearn's smoothing is ``score_samples``, its EM ``fit`` with priors
of no weight; its history's last entry is of the point before the last step, and so is the one
compared here, though ours makes one expectation more for the point after it. dynamax is compiled
first, computes in float64, and has the maximum-likelihood M-step written for it in jax, since its
own is that of a posterior mode.
"""

import argparse
import importlib.util
import platform
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from interleave import Side, interleave, table
from numpy.typing import NDArray
from rich.console import Console

from harmonium import HiddenMarkovModel, Normal
from harmonium.sequences import HiddenMarkovChain

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Problem:
    """A sequence, and parameters to read it at or to start from."""

    x: Floats
    start: HiddenMarkovChain
    iterations: int

    @property
    def parameters(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Initial and transition probabilities, means and covariances."""
        emissions = self.start.parameters.emissions
        return self.start.initial, self.start.transition, emissions.mean, emissions.covariance


def problem(rows: int, states: int, columns: int, iterations: int) -> Problem:
    """States that last ten rows on average and overlap; a start away from the truth."""
    rng = np.random.default_rng(0)
    model = HiddenMarkovModel(Normal(columns), states)
    transition = 0.9 * np.eye(states) + 0.1 * rng.dirichlet(np.ones(states), states)
    mean = 1.2 * rng.normal(size=(states, columns))
    root = np.eye(columns) + 0.4 * rng.normal(size=(states, columns, columns))
    covariance = root @ root.swapaxes(-1, -2)
    x, _ = model.at(transition=transition, mean=mean, covariance=covariance).sample(rows, 1)
    start = model.at(
        transition=0.8 * np.eye(states) + 0.2 / states,
        mean=mean + 0.3 * rng.normal(size=mean.shape),
        covariance=1.3 * covariance,
    )
    return Problem(x, start, iterations)


def our_smoother(p: Problem) -> Side:
    def run() -> float:
        filtered = p.start.filter(p.x)
        p.start.smooth(p.x)
        return float(filtered.log_predictive.mean())

    return Side("harmonium", run)


def our_em(p: Problem, checkpoint: bool = False) -> Side:
    model = HiddenMarkovModel(p.start.observable, p.start.n_states)

    def run() -> float:
        fitted = model.fit(
            p.x,
            initial=p.start,
            max_iter=p.iterations,
            tol=0,
            warn=False,
            checkpoint=checkpoint,
        )
        return -float(fitted.history[-2])

    return Side("harmonium", run)


# -------------------------------------------------------------------------------- hmmlearn


def hmmlearn(p: Problem, implementation: str) -> tuple[Side, Side]:
    """Smoothing and EM of hmmlearn, its recursions scaled or in logarithms."""
    from hmmlearn.hmm import GaussianHMM

    def started() -> Any:
        hmm = GaussianHMM(
            p.start.n_states,
            "full",
            min_covar=0,
            means_prior=0,
            means_weight=0,
            covars_prior=0,
            covars_weight=0,
            n_iter=p.iterations,
            tol=-np.inf,
            init_params="",
            implementation=implementation,
        )
        hmm.startprob_, hmm.transmat_, hmm.means_, hmm.covars_ = p.parameters
        return hmm

    reader = started()

    def smooth() -> float:
        return float(reader.score_samples(p.x)[0]) / len(p.x)

    def em() -> float:
        hmm = started()
        hmm.fit(p.x)
        return float(hmm.monitor_.history[-1]) / len(p.x)

    name = f"hmmlearn, {implementation}"
    return Side(name, smooth), Side(name, em)


# --------------------------------------------------------------------------------- dynamax


def dynamax(p: Problem) -> tuple[Side, Side]:
    """Smoothing of dynamax, and EM by it, both compiled."""
    import jax
    import jax.numpy as jnp
    from dynamax.hidden_markov_model.inference import hmm_smoother
    from jax.scipy.stats import multivariate_normal

    jax.config.update("jax_enable_x64", True)
    x = jnp.asarray(p.x)
    start = tuple(map(jnp.asarray, p.parameters))

    def read(parameters: Any) -> Any:
        initial, transition, means, covariances = parameters
        logs = jax.vmap(lambda m, c: multivariate_normal.logpdf(x, m, c))(means, covariances).T
        return hmm_smoother(initial, transition, logs)

    def step(parameters: Any) -> Any:
        posterior = read(parameters)
        shares = posterior.smoothed_probs
        counts = posterior.trans_probs
        weights = shares.sum(0)
        means = shares.T @ x / weights[:, None]
        deviations = x[:, None, :] - means
        scatter = jnp.einsum("nk,nki,nkj->kij", shares, deviations, deviations)
        new = (
            shares[0],
            counts / counts.sum(1, keepdims=True),
            means,
            scatter / weights[:, None, None],
        )
        return new, posterior.marginal_loglik

    compiled_read, compiled_step = jax.jit(read), jax.jit(step)

    def smooth() -> float:
        posterior = jax.block_until_ready(compiled_read(start))
        return float(posterior.marginal_loglik) / len(p.x)

    def em() -> float:
        parameters = start
        for _ in range(p.iterations):
            parameters, log_likelihood = compiled_step(parameters)
        jax.block_until_ready(parameters)
        return float(log_likelihood) / len(p.x)

    return Side("dynamax", smooth), Side("dynamax", em)


def peers(p: Problem) -> list[tuple[Side, Side]]:
    """Whatever is installed."""
    makers: list[tuple[str, Callable[[], tuple[Side, Side]]]] = [
        ("hmmlearn", lambda: hmmlearn(p, "scaling")),
        ("hmmlearn", lambda: hmmlearn(p, "log")),
        ("dynamax", lambda: dynamax(p)),
    ]
    return [make() for name, make in makers if importlib.util.find_spec(name) is not None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--states", type=int, default=5)
    parser.add_argument("--columns", type=int, default=4)
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--pairs", type=int, default=5, help="runs of each side")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    console = Console(width=170)
    console.print(f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}")
    p = problem(options.rows, options.states, options.columns, options.iterations)
    what = f"{options.rows:,} × {options.columns}, {options.states} states"
    comparisons = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for smooth, em in [*peers(p), (None, Side("harmonium, √T memory", our_em(p, True).run))]:
            for n in options.threads:
                if smooth is not None:
                    comparisons.append(
                        interleave(
                            f"filter + smooth: {what}",
                            our_smoother(p),
                            smooth,
                            n_threads=n,
                            pairs=options.pairs,
                        )
                    )
                comparisons.append(
                    interleave(
                        f"EM × {p.iterations}: {what}",
                        our_em(p),
                        em,
                        n_threads=n,
                        pairs=options.pairs,
                    )
                )
    console.print(table(comparisons))


if __name__ == "__main__":
    main()
