"""``harmonium predict``: what a saved model says about the rows of a table."""

from argparse import Namespace

import numpy as np

from harmonium.cli.columns import matching
from harmonium.cli.errors import CommandError, as_command_errors
from harmonium.cli.models import load
from harmonium.cli.naming import latent_labels
from harmonium.cli.noting import warnings_as_lines
from harmonium.cli.offences import check_values
from harmonium.cli.tables import read_table
from harmonium.cli.writing import check_output, write_table
from harmonium.expectation import set_threads
from harmonium.harmonium import Harmonium
from harmonium.learning import Fit
from harmonium.learning.clusters import cluster_probabilities, n_clusters
from harmonium.rules.linear import LinearRule
from harmonium.validation import FloatArray


def run(options: Namespace) -> int:
    """Write one line for each row."""
    if options.threads is not None:
        set_threads(options.threads)
    saved = load(options.model)
    fitted = saved.fit
    answers = _answers(fitted, options)
    if options.output not in (None, "-"):
        check_output(options.output, options.data)
    with warnings_as_lines("harmonium predict"):
        table = read_table(
            options.data,
            matching(
                saved.feature_names, fitted.prepared.n_observed, options.columns, options.drop
            ),
            missing=options.missing,
            delimiter=options.delimiter,
            header=options.header,
        )
        check_values(table, table.values, fitted.model)
        with as_command_errors(f"{table.header.called}: "):
            columns = [_ANSWERS[answer](fitted, table.values) for answer in answers]
    names = [name for part, _ in columns for name in part]
    write_table(options.output, names, np.concatenate([values for _, values in columns], axis=1))
    return 0


def _answers(fitted: Fit, options: Namespace) -> list[str]:
    """What to say: what was asked for, or what the model is for."""
    clusters = n_clusters(fitted.model) is not None
    linear = isinstance(fitted.model, Harmonium) and isinstance(fitted.model.rule, LinearRule)
    if options.probabilities and not clusters:
        raise CommandError("--probabilities: this model has no clusters")
    if options.latent and not linear:
        hint = "; --probabilities gives those of its clusters" if clusters else ""
        raise CommandError(f"--latent: this model has no latent coordinates{hint}")
    for answer in ("probabilities", "latent", "log_density"):
        if getattr(options, answer):
            return [answer]
    wanted = (("cluster", clusters), ("latent", linear), ("log_density", not linear))
    return [answer for answer, applies in wanted if applies]


_Answer = tuple[list[str], FloatArray]


def _cluster(fitted: Fit, x: FloatArray) -> _Answer:
    labels = cluster_probabilities(fitted, x).argmax(-1)
    return ["cluster"], labels[:, None].astype(np.float64)


def _probabilities(fitted: Fit, x: FloatArray) -> _Answer:
    probabilities = cluster_probabilities(fitted, x)
    return [f"cluster_{k}" for k in range(probabilities.shape[1])], probabilities


def _latent(fitted: Fit, x: FloatArray) -> _Answer:
    assert isinstance(fitted.model, Harmonium)
    return latent_labels(fitted.model.latent), fitted.latent(x)


def _log_density(fitted: Fit, x: FloatArray) -> _Answer:
    return ["log_density"], fitted.log_density(x)[:, None]


_ANSWERS = {
    "cluster": _cluster,
    "probabilities": _probabilities,
    "latent": _latent,
    "log_density": _log_density,
}
