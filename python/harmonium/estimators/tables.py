"""How estimators take tables: the package's gate first, then scikit-learn's book-keeping."""

from typing import Any

from sklearn.utils.validation import validate_data

from harmonium.validation import FloatArray, as_table, check_feature_names


def table_for_fit(estimator: Any, x: object) -> FloatArray:
    """Return a table to fit to; nothing is written to the estimator yet."""
    return as_table(x, name="X", missing=True, owner=type(estimator).__name__)


def remember_columns(estimator: Any, x: object) -> None:
    """Write ``n_features_in_`` and ``feature_names_in_`` once a fit has succeeded."""
    validate_data(estimator, x, reset=True, skip_check_array=True)


def table_for_use(estimator: Any, x: object) -> FloatArray:
    """Return a table to predict from: the columns must be those of the fit."""
    owner = type(estimator).__name__
    table = as_table(x, name="X", missing=True, empty_columns=True, owner=owner)
    check_feature_names(getattr(estimator, "feature_names_in_", None), x, owner)
    return as_table(
        table,
        name="X",
        missing=True,
        empty_columns=True,
        n_features=estimator.n_features_in_,
        owner=owner,
    )
