"""Mixtures of normals with scikit-learn's names."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils.validation import check_is_fitted

from harmonium.errors import DataWarning
from harmonium.estimators.arguments import as_choice, as_flag
from harmonium.estimators.tables import remember, table_for_fit, table_for_use
from harmonium.expectation import ArraySource, Prepared
from harmonium.families.normal import LARGEST, Normal
from harmonium.families.normal_stack import NormalPrepared
from harmonium.harmonium import Harmonium
from harmonium.learning.em import Adjust, Step
from harmonium.learning.fit import Fit, fit
from harmonium.learning.floating_point import steady
from harmonium.learning.information import n_free_parameters
from harmonium.learning.standardisation import sample_rows, standardisation_of
from harmonium.learning.starting import Sharing, start
from harmonium.models import Mixture
from harmonium.numerics.symmetric import inverse, whitening
from harmonium.rules.mixture_stack import MixturePrepared
from harmonium.validation import (
    FloatArray,
    as_count,
    as_floats,
    as_generator,
    as_positive,
    as_table,
    as_vector,
    as_weights,
    check_positive_definite,
    check_simplex,
    warn_caller,
)

_COVARIANCES: dict[str, Literal["full", "diagonal", "isotropic"]] = {
    "full": "full",
    "tied": "full",
    "diag": "diagonal",
    "spherical": "isotropic",
}
_STARTS: dict[str, Sharing] = {
    "kmeans": "kmeans",
    "k-means++": "k-means++",
    "random": "random",
    "random_from_data": "random_from_data",
}


class GaussianMixture(DensityMixin, BaseEstimator):  # type: ignore[misc]  # untyped bases
    """A mixture of normals, fitted by exact expectation-maximisation.

    Takes the place of :class:`sklearn.mixture.GaussianMixture`; what differs: NaN is a missing
    value (marginalised exactly), rows may have weights, ``reg_covar`` is 0 unless asked for,
    ``tol`` bounds the gradient rather than the last gain, and fits keep their digits at any
    offset and scale.

    Parameters
    ----------
    n_components : int
        How many normals.
    covariance_type : {"full", "tied", "diag", "spherical"}
        Shape of the covariances; "tied": one full matrix for all.
    tol : float
        Bound on the standardised difference between average and model expectation.
    reg_covar : float
        Added to the variances, in the data's units squared, after each iteration.
    max_iter : int
        Most iterations; 0 keeps the starting point.
    n_init : int
        How many starting points; the most likely fit is kept.
    init_params : {"kmeans", "k-means++", "random", "random_from_data"}
        How the rows are first shared among the components.
    weights_init, means_init, precisions_init : arrays, optional
        Starting weights (k,), means (k, d) and precisions, shaped as ``precisions_``.
    random_state : None, int or numpy Generator
        Source of the starting points.
    accelerate : bool
        Step along the trend of EM where that raises the likelihood.
    warm_start : bool
        Start from the last fit.
    verbose : int
        Print the log-likelihood at every ``verbose_interval``-th iteration.
    verbose_interval : int
        How often to print.

    Attributes
    ----------
    weights_, means_ : (k,) and (k, d) arrays
        Weights and means.
    covariances_, precisions_, precisions_cholesky_ : arrays
        (k, d, d) full, (d, d) tied, (k, d) diag, (k,) spherical.
    converged_ : bool
        Whether the gradient is below ``tol``.
    n_iter_ : int
        Iterations of the fit kept.
    lower_bound_ : float
        Log-likelihood a row of the fit, in nats; ``lower_bounds_`` after each iteration.
    fit_ : Fit
        The fit itself.

    Examples
    --------
    >>> import numpy as np
    >>> from harmonium.estimators import GaussianMixture
    >>> X = np.array([[1.0, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]])
    >>> mixture = GaussianMixture(2, covariance_type="diag", random_state=0)
    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     mixture = mixture.fit(X)
    >>> sorted(mixture.means_[:, 0].round().tolist())
    [1.0, 10.0]
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        tol: float = 1e-6,
        reg_covar: float = 0.0,
        max_iter: int = 1000,
        n_init: int = 1,
        init_params: str = "kmeans",
        weights_init: Any = None,
        means_init: Any = None,
        precisions_init: Any = None,
        random_state: Any = None,
        accelerate: bool = False,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.random_state = random_state
        self.accelerate = accelerate
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval

    def __sklearn_tags__(self) -> Any:
        """Missing values are taken."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> "GaussianMixture":
        """Fit to a table (n, d); NaN is missing, ``y`` is ignored.

        Raises ValueError for fewer rows than components or any bad input; a failed or
        interrupted fit leaves the estimator as it was.
        """
        del y
        self._fit(X, sample_weight)
        return self

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Fit, and return the most probable component of each row, (n,)."""
        return self.fit(X, y, sample_weight).predict(X)

    def _fit(self, X: Any, sample_weight: Any) -> None:
        k = as_count(self.n_components, name="n_components")
        as_choice(self.covariance_type, list(_COVARIANCES), name="covariance_type")
        sharing = _STARTS[as_choice(self.init_params, list(_STARTS), name="init_params")]
        reg = as_positive(self.reg_covar, name="reg_covar", allow_zero=True)
        accelerate = as_flag(self.accelerate, name="accelerate")
        as_flag(self.warm_start, name="warm_start")
        rng = as_generator(self.random_state, name="random_state")
        callback = self._printer()
        table = table_for_fit(self, X)
        model = self._model(table.shape[1])
        table = model.check_table(table, "X")
        weights = as_weights(sample_weight, len(table))
        _check_rows(table, weights, k)
        source = ArraySource(table, weights)
        result = fit(
            model,
            source,
            initial=self._initial(model, source, rng),
            seed=rng,
            max_iter=as_count(self.max_iter, name="max_iter", minimum=0),
            tol=self.tol,
            n_init=self.n_init,
            sharing=sharing,
            accelerate=accelerate,
            adjust=_regularise(model, source, reg) if reg > 0 else None,
            callback=callback,
        )
        remember(self, X, lambda fitted: fitted._remember(result))

    def _model(self, n_features: int) -> Harmonium:
        normal = Normal(n_features, _COVARIANCES[self.covariance_type])
        shared: Literal["shape"] | None = "shape" if self.covariance_type == "tied" else None
        return Mixture(normal, self.n_components, shared)

    def _printer(self) -> Callable[[Step], None] | None:
        every = as_count(self.verbose_interval, name="verbose_interval")
        verbose = self.verbose
        if not isinstance(verbose, bool | np.bool_):
            verbose = as_count(verbose, name="verbose", minimum=0)
        if not verbose:
            return None

        def show(step: Step) -> None:
            if step.iteration % every == 0:
                print(
                    f"iteration {step.iteration}: log-likelihood {step.log_likelihood:.9g} a row "
                    f"(standardised), residual {step.residual:.2g}"
                )

        return show

    @steady
    def _initial(
        self, model: Harmonium, source: ArraySource, rng: np.random.Generator
    ) -> Prepared | None:
        """The start that was asked for, in the data's units; what was not given is found."""
        given = (self.weights_init, self.means_init, self.precisions_init)
        if self.warm_start and hasattr(self, "fit_"):
            previous: Fit = self.fit_
            if previous.model == model:
                return previous.in_units
        if all(part is None for part in given):
            return None
        k, d = self.n_components, source.n_features
        if any(part is None for part in given):
            standard = standardisation_of(model, sample_rows(source))
            sample = sample_rows(standard.source(source))
            found = start(model, sample, rng, _STARTS[self.init_params])
            base = found.affine(standard.shift, standard.scale)
        else:
            base = model.prepare(
                model.from_parameters(
                    mean=np.zeros((k, d)),
                    covariance=np.eye(d)
                    if self.covariance_type in ("full", "tied")
                    else 1.0
                    if self.covariance_type == "spherical"
                    else np.ones(d),
                )
            )
        assert isinstance(base, MixturePrepared)
        assert isinstance(base.components, NormalPrepared)
        log_weights, means, covariances = (
            base.log_weights,
            base.components.means,
            base.components.covariances,
        )
        if self.weights_init is not None:
            shares = as_vector(self.weights_init, name="weights_init", length=k)
            log_weights = np.log(check_simplex(shares[None], name="weights_init"))
        if self.means_init is not None:
            means = as_table(self.means_init, name="means_init")
            if means.shape != (k, d):
                raise ValueError(f"means_init: shape {means.shape}, expected ({k}, {d})")
            model.check_table(means, "means_init")
        if self.precisions_init is not None:
            covariances = self._covariances_of(self.precisions_init, k, d)
        components = NormalPrepared(base.components.family, means, covariances)
        return MixturePrepared(base.observable, log_weights, components, base.rows)

    def _covariances_of(self, precisions: Any, k: int, d: int) -> FloatArray:
        values = as_floats(precisions, name="precisions_init")
        expected = {"full": (k, d, d), "tied": (d, d), "diag": (k, d), "spherical": (k,)}
        shape = expected[self.covariance_type]
        if values.shape != shape:
            raise ValueError(f"precisions_init: shape {values.shape}, expected {shape}")
        if self.covariance_type in ("full", "tied"):
            check_positive_definite(values, name="precisions_init")
            _check_precisions(np.diagonal(values, axis1=-2, axis2=-1))
            return np.broadcast_to(inverse(values), (k, d, d)).copy()
        _check_precisions(values)
        return 1 / (values if self.covariance_type == "diag" else values[:, None])

    @steady
    def _remember(self, result: Fit) -> None:
        fitted = result.in_units
        assert isinstance(fitted, MixturePrepared)
        normals = fitted.components
        assert isinstance(normals, NormalPrepared)
        self.fit_ = result
        self.weights_ = np.exp(fitted.log_weights[0])
        self.means_ = normals.means
        if self.covariance_type in ("full", "tied"):
            factors = whitening(normals.covariances)
            cholesky = factors.swapaxes(-1, -2)
            precisions = cholesky @ factors
            tied = self.covariance_type == "tied"
            self.covariances_ = normals.covariances[0] if tied else normals.covariances
            self.precisions_ = precisions[0] if tied else precisions
            self.precisions_cholesky_ = cholesky[0] if tied else cholesky
        else:
            covariances = normals.covariances
            if self.covariance_type == "spherical":
                covariances = covariances[:, 0]
            self.covariances_ = covariances
            self.precisions_ = 1 / covariances
            self.precisions_cholesky_ = 1 / np.sqrt(covariances)
        self.converged_ = result.converged
        self.n_iter_ = result.n_iterations
        self.lower_bounds_ = (-result.history).tolist()
        self.lower_bound_ = self.lower_bounds_[-1]

    # -------------------------------------------------------------------------------- use

    def score_samples(self, X: Any) -> FloatArray:
        """Return log densities (n,) in nats, of what is observed of each row."""
        check_is_fitted(self, "fit_")
        return self.fit_.log_density(table_for_use(self, X))

    def score(self, X: Any, y: Any = None) -> float:
        """Return the average log density of the rows, in nats."""
        del y
        return float(self.score_samples(X).mean())

    def predict_proba(self, X: Any) -> FloatArray:
        """Return the probabilities (n, k) of the components given each row."""
        check_is_fitted(self, "fit_")
        return self.fit_.latent(table_for_use(self, X))

    def predict(self, X: Any) -> np.ndarray[Any, np.dtype[np.intp]]:
        """Return the most probable component (n,) of each row."""
        return np.asarray(self.predict_proba(X).argmax(-1))

    def sample(self, n_samples: int = 1) -> tuple[FloatArray, np.ndarray[Any, np.dtype[np.intp]]]:
        """Return draws (n, d) and the components (n,) that they came from."""
        check_is_fitted(self, "fit_")
        rng = as_generator(self.random_state, name="random_state")
        x, labels = self.fit_.sample(as_count(n_samples, name="n_samples"), rng)
        return x, labels[:, 0].astype(np.intp)

    def n_parameters(self) -> int:
        """Return how many parameters were free."""
        check_is_fitted(self, "fit_")
        return n_free_parameters(self.fit_.model)

    def bic(self, X: Any) -> float:
        """Return the Bayesian information criterion on the rows; lower is better."""
        logs = self.score_samples(X)
        return float(self.n_parameters() * np.log(len(logs)) - 2 * logs.sum())

    def aic(self, X: Any) -> float:
        """Return the Akaike information criterion on the rows; lower is better."""
        return float(2 * self.n_parameters() - 2 * self.score_samples(X).sum())


