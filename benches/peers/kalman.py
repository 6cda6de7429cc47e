"""Linear state-space models side by side with statsmodels and dynamax.

    pip install statsmodels dynamax
    python benches/peers/kalman.py [--rows 100000] [--pairs 5] [--iterations 10]

Four states behind two columns, all in double precision and from the same parameters. jax compiles
before the clock starts. Both sides must end at the same log-likelihood: of the smoother, of the
data; of EM, after the same iterations without acceleration. statsmodels has no EM of general
models; dynamax's filter takes no missing values.
"""

import argparse
import platform
import resource
import time
from functools import partial

import jax
import numpy as np
from interleave import Comparison, Side, interleave, table, threads
from numpy.typing import NDArray
from rich.console import Console
from statsmodels.tsa.statespace.kalman_smoother import (
    SMOOTHER_STATE,
    SMOOTHER_STATE_AUTOCOV,
    SMOOTHER_STATE_COV,
    KalmanSmoother,
)

from harmonium import LinearStateSpace
from harmonium.sequences import LinearStateSpaceProcess

jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp  # noqa: E402 - after the precision is set
from dynamax.linear_gaussian_ssm import LinearGaussianSSM, lgssm_smoother  # noqa: E402

Floats = NDArray[np.float64]
MODEL = LinearStateSpace(2, 4, noise="full")


def process() -> LinearStateSpaceProcess:
    """Two noisy oscillations, mixed in two columns."""
    slow, fast = (r * np.array([[np.cos(w), np.sin(w)], [-np.sin(w), np.cos(w)]])
                  for r, w in ((0.98, 0.1), (0.9, 0.7)))  # fmt: skip
    return MODEL.at(
        transition=np.block([[slow, np.zeros((2, 2))], [np.zeros((2, 2)), fast]]),
        transition_noise=np.diag([0.1, 0.1, 0.3, 0.3]),
        loadings=[[1.0, 0.2, 0.5, 0.0], [0.3, -0.5, 0.0, 1.0]],
        noise=[[0.5, 0.1], [0.1, 0.7]],
        initial_covariance=np.eye(4),
    )


def start() -> LinearStateSpaceProcess:
    """Where EM starts: the dynamics right, the rest not."""
    own = process().parameters
    return MODEL.at(
        transition=0.9 * own.transition,
        transition_noise=np.eye(4),
        loadings=own.loadings + 0.3,
        noise=2 * np.eye(2),
        initial_covariance=np.eye(4),
    )


# ------------------------------------------------------------------------------- smoothers


def ours(x: Floats) -> Side:
    own = process()
    return Side("harmonium", lambda: float(own.smooth(x).log_predictive.mean()))


def statsmodels_side(x: Floats) -> Side:
    own = process().parameters
    smoother = KalmanSmoother(k_endog=2, k_states=4, k_posdef=4)
    smoother.bind(np.asfortranarray(x.T))
    smoother["transition"], smoother["state_cov"] = own.transition, own.transition_noise
    smoother["design"], smoother["obs_cov"] = own.loadings, own.noise
    smoother["selection"] = np.eye(4)
    smoother.initialize_known(own.initial_mean, own.initial_covariance)
    # the states' means, covariances and lag-one covariances: what ours gives too
    smoother.smoother_output = SMOOTHER_STATE | SMOOTHER_STATE_COV | SMOOTHER_STATE_AUTOCOV

    def run() -> float:
        return float(smoother.smooth().llf_obs.sum() / len(x))

    return Side("statsmodels", run)


def dynamax_parameters(
    model: LinearGaussianSSM, at: LinearStateSpaceProcess
) -> tuple[object, object]:
    own = at.parameters
    return model.initialize(
        jax.random.PRNGKey(0),
        initial_mean=jnp.array(own.initial_mean),
        initial_covariance=jnp.array(own.initial_covariance),
        dynamics_weights=jnp.array(own.transition),
        dynamics_covariance=jnp.array(own.transition_noise),
        emission_weights=jnp.array(own.loadings),
        emission_covariance=jnp.array(own.noise),
    )


def dynamax_model() -> LinearGaussianSSM:
    return LinearGaussianSSM(4, 2, has_dynamics_bias=False, has_emissions_bias=False)


def dynamax_side(x: Floats) -> Side:
    parameters, _ = dynamax_parameters(dynamax_model(), process())
    data = jnp.array(x)
    smooth = jax.jit(lgssm_smoother)

    def run() -> float:
        found = smooth(parameters, data)
        jax.block_until_ready(found)
        return float(found.marginal_loglik) / len(x)

    return Side("dynamax", run)


# -------------------------------------------------------------------------------------- EM


def our_em(x: Floats, iterations: int) -> Side:
    learn = ("transition", "transition_noise", "loadings", "noise", "initial")
    initial = start()

    def run() -> float:
        fitted = MODEL.fit(
            x,
            initial=initial,
            learn=learn,
            max_iter=iterations,
            accelerate=False,
            tol=0,
            warn=False,
        )
        return -float(fitted.history[-1])

    return Side("harmonium", run)


def dynamax_em(x: Floats, iterations: int) -> Side:
    model, data = dynamax_model(), jnp.array(x)
    parameters, properties = dynamax_parameters(model, start())

    @jax.jit
    def step(point: object) -> object:
        sums, likelihood = model.e_step(point, data)
        batch = jax.tree_util.tree_map(lambda leaf: jnp.asarray(leaf)[None], sums)
        return model.m_step(point, properties, batch, None)[0], likelihood

    def run() -> float:
        point = parameters
        # one more expectation for the likelihood at the end, as ours
        for _ in range(iterations + 1):
            point, likelihood = step(point)
        return float(likelihood) / len(x)

    return Side("dynamax", run)


def alone(rows: int, iterations: int) -> list[str]:
    """Figures of ours at a length that peers need not wait for, and of values missing."""
    x = process().sample(rows, 0)[0]
    gaps = x.copy()
    gaps[np.random.default_rng(1).random(x.shape) < 0.1] = np.nan
    lines = []
    for name, data in (("complete", x), ("a tenth missing", gaps)):
        for what, side in (
            ("filter + smooth", ours(data)),
            (f"EM x {iterations}", our_em(data, iterations)),
        ):
            begun = time.perf_counter()
            value = side.run()
            seconds = time.perf_counter() - begun
            lines.append(f"{rows:,} rows, {name}, {what}: {seconds:.2f} s, {value:.9f} nats a row")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [*lines, f"peak memory of this process, peers included: {peak:,.0f} MiB"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--long", type=int, default=1_000_000, help="rows of the run of ours alone")
    parser.add_argument("--pairs", type=int, default=5, help="runs of each side")
    parser.add_argument("--iterations", type=int, default=10, help="iterations of EM")
    options = parser.parse_args()
    console = Console(width=170)
    console.print(f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}")
    x = process().sample(options.rows, 0)[0]
    size, iterations = f"{options.rows:,} × 2, 4 states", options.iterations
    duels: list[tuple[str, Side, Side]] = [
        (f"filter + smooth: {size}", ours(x), statsmodels_side(x)),
        (f"filter + smooth: {size}", ours(x), dynamax_side(x)),
        (f"EM × {iterations}: {size}", our_em(x, iterations), dynamax_em(x, iterations)),
    ]
    compare = partial(interleave, n_threads=1, pairs=options.pairs)
    comparisons: list[Comparison] = [compare(title, a, b) for title, a, b in duels]
    console.print(table(comparisons))
    with threads(1):
        for line in alone(options.long, 1):
            console.print(line)


if __name__ == "__main__":
    main()
