"""What a figure is given, and what it hands over: a picture, numbers, and theory beside findings."""

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from harmonium.cli.watch import Tell

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Conditions:
    """How a figure is to be made.

    Attributes
    ----------
    full : bool
        Whether in the paper's sizes, or in seconds.
    seed : int
        Of all that is random.
    tell : function
        Says what is being done.
    """

    full: bool
    seed: int
    tell: Tell

    def rng(self, *stream: int) -> np.random.Generator:
        """Return a generator of its own for each stream, whatever else is drawn."""
        return np.random.default_rng([self.seed, *stream])


@dataclass(frozen=True)
class Comparison:
    """A number that theory gives beside the one that came out.

    Attributes
    ----------
    what : str
        The quantity.
    theory, found : float
        Both values.
    by : str
        Where the theory's comes from, such as "quadrature".
    tolerance : float
        How far they may be apart, in the direction that is not allowed.
    relation : {"equal", "at least", "at most"}
        What theory says of the value found.
    """

    what: str
    theory: float
    found: float
    by: str
    tolerance: float = 0.0
    relation: Literal["equal", "at least", "at most"] = "equal"

    @property
    def holds(self) -> bool:
        """Whether what came out is as theory says."""
        excess = self.found - self.theory
        if not math.isfinite(excess):
            return False
        if self.relation == "at least":
            return excess >= -self.tolerance
        if self.relation == "at most":
            return excess <= self.tolerance
        return abs(excess) <= self.tolerance


@dataclass(frozen=True)
class Exhibit:
    """A figure, ready to be written down.

    Attributes
    ----------
    title : str
        In a few words.
    paragraphs : tuple of str
        What it shows.
    alternative : str
        Words in its place.
    figure : Figure
        The picture.
    comparisons : tuple of Comparison
        Theory beside findings.
    numbers : dict
        All that was used and found, arrays included.
    """

    title: str
    paragraphs: tuple[str, ...]
    alternative: str
    figure: "Figure"
    comparisons: tuple[Comparison, ...]
    numbers: dict[str, Any] = field(default_factory=dict)
