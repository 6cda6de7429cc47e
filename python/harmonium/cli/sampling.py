"""``harmonium sample``: rows drawn from a saved model."""

from argparse import Namespace

import numpy as np

from harmonium.cli.errors import as_command_errors
from harmonium.cli.models import load
from harmonium.cli.naming import feature_labels, hidden_labels
from harmonium.cli.writing import check_output, write_table


def run(options: Namespace) -> int:
    """Write as many rows as asked for."""
    saved = load(options.model)
    fitted = saved.fit
    if options.output not in (None, "-"):
        check_output(options.output, options.model)
    with as_command_errors():
        x, hidden = fitted.sample(options.rows, options.seed)
    names = feature_labels(saved.feature_names, x.shape[1])
    if options.latent:
        names += hidden_labels(fitted.model, names)
        x = np.concatenate([x, hidden], axis=1)
    write_table(options.output, names, x)
    return 0
