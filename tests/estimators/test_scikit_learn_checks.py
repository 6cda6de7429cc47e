"""scikit-learn's own checks of estimators."""

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from estimators.tables import COVARIANCE_TYPES, name_of, table
from harmonium.errors import HarmoniumWarning
from harmonium.estimators import PPCA, FactorAnalysis, GaussianMixture

ESTIMATORS = [
    *(GaussianMixture(covariance_type=kind) for kind in COVARIANCE_TYPES),
    *(GaussianMixture(2, covariance_type=kind, random_state=0) for kind in COVARIANCE_TYPES),
    GaussianMixture(2, accelerate=True, reg_covar=1e-3, n_init=2, init_params="random_from_data"),
    FactorAnalysis(),
    FactorAnalysis(1),
    FactorAnalysis(1, rotation="varimax"),
    FactorAnalysis(1, rotation="quartimax"),
    PPCA(),
    PPCA(1),
]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_every_check_passes(estimator: Any) -> None:
    with warnings.catch_warnings():
        # checks fit one row twice, constant columns and the like, and of all these we warn
        warnings.simplefilter("ignore", HarmoniumWarning)
        results = check_estimator(estimator, on_skip=None, on_fail=None)
    not_passed = {r["check_name"]: (r["status"], str(r["exception"])) for r in results}
    not_passed = {name: found for name, found in not_passed.items() if found[0] != "passed"}
    # skipped by scikit-learn itself unless an environment variable asks for it
    not_passed.pop("check_array_api_input", None)
    assert not_passed == {}
    assert len(results) > 40


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_clone_and_parameters(estimator: Any) -> None:
    copy = clone(estimator)
    assert copy is not estimator
    assert repr(copy.get_params()) == repr(estimator.get_params())
    for name, value in estimator.get_params().items():
        copy.set_params(**{name: value})
        assert getattr(copy, name) is value
    with pytest.raises(ValueError, match="Invalid parameter 'nonsense'"):
        copy.set_params(nonsense=1)


@pytest.mark.parametrize("estimator", [GaussianMixture(2, random_state=0), FactorAnalysis(1)])
def test_within_pipelines_and_searches(estimator: Any) -> None:
    x = table("iris")
    pipeline = make_pipeline(StandardScaler(), estimator)
    name = f"{type(estimator).__name__.lower()}__n_components"
    search = GridSearchCV(pipeline, {name: [1, 2]}, cv=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HarmoniumWarning)  # two factors are too many
        scores = cross_val_score(pipeline, x[np.random.default_rng(0).permutation(150)], cv=3)
        search.fit(x)
    assert np.isfinite(scores).all()
    assert search.best_params_[name] in (1, 2)


def test_output_of_transform() -> None:
    factors = FactorAnalysis(1).fit(table("wine"))
    assert factors.get_feature_names_out().tolist() == ["factoranalysis0"]
    assert PPCA(2).fit(table("wine")).get_feature_names_out().tolist() == ["ppca0", "ppca1"]
    frame = FactorAnalysis(1).set_output(transform="pandas").fit_transform(table("wine"))
    assert frame.columns.tolist() == ["factoranalysis0"]
    assert np.array_equal(frame.to_numpy(), factors.transform(table("wine")))


def test_names() -> None:
    assert len({name_of(e) for e in ESTIMATORS}) == 6
