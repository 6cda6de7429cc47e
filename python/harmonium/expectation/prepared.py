"""What a model at fixed parameters must answer for the expectation pass.

A :class:`Prepared` is a *stack* of points of one family, held in whatever coordinates lose no
digits (a normal as mean and covariance, a mixture as weights and components). It meets data in
two steps, :meth:`~Prepared.evaluate` and :meth:`~Prepared.accumulate`, and makes the next point
from the sums in :meth:`~Prepared.maximise`. Mean and natural coordinates are views of it.

Sums are flat: one vector of ``size`` numbers for each member of the stack, which add up over
rows. A leaf's sums are its total weight and the weighted sums of its sufficient statistic, for
normals of ``x`` less the member's present mean, since raw second moments lose all digits of a
variance where |mean| / sd passes 1e7. A mixture's sums are its components', for every category.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from harmonium.validation import FloatArray


@dataclass(frozen=True)
class Moments:
    """Total weight, and first and second moments about some centre."""

    weight: float
    first: FloatArray
    second: FloatArray

    def about(self, shift: FloatArray) -> "Moments":
        """Return the moments about ``centre`` from those about ``centre + shift``."""
        cross = np.outer(self.first, shift)
        square = np.outer(shift, shift) * self.weight
        return Moments(
            self.weight, self.first + shift * self.weight, self.second + cross + cross.T + square
        )


class Restricted(ABC):
    """A stack for rows of which only some columns are observed."""

    @abstractmethod
    def log_base_measure(self, x: FloatArray) -> FloatArray:
        """Return the (n,) log base measures of the observed columns."""

    @abstractmethod
    def evaluate(self, x: FloatArray) -> FloatArray:
        """Return (n, count) log marginal densities of rows (n, n_observed columns)."""

    @abstractmethod
    def accumulate(self, x: FloatArray, weights: FloatArray) -> FloatArray:
        """Return the (count, size) sums, the missing at their conditional expectation."""


class Tilted(ABC):
    """A stack of priors that meets shifts of its natural parameters: what a likelihood says."""

    @abstractmethod
    def evaluate(self, shifts: FloatArray) -> FloatArray:
        """Return (n, count) log expectations, under each prior, of the likelihood factor."""

    @abstractmethod
    def leading_mean(self, shifts: FloatArray) -> FloatArray:
        """Return (n, count, width) posterior means of the statistics that meet the shifts."""

    @abstractmethod
    def accumulate(self, shifts: FloatArray, weights: FloatArray) -> FloatArray:
        """Return the (count, size) sums of posterior expectations under (n, count) weights."""


class Learned(ABC):
    """What learning asks of a point, be its data rows or whole sequences."""

    #: Numbers in one member's sums.
    size: int

    @abstractmethod
    def maximise(self, sums: FloatArray, notes: set[str]) -> "Learned":
        """Return the point that fits the (count, size) sums best: the M-step.

        What had to be moved inside its domain is said in ``notes``, for one warning a fit.
        """

    @abstractmethod
    def residual(self, sums: FloatArray) -> float:
        """Return the largest difference between average and model expectation, standardised.

        Each statistic is measured in the member's own standard deviations and weighted by the
        member's share of the data: zero exactly where the likelihood is stationary.
        """

    @property
    @abstractmethod
    def coordinates(self) -> FloatArray:
        """The (count, p) unconstrained coordinates: locations, logs of scales, log odds.

        What accelerated learning moves in; a straight line between two points stays inside.
        """

    @abstractmethod
    def at(self, coordinates: FloatArray) -> "Learned":
        """Return the point at other (count, p) coordinates."""

    def summarise(self, blocks: Any) -> Any:
        """Return data reduced to what a fit needs, or None where every pass needs every row."""
        return None


class Prepared(Learned):
    """A stack of points of one family, ready to meet data."""

    #: How many members.
    count: int
    #: How many columns of data it reads.
    n_observed: int

    @property
    @abstractmethod
    def natural(self) -> FloatArray:
        """The (count, dimension) natural parameters: a view, which may round."""

    @abstractmethod
    def log_base_measure(self, x: FloatArray) -> FloatArray:
        """Return the (n,) log base measures that :meth:`evaluate` leaves out."""

    @abstractmethod
    def evaluate(self, x: FloatArray) -> FloatArray:
        """Return (n, count) log densities of complete rows, less the log base measure."""

    @abstractmethod
    def accumulate(self, x: FloatArray, weights: FloatArray) -> FloatArray:
        """Return the (count, size) sums of complete rows under (n, count) weights."""

    @abstractmethod
    def restrict(self, observed: np.ndarray[Any, np.dtype[np.intp]]) -> Restricted:
        """Return the stack for rows of which only these columns are known."""

    @abstractmethod
    def maximise(self, sums: FloatArray, notes: set[str]) -> "Prepared":
        """Return the stack that fits the (count, size) sums best: the M-step."""

    def maximise_prior(self, sums: FloatArray, notes: set[str]) -> "Prepared":
        """Return a stack whose latent's prior is that of :meth:`maximise`, whatever else it holds.

        What a fit asks for where the likelihood stays as it is, and need not be fitted.
        """
        return self.maximise(sums, notes)

    @abstractmethod
    def mean(self, sums: FloatArray) -> FloatArray:
        """Return the (count, dimension) average expectations: sums in mean coordinates."""

    @abstractmethod
    def take(self, members: np.ndarray[Any, np.dtype[np.intp]]) -> "Prepared":
        """Return the stack of these members."""

    @abstractmethod
    def affine(self, shift: FloatArray, scale: FloatArray) -> "Prepared":
        """Return the stack of the laws of ``shift + scale * X``, column by column."""

    @abstractmethod
    def at(self, coordinates: FloatArray) -> "Prepared":
        """Return the stack at other (count, p) coordinates."""

    @abstractmethod
    def sample(
        self, members: np.ndarray[Any, np.dtype[np.intp]], rng: np.random.Generator
    ) -> FloatArray:
        """Return one observation of each member named, latent columns included: (n, columns)."""

    def sums_of(self, weights: FloatArray, totals: FloatArray) -> FloatArray:
        """Return the (count, size) sums whose :meth:`mean` times weights (count,) is ``totals``.

        From mean coordinates (count, dimension), summed over rows: what a prior is given where its
        posteriors are worked out in natural coordinates.
        """
        raise ValueError(f"{type(self).__name__} takes no sums in mean coordinates")

    def maximise_tied(self, sums: FloatArray, n_components: int, notes: set[str]) -> "Prepared":
        """As :meth:`maximise` where each ``n_components`` members share the shape of their laws.

        A member without weight keeps its location; a group without weight stays as it is.
        """
        raise ValueError(f"{type(self).__name__} has no shape to share")

    def residual_tied(self, sums: FloatArray, n_components: int) -> float:
        """As :meth:`residual` where each ``n_components`` members share the shape of their laws."""
        raise ValueError(f"{type(self).__name__} has no shape to share")

    def weights(self, sums: FloatArray) -> FloatArray:
        """Return the (count,) total weights in the sums."""
        return sums[:, 0]

    def latent(self, x: FloatArray) -> FloatArray:
        """Return (n, width) posteriors of the latent variable, where there is one."""
        raise ValueError(f"{type(self).__name__} has no latent variable")

    def kernel(self) -> Any:
        """Return the compiled twin (a ``_kernels.Stack``), or None where there is none."""
        return None

    # what a prior behind a linear Gaussian likelihood answers besides

    def tilted(self, delta: FloatArray, columns: slice) -> Tilted:
        """Return the priors times ``exp(delta . s)``, for shifts of the statistics ``columns``."""
        raise ValueError(f"{type(self).__name__} can not stand behind a likelihood")

    def location_mean(self) -> FloatArray:
        """Return the (count, m) prior means of the leading location."""
        raise ValueError(f"{type(self).__name__} holds no products of its coordinates")

    def location_moments(self, member: int, sums: FloatArray, centre: FloatArray) -> Moments:
        """Return the moments of the leading location about ``centre`` from a member's sums."""
        raise ValueError(f"{type(self).__name__} holds no products of its coordinates")

    def latent_kernel(self) -> list[Any] | None:
        """Return each member's compiled twin as a prior (``_kernels.Latent``), or None."""
        return None
