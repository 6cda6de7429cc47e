from collections.abc import Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Latent",
    "Stack",
    "boltzmann_latent",
    "linear_latent",
    "linear_stack",
    "mixture_latent",
    "mixture_stack",
    "normal_latent",
    "normal_stack",
    "product_stack",
    "statistic_stack",
]

@final
class Latent:
    """A prior, ready for the expectation pass."""

@final
class Stack:
    """A stack of points of one family, ready for the expectation pass."""

    @property
    def features(self) -> int: ...
    def expectation(
        self,
        x: NDArray[np.float64],
        weights: NDArray[np.float64] | None,
        threads: int,
    ) -> tuple[float, NDArray[np.float64]]: ...
    def log_densities(self, x: NDArray[np.float64], threads: int) -> NDArray[np.float64]: ...
    def latents(self, x: NDArray[np.float64], threads: int) -> NDArray[np.float64]: ...

def normal_stack(
    covariance: str, means: NDArray[np.float64], factors: NDArray[np.float64]
) -> Stack: ...
def statistic_stack(
    family: str,
    n_features: int,
    naturals: NDArray[np.float64],
    means: NDArray[np.float64],
    log_partitions: NDArray[np.float64],
    parameter: float = 0.0,
) -> Stack: ...
def product_stack(parts: Sequence[Stack]) -> Stack: ...
def mixture_stack(log_weights: NDArray[np.float64], components: Stack) -> Stack: ...
def linear_stack(
    covariance: str,
    offsets: NDArray[np.float64],
    loadings: NDArray[np.float64],
    factors: NDArray[np.float64],
    priors: Sequence[Latent],
) -> Stack: ...
def normal_latent(mean: NDArray[np.float64], covariance: NDArray[np.float64]) -> Latent: ...
def boltzmann_latent(biases: NDArray[np.float64], couplings: NDArray[np.float64]) -> Latent: ...
def mixture_latent(log_weights: NDArray[np.float64], components: Sequence[Latent]) -> Latent: ...
def linear_latent(
    offset: NDArray[np.float64],
    loading: NDArray[np.float64],
    noise: NDArray[np.float64],
    prior: Latent,
) -> Latent: ...
