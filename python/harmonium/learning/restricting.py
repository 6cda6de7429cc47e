"""What a fit may move: from subspaces, parts held and penalties to one space."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from harmonium.expectation import Prepared
from harmonium.families.base import ExponentialFamily
from harmonium.harmonium import Harmonium
from harmonium.learning.objective import Surrogate
from harmonium.learning.parts import is_moved_by_units, part_of
from harmonium.learning.penalties import Penalties
from harmonium.learning.space import Space
from harmonium.learning.subspace import Subspace
from harmonium.numerics.newton import minimise_convex
from harmonium.validation import FloatArray

#: How far an initial point may lie from its subspace, relative to its size.
_NEAR = 1e-6


class Restrictions:
    """Which parameters are restricted, held or penalised.

    Parameters
    ----------
    model : ExponentialFamily
        What is fitted.
    subspace : Subspace, optional
        Of the model, or of its latent: then the prior theta_Z + rho lies in it.
    fix : str or sequence of str
        Parts that stay where they start.
    penalties : Penalties, optional
        What parameters cost.

    Raises
    ------
    ValueError
        For a subspace of another family, unknown parts, and restrictions of bias and prior at once.
    """

    def __init__(
        self,
        model: ExponentialFamily,
        subspace: Subspace | None,
        fix: str | Sequence[str],
        penalties: Penalties | None,
    ) -> None:
        self._model = model
        self._subspace = subspace
        self.names = (fix,) if isinstance(fix, str) else tuple(fix)
        self.penalties = penalties
        parts = [part_of(model, name) for name in self.names]
        self._of_latent = False
        if subspace is not None:
            if not isinstance(subspace, Subspace):
                raise TypeError(f"subspace: a Subspace, not {subspace!r}")
            self._of_latent = isinstance(model, Harmonium) and subspace.family == model.latent
            if not self._of_latent and subspace.family != model:
                raise ValueError(
                    f"subspace: of the model or of its latent, but this is one of "
                    f"{subspace.family!r}"
                )
        natural = [
            name for name, part in zip(self.names, parts, strict=True) if part.of_prior is False
        ]
        if subspace is not None and not self._of_latent:
            natural.append("subspace of the model")
        of_prior = [name for name, part in zip(self.names, parts, strict=True) if part.of_prior]
        if self._of_latent:
            of_prior.append("subspace of the latent")
        if natural and of_prior:
            raise ValueError(
                f"fix, subspace: {natural[0]!r} is about theta_Z and {of_prior[0]!r} about the "
                "prior theta_Z + rho; restrict one of the two"
            )
        self._holds_likelihood = "likelihood" in self.names or (
            {"observable", "interaction"} <= set(self.names)
        )
        self._of_bias = bool(natural)
        self._of_prior = bool(of_prior)

    @property
    def any(self) -> bool:
        """Whether there are any."""
        return bool(self.names) or self._subspace is not None or self.penalties is not None

    @property
    def depends_on_units(self) -> bool:
        """Whether they say something else of shifted and scaled data."""
        return (
            (self._subspace is not None and not self._of_latent)
            or any(map(is_moved_by_units, self.names))
            or (self.penalties is not None and self.penalties.depends_on_units)
        )

    def space(self, *, apart: bool) -> Space:
        """Return the coordinates, before parts are held.

        ``apart`` asks for likelihood and prior apart where that is one of the ways to see it.
        """
        model = self._model
        convex = self.penalties is not None and self.penalties.of_prior
        split = isinstance(model, Harmonium) and not self._of_bias
        plain = self.penalties is None and self.any and (apart or self._holds_likelihood)
        split = split and (self._of_prior or convex or plain)
        if self._subspace is None:
            return Space(model, split=split)
        matrix, offset = self._subspace.matrix, self._subspace.offset
        if not self._of_latent:
            return Space(model, matrix, offset)
        assert isinstance(model, Harmonium)
        whole = self._subspace.within(model)
        return Space(model, whole.matrix, whole.offset, split=True)

    def settle(self, space: Space, prepared: Prepared, *, given: bool) -> tuple[Space, Prepared]:
        """Return the space with parts held, and the start in it.

        A start that the library made is moved to the nearest law in the space (of least relative
        entropy); one that was given must lie there.
        """
        natural = prepared.natural[0]
        if not space.is_everything:
            natural = self._inside(space, natural, given=given)
        held = space.holding(self.names, natural)
        held.scale = space.scale
        return held, prepared if held.is_everything else held.prepare(natural)

    def _inside(self, space: Space, natural: FloatArray, *, given: bool) -> FloatArray:
        vector = space.to_vector(natural)
        free = space.nearest(vector)
        gap = float(np.abs(space.vector(free) - vector).max())
        if gap <= _NEAR * max(1.0, float(np.abs(vector).max())):
            return space.natural(free)
        if given:
            raise ValueError(f"initial: not in the subspace; off by {gap:.2g}")
        if space.place(free) is None:
            raise ValueError("initial: no start in the subspace was found; give one")
        surrogate = Surrogate(space, self._model._to_mean(natural))
        spread = np.sqrt(np.maximum(np.diagonal(surrogate.hessian(free)), 0.0))
        bound: Any = 1e-6 * np.maximum(spread, np.finfo(float).tiny)
        return space.natural(
            minimise_convex(surrogate.slope, surrogate.hessian, free, bound, max_iter=20)
        )
