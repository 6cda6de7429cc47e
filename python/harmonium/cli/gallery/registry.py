"""Which figures there are, and where each is made."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from harmonium.cli.gallery.exhibit import Conditions, Exhibit


@dataclass(frozen=True)
class Entry:
    """A figure: its number in the paper, its name, what it shows, and the module that makes it."""

    number: int
    name: str
    summary: str

    @property
    def stem(self) -> str:
        """The name of its files, without ending."""
        return f"fig{self.number:02d}-{self.name}"

    @property
    def make(self) -> Callable[[Conditions], Exhibit]:
        """The function that makes it, imported now: a list of figures need not wait for all."""
        module = importlib.import_module(
            f"harmonium.cli.gallery.{self.name.replace('-', '_')}",
        )
        function: Callable[[Conditions], Exhibit] = module.exhibit
        return function


FIGURES = (
    Entry(2, "mixture-of-normals", "three normals, their weights, and three posteriors"),
    Entry(3, "gaussian-boltzmann", "six binary neurons behind two rings"),
    Entry(4, "population-code", "eight Poisson neurons that code for an angle"),
    Entry(5, "von-mises-mixture", "clusters of pairs of angles, by five ways of learning"),
    Entry(6, "count-mixture", "correlated counts of shared shapes"),
    Entry(8, "dirichlet", "the weights of a categorical law, as observations come in"),
    Entry(10, "hierarchical-mixture", "a mixture hidden behind a linear Gaussian model"),
    Entry(11, "rings-in-spikes", "rings found in the spikes of neurons that tile the plane"),
)


def find(text: str) -> Entry:
    """Return the figure of a name or a number.

    Raises
    ------
    ValueError
        Where there is none.
    """
    for entry in FIGURES:
        if text in (entry.name, entry.stem, str(entry.number)):
            return entry
    known = ", ".join(f"{entry.number} ({entry.name})" for entry in FIGURES)
    raise ValueError(f"one of the figures {known}; got {text!r}")
