"""The same models fitted by scikit-learn."""

import time
from collections.abc import Callable
from typing import Any

from sklearn import decomposition, mixture

from harmonium.cli.demo.section import Comparison, Run, quiet
from harmonium.estimators import FactorAnalysis, GaussianMixture
from harmonium.validation import FloatArray

OURS = "harmonium"
TIGHT = "scikit-learn, tight tolerance"
DEFAULT = "scikit-learn, defaults"
#: Fits faster than this are timed again, for a better clock.
_SHORT = 0.2


def compare_mixtures(x: FloatArray, n_components: int, data: str, repeats: int) -> Comparison:
    """Fit a mixture of full normals with both, from the starting point that ours finds.

    scikit-learn's regularisation, which changes the model, is switched off, and it goes on until
    an iteration gains less than 1e-12 nats a row.
    """
    with quiet():
        start = GaussianMixture(n_components, max_iter=0, random_state=0).fit(x)
        given: dict[str, Any] = {
            "weights_init": start.weights_,
            "means_init": start.means_,
            "precisions_init": start.precisions_,
        }
        runs = (
            _run(OURS, lambda: GaussianMixture(n_components, **given).fit(x), x, repeats),
            _run(
                TIGHT,
                lambda: mixture.GaussianMixture(
                    n_components, reg_covar=0.0, tol=1e-12, max_iter=10_000, **given
                ).fit(x),
                x,
                repeats,
            ),
            _run(
                DEFAULT,
                lambda: mixture.GaussianMixture(n_components, random_state=0).fit(x),
                x,
                repeats,
            ),
        )
    return Comparison(f"mixture of {n_components} normals", data, runs)


def compare_factors(
    x: FloatArray, n_factors: int, data: str, max_iter: int, repeats: int
) -> Comparison:
    """Fit factor analysis with both; scikit-learn until a step gains less than 1e-8 nats in all."""
    with quiet():
        runs = (
            _run(OURS, lambda: FactorAnalysis(n_factors).fit(x), x, repeats),
            _run(
                TIGHT,
                lambda: decomposition.FactorAnalysis(
                    n_factors, tol=1e-8, max_iter=max_iter, svd_method="lapack"
                ).fit(x),
                x,
                repeats,
            ),
            _run(DEFAULT, lambda: decomposition.FactorAnalysis(n_factors).fit(x), x, repeats),
        )
    return Comparison(f"factor analysis, {n_factors} factors", data, runs)


def _run(library: str, work: Callable[[], Any], x: FloatArray, repeats: int) -> Run:
    """Fit, and time it: the best of several where it is fast."""
    best = float("inf")
    for _ in range(repeats):
        began = time.perf_counter()
        fitted = work()
        best = min(best, time.perf_counter() - began)
        if best > _SHORT:
            break
    iterations = int(fitted.n_iter_)
    converged = getattr(fitted, "converged_", None)
    if converged is None:  # scikit-learn's factor analysis does not say
        converged = iterations < fitted.max_iter
    return Run(library, float(fitted.score(x)), iterations, bool(converged), best)
