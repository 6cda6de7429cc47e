from collections.abc import Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Chain",
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
class Chain:
    """Initial and transition probabilities of a hidden Markov model."""

    def __new__(cls, initial: NDArray[np.float64], transition: NDArray[np.float64]) -> Chain: ...
    def predict(
        self,
        log_densities: NDArray[np.float64],
        offsets: NDArray[np.int64],
        threads: int,
        first: tuple[NDArray[np.float64], bool] | None = None,
        *,
        origin: int = 0,
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]: ...
    def filter(
        self,
        log_densities: NDArray[np.float64],
        offsets: NDArray[np.int64],
        threads: int,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...
    def smooth(
        self,
        log_densities: NDArray[np.float64],
        offsets: NDArray[np.int64],
        threads: int,
        weights: NDArray[np.float64] | None = None,
        pairs: bool = False,
        first: tuple[NDArray[np.float64], bool] | None = None,
        last: tuple[NDArray[np.float64], bool] | None = None,
        *,
        origin: int = 0,
    ) -> tuple[
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.float64] | None,
        tuple[NDArray[np.float64], bool],
    ]: ...
    def most_probable_paths(
        self,
        log_densities: NDArray[np.float64],
        offsets: NDArray[np.int64],
        threads: int,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]: ...
    def draw_paths(
        self,
        log_densities: NDArray[np.float64],
        offsets: NDArray[np.int64],
        predicted: NDArray[np.float64],
        in_logs: NDArray[np.bool_],
        uniforms: NDArray[np.float64],
        threads: int,
    ) -> NDArray[np.int64]: ...

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
    def accumulate(
        self, x: NDArray[np.float64], weights: NDArray[np.float64], threads: int
    ) -> NDArray[np.float64]: ...
    def member_log_densities(self, x: NDArray[np.float64], threads: int) -> NDArray[np.float64]: ...
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
