"""Priors as penalties: negative log densities of parameters, in nats, beside the data's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harmonium.families.base import ExponentialFamily
from harmonium.harmonium import Harmonium
from harmonium.learning.objective import Penalty
from harmonium.learning.parts import Part, part_of
from harmonium.learning.space import natural_gradient_of_prior
from harmonium.validation import FloatArray, as_floats, as_positive


@dataclass(frozen=True, eq=False)
class NormalPenalty:
    """A normal prior on natural parameters: ``precision / 2 |part - centre|**2``.

    Parameters
    ----------
    precision : float or array
        Of each parameter of the part.
    part : str, optional
        Which parameters, as `fit` names parts ("prior", "interaction", ...); all by default.
    centre : float or array
        Where the penalty is zero.
    """

    precision: Any
    part: str | None = None
    centre: Any = 0.0

    def __post_init__(self) -> None:
        precision = as_floats(self.precision, name="precision")
        if not (np.isfinite(precision).all() and (precision >= 0).all()):
            raise ValueError(f"precision: finite and not negative; got {self.precision!r}")
        centre = as_floats(self.centre, name="centre")
        if not np.isfinite(centre).all():
            raise ValueError("centre: not finite")
        object.__setattr__(self, "precision", precision)
        object.__setattr__(self, "centre", centre)

    @property
    def of_prior(self) -> bool:
        """Whether it is a function of the prior theta_Z + rho alone."""
        return self.part is not None and self.part.partition(".")[0] == "prior"

    @property
    def depends_on_units(self) -> bool:
        """Whether it says something else of shifted and scaled data."""
        return not self.of_prior

    def _part(self, model: ExponentialFamily) -> Part:
        if self.part is None:
            return Part(np.arange(model.dimension), None)
        part = part_of(model, self.part, "part")
        for name, value in (("precision", self.precision), ("centre", self.centre)):
            if value.shape not in ((), (len(part.entries),)):
                raise ValueError(
                    f"{name}: one number or {len(part.entries)} for {self.part!r}; got shape "
                    f"{value.shape}"
                )
        return part

    def value(self, model: ExponentialFamily, natural: FloatArray) -> FloatArray:
        """Return the penalties (...) of points (..., dimension)."""
        gap = self._gap(model, natural, self._part(model))
        return np.asarray(0.5 * (self.precision * gap**2).sum(-1))

    def _gap(self, model: ExponentialFamily, natural: FloatArray, part: Part) -> FloatArray:
        vector = natural
        if part.of_prior:
            assert isinstance(model, Harmonium)
            vector = natural.copy()
            at = model.observable.dimension
            vector[..., at : at + model.latent.dimension] = model._prior(model._split(natural))
        return np.asarray(vector[..., part.entries] - self.centre)

    def gradient(self, model: ExponentialFamily, natural: FloatArray) -> FloatArray:
        """Return their gradients (..., dimension)."""
        part = self._part(model)
        out = np.zeros_like(natural)
        out[..., part.entries] = self.precision * self._gap(model, natural, part)
        if not part.of_prior:
            return out
        assert isinstance(model, Harmonium)
        return natural_gradient_of_prior(model, natural, model._split(out).latent)


@dataclass(frozen=True, eq=False)
class ConjugatePenalty:
    """The conjugate prior: as if so many more rows had had these mean parameters.

    ``weight (psi(theta) - mean . theta)``, which pulls the model's mean parameters towards
    ``mean``; exact EM keeps its closed form.

    Parameters
    ----------
    weight : float
        How many rows it counts for.
    mean : (dimension,) array
        Mean parameters of the model, such as ``model.to_mean(natural)``.
    """

    weight: float
    mean: Any

    def __post_init__(self) -> None:
        weight = as_positive(self.weight, name="weight", allow_zero=True)
        object.__setattr__(self, "weight", weight)
        object.__setattr__(self, "mean", as_floats(self.mean, name="mean"))

    @property
    def depends_on_units(self) -> bool:
        """Whether it says something else of shifted and scaled data: yes."""
        return True

    def value(self, model: ExponentialFamily, natural: FloatArray) -> FloatArray:
        """Return the penalties (...) of points (..., dimension)."""
        mean = self.checked(model)
        return np.asarray(self.weight * (model._log_partition(natural) - natural @ mean))

    def gradient(self, model: ExponentialFamily, natural: FloatArray) -> FloatArray:
        """Return their gradients (..., dimension)."""
        return np.asarray(self.weight * (model._to_mean(natural) - self.checked(model)))

    def checked(self, model: ExponentialFamily) -> FloatArray:
        """Return the mean, which must be one point of the model's."""
        mean = model.check_mean(self.mean)
        if mean.ndim != 1:
            raise ValueError(f"mean: one point ({model.dimension},), not of shape {mean.shape}")
        return mean


@dataclass(frozen=True, eq=False)
class Penalties:
    """The sum of several penalties."""

    members: tuple[Penalty, ...]

    @property
    def of_prior(self) -> bool:
        """Whether some is a function of the prior theta_Z + rho alone."""
        return any(getattr(member, "of_prior", False) for member in self.members)

    @property
    def only_of_prior(self) -> bool:
        """Whether all are."""
        return all(getattr(member, "of_prior", False) for member in self.members)

    @property
    def depends_on_units(self) -> bool:
        """Whether some says something else of shifted and scaled data."""
        return any(getattr(member, "depends_on_units", True) for member in self.members)

    def value(self, model: ExponentialFamily, natural: FloatArray) -> FloatArray:
        """Return the penalties (...) of points (..., dimension)."""
        return np.asarray(sum(member.value(model, natural) for member in self.members))

    def gradient(self, model: ExponentialFamily, natural: FloatArray) -> FloatArray:
        """Return their gradients (..., dimension)."""
        return np.asarray(sum(member.gradient(model, natural) for member in self.members))


def as_penalties(penalty: object, model: ExponentialFamily) -> Penalties | None:
    """Return what a caller gave as a sum, None for nothing; TypeError for what is no penalty."""
    if penalty is None:
        return None
    members = tuple(penalty) if isinstance(penalty, Sequence) else (penalty,)
    for member in members:
        if not (
            callable(getattr(member, "value", None)) and callable(getattr(member, "gradient", None))
        ):
            raise TypeError(
                f"penalty: an object with `value` and `gradient`, or a list of such; got {member!r}"
            )
        if isinstance(member, ConjugatePenalty):
            member.checked(model)
        elif isinstance(member, NormalPenalty):
            member._part(model)
    return Penalties(members) if members else None
