"""The names of the columns of a frame, and their agreement with those seen at fit."""

from collections.abc import Iterable, Sequence

from harmonium.validation.libraries import column_labels
from harmonium.validation.warning import warn_caller


def feature_names_of(x: object) -> tuple[str, ...] | None:
    """Return the column names of a frame if it is one and all of them are strings.

    Parameters
    ----------
    x
        Anything; only frames (pandas, polars, interchange protocol) have names.
    """
    labels = column_labels(x)
    if not labels:
        return None
    names = tuple(label for label in labels if isinstance(label, str))
    return names if len(names) == len(labels) else None


def check_feature_names(seen: Sequence[str] | None, x: object, owner: str) -> None:
    """Check that a frame has the columns that a model was fitted on, in the same order.

    Parameters
    ----------
    seen
        The names at fit, None if there were none.
    x
        The table at hand, before conversion.
    owner
        The model's name, for the message.

    Raises
    ------
    ValueError
        If names are new, missing or in another order, in scikit-learn's words.

    Warns
    -----
    DataWarning
        If only one of the two tables had names.
    """
    names = feature_names_of(x)
    if names is None and seen is None:
        return
    if seen is None:
        warn_caller(f"X has feature names, but {owner} was fitted without feature names")
    elif names is None:
        warn_caller(
            f"X does not have valid feature names, but {owner} was fitted with feature names"
        )
    elif tuple(seen) != names:
        raise ValueError(_difference_words(seen, names))


def _difference_words(seen: Sequence[str], names: Sequence[str]) -> str:
    message = "The feature names should match those that were passed during fit.\n"
    unexpected = sorted(set(names) - set(seen))
    missing = sorted(set(seen) - set(names))
    if unexpected:
        message += "Feature names unseen at fit time:\n" + _listed(unexpected)
    if missing:
        message += "Feature names seen at fit time, yet now missing:\n" + _listed(missing)
    if not unexpected and not missing:
        message += "Feature names must be in the same order as they were in fit.\n"
    return message


def _listed(names: Sequence[str], most: int = 5) -> str:
    lines: Iterable[str] = [*names[:most], *(["..."] if len(names) > most else [])]
    return "".join(f"- {line}\n" for line in lines)
