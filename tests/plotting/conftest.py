"""Small fits of every kind of model that there are pictures of."""

from collections.abc import Iterator

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from harmonium import Boltzmann, LinearGaussian, Mixture, Normal
from harmonium.learning import Fit, fit


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with threadpool_limits(limits=1):
        yield


def table(n: int = 120, d: int = 3, seed: int = 0) -> np.ndarray:
    """Rows of three clusters along a line, with correlated noise."""
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((d, d))
    centres = np.arange(n) % 3 * 4.0
    return centres[:, None] + rng.standard_normal((n, d)) @ mixing


MODELS = {
    "normal": Normal(3),
    "mixture": Mixture(Normal(3), 3),
    "tied mixture": Mixture(Normal(3), 3, "shape"),
    "diagonal mixture": Mixture(Normal(3, "diagonal"), 2),
    "factor analysis": LinearGaussian(Normal(3, "diagonal"), Normal(1)),
    "ppca": LinearGaussian(Normal(3, "isotropic"), Normal(2)),
    "units": LinearGaussian(Normal(3), Boltzmann(3)),
    "reduction and clustering": LinearGaussian(Normal(3, "isotropic"), Mixture(Normal(2), 3)),
    "mixture of factor analysers": Mixture(LinearGaussian(Normal(3, "diagonal"), Normal(1)), 2),
    "deep": LinearGaussian(
        Normal(3, "isotropic"), LinearGaussian(Normal(2), Mixture(Normal(1), 2))
    ),
}


def fitted(name: str) -> Fit:
    return fit(MODELS[name], table(), seed=1, max_iter=8, warn=False)


@pytest.fixture(scope="session", params=list(MODELS))
def any_fit(request: pytest.FixtureRequest) -> Fit:
    return fitted(request.param)


@pytest.fixture(scope="session")
def mixture_fit() -> Fit:
    return fitted("mixture")


@pytest.fixture(scope="session")
def units_fit() -> Fit:
    return fitted("units")


@pytest.fixture(scope="session")
def reduction_fit() -> Fit:
    rng = np.random.default_rng(3)
    loadings = rng.standard_normal((8, 4))
    centres = 4 * rng.standard_normal((4, 4))
    z = centres[np.arange(200) % 4] + rng.standard_normal((200, 4))
    x = z @ loadings.T + 0.3 * rng.standard_normal((200, 8))
    model = LinearGaussian(Normal(8, "isotropic"), Mixture(Normal(4), 4))
    return fit(model, x, seed=0, max_iter=30, warn=False)


@pytest.fixture(scope="session")
def rows() -> np.ndarray:
    return table()
