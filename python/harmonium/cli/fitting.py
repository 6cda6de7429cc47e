"""``harmonium fit``: a model of a table, into a file."""

import os
from argparse import Namespace
from dataclasses import dataclass

import numpy as np
from rich.console import RenderableType

from harmonium.cli.choices import OPTIONS, build, check_options
from harmonium.cli.columns import chosen
from harmonium.cli.errors import CommandError, as_command_errors
from harmonium.cli.naming import feature_labels
from harmonium.cli.noting import warnings_as_lines
from harmonium.cli.offences import check_values
from harmonium.cli.parameters import grids
from harmonium.cli.progress import FitProgress
from harmonium.cli.screen import heading, of_grid, pairs, show
from harmonium.cli.tables import Table, read_table
from harmonium.cli.writing import check_output
from harmonium.expectation import as_source, set_threads
from harmonium.families.base import ExponentialFamily
from harmonium.io import save_model
from harmonium.learning import Fit, fit
from harmonium.learning.gauge import with_standard_latent
from harmonium.learning.information import information_criteria
from harmonium.learning.standardisation import sample_rows, standardisation_of
from harmonium.validation import FloatArray


@dataclass(frozen=True, eq=False)
class Data:
    """What a model is fitted to: a table (n, d) with names, and weights (n,) or None."""

    table: Table
    names: tuple[str, ...] | None
    x: FloatArray
    weights: FloatArray | None

    @property
    def weight(self) -> float:
        """How many rows there are: the sum of the weights where there are any."""
        return float(len(self.x) if self.weights is None else self.weights.sum())


def run(options: Namespace) -> int:
    """Fit the model that the options ask for, save it and show it."""
    choice = check_options(options)
    check_output(options.output, options.data)
    if options.threads is not None:
        set_threads(options.threads)
    with warnings_as_lines("harmonium fit"):
        data = _read(options)
        model = build(choice, data.x.shape[1], options)
        _check(data, model, options)
        fitted = with_standard_latent(_fit(model, data, options))
        _save(fitted, data, options)
    if not options.quiet:
        show(_summary(fitted, data, options))
    return 0


def _read(options: Namespace) -> Data:
    table = read_table(
        options.data,
        chosen(options.columns, options.drop, options.weights),
        missing=options.missing,
        delimiter=options.delimiter,
        header=options.header,
        hint="; leave the column out with --drop {name}",
    )
    if options.weights is None:
        return Data(table, table.names, table.values, None)
    names, weights = table.names, np.ascontiguousarray(table.values[:, -1])
    wrong = ~(weights >= 0)
    if wrong.any():
        row = int(np.argmax(wrong))
        last = len(table.places) - 1
        raise CommandError(
            f"{table.where(row, last)}: a weight must be zero or positive, not {weights[row]:.15g}"
        )
    if not weights.any():
        raise CommandError(f"--weights: all weights in {table.header.called} are zero")
    x = np.ascontiguousarray(table.values[:, :-1])
    return Data(table, None if names is None else names[:-1], x, weights)


def _check(data: Data, model: ExponentialFamily, options: Namespace) -> None:
    called = data.table.header.called
    rows = len(data.x) if data.weights is None else int((data.weights > 0).sum())
    with_weight = "" if data.weights is None else " of positive weight"
    if options.components is not None and rows < options.components:
        raise CommandError(
            f"{called}: --components {options.components} needs at least as many rows"
            f"{with_weight}, and there are {rows}"
        )
    empty = np.isnan(data.x).all(0)
    if empty.any():
        column = int(np.argmax(empty))
        name = data.table.header.name(data.table.places[column])
        raise CommandError(f"{called}: {name} has no values; leave it out with --drop")
    check_values(data.table, data.x, model)
    if rows < 2 and any(units.kind != "none" for units in model.standardisation):
        raise CommandError(f"{called}: {rows} row{with_weight}, but variances need at least two")


def _fit(model: ExponentialFamily, data: Data, options: Namespace) -> Fit:
    settings = {
        "weights": data.weights,
        "seed": options.seed,
        "max_iter": options.max_iter,
        "tol": options.tol,
        "n_init": options.n_init,
        "accelerate": True,
    }
    with as_command_errors(f"{data.table.header.called}: "):
        if not FitProgress.is_wanted(options.quiet):
            return fit(model, data.x, **settings)
        offset = _log_scale(model, data)
        with FitProgress(offset, options.n_init, options.max_iter) as progress:
            return fit(model, data.x, **settings, callback=progress)


def _log_scale(model: ExponentialFamily, data: Data) -> float:
    """What cross-entropies in the fit's coordinates lack from those in the data's units."""
    standard = standardisation_of(model, sample_rows(as_source(data.x, data.weights)))
    observed = np.average(~np.isnan(data.x), axis=0, weights=data.weights)
    return float(observed @ np.log(standard.scale))


def _save(fitted: Fit, data: Data, options: Namespace) -> None:
    given = {name: getattr(options, name) for name in OPTIONS}
    command = {
        "model": options.model,
        "data": os.path.basename(options.data),
        "rows": len(data.x),
        "weight": data.weight,
        "weights": options.weights,
        "missing": options.missing,
        "seed": options.seed,
        "n_init": options.n_init,
        "tol": options.tol,
        "max_iter": options.max_iter,
        **{name: value for name, value in given.items() if value is not None},
    }
    try:
        with as_command_errors():
            save_model(
                options.output, fitted, feature_names=data.names, metadata={"command": command}
            )
    except OSError as error:
        raise CommandError(f"--output: {options.output}: {error.strerror or error}") from error


def _summary(fitted: Fit, data: Data, options: Namespace) -> list[RenderableType]:
    n, d = data.x.shape
    criteria = information_criteria(fitted, data.weight)
    missing = int(np.isnan(data.x).sum())
    entries: list[tuple[str, object]] = [
        ("data", f"{data.table.header.called}: {n} rows, {d} columns"),
        ("iterations", f"{fitted.n_iterations}, {fitted.message}"),
        ("residual", f"{fitted.residual:.2g}"),
        (
            "log-likelihood",
            f"{-fitted.cross_entropy:.6g} per row, {criteria.log_likelihood:.8g} in all",
        ),
        ("free parameters", criteria.n_parameters),
        ("BIC", f"{criteria.bic:.8g}"),
        ("AIC", f"{criteria.aic:.8g}"),
        ("saved to", options.output),
    ]
    if data.weights is not None:
        entries.insert(1, ("total weight", f"{data.weight:.8g}"))
    if missing:
        entries.insert(1, ("missing values", f"{missing} of {n * d}"))
    labels = feature_labels(data.names, d)
    tables = [part for grid in grids(fitted.in_units, labels) for part in of_grid(grid)]
    return [heading(options.model), pairs(entries), *tables]
