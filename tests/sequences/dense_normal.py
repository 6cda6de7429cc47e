"""The joint normal of all states and observations of one sequence, at 150 digits.

Nothing recursive: the paths are written out as a linear function of independent normals, and
conditioned as any normal is. Diffuse directions of the first state have variance 10**50, which is
infinite to double precision, and enough digits remain.
"""

from dataclasses import dataclass

import mpmath as mp
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass
class Answer:
    """Log density, means (T, d) and covariances (T d, T d) of the states given what is observed."""

    log_likelihood: float
    means: Floats
    covariance: Floats

    def covariances(self) -> Floats:
        n, d = self.means.shape
        return np.stack([self.covariance[t * d : t * d + d, t * d : t * d + d] for t in range(n)])

    def lag_one(self) -> Floats:
        n, d = self.means.shape
        rows = [self.covariance[t * d : t * d + d, t * d - d : t * d] for t in range(1, n)]
        return np.stack([np.zeros((d, d)), *rows])


def _array(matrix: mp.matrix) -> Floats:
    return np.array(matrix.tolist(), dtype=float).reshape(matrix.rows, matrix.cols)


def _root(matrix: Floats) -> mp.matrix:
    """A root of a semidefinite matrix, exact to the working precision."""
    values, vectors = mp.eigsy(mp.matrix(matrix.tolist()))
    values = [mp.sqrt(v) if v > mp.mpf(10) ** -120 else mp.mpf(0) for v in values]
    return vectors * mp.diag(values)


def dense(
    x: Floats,
    *,
    transition: Floats,
    transition_noise: Floats,
    loadings: Floats,
    noise: Floats,
    initial_mean: Floats,
    initial_covariance: Floats,
    offset: Floats | None = None,
    mean: Floats | None = None,
    diffuse: Floats | None = None,
    transition_effect: Floats | None = None,
    observation_effect: Floats | None = None,
    rows: int | None = None,
) -> Answer:
    """Condition the states of ``x`` (T, p) on its first ``rows`` rows, of what is not NaN.

    Effects (T, d) and (T, p) are those of inputs.
    """
    with mp.workdps(150):
        n, p = x.shape
        d = len(transition)
        offset = np.zeros(d) if offset is None else offset
        mean = np.zeros(p) if mean is None else mean
        diffuse = np.zeros((d, 0)) if diffuse is None else diffuse
        into = np.zeros((n, d)) if transition_effect is None else transition_effect
        onto = np.zeros((n, p)) if observation_effect is None else observation_effect
        a, c = mp.matrix(transition.tolist()), mp.matrix(loadings.tolist())
        # states = constant + spread e
        q, width = diffuse.shape[1], n * d
        constant, spread = mp.zeros(width, 1), mp.zeros(width, width + q)
        kappa = mp.mpf(10) ** 50
        roots = [_root(initial_covariance), _root(transition_noise)]
        for t in range(n):
            here = slice(t * d, t * d + d)
            if t == 0:
                constant[here, 0] = mp.matrix(initial_mean.tolist())
                if q:
                    spread[here, width:] = mp.sqrt(kappa) * mp.matrix(diffuse.tolist())
            else:
                last = slice(t * d - d, t * d)
                step = mp.matrix(
                    [mp.mpf(float(o)) + float(e) for o, e in zip(offset, into[t], strict=True)]
                )
                constant[here, 0] = step + a * constant[last, 0]
                spread[here, :] = a * spread[last, :]
            spread[here, here] = roots[min(t, 1)]
        prior = spread * spread.T
        seen = [
            (t, i)
            for t in range(n if rows is None else rows)
            for i in range(p)
            if x[t, i] == x[t, i]
        ]
        m = len(seen)
        maps, residual, sigma = mp.zeros(m, width), mp.zeros(m, 1), mp.zeros(m)
        for k, (t, i) in enumerate(seen):
            for j in range(d):
                maps[k, t * d + j] = c[i, j]
            residual[k] = (
                mp.mpf(float(x[t, i])) - mp.mpf(float(mean[i])) - mp.mpf(float(onto[t, i]))
            )
            for h, (s, j) in enumerate(seen):
                if s == t:
                    sigma[k, h] = float(noise[i, j])
        residual -= maps * constant
        sigma += maps * prior * maps.T
        inverse = mp.inverse(sigma)
        gain = prior * maps.T * inverse
        means, covariance = constant + gain * residual, prior - gain * maps * prior
        log_density = -(m * mp.log(2 * mp.pi) + mp.log(mp.det(sigma))) + q * mp.log(kappa)
        log_density -= (residual.T * inverse * residual)[0]
        return Answer(float(log_density / 2), _array(means).reshape(n, d), _array(covariance))
