"""``harmonium gallery``: the paper's figures, and what theory says beside what came out."""

from harmonium.cli.gallery.run import run

__all__ = ["run"]
