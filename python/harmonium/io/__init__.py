"""Saved models: the container format, its reader and its writer."""

from harmonium.io.container import (
    FORMAT_VERSION,
    Container,
    from_bytes,
    read_container,
    to_bytes,
    write_container,
)

__all__ = [
    "FORMAT_VERSION",
    "Container",
    "from_bytes",
    "read_container",
    "to_bytes",
    "write_container",
]
