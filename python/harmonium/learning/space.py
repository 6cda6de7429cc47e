"""The coordinates that a fit is free to move in."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from scipy.linalg import null_space

from harmonium.expectation import Prepared
from harmonium.families.base import ExponentialFamily, Indices
from harmonium.harmonium import Harmonium, Parts
from harmonium.learning.parts import part_of
from harmonium.learning.scale import with_data_scale
from harmonium.validation import FloatArray


class Space:
    """Points ``offset + free @ matrix`` of a model, of its natural vector or of its split one.

    The split vector has the prior theta_Z + rho in the place of theta_Z: there likelihood and
    prior are apart, so that one may be held or restricted and the other not. ``matrix`` None is
    the identity: everything is free.
    """

    def __init__(
        self,
        model: ExponentialFamily,
        matrix: FloatArray | None = None,
        offset: FloatArray | None = None,
        *,
        split: bool = False,
    ) -> None:
        self.model = model
        self.matrix = matrix
        self.offset = np.zeros(model.dimension) if offset is None else offset
        self.split = split
        self.size = model.dimension if matrix is None else len(matrix)
        #: The scale of the columns of data, to which the least variances are relative.
        self.scale: FloatArray | None = None

    @property
    def is_everything(self) -> bool:
        """Whether nothing is restricted."""
        return self.matrix is None and not self.split

    @cached_property
    def is_of_prior(self) -> bool:
        """Whether what is free moves the prior only: likelihood and rho stay as they are."""
        return self.split and not self.moving("likelihood").any()

    # ------------------------------------------------------------------------- coordinates

    def vector(self, free: FloatArray) -> FloatArray:
        """Return the (..., dimension) vectors, natural or split."""
        return free if self.matrix is None else self.offset + free @ self.matrix

    def nearest(self, vector: FloatArray) -> FloatArray:
        """Return the free coordinates (..., size) of the nearest vector (least squares)."""
        if self.matrix is None:
            return vector
        gap = vector - self.offset
        flat = gap.reshape(-1, gap.shape[-1])
        found = np.linalg.lstsq(self.matrix.T, flat.T, rcond=None)[0].T
        return np.asarray(found.reshape(*gap.shape[:-1], self.size))

    def natural(self, free: FloatArray) -> FloatArray:
        """Return the natural parameters (..., dimension)."""
        return self.from_vector(self.vector(free))

    def from_vector(self, vector: FloatArray) -> FloatArray:
        """Return natural parameters of vectors, natural or split."""
        if not self.split:
            return vector
        if self.is_of_prior:
            at, rho = self._model.observable.dimension, self._held_rho
            out = np.array(vector)
            out[..., at : at + len(rho)] -= rho
            return out
        parts = self._model._split(vector)
        return self._model._from_prior(parts.latent, parts.observable, parts.interaction)

    @cached_property
    def _held_rho(self) -> FloatArray:
        """The conjugation parameters of a likelihood that stays as it is."""
        return self._model._conjugation(self._model._split(self.offset)).rho

    def to_vector(self, natural: FloatArray) -> FloatArray:
        """Return the vectors, natural or split, of natural parameters."""
        if not self.split:
            return natural
        parts = self._model._split(natural)
        return self._model._join(parts.observable, self._model._prior(parts), parts.interaction)

    def free(self, natural: FloatArray) -> FloatArray:
        """Return the free coordinates of the point nearest to this one."""
        return self.nearest(self.to_vector(natural))

    def place(self, free: FloatArray) -> FloatArray | None:
        """Return the natural parameters of one point (size,), None outside the domain."""
        found = self._placed(free[None])
        return None if found is None else found[0]

    def outside(self, free: FloatArray) -> Any:
        """Return the mask (n,) of points (n, size) outside the domain."""
        if self._placed(free) is not None:
            return np.zeros(len(free), dtype=bool)
        return np.array([self._placed(one[None]) is None for one in free])

    def _placed(self, free: FloatArray) -> FloatArray | None:
        """Natural parameters of points (n, size), None unless all are inside."""
        vector = self.vector(free)
        if not np.isfinite(vector).all():
            return None
        with np.errstate(all="ignore"):
            if self.split and not self._split_inside(vector):
                return None
            natural = self.from_vector(vector)
            if self.is_of_prior:
                return natural
            inside = np.isfinite(natural).all() and self.model._outside(natural) is None
        return natural if inside else None

    def _split_inside(self, vector: FloatArray) -> bool:
        """Whether likelihoods and priors are in their domains."""
        parts: Parts = self._model._split(vector)
        if self._model.latent._outside(parts.latent) is not None:
            return False
        if self.is_of_prior:
            return True
        families = self._model.observable, self._model.latent
        likelihood = parts.observable, parts.interaction
        return self._model.rule.outside(*families, *likelihood) is None

    @property
    def _model(self) -> Harmonium:
        assert isinstance(self.model, Harmonium)
        return self.model

    # --------------------------------------------------------------------------- gradients

    def gradient(self, natural: FloatArray, gradient: FloatArray) -> FloatArray:
        """Return gradients (..., size) in the free coordinates from those in natural ones."""
        if self.split and not self.is_of_prior:
            gradient = split_gradient(self._model, natural, gradient)
        return gradient if self.matrix is None else gradient @ self.matrix.T

    # -------------------------------------------------------- what the M-step asks of it

    def prepare(self, natural: FloatArray) -> Prepared:
        """Return one point (dimension,) ready for a pass."""
        prepared = self.model._prepare(natural[None])
        return prepared if self.scale is None else with_data_scale(prepared, self.scale)

    def entries(self, part: str) -> Indices:
        """Return the entries of a part of the model in its vectors."""
        return part_of(self.model, part).entries

    def covers(self, part: str) -> bool:
        """Whether all of "likelihood" or "prior" is free, whatever the rest is."""
        if self.matrix is None:
            return True
        if not self.split:
            return False
        entries = self.entries(part)
        own = self.matrix[:, entries]
        # one free coordinate for each entry, that moves nothing else
        single = (np.count_nonzero(self.matrix, axis=1) == 1) & (own == 1).any(1)
        return int(single.sum()) == len(entries) and bool((own[~single] == 0).all())

    def moving(self, part: str) -> Any:
        """Return the mask (size,) of free coordinates that move the part."""
        if self.matrix is None:
            return np.isin(np.arange(self.size), self.entries(part))
        return (self.matrix[:, self.entries(part)] != 0).any(1)

    def holding(self, names: Sequence[str], natural: FloatArray) -> "Space":
        """Return the space in which these parts stay as they are at a point.

        Raises
        ------
        ValueError
            For unknown parts, and where nothing would be left to learn.
        """
        if not names:
            return self
        parts = [part_of(self.model, name) for name in names]
        held = np.unique(np.concatenate([part.entries for part in parts]))
        vector = self.to_vector(natural)
        if self.matrix is None:
            kept = np.setdiff1d(np.arange(self.model.dimension), held)
            matrix = np.zeros((len(kept), self.model.dimension))
            matrix[np.arange(len(kept)), kept] = 1.0
        else:
            still = self.matrix[:, held]
            apart = (still != 0).any(1)
            mixed = null_space(still[apart].T).T if apart.any() else np.zeros((0, 0))
            matrix = np.concatenate([self.matrix[~apart], mixed @ self.matrix[apart]])
        if not len(matrix):
            raise ValueError(f"fix: nothing is left to learn with {', '.join(names)} held")
        # what is free is measured from zero where it is entry by entry
        offset = vector.copy()
        offset[(np.count_nonzero(matrix, axis=0) > 0) & _alone(matrix)] = 0.0
        return Space(self.model, matrix, offset, split=self.split)


def _alone(matrix: FloatArray) -> Any:
    """Entries that one free coordinate moves, and that one nothing else."""
    rows = np.count_nonzero(matrix, axis=1) == 1
    return (np.count_nonzero(matrix, axis=0) == 1) & (matrix[rows] != 0).any(0)


def split_gradient(model: Harmonium, natural: FloatArray, gradient: FloatArray) -> FloatArray:
    """Return the gradient in (theta_X, theta_Z + rho, Theta) from that in (theta_X, theta_Z, Theta).

    ``theta_Z`` falls by what rho rises, so the likelihood's lose ``gradient_Z . d rho``.
    """
    at, slopes = model._split(natural), model._split(gradient)
    none = np.zeros(natural.shape[:-1])
    theta, interaction = model.rule.adjoint(
        model.observable, model.latent, at.observable, at.interaction, none, slopes.latent
    )
    return model._join(slopes.observable - theta, slopes.latent, slopes.interaction - interaction)


def natural_gradient_of_prior(
    model: Harmonium, natural: FloatArray, gradient: FloatArray
) -> FloatArray:
    """Return the gradient in natural parameters of a function of the prior, from that in the prior."""
    at = model._split(natural)
    none = np.zeros(natural.shape[:-1])
    theta, interaction = model.rule.adjoint(
        model.observable, model.latent, at.observable, at.interaction, none, gradient
    )
    return model._join(theta, gradient, interaction)