def _regularise(model: Harmonium, source: ArraySource, reg: float) -> Adjust:
    """Variance, in the data's units, for each row of a component to bring besides its own."""
    standard = standardisation_of(model, sample_rows(source))
    normal = model.observable
    assert isinstance(normal, Normal)
    variances = np.diag(reg / standard.scale**2)
    second = normal.pack_moments(np.zeros(normal.n), variances)[normal.n :]

    def add(sums: FloatArray) -> FloatArray:
        # of each component: total weight, n first moments, second moments
        parts = sums.reshape(model.latent.dimension + 1, -1).copy()
        parts[:, 1 + normal.n :] += parts[:, :1] * second
        return parts.reshape(sums.shape)

    return add


def _check_precisions(values: FloatArray) -> None:
    """ValueError unless the precisions (..., n) of single columns are those of a usable normal."""
    wrong = ~((values >= 1 / LARGEST**2) & (values <= LARGEST**2))
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"precisions_init: must be from {1 / LARGEST**2:g} to {LARGEST**2:g}, but that of "
            f"component and column {place} is {values[place]}: choose other units"
        )


def _check_rows(table: FloatArray, weights: FloatArray | None, k: int) -> None:
    used = table if weights is None else table[weights > 0]
    if len(used) < 2:
        raise ValueError(f"X: n_samples={len(used)}, but a covariance needs at least two rows")
    if len(used) < k:
        raise ValueError(
            f"X: Expected n_samples >= n_components but got n_components = {k}, "
            f"n_samples = {len(used)}"
        )
    if k > 1:
        distinct = len(np.unique(np.nan_to_num(used, nan=np.inf), axis=0))
        if distinct < k:
            warn_caller(
                f"n_components={k}, but X has {distinct} distinct rows: some components are "
                "duplicates",
                DataWarning,
            )
