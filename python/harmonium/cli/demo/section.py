"""What a part of the demo hands over: text, pictures, numbers, and runs side by side."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harmonium.errors import HarmoniumWarning

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Picture:
    """A picture with its file's name (without ending), caption, and words in its place."""

    name: str
    caption: str
    alternative: str
    figure: "Figure"
    wide: bool = False


@dataclass(frozen=True)
class Run:
    """One fit of one library: average log-likelihood a row, and what it took."""

    library: str
    log_likelihood: float
    iterations: int
    converged: bool
    seconds: float


@dataclass(frozen=True)
class Comparison:
    """The same model, data and starting point given to several libraries; ours first."""

    model: str
    data: str
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Section:
    """A part of the demo, ready to be written down."""

    name: str
    title: str
    paragraphs: tuple[str, ...]
    pictures: tuple[Picture, ...]
    numbers: dict[str, Any]
    comparisons: tuple[Comparison, ...] = ()
    table: tuple[tuple[str, ...], ...] = field(default=())


@contextmanager
def quiet() -> Iterator[None]:
    """Keep warnings of fits to ourselves: what they say is in the numbers."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HarmoniumWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
