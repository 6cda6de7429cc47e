"""Two families of which some statistics meet: one vector of parameters, and where it may lie."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from harmonium.errors import NotConjugatedError
from harmonium.families.base import ExponentialFamily, Indices
from harmonium.families.reach import FEW_STATES, furthest, natural_bounds
from harmonium.validation import FloatArray

#: A side with more states is not enumerated.
MAX_STATES = 1 << 25


class PairParts(NamedTuple):
    """Natural or mean parameters: observable, latent, and the matrix (..., rows, columns)."""

    observable: FloatArray
    latent: FloatArray
    interaction: FloatArray


class Side(NamedTuple):
    """One side: its family, its own parameters, and which of its statistics meet the other's."""

    family: ExponentialFamily
    natural: FloatArray
    at: Indices


@dataclass(frozen=True, eq=False)
class Pair:
    """An observable and a latent whose statistics ``rows`` and ``columns`` all meet (Eq. 2).

    Vectors (..., dimension) are [observable | latent | interaction, row by row].
    """

    observable: ExponentialFamily
    latent: ExponentialFamily
    rows: Indices
    columns: Indices

    def split(self, vector: FloatArray) -> PairParts:
        """Return the parts of vectors (..., dimension)."""
        a = self.observable.dimension
        b = a + self.latent.dimension
        shape = (*vector.shape[:-1], len(self.rows), len(self.columns))
        return PairParts(vector[..., :a], vector[..., a:b], vector[..., b:].reshape(shape))

    def join(self, observable: FloatArray, latent: FloatArray, cross: FloatArray) -> FloatArray:
        """Return the vectors of parts with the same batch axes."""
        products = len(self.rows) * len(self.columns)
        flat = cross.reshape(*cross.shape[:-2], products)
        return np.concatenate([observable, latent, flat], -1)

    # ------------------------------------------------------------------- what to sum over

    def check_enumerable(self) -> None:
        """NotConjugatedError, with the alternatives, unless one side has at most 2**25 states."""
        counts = (self.observable.n_states, self.latent.n_states)
        if min(np.inf if count is None else count for count in counts) <= MAX_STATES:
            return
        raise NotConjugatedError(
            f"neither side can be enumerated: {self.observable!r} has "
            f"{_states_words(self.observable)} and {self.latent!r} {_states_words(self.latent)}, "
            "at most 2**25 are summed over; `gibbs` samples such a model approximately and "
            "`harmonium.learning.fit_contrastive` learns it"
        )

    @property
    def sums_latent(self) -> bool:
        """Whether the latent is the side with fewer states; NotConjugatedError if both are too many."""
        self.check_enumerable()
        mine, theirs = self.latent.n_states, self.observable.n_states
        return theirs is None or (mine is not None and mine <= theirs)

    def sides(self, parts: PairParts) -> tuple[Side, Side, FloatArray]:
        """Return the side to be enumerated, the other, and the matrix (..., other's, enumerated's)."""
        x = Side(self.observable, parts.observable, self.rows)
        z = Side(self.latent, parts.latent, self.columns)
        if self.sums_latent:
            return z, x, parts.interaction
        return x, z, parts.interaction.swapaxes(-1, -2)

    def join_sides(self, summed: FloatArray, other: FloatArray, cross: FloatArray) -> FloatArray:
        """Return vectors of what belongs to the sides; ``cross`` is (..., other's, enumerated's)."""
        if self.sums_latent:
            return self.join(other, summed, cross)
        return self.join(summed, other, cross.swapaxes(-1, -2))

    # ------------------------------------------------------------------------------ domain

    def outside(self, natural: FloatArray) -> tuple[Any, str] | None:
        """A mask of points at which some state of one side leaves the other's domain, or None.

        Where it is not known how far statistics reach, the domain is checked at use.
        """
        parts = self.split(natural)
        x = Side(self.observable, parts.observable, self.rows)
        z = Side(self.latent, parts.latent, self.columns)
        broken = _leaves(x, z, parts.interaction)
        if broken is not None:
            return broken[0], f"likelihood, given some z: {broken[1]}"
        broken = _leaves(z, x, parts.interaction.swapaxes(-1, -2))
        return None if broken is None else (broken[0], f"posterior, given some x: {broken[1]}")


def _leaves(target: Side, partner: Side, matrix: FloatArray) -> tuple[Any, str] | None:
    """Whether the target's parameters leave their domain for some state of the partner."""
    lower, upper = natural_bounds(target.family)
    joint = np.isnan(lower)
    if joint.any():
        broken = _leaves_joint(target, partner, matrix, joint)
        if broken is not None:
            return broken
    for ends, sign, words in ((upper, 1.0, "below"), (-lower, -1.0, "above")):
        reached = _reached(target, partner, matrix, sign, np.isfinite(ends))
        broken_at = np.isfinite(ends) & (reached >= ends)
        if broken_at.any():
            place = int(np.argwhere(broken_at)[0][-1])
            return broken_at.any(-1), (
                f"natural parameter {place} of {target.family!r} must stay {words} "
                f"{sign * ends[place]:g}"
            )
    return None


def _reached(
    target: Side, partner: Side, matrix: FloatArray, sign: float, asked: Any
) -> FloatArray:
    """Suprema of the target's parameters, times ``sign``, over all states of the partner."""
    batch = np.broadcast_shapes(target.natural.shape[:-1], matrix.shape[:-2])
    out = np.array(np.broadcast_to(sign * target.natural, (*batch, target.family.dimension)))
    met = np.flatnonzero(asked[target.at])
    if len(met):
        direction = np.zeros((*matrix.shape[:-2], len(met), partner.family.dimension))
        direction[..., partner.at] = sign * matrix[..., met, :]
        out[..., target.at[met]] += furthest(partner.family, direction)
    return out


def _leaves_joint(
    target: Side, partner: Side, matrix: FloatArray, joint: FloatArray
) -> tuple[Any, str] | None:
    """The same for parameters whose domain depends on each other."""
    met = joint[target.at]
    if not matrix[..., met, :].any():
        # what moves does not matter to the domain
        return target.family._outside(target.natural)
    n = partner.family.n_states
    if n is None or n > FEW_STATES:
        return None
    statistic = partner.family._statistic(partner.family.states())[:, partner.at]
    shift = np.einsum("...ij,sj->...si", matrix, statistic)
    points = np.array(
        np.broadcast_to(target.natural[..., None, :], (*shift.shape[:-1], target.family.dimension))
    )
    points[..., target.at] += shift
    broken = target.family._outside(points)
    return None if broken is None else (np.any(broken[0], -1), broken[1])


def _states_words(family: ExponentialFamily) -> str:
    n = family.n_states
    if n is None:
        return "no end of states"
    return f"{n:,} states" if n < 10**6 else f"about 2**{n.bit_length() - 1} states"
