"""Saved models, and the container format that they are written in."""

from harmonium.io.container import (
    FORMAT_VERSION,
    Container,
    from_bytes,
    read_container,
    to_bytes,
    write_container,
)
from harmonium.io.models import SavedModel, load_model, model_to_bytes, save_model

__all__ = [
    "FORMAT_VERSION",
    "Container",
    "SavedModel",
    "from_bytes",
    "load_model",
    "model_to_bytes",
    "read_container",
    "save_model",
    "to_bytes",
    "write_container",
]
