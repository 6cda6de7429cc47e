"""Saved models, for the commands that use one."""

from harmonium.cli.errors import CommandError, as_command_errors
from harmonium.io import SavedModel, load_model


def load(path: str) -> SavedModel:
    """Return the model in a file; CommandError, in one line, where there is none."""
    try:
        with as_command_errors():
            return load_model(path)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror or error}") from error
