"""Fitted models in files: everything that a `Fit` holds, bit for bit.

A model file is a container (`harmonium.io.container`) of kind ``model``. Its metadata have exactly
the keys

- ``version``: 1, of what is described here;
- ``model``: the families and rules, as nodes (`harmonium.io.model_tree`);
- ``point``: the parameters, as nodes (`harmonium.io.prepared_tree`), whose arrays are
  ``point.<node>.<name>``: means and covariances, weights, loadings, in standardised coordinates;
- ``converged``, ``message``, ``n_iterations``, ``notes`` (sorted): how the fit went;
- ``feature_names``: a list of strings, or null;
- ``metadata``: the user's own;

and its other arrays are ``standardisation.shift`` and ``standardisation.scale`` (one number a
column), ``history`` (n_iterations + 1) and ``residual`` (a single number).
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from harmonium.errors import ModelFileError
from harmonium.families.base import ColumnUnits
from harmonium.io import canonical_json, parameters
from harmonium.io.atomic import write_atomically
from harmonium.io.container import Container, read_container, to_bytes
from harmonium.io.layout import library_version
from harmonium.io.model_tree import decode_model, encode_model
from harmonium.io.prepared_tree import decode_prepared, encode_prepared
from harmonium.learning.fit import Fit
from harmonium.learning.standardisation import Standardisation

KIND = "model"
MODEL_VERSION = 1
"""The version of the layout within the container that is written, and the latest that is read."""

_KEYS = {
    "version": int,
    "model": list,
    "point": list,
    "converged": bool,
    "message": str,
    "n_iterations": int,
    "notes": list,
    "feature_names": list | None,
    "metadata": dict,
}
#: The metadata lie within an object within the header.
_LEVELS = canonical_json.MAX_DEPTH - 2


@dataclass(frozen=True, eq=False)
class SavedModel:
    """What a model file holds.

    Attributes
    ----------
    fit
        The fitted model: its densities, posteriors and samples are those of the one saved, bit for
        bit.
    feature_names
        Names of the columns of the data; None if they had none.
    metadata
        What the user saved with it.
    library_version, format_version
        Version of harmonium that wrote the file, and of the container's format.
    """

    fit: Fit
    feature_names: tuple[str, ...] | None
    metadata: dict[str, Any]
    library_version: str
    format_version: int


def save_model(
    path: str | os.PathLike[str],
    fitted: Fit,
    *,
    feature_names: Sequence[str] | None = None,
    metadata: Mapping[str, object] | None = None,
) -> None:
    """Write a fitted model to a file, replacing an older one at once or not at all.

    Parameters
    ----------
    path
        File to write.
    fitted
        What `harmonium.learning.fit` gave, or an estimator's ``fit_``.
    feature_names
        Names of the columns of the data, in order.
    metadata
        Whatever is to be kept with the model: dict (with string keys), list, str, int, float, bool
        and None.

    Raises
    ------
    TypeError
        If the model has families or rules that are not harmonium's own, or the metadata hold other
        types.
    ValueError
        For names that are not one for each column, parameters that are not finite or out of their
        domain, and metadata that have no canonical form.
    OSError
        If the file cannot be written. After any exception an older file at ``path`` is whole.
    """
    data = model_to_bytes(fitted, feature_names=feature_names, metadata=metadata)
    write_atomically(path, data)


def model_to_bytes(
    fitted: Fit,
    *,
    feature_names: Sequence[str] | None = None,
    metadata: Mapping[str, object] | None = None,
) -> bytes:
    """Return the content of a model file: see `save_model`, whose arguments and errors it shares."""
    if not isinstance(fitted, Fit):
        raise TypeError(
            f"fitted must be a Fit, not {type(fitted).__name__}; of an estimator, pass its fit_"
        )
    names = _names(feature_names, len(fitted.standardisation.shift))
    own = {} if metadata is None else metadata
    if not isinstance(own, Mapping):
        raise TypeError(f"metadata must be a mapping, not {type(own).__name__}")
    canonical_json.encode(dict(own), "metadata", levels=_LEVELS)
    point, arrays = encode_prepared(fitted.prepared)
    arrays["standardisation.shift"] = fitted.standardisation.shift
    arrays["standardisation.scale"] = fitted.standardisation.scale
    arrays["history"] = fitted.history
    arrays["residual"] = np.array(fitted.residual, dtype=np.float64)
    for name, array in arrays.items():
        if name in _MAY_BE_INFINITE:
            _check_no_nan(name, array)
        else:
            parameters.check_finite(name, array)
    data = to_bytes(
        KIND,
        arrays,
        {
            "version": MODEL_VERSION,
            "model": encode_model(fitted.model),
            "point": point,
            "converged": bool(fitted.converged),
            "message": fitted.message,
            "n_iterations": int(fitted.n_iterations),
            "notes": sorted(fitted.notes),
            "feature_names": names,
            "metadata": dict(own),
        },
        allow_nonfinite=[n for n in _MAY_BE_INFINITE if not np.isfinite(arrays[n]).all()],
    )
    # what can not be read again must not take the place of a file that can
    try:
        _decode(read_container(data, KIND))
    except ModelFileError as error:
        raise ValueError(f"fitted can not be saved: its file {error}") from None
    return data


def load_model(source: str | os.PathLike[str] | BinaryIO | bytes) -> SavedModel:
    """Read a fitted model from a file, checking all of it.

    Parameters
    ----------
    source
        Path, binary file (read from where it stands; nothing may follow the model), or bytes.

    Raises
    ------
    ModelFileError
        If it is not a harmonium file, truncated, damaged, of a newer format or of another kind; if
        it holds families or rules that this version does not know; or if its parameters are
        missing, of the wrong shape, or out of their domain. The message says which.
    OSError
        If the file cannot be opened or read.
    """
    container = read_container(source, KIND)
    try:
        return _decode(container)
    except ModelFileError as error:
        raise ModelFileError(f"{_called(source)} {error}") from None
    except RecursionError:
        raise ModelFileError(
            f"{_called(source)} holds a model that is nested too deeply to be read"
        ) from None


def _called(source: object) -> str:
    if isinstance(source, str | os.PathLike):
        return repr(os.fspath(source))
    name = getattr(source, "name", None)
    if isinstance(name, str):
        return repr(name)
    return "the file given" if hasattr(source, "read") else "the data given"


def _decode(container: Container) -> SavedModel:
    """Check and build what a container holds; messages continue a sentence that names the file."""
    metadata, writer = container.metadata, container.library_version
    _check_metadata(metadata, writer)
    n_numbers = sum(array.size for array in container.arrays.values())
    model = decode_model(metadata["model"], n_numbers, writer)[-1]
    prepared, taken = decode_prepared(metadata["point"], container.arrays, model, writer)
    shift, scale, history, residual = (
        parameters.float_array(container.arrays, name) for name in _OTHERS
    )
    if extra := sorted(container.arrays.keys() - taken - set(_OTHERS)):
        raise ModelFileError(f"contradicts itself: it has the unknown array {extra[0][:80]!r}")
    try:
        names = _names(metadata["feature_names"], prepared.n_observed)
        _check_standardisation(model.standardisation, prepared.n_observed, shift, scale)
        _check_history(history, residual, metadata["n_iterations"])
    except (TypeError, ValueError) as error:
        raise ModelFileError(f"contradicts itself: {str(error)[:300]}") from None
    if wrong := sorted(container.allow_nonfinite - set(_MAY_BE_INFINITE)):
        raise ModelFileError(f"contradicts itself: its array {wrong[0]!r} may not be infinite")
    fitted = Fit(
        model,
        prepared,
        Standardisation(shift, scale),
        history,
        metadata["converged"],
        float(residual),
        metadata["n_iterations"],
        metadata["message"],
        frozenset(metadata["notes"]),
    )
    return SavedModel(
        fit=fitted,
        feature_names=None if names is None else tuple(names),
        metadata=metadata["metadata"],
        library_version=writer,
        format_version=container.format_version,
    )


_OTHERS = ("standardisation.shift", "standardisation.scale", "history", "residual")
_MAY_BE_INFINITE = ("history", "residual")


def _check_metadata(metadata: dict[str, Any], writer: str) -> None:
    version = metadata.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ModelFileError(f"contradicts itself: there is no model version {str(version)[:80]}")
    if version > MODEL_VERSION:
        raise ModelFileError(
            f"holds a model of version {version}, and harmonium {library_version()} reads up to "
            f"version {MODEL_VERSION}: it was written by harmonium {writer[:80]}; upgrade harmonium"
        )
    if missing := sorted(_KEYS.keys() - metadata.keys()):
        raise ModelFileError(f"contradicts itself: its metadata have no {missing[0]}")
    if extra := sorted(metadata.keys() - _KEYS.keys()):
        raise ModelFileError(
            f"contradicts itself: its metadata have the unknown entry {extra[0][:80]!r}"
        )
    for key, kind in _KEYS.items():
        value = metadata[key]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise ModelFileError(f"contradicts itself: its {key} is {str(value)[:80]}")
    if not all(isinstance(note, str) for note in metadata["notes"]):
        raise ModelFileError("contradicts itself: its notes are not all strings")


def _names(names: Sequence[str] | None, n_columns: int) -> list[str] | None:
    if names is None:
        return None
    if isinstance(names, str):
        raise TypeError(f"feature_names must be a sequence of names: [{names!r}]?")
    listed = [str(n) if isinstance(n, str) else n for n in names]
    for name in listed:
        if not isinstance(name, str):
            raise TypeError(f"feature_names must be strings, not {name!r:.80}")
    if len(listed) != n_columns:
        raise ValueError(f"feature_names: {len(listed)} names for {n_columns} columns")
    return listed


def _check_standardisation(
    units: tuple[ColumnUnits, ...], n: int, shift: NDArray[Any], scale: NDArray[Any]
) -> None:
    for name, array in (("standardisation.shift", shift), ("standardisation.scale", scale)):
        parameters.check_shape(name, array, (n,))
        parameters.check_magnitude(name, array)
    parameters.check_above_zero("standardisation.scale", scale)
    start = 0
    for kind, width in units:
        moved, factor = shift[start : start + width], scale[start : start + width]
        start += width
        if kind == "none" and ((moved != 0).any() or (factor != 1).any()):
            raise ValueError(
                "standardisation: columns of this model are neither shifted nor scaled"
            )
        if kind == "common" and (factor != factor[0]).any():
            raise ValueError("standardisation.scale: this model has one scale for all columns")


def _check_history(history: NDArray[Any], residual: NDArray[Any], n_iterations: int) -> None:
    if n_iterations < 0:
        raise ValueError(f"n_iterations: {n_iterations}")
    if history.shape != (n_iterations + 1,):
        raise ValueError(f"history: shape {history.shape}, expected ({n_iterations + 1},)")
    if residual.shape != ():
        raise ValueError(f"residual: shape {residual.shape}, expected a single number")
    _check_no_nan("history", history)
    _check_no_nan("residual", residual)


def _check_no_nan(name: str, array: NDArray[Any]) -> None:
    if np.isnan(array).any():
        raise ValueError(f"{name}: must be numbers, but there is NaN")
