"""Factor analysis and probabilistic principal components with scikit-learn's names."""

from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from harmonium.errors import DataWarning
from harmonium.estimators.arguments import as_choice
from harmonium.estimators.rotation import rotation
from harmonium.estimators.tables import remember, table_for_fit, table_for_use
from harmonium.expectation import ArraySource
from harmonium.families.normal import Normal
from harmonium.families.normal_stack import NormalPrepared
from harmonium.learning.fit import Fit, fit
from harmonium.learning.floating_point import steady
from harmonium.learning.information import n_free_parameters
from harmonium.models import LinearGaussian
from harmonium.numerics.symmetric import inverse
from harmonium.rules.linear_stack import LinearPrepared
from harmonium.validation import (
    FloatArray,
    as_count,
    as_generator,
    as_table,
    as_weights,
    warn_caller,
)


class _LinearEstimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]  # untyped bases
    """What the two models share: ``x = mean_ + z components_ + noise``, z standard normal."""

    _noise: Literal["diagonal", "isotropic"]
    n_components: Any
    tol: float
    max_iter: int
    random_state: Any

    def __sklearn_tags__(self) -> Any:
        """Missing values are taken."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Fit to a table (n, d); NaN is missing, ``y`` is ignored.

        A failed or interrupted fit leaves the estimator as it was.
        """
        del y
        table = table_for_fit(self, X)
        n_features = table.shape[1]
        width = self._default_width(n_features) if self.n_components is None else self.n_components
        width = as_count(width, name="n_components")
        as_generator(self.random_state, name="random_state")
        if width > n_features:
            raise ValueError(f"n_components: {width} factors of {n_features} columns")
        model = LinearGaussian(Normal(n_features, self._noise), Normal(width))
        table = model.check_table(table, "X")
        weights = as_weights(sample_weight, len(table))
        rows = len(table) if weights is None else int((weights > 0).sum())
        if rows < 2:
            raise ValueError(f"X: n_samples={rows}, but a covariance needs at least two rows")
        if width > _most_factors(n_features) and self._noise == "diagonal":
            warn_caller(
                f"n_components={width}: {n_features} columns determine at most "
                f"{_most_factors(n_features)} factors; many fits are equally good",
                DataWarning,
            )
        result = fit(
            model,
            ArraySource(table, weights),
            max_iter=as_count(self.max_iter, name="max_iter", minimum=0),
            tol=self.tol,
            accelerate=True,
        )
        weight = float(len(table) if weights is None else weights.sum())
        remember(self, X, lambda fitted: fitted._remember(result, weight))
        return self

    @steady
    def _remember(self, result: Fit, weight: float) -> None:
        fitted = result.in_units
        assert isinstance(fitted, LinearPrepared)
        prior = fitted.prior
        assert isinstance(prior, NormalPrepared)
        self.fit_ = result
        self.mean_ = fitted.references[0]
        noise = fitted.noise.covariances[0]
        loadings = fitted.loadings[0] @ np.linalg.cholesky(prior.matrices[0])
        self._turn = rotation(loadings, np.broadcast_to(noise, self.mean_.shape), self._rotation())
        self.components_ = (loadings @ self._turn).T
        self.noise_variance_ = noise if self._noise == "diagonal" else float(noise[0])
        self.converged_ = result.converged
        # the direct solution that EM starts from counts as one
        self.n_iter_ = result.n_iterations + 1
        self.loglike_ = (-result.history * weight).tolist()

    def _rotation(self) -> str | None:
        return None

    def _default_width(self, n_features: int) -> int:
        return n_features

    @property
    def _n_features_out(self) -> int:
        return int(self.components_.shape[0])

    # -------------------------------------------------------------------------------- use

    def transform(self, X: Any) -> FloatArray:
        """Return the posterior means (n, n_components) of the factors given each row."""
        check_is_fitted(self, "fit_")
        return self._standard(self.fit_.latent(table_for_use(self, X)))

    @steady
    def _standard(self, latents: FloatArray) -> FloatArray:
        """From the latent's own coordinates to standard ones, turned as the components are."""
        fitted = self.fit_.prepared
        assert isinstance(fitted, LinearPrepared)
        assert isinstance(fitted.prior, NormalPrepared)
        root = np.linalg.cholesky(fitted.prior.matrices[0])
        standard = np.linalg.solve(root, (latents - fitted.centres[0]).T).T
        return np.asarray(standard @ self._turn)

    def inverse_transform(self, Z: Any) -> FloatArray:
        """Return the rows (n, d) expected given factors (n, n_components)."""
        check_is_fitted(self, "fit_")
        width = len(self.components_)
        factors = as_table(Z, name="Z", n_features=width, owner=type(self).__name__)
        return np.asarray(self.mean_ + factors @ self.components_)

    def score_samples(self, X: Any) -> FloatArray:
        """Return log densities (n,) in nats, of what is observed of each row."""
        check_is_fitted(self, "fit_")
        return self.fit_.log_density(table_for_use(self, X))

    def score(self, X: Any, y: Any = None) -> float:
        """Return the average log density of the rows, in nats."""
        del y
        return float(self.score_samples(X).mean())

    def get_covariance(self) -> FloatArray:
        """Return the model's covariance matrix (d, d) of the data."""
        check_is_fitted(self, "fit_")
        noise = np.broadcast_to(self.noise_variance_, self.mean_.shape)
        return np.asarray(self.components_.T @ self.components_ + np.diag(noise))

    def get_precision(self) -> FloatArray:
        """Return the inverse of the model's covariance matrix, (d, d)."""
        return steady(inverse)(self.get_covariance())

    def sample(self, n_samples: int = 1) -> FloatArray:
        """Return draws (n, d) from the fitted law."""
        check_is_fitted(self, "fit_")
        rng = as_generator(self.random_state, name="random_state")
        return self.fit_.sample(as_count(n_samples, name="n_samples"), rng)[0]

    def n_parameters(self) -> int:
        """Return how many parameters were free; rotations of the factors are not."""
        check_is_fitted(self, "fit_")
        return n_free_parameters(self.fit_.model)

    def bic(self, X: Any) -> float:
        """Return the Bayesian information criterion on the rows; lower is better."""
        logs = self.score_samples(X)
        return float(self.n_parameters() * np.log(len(logs)) - 2 * logs.sum())

    def aic(self, X: Any) -> float:
        """Return the Akaike information criterion on the rows; lower is better."""
        return float(2 * self.n_parameters() - 2 * self.score_samples(X).sum())


