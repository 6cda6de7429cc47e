"""``harmonium demo``: real tables, what models find in them, and how that looks."""

from harmonium.cli.demo.run import run

__all__ = ["run"]
