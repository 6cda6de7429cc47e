"""How estimators take tables, and how a fit becomes theirs: whole or not at all."""

import copy
from collections.abc import Callable
from typing import Any

from sklearn.utils.validation import validate_data

from harmonium.validation import FloatArray, as_table, check_feature_names


def table_for_fit(estimator: Any, x: object) -> FloatArray:
    """Return a table to fit to; nothing is written to the estimator yet."""
    return as_table(x, name="X", missing=True, owner=type(estimator).__name__)


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


def remember(estimator: Any, x: object, write: Callable[[Any], None]) -> None:
    """Give the estimator what ``write`` writes, and the columns of ``x``, in a single step.

    Neither an error nor an interruption, wherever it comes, leaves an estimator half fitted.
    """
    fitted = copy.copy(estimator)
    validate_data(fitted, x, reset=True, skip_check_array=True)
    write(fitted)
    estimator.__dict__ = fitted.__dict__
