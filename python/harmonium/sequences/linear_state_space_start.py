"""Where linear state-space models start: covariances of rows apart in time, and their realisation."""

import numpy as np
from scipy.linalg import solve_discrete_lyapunov

from harmonium.sequences.lengths import row_weights
from harmonium.sequences.linear_state_space_data import DrivenSequences
from harmonium.sequences.linear_state_space_parameters import LinearStateSpaceParameters, Structure
from harmonium.validation import FloatArray

#: Largest eigenvalue of a transition that a fit starts from.
_STABLE = 0.995
#: Least share of a column's variance that is noise at the start.
_LEAST_NOISE = 0.05
#: Most rows apart.
_MOST_LAGS = 12


def start_process(
    sequences: DrivenSequences,
    n_states: int,
    noise: Structure,
    transition_noise: Structure,
    rng: np.random.Generator | None,
) -> LinearStateSpaceParameters:
    """Return a starting point for standardised sequences, perturbed where there is an ``rng``.

    Least squares takes out the inputs' direct effects; the covariances of what is left with itself
    later make a Hankel matrix, whose leading directions, in canonical scaling, are the states (Aoki,
    1990, chapter 6). Missing values leave their products out.
    """
    p, d = sequences.n_features, n_states
    weights = row_weights(sequences.weights, sequences.offsets)
    shares = np.ones(len(sequences.x)) if weights is None else weights
    mean, effects, left = _without_inputs(sequences, shares)
    depth = min(_MOST_LAGS // 2, max(2, -(-d // p) + 1))
    lags = _lagged(left, shares, sequences, 2 * depth)
    transition, loadings, states = _realisation(lags, d, depth, rng)
    own = lags[0] - loadings @ states @ loadings.T
    variances = np.maximum(np.diagonal(own), _LEAST_NOISE * np.diagonal(lags[0]))
    variances = np.where(variances > 0, variances, 1.0)
    disturbance = states - transition @ states @ transition.T
    values, vectors = np.linalg.eigh((disturbance + disturbance.T) / 2)
    values = np.maximum(values, 1e-3 * max(float(np.trace(states)) / d, 1e-12))
    disturbance = (vectors * values) @ vectors.T
    spread: FloatArray = np.diagonal(disturbance).copy()
    return LinearStateSpaceParameters(
        transition=transition,
        transition_noise=_as(transition_noise, disturbance, spread),
        loadings=loadings,
        noise=_as(noise, np.diag(variances), variances),
        mean=mean,
        offset=np.zeros(d),
        transition_inputs=np.zeros((d, effects.shape[1])),
        observation_inputs=effects,
        initial_mean=np.zeros(d),
        initial_covariance=_settled(transition, disturbance),
        diffuse=np.zeros((d, 0)),
    )


def _as(structure: Structure, matrix: FloatArray, variances: FloatArray) -> FloatArray:
    if structure == "full":
        return matrix
    return variances if structure == "diagonal" else np.array(variances.mean())


def _settled(transition: FloatArray, disturbance: FloatArray) -> FloatArray:
    covariance = solve_discrete_lyapunov(transition, disturbance)
    return np.asarray((covariance + covariance.T) / 2)


def _without_inputs(
    sequences: DrivenSequences, shares: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Means (p,), effects (p, k) and what they leave (n, p), column by column."""
    x, inputs = sequences.x, sequences.inputs
    design = np.column_stack([np.ones(len(x)), inputs])
    found = np.zeros((x.shape[1], design.shape[1]))
    for column in range(x.shape[1]):
        seen = ~np.isnan(x[:, column])
        root = np.sqrt(shares[seen])
        if seen.any():
            solved = np.linalg.lstsq(
                design[seen] * root[:, None], x[seen, column] * root, rcond=None
            )
            found[column] = solved[0]
    return found[:, 0].copy(), np.ascontiguousarray(found[:, 1:]), x - design @ found.T


def _lagged(x: FloatArray, shares: FloatArray, sequences: DrivenSequences, most: int) -> FloatArray:
    """Covariances (most, p, p) of rows with those so many earlier, of the same sequence."""
    n, p = x.shape
    seen = ~np.isnan(x)
    filled, present = np.where(seen, x, 0.0), seen.astype(float)
    which = np.repeat(np.arange(len(sequences)), np.diff(sequences.offsets))
    out = np.zeros((most, p, p))
    for lag in range(min(most, n)):
        same = (which[lag:] == which[: n - lag]) * shares[lag:]
        late, early = filled[lag:] * same[:, None], filled[: n - lag]
        count = (present[lag:] * same[:, None]).T @ present[: n - lag]
        out[lag] = late.T @ early / np.where(count > 0, count, 1.0)
    return out


def _realisation(
    lags: FloatArray, d: int, depth: int, rng: np.random.Generator | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Transition, loadings and covariance of states whose lagged covariances are about these.

    Singular values are shared evenly between what the past says of a state and what the state says
    of the future, so that its variance is about one: a start, not an estimate.
    """
    p = lags.shape[1]
    hankel = np.block([[lags[i + j + 1] for j in range(depth)] for i in range(depth)])
    if rng is not None:
        hankel = hankel + 0.3 * np.abs(hankel).max() * rng.normal(size=hankel.shape) / depth
    left, values, _ = np.linalg.svd(hankel)
    rank = min(d, len(values))
    floor = 1e-3 * max(float(values[0]), 1e-3)
    roots = np.sqrt(np.maximum(values[:rank], floor))
    observability = np.zeros((depth * p, d))
    observability[:, :rank] = left[:, :rank] * roots
    if rank < d:
        extra = np.random.default_rng(0) if rng is None else rng
        observability[:, rank:] = 0.1 * extra.normal(size=(depth * p, d - rank))
    transition = np.linalg.lstsq(observability[:-p], observability[p:], rcond=1e-8)[0]
    radius = float(np.abs(np.linalg.eigvals(transition)).max())
    if radius > _STABLE:
        transition = transition * (_STABLE / radius)
    loadings = np.ascontiguousarray(observability[:p])
    return transition, loadings, np.eye(d)