class FactorAnalysis(_LinearEstimator):
    """Factor analysis: normal factors, loadings, and noise of a variance for each column.

    Takes the place of :class:`sklearn.decomposition.FactorAnalysis`; what differs: NaN is a
    missing value (marginalised exactly), rows may have weights, columns may have any offset and
    scale, and a fit has converged when its gradient is below ``tol``. Columns whose noise
    vanishes (Heywood cases) are held at 1e-12 of their variance, with a BoundaryWarning.

    Parameters
    ----------
    n_components : int, optional
        How many factors; by default as many as columns.
    tol : float
        Bound on the standardised difference between average and model expectation.
    max_iter : int
        Most iterations.
    rotation : {None, "varimax", "quartimax"}
        How the factors are turned; None: along the principal axes of the explained variance.
    random_state : None, int or numpy Generator
        For :meth:`sample`; the fit draws nothing.

    Attributes
    ----------
    components_ : (n_components, d) array
        Loadings: the effect of each factor on each column.
    noise_variance_ : (d,) array
        Variance that the factors leave in each column.
    mean_ : (d,) array
        Mean of the data.
    converged_, n_iter_, loglike_
        Whether the gradient is below ``tol``; iterations; log-likelihood after each.
    fit_ : Fit
        The fit itself.
    """

    _noise = "diagonal"

    def __init__(
        self,
        n_components: int | None = None,
        *,
        tol: float = 1e-6,
        max_iter: int = 5000,
        rotation: str | None = None,
        random_state: Any = 0,
    ) -> None:
        self.n_components = n_components
        self.tol = tol
        self.max_iter = max_iter
        self.rotation = rotation
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> "FactorAnalysis":
        """Fit to a table (n, d); NaN is missing, ``y`` is ignored."""
        if self.rotation is not None:
            as_choice(self.rotation, ("varimax", "quartimax"), name="rotation")
        super().fit(X, y, sample_weight)
        return self

    def _rotation(self) -> str | None:
        return self.rotation


class PPCA(_LinearEstimator):
    """Probabilistic principal components: factors, and noise of one variance for all columns.

    The density behind :class:`sklearn.decomposition.PCA`; with missing values and weights.

    Parameters
    ----------
    n_components : int, optional
        How many components; by default one less than columns.
    tol : float
        Bound on the standardised difference between average and model expectation.
    max_iter : int
        Most iterations.
    random_state : None, int or numpy Generator
        For :meth:`sample`; the fit draws nothing.

    Attributes
    ----------
    components_ : (n_components, d) array
        Principal axes times the standard deviations they explain beyond the noise.
    noise_variance_ : float
        Variance of the noise.
    mean_ : (d,) array
        Mean of the data.
    converged_, n_iter_, loglike_
        Whether the gradient is below ``tol``; iterations; log-likelihood after each.
    fit_ : Fit
        The fit itself.
    """

    _noise = "isotropic"

    def __init__(
        self,
        n_components: int | None = None,
        *,
        tol: float = 1e-6,
        max_iter: int = 5000,
        random_state: Any = 0,
    ) -> None:
        self.n_components = n_components
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state

    def _default_width(self, n_features: int) -> int:
        return max(n_features - 1, 1)


def _most_factors(n: int) -> int:
    """Ledermann's bound: most factors that n columns determine."""
    return int(np.floor(n + 0.5 - np.sqrt(2 * n + 0.25) + 1e-9))
