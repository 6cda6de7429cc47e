"""Hidden Markov models with hmmlearn's names."""

from typing import Any

import numpy as np

from harmonium.estimators.arguments import as_choice
from harmonium.estimators.hidden_markov_base import HiddenMarkovEstimator
from harmonium.expectation import Prepared
from harmonium.families.base import ExponentialFamily
from harmonium.families.categorical import Categorical
from harmonium.families.normal import Normal
from harmonium.families.normal_stack import NormalPrepared
from harmonium.families.poisson import Poisson
from harmonium.sequences import HiddenMarkovFit
from harmonium.validation import FloatArray, as_count, as_floats, check_positive_definite

_COVARIANCES: dict[str, Any] = {"full": "full", "diag": "diagonal", "spherical": "isotropic"}

_SHARED = """
    startprob_init, transmat_init : arrays, optional
        Where the first states' (k,) and the transitions' (k, k) probabilities start; zeros stay.
    params : str, optional
        What is learned, letters of hmmlearn's: "s" first states, "t" transitions, and {letters}.
    n_iter : int
        Most iterations; 0 keeps the starting point.
    tol : float
        Bound on the standardised difference between average and model expectation.
    n_init : int
        How many starting points; the most likely fit is kept.
    accelerate : bool
        Step along the trend of EM where that raises the likelihood.
    random_state : None, int or numpy Generator
        Source of the starting points, and of ``sample``.

    Attributes
    ----------
    startprob_, transmat_ : (k,) and (k, k) arrays
        Probabilities of the first state, and of the next, from row to column.
    converged_ : bool
        Whether the gradient is below ``tol``.
    n_iter_ : int
        Iterations of the fit kept.
    history_ : (n_iter_ + 1,) array
        Log-likelihood a row in nats, of the start and after each iteration.
    fit_ : HiddenMarkovFit
        The fit itself, which filters and forecasts too.
"""


def _documented(letters: str) -> Any:
    def decorate(kind: Any) -> Any:
        kind.__doc__ = kind.__doc__.replace("{shared}", _SHARED.format(letters=letters).strip())
        return kind

    return decorate


