"""What scikit-learn's own checks expect of the words of errors, tried on the least estimator."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.validation import check_is_fitted, validate_data

from harmonium.validation import as_table, as_weights


class Gate(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Finds nothing, but lets scikit-learn check names only, and leaves the rest to the gate."""

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> "Gate":
        table = as_table(X)
        as_weights(sample_weight, len(table))
        validate_data(self, X, skip_check_array=True)
        self.n_rows_ = len(table)
        return self

    def predict(self, X: Any) -> Any:
        check_is_fitted(self)
        table = as_table(X)
        validate_data(self, X, reset=False, skip_check_array=True)
        return np.zeros(len(table), int)


def test_scikit_learns_checks() -> None:
    results = check_estimator(Gate(), on_skip=None, on_fail=None)
    failed = {r["check_name"]: str(r["exception"]) for r in results if r["status"] == "failed"}
    assert failed == {}
    assert sum(r["status"] == "passed" for r in results) > 30
