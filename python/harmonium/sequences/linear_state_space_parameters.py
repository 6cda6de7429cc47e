"""Parameters of linear state-space models: what people write, and what follows from it."""

from typing import Literal, NamedTuple, get_args

import numpy as np
from scipy.linalg import solve_discrete_lyapunov

from harmonium import _kernels
from harmonium.numerics.symmetric import outer, semidefinite_root
from harmonium.validation import FloatArray, as_floats, check_finite, check_square_symmetric

#: Structure of a noise covariance.
Structure = Literal["full", "diagonal", "isotropic"]
#: Eigenvalues of a correlation matrix that are rounding below zero.
_ROUNDING = 1e-10


class LinearStateSpaceParameters(NamedTuple):
    """Parameters of a linear state-space model.

    ``z_t = offset + transition z_{t-1} + transition_inputs u_t + w_t``,
    ``x_t = mean + loadings z_t + observation_inputs u_t + v_t``.

    Noise is in people's form: a covariance matrix if full, variances if diagonal, a number if
    isotropic.

    Attributes
    ----------
    transition : (d, d) array
        From one state to the next.
    transition_noise : (d, d), (d,) or () array
        Covariance of w.
    loadings : (p, d) array
        From states to observations.
    noise : (p, p), (p,) or () array
        Covariance of v.
    mean : (p,) array
        Constant part of the observations.
    offset : (d,) array
        Constant part of the next state.
    transition_inputs : (d, k) array
        Effects of the inputs on the state of the same row; the first row's state has none.
    observation_inputs : (p, k) array
        Effects of the inputs on the observation.
    initial_mean : (d,) array
        Mean of the first row's state.
    initial_covariance : (d, d) array
        Its covariance, but for what is diffuse.
    diffuse : (d, q) array
        Directions in which the first row's state is flat; the diffuse likelihood is in their
        units.
    """

    transition: FloatArray
    transition_noise: FloatArray
    loadings: FloatArray
    noise: FloatArray
    mean: FloatArray
    offset: FloatArray
    transition_inputs: FloatArray
    observation_inputs: FloatArray
    initial_mean: FloatArray
    initial_covariance: FloatArray
    diffuse: FloatArray

    @property
    def n_states(self) -> int:
        """Dimension of the state."""
        return len(self.offset)

    @property
    def n_observed(self) -> int:
        """Columns of an observation."""
        return len(self.mean)

    @property
    def n_inputs(self) -> int:
        """Columns of the inputs."""
        return int(self.transition_inputs.shape[1])

    def kernel(self) -> "_kernels.StateSpace":
        """Return the compiled twin."""
        correlated = self.noise.ndim == 2
        noise = self.noise if correlated else spread(self.noise, self.n_observed)[None]
        return _kernels.StateSpace(
            self.initial_mean,
            semidefinite_root(self.initial_covariance),
            self.diffuse,
            self.transition,
            self.offset,
            self.transition_inputs,
            semidefinite_root(as_matrix(self.transition_noise, self.n_states)),
            self.loadings,
            self.mean,
            self.observation_inputs,
            noise,
            correlated,
        )


def spread(noise: FloatArray, n: int) -> FloatArray:
    """Return the variances (n,) of noise of any structure."""
    if noise.ndim == 2:
        return np.diagonal(noise).copy()
    return np.broadcast_to(noise, (n,)).copy()


def as_matrix(noise: FloatArray, n: int) -> FloatArray:
    """Return the covariance (n, n) of noise of any structure."""
    return noise if noise.ndim == 2 else np.diag(spread(noise, n))


def as_structure(value: object, name: str) -> Structure:
    """Return the structure of a noise covariance; ValueError unless it is one."""
    if value == "tied":
        value = "isotropic"
    if not isinstance(value, str) or value not in get_args(Structure):
        words = ", ".join(f'"{s}"' for s in get_args(Structure))
        raise ValueError(f"{name}: one of {words}; got {value!r}")
    return value  # type: ignore[return-value]  # one of the literals, as was just seen