@_documented('"m" means with "c" covariances')
class GaussianHMM(HiddenMarkovEstimator):
    """A hidden Markov model with normal emissions, fitted by exact expectation-maximisation.

    Takes the place of ``hmmlearn.hmm.GaussianHMM``; what differs: estimates are of maximum
    likelihood, without priors or a least covariance; NaN is a missing value; sequences may have
    weights; ``tol`` bounds the gradient rather than the last gain; what a fit starts from is an
    argument (``means_init``) rather than an attribute.

    Parameters
    ----------
    n_components : int
        How many states.
    covariance_type : {"full", "diag", "spherical"}
        Shape of the covariances.
    means_init, covars_init : arrays, optional
        Where means (k, d) and covariances (k, d, d) start.
    {shared}
    means_, covars_ : (k, d) and (k, d, d) arrays
        Means and covariance matrices of the emissions.
    """

    _emission_letters = "mc"

    def __init__(
        self,
        n_components: int = 1,
        covariance_type: str = "full",
        *,
        startprob_init: Any = None,
        transmat_init: Any = None,
        means_init: Any = None,
        covars_init: Any = None,
        params: str | None = None,
        n_iter: int = 1000,
        tol: float = 1e-6,
        n_init: int = 1,
        accelerate: bool = False,
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.startprob_init = startprob_init
        self.transmat_init = transmat_init
        self.means_init = means_init
        self.covars_init = covars_init
        self.params = params
        self.n_iter = n_iter
        self.tol = tol
        self.n_init = n_init
        self.accelerate = accelerate
        self.random_state = random_state

    def _observable(self, x: FloatArray) -> ExponentialFamily:
        kind = as_choice(self.covariance_type, list(_COVARIANCES), name="covariance_type")
        return Normal(x.shape[1], _COVARIANCES[kind])

    def _emissions_given(self) -> bool:
        return self.means_init is not None or self.covars_init is not None

    def _emissions(self, found: Prepared) -> Prepared:
        assert isinstance(found, NormalPrepared)
        family: Any = found.family
        means, covariances = found.means, found.covariances
        if self.means_init is not None:
            means = _shaped(self.means_init, means.shape, "means_init")
            family.check_data(means, "means_init")
        if self.covars_init is not None:
            shape = (found.count, family.n, family.n)
            full = check_positive_definite(
                _shaped(self.covars_init, shape, "covars_init"), name="covars_init"
            )
            variances = np.diagonal(full, axis1=-2, axis2=-1)
            covariances = {
                "full": full,
                "diagonal": variances,
                "isotropic": variances.mean(-1, keepdims=True),
            }[family.covariance]
        return NormalPrepared(found.family, means, np.ascontiguousarray(covariances), found.scale)

    def _remember_emissions(self, result: HiddenMarkovFit) -> None:
        normals = result.in_units.emissions
        assert isinstance(normals, NormalPrepared)
        self.means_ = normals.means
        self.covars_ = normals.matrices


@_documented('"l" rates')
class PoissonHMM(HiddenMarkovEstimator):
    """A hidden Markov model with independent Poisson counts, fitted by exact EM.

    Takes the place of ``hmmlearn.hmm.PoissonHMM``, and differs as :class:`GaussianHMM` does.

    Parameters
    ----------
    n_components : int
        How many states.
    lambdas_init : array, optional
        Where the rates (k, d) start.
    {shared}
    lambdas_ : (k, d) array
        Rates of the counts.
    """

    _emission_letters = "l"

    def __init__(
        self,
        n_components: int = 1,
        *,
        startprob_init: Any = None,
        transmat_init: Any = None,
        lambdas_init: Any = None,
        params: str | None = None,
        n_iter: int = 1000,
        tol: float = 1e-6,
        n_init: int = 1,
        accelerate: bool = False,
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.startprob_init = startprob_init
        self.transmat_init = transmat_init
        self.lambdas_init = lambdas_init
        self.params = params
        self.n_iter = n_iter
        self.tol = tol
        self.n_init = n_init
        self.accelerate = accelerate
        self.random_state = random_state

    def _observable(self, x: FloatArray) -> ExponentialFamily:
        return Poisson(x.shape[1])

    def _emissions_given(self) -> bool:
        return self.lambdas_init is not None

    def _emissions(self, found: Prepared) -> Prepared:
        if self.lambdas_init is None:
            return found
        family = Poisson(found.n_observed)
        rates = _shaped(self.lambdas_init, (found.count, family.n), "lambdas_init")
        return family.prepare(np.log(family.check_mean(rates, "lambdas_init")))

    def _remember_emissions(self, result: HiddenMarkovFit) -> None:
        self.lambdas_ = result.parameters.emissions.rate


@_documented('"e" probabilities of categories')
class CategoricalHMM(HiddenMarkovEstimator):
    """A hidden Markov model that emits categories 0, 1, ..., fitted by exact EM.

    Takes the place of ``hmmlearn.hmm.CategoricalHMM``, and differs as :class:`GaussianHMM` does.

    Parameters
    ----------
    n_components : int
        How many states.
    n_features : int, optional
        How many categories; by default one more than the largest seen.
    emissionprob_init : array, optional
        Where the probabilities (k, n_features) of the categories start.
    {shared}
    emissionprob_ : (k, n_features) array
        Probabilities of the categories.
    """

    _emission_letters = "e"

    def __init__(
        self,
        n_components: int = 1,
        *,
        n_features: int | None = None,
        startprob_init: Any = None,
        transmat_init: Any = None,
        emissionprob_init: Any = None,
        params: str | None = None,
        n_iter: int = 1000,
        tol: float = 1e-6,
        n_init: int = 1,
        accelerate: bool = False,
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.n_features = n_features
        self.startprob_init = startprob_init
        self.transmat_init = transmat_init
        self.emissionprob_init = emissionprob_init
        self.params = params
        self.n_iter = n_iter
        self.tol = tol
        self.n_init = n_init
        self.accelerate = accelerate
        self.random_state = random_state

    def _observable(self, x: FloatArray) -> ExponentialFamily:
        if self.n_features is not None:
            return Categorical(as_count(self.n_features, name="n_features"))
        if x.shape[1] != 1:
            raise ValueError(f"X must have one column, of categories, not {x.shape[1]}.")
        largest = np.nanmax(x)
        # anything that is no category is the family's to refuse
        return Categorical(int(largest) + 1 if 0 <= largest < 1 << 20 else 1)

    def _emissions_given(self) -> bool:
        return self.emissionprob_init is not None

    def _emissions(self, found: Prepared) -> Prepared:
        if self.emissionprob_init is None:
            return found
        family = Categorical(found.natural.shape[1] + 1)
        shape = (found.count, family.n_categories)
        given = _shaped(self.emissionprob_init, shape, "emissionprob_init")
        return family.prepare(family.from_parameters(probabilities=given))

    def _remember_emissions(self, result: HiddenMarkovFit) -> None:
        self.emissionprob_ = result.parameters.emissions.probabilities


def _shaped(value: object, shape: tuple[int, ...], name: str) -> FloatArray:
    array = as_floats(value, name=name)
    if array.shape != shape:
        raise ValueError(f"{name}: shape {array.shape}, expected {shape}")
    return array
