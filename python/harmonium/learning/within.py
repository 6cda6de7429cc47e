"""EM of a model that is restricted, held in part, or penalised: convex M-steps."""

from dataclasses import replace
from typing import Any

import numpy as np

from harmonium.expectation import Prepared, Source
from harmonium.harmonium import Harmonium
from harmonium.learning.em import Step, Work
from harmonium.learning.floating_point import steady
from harmonium.learning.objective import Objective, Part, Surrogate
from harmonium.learning.penalties import ConjugatePrior, Penalties
from harmonium.learning.space import Space
from harmonium.numerics.newton import minimise_convex
from harmonium.validation import FloatArray

#: To what share of a statistic's standard deviation an M-step is solved, and of the largest.
_EXACTLY, _AT_LEAST = 1e-11, 1e-13


class WorkWithin(Work):
    """Expectation and maximisation steps that stay in a space, and count a penalty.

    In a space that is split, an M-step is two: of likelihood and prior, whichever is free as a
    whole is fitted in closed form. What is left is one convex solve by Newton's method.
    """

    def __init__(
        self, source: Source, prepared: Prepared, space: Space, penalties: Penalties | None = None
    ) -> None:
        super().__init__(source, prepared, direct=False)
        self._space = space
        self._penalties = penalties

    @property
    def share(self) -> float:
        """What of the penalty counts for one row."""
        return 1.0 / self.weight

    def cost(self, natural: FloatArray) -> float:
        """Return the penalty of a point in nats a row."""
        if self._penalties is None:
            return 0.0
        return self.share * float(self._penalties.value(self._space.model, natural))

    def cost_gradient(self, natural: FloatArray) -> FloatArray | float:
        """Return its gradient in natural parameters."""
        if self._penalties is None:
            return 0.0
        return self.share * self._penalties.gradient(self._space.model, natural)

    def surrogate(self, mean: FloatArray, natural: FloatArray) -> Surrogate:
        """Return what the M-step minimises at average expectations (dimension,), from a point.

        Where only the prior moves the latent is asked, which need not know of the data.
        """
        if self._space.is_of_prior:
            everything = np.ones(self._space.size, dtype=bool)
            alone = self._prior_alone(mean, self._space.free(natural), everything)
            if alone is not None:
                return alone
        return Surrogate(self._space, mean, None, self._penalties, self.share)

    def _look(self, prepared: Prepared, iteration: int, notes: frozenset[str]) -> Step:
        step = super()._look(prepared, iteration, notes)
        if self._penalties is None:
            return replace(step, in_closed_form=False)
        return replace(step, penalty=self.cost(prepared.natural[0]), in_closed_form=False)

    def _residual(self, prepared: Prepared, sums: FloatArray) -> float:
        if self._space.is_everything and self._penalties is None:
            return prepared.residual(sums)
        natural = prepared.natural[0]
        free = self._space.free(natural)
        # of the free statistics: what the gradient is, in their standard deviations
        objective = self.surrogate(prepared.mean(sums)[0], natural)
        if self._penalties is None and self._space.is_of_prior:
            fisher = objective.hessian(free)
        else:
            mean = self._space.model._to_mean(natural)
            fisher = Surrogate(self._space, mean).hessian(free)
        spread = np.sqrt(np.maximum(np.diagonal(fisher), 0.0))
        gradient = objective.slope(free)[1]
        floor = np.sqrt(np.finfo(float).eps) * max(1.0, float(spread.max(initial=0.0)))
        return float((np.abs(gradient) / np.maximum(spread, floor)).max(initial=0.0))

    def coordinates_of(self, prepared: Prepared) -> FloatArray:
        """Return the free coordinates."""
        return self._space.free(prepared.natural[0])

    def at(self, step: Step, coordinates: FloatArray) -> Prepared:
        """Return the point at other free coordinates; ValueError outside the domain."""
        natural = self._space.place(coordinates)
        if natural is None:
            raise ValueError("coordinates: outside the domain")
        return self._space.prepare(natural)

    @steady
    def move(self, step: Step) -> tuple[Prepared, frozenset[str]]:
        """The M-step: what is free as a whole in closed form, the rest by a convex solve."""
        notes: set[str] = set()
        space = self._space
        mean = step.prepared.mean(step.sums)[0]
        natural, done = self._in_closed_form(step, mean, notes)
        if not done.all():
            natural = self._solved(natural, mean, ~done)
        return space.prepare(natural), frozenset(notes)

    def _solved(self, natural: FloatArray, mean: FloatArray, which: Any) -> FloatArray:
        """The convex solve in some of the free coordinates, the others held."""
        space, free = self._space, self._space.free(natural)
        rest: Objective = Part(self.surrogate(mean, natural), free, which)
        alone = self._prior_alone(mean, free, which)
        if alone is not None:
            rest = alone
        # what hardly varies, on its way to the boundary, is measured by what does
        spread = np.sqrt(np.maximum(np.diagonal(rest.hessian(free[which])), 0.0))
        bound = np.maximum(_EXACTLY * spread, _AT_LEAST * spread.max(initial=1e-300))
        out = free.copy()
        out[which] = minimise_convex(rest.slope, rest.hessian, free[which], bound)
        return space.natural(out)

    def _prior_alone(self, mean: FloatArray, free: FloatArray, which: Any) -> Surrogate | None:
        """What is minimised where the coordinates move the prior only: the latent knows itself."""
        space = self._space
        if (
            not space.split
            or self._penalties is not None
            or space.moving("likelihood")[which].any()
        ):
            return None
        assert isinstance(space.model, Harmonium)
        if space.matrix is None:
            return None
        entries = space.entries("prior")
        held = np.where(which, 0.0, free)
        offset = space.vector(held)[entries]
        own = Space(space.model.latent, space.matrix[which][:, entries], offset)
        return Surrogate(own, mean[entries])

    def _in_closed_form(
        self, step: Step, mean: FloatArray, notes: set[str]
    ) -> tuple[FloatArray, Any]:
        """The parts that have one, and which free coordinates they are."""
        space, natural = self._space, step.prepared.natural[0]
        done = np.zeros(space.size, dtype=bool)
        if space.is_everything:
            members = () if self._penalties is None else self._penalties.members
            if all(isinstance(member, ConjugatePrior) for member in members):
                return self._with_rows(step, mean, members, notes), ~done
            return natural, done
        if not space.split or not (self._penalties is None or self._penalties.only_of_prior):
            return natural, done
        assert isinstance(space.model, Harmonium)
        parts = {"likelihood": space.covers("likelihood")}
        parts["prior"] = self._penalties is None and space.covers("prior")
        if not any(parts.values()):
            return natural, done
        fitted = step.prepared.maximise if parts["likelihood"] else step.prepared.maximise_prior
        best = space.to_vector(fitted(step.sums, notes).natural[0])
        vector = space.to_vector(natural)
        for part in (part for part, free in parts.items() if free):
            entries = space.entries(part)
            vector[entries] = best[entries]
            done |= space.moving(part)
        return space.from_vector(vector), done

    def _with_rows(
        self, step: Step, mean: FloatArray, members: tuple[object, ...], notes: set[str]
    ) -> FloatArray:
        """The backward mapping of the average of the data's expectation and the priors' rows."""
        model = self._space.model
        if not members:
            return np.asarray(step.prepared.maximise(step.sums, notes).natural[0])
        total, weight = self.weight * mean, self.weight
        for member in members:
            assert isinstance(member, ConjugatePrior)
            total = total + member.weight * member.checked(model)
            weight += member.weight
        return model._to_natural(model._inside(total / weight))