def as_noise(value: object, structure: Structure, n: int, name: str) -> FloatArray:
    """Return noise in people's form; zero variances are allowed.

    A single number is a variance common to all columns, a vector variances of independent ones.

    Raises ValueError for another shape, for negative variances and for matrices that are not
    positive semidefinite, or not of the structure.
    """
    array = as_floats(value, name=name)
    check_finite(array, name)
    if array.ndim < 2:
        if array.ndim == 1 and len(array) != n:
            raise ValueError(f"{name}: {len(array)} variances for {n} columns")
        if (array < 0).any():
            raise ValueError(f"{name}: a negative variance, {array.min():g}")
        array = np.diag(np.broadcast_to(array, (n,)))
    elif array.shape != (n, n):
        raise ValueError(f"{name}: of shape ({n}, {n}), not {array.shape}")
    matrix = as_semidefinite(array, name)
    variances = np.diagonal(matrix).copy()
    if structure == "full":
        return matrix
    if matrix[~np.eye(n, dtype=bool)].any():
        raise ValueError(f'{name}: correlated, but the model says "{structure}"')
    if structure == "diagonal":
        return variances
    if (variances != variances[0]).any():
        raise ValueError(f'{name}: unequal variances, but the model says "isotropic"')
    return np.array(variances[0])


def as_semidefinite(value: object, name: str) -> FloatArray:
    """Return a symmetric matrix; ValueError unless it is positive semidefinite."""
    matrix = check_square_symmetric(value, name=name)
    variances = np.diagonal(matrix)
    if (variances < 0).any():
        i = int(variances.argmin())
        raise ValueError(f"{name}: entry ({i}, {i}) is {variances[i]:g}, but variances are not")
    scale = np.sqrt(variances)
    safe = np.where(scale > 0, scale, 1.0)
    least = float(np.linalg.eigvalsh(matrix / outer(safe, safe))[0])
    if least < -_ROUNDING or matrix[scale == 0].any():
        raise ValueError(
            f"{name} must be positive semidefinite, but its smallest eigenvalue is "
            f"{np.linalg.eigvalsh(matrix)[0]:.6g}"
        )
    return np.ascontiguousarray(matrix)


def as_shape(value: object, shape: tuple[int, ...], name: str) -> FloatArray:
    """Return finite numbers of a shape; None and a single number fill it."""
    if value is None:
        return np.zeros(shape)
    array = as_floats(value, name=name)
    check_finite(array, name)
    if array.ndim == 0:
        return np.full(shape, float(array))
    if array.shape != shape:
        raise ValueError(f"{name}: of shape {shape}, not {array.shape}")
    return np.ascontiguousarray(array)


def as_initial_covariance(value: object, n: int) -> tuple[FloatArray, FloatArray]:
    """Return the proper covariance (n, n) and diffuse axes (n, q) of what people write.

    A number is the variance of all states, a vector of each; infinite ones are diffuse. In a
    matrix too the diagonal may be infinite, where the rest of the row and column is zero.
    """
    name = "initial_covariance"
    array = as_floats(value, name=name)
    if np.isnan(array).any():
        raise ValueError(f"{name}: NaN; an unknown, diffuse start is infinite variance")
    if array.ndim < 2:
        if array.ndim == 1 and len(array) != n:
            raise ValueError(f"{name}: {len(array)} variances for {n} states")
        matrix = np.zeros((n, n))
        np.fill_diagonal(matrix, array)
    else:
        matrix = array.copy()
    if matrix.shape != (n, n):
        raise ValueError(f"{name}: of shape ({n}, {n}), not {matrix.shape}")
    flat = np.isposinf(np.diagonal(matrix))
    matrix[flat, flat] = 0.0
    if matrix[flat].any() or matrix[:, flat].any():
        raise ValueError(f"{name}: a state of infinite variance has no finite covariances: write 0")
    axes: FloatArray = np.eye(n)[:, flat]
    return as_semidefinite(matrix, name), axes


def stationary(
    transition: FloatArray, transition_noise: FloatArray, offset: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the mean and covariance that the transition keeps; ValueError unless it is stable."""
    radius = float(np.abs(np.linalg.eigvals(transition)).max())
    if radius >= 1 - 1e-9:
        raise ValueError(
            f'initial_covariance: "stationary" asks for a stable transition, but its largest '
            f"eigenvalue is {radius:.6g} in magnitude: give a matrix, or infinite variances"
        )
    n = len(offset)
    covariance = solve_discrete_lyapunov(transition, as_matrix(transition_noise, n))
    mean: FloatArray = np.asarray(np.linalg.solve(np.eye(n) - transition, offset), np.float64)
    return mean, np.asarray((covariance + covariance.T) / 2)
