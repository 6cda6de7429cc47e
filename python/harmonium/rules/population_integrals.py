"""Expectations of rates under laws of a latent, and the tuning curves that have them."""

from typing import Any

import numpy as np
from scipy.special import expit, logsumexp

from harmonium.errors import BoundaryError, RegionWarning
from harmonium.families.base import ExponentialFamily
from harmonium.numerics.newton import match_mean
from harmonium.rules.regions import Region
from harmonium.validation import FloatArray, warn_caller

#: Numbers held at a time: rows by neurons by dimensions.
_BLOCK = 1 << 22
#: Probability that may lie outside a region, or be lost between its points, without a word.
_LOST = 1e-6


class PoissonIntegrals:
    """Of exponential rates: shifts of the latent's own log-partition function, exactly.

    ``E[x_i] = exp(theta_i + psi_Z(p + Theta_i) - psi_Z(p))`` and ``E[x_i s_Z] = E[x_i]
    tau_Z(p + Theta_i)`` under the law of z at p.
    """

    def __init__(self, latent: ExponentialFamily) -> None:
        self._latent = latent

    def forward(
        self, theta: FloatArray, interaction: FloatArray, law: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return E[x] (..., n) and E[x s_Z] (..., n, width) under laws (..., dimension) of z."""
        n, width = interaction.shape[-2:]
        batch = np.broadcast_shapes(theta.shape[:-1], interaction.shape[:-2], law.shape[:-1])
        x, cross = np.empty((*batch, n)), np.empty((*batch, n, width))
        laws = np.broadcast_to(law, (*batch, law.shape[-1]))
        thetas = np.broadcast_to(theta, (*batch, n))
        offset = self._latent._log_partition(law)
        # a few neurons at a time
        step = max(1, _BLOCK // max(1, int(np.prod(batch)) * law.shape[-1]))
        for start in range(0, n, step):
            some = slice(start, start + step)
            curves = interaction[..., some, :]
            points = np.repeat(laws[..., None, :], curves.shape[-2], -2)
            points[..., :width] += curves
            broken = self._latent._outside(points)
            if broken is not None:
                raise ValueError(
                    f"interaction: the expected rate of a neuron is infinite under the law of the "
                    f"latent ({broken[1]} once its tuning curve is added)"
                )
            log_gain = self._latent._log_partition(points) - offset[..., None]
            x[..., some] = np.exp(thetas[..., some] + log_gain)
            cross[..., some, :] = x[..., some, None] * self._latent._to_mean(points)[..., :width]
        return x, cross

    def inverse(
        self, mean: FloatArray, cross: FloatArray, law: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return theta (n,) and interaction (n, width) with these expectations under one law."""
        width = cross.shape[-1]
        targets = cross / mean[:, None]
        if width == len(law) and self._latent.leading is self._latent:
            broken = self._latent._on_boundary(targets)
            if broken is not None:
                raise BoundaryError(f"mean: E[x s_Z] / E[x] of a neuron: {broken[1]}")
            points = self._latent._to_natural(targets)
        else:
            points = np.stack([self._shifted(target, law) for target in targets])
        offset = self._latent._log_partition(points) - self._latent._log_partition(law)
        return np.log(mean) - offset, (points - law)[:, :width]

    def _shifted(self, target: FloatArray, law: FloatArray) -> FloatArray:
        """The law with another leading part, such that its leading means are the target."""
        latent, width = self._latent, len(target)

        def oracle(part: FloatArray) -> tuple[float, FloatArray, FloatArray]:
            point = np.concatenate([part, law[width:]])
            if latent._outside(point) is not None:
                return np.inf, np.zeros(width), np.eye(width)
            slopes = _slopes(latent, point, width)
            return float(latent._log_partition(point)), latent._to_mean(point)[:width], slopes

        scale = np.sqrt(np.diagonal(_slopes(latent, law, width)))
        found = match_mean(oracle, target, law[:width], scale=scale)
        return np.concatenate([found, law[width:]])


def _slopes(latent: ExponentialFamily, point: FloatArray, width: int) -> FloatArray:
    """Differences of the leading means by the leading parameters: good enough for Newton's steps."""
    step = 1e-5 * np.maximum(1.0, np.abs(point[:width]))
    while True:
        moves = np.zeros((width, len(point)))
        moves[:, :width] = np.diag(step)
        around = point + np.stack([moves, -moves])
        if latent._outside(around) is None:
            break
        step /= 4
    ahead, behind = latent._to_mean(around)[..., :width]
    matrix = (ahead - behind) / (2 * step[:, None])
    return np.asarray(0.5 * (matrix + matrix.T))


class IntegralsOverRegion:
    """Of rates between zero and a number of trials: sums over a region's points."""

    def __init__(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        region: Region,
        statistic: FloatArray,
    ) -> None:
        family: Any = observable
        self._trials = family._trials
        self._latent = latent
        self._points = region.latents()
        self._log_volumes = np.log(region.volumes())
        self._statistic = statistic

    def probabilities(self, laws: FloatArray) -> FloatArray:
        """Return probabilities (laws, points) of the leading variable; what is missing is said."""
        leading = self._latent.leading
        logs = self._latent._prepare(laws).evaluate(self._points).T
        base = self._latent._prepare(laws[:1]).log_base_measure(self._points)
        logs = logs + base + self._log_volumes
        mass = np.exp(logsumexp(logs, -1))
        worst = float(np.abs(mass - 1).max(initial=0.0))
        if worst > _LOST:
            found = mass[np.abs(mass - 1).argmax()]
            warn_caller(
                f"region: by its points a law of {leading!r} has a probability of {found:.6g} "
                "instead of 1: take a wider region or more points",
                RegionWarning,
            )
        return np.exp(logs - logsumexp(logs, -1, keepdims=True))

    def forward(
        self, theta: FloatArray, interaction: FloatArray, law: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return E[x] (..., n) and E[x s_Z] (..., n, width) under laws (..., dimension) of z."""
        n, width = interaction.shape[-2:]
        batch = np.broadcast_shapes(theta.shape[:-1], interaction.shape[:-2], law.shape[:-1])
        laws = np.broadcast_to(law, (*batch, law.shape[-1])).reshape(-1, law.shape[-1])
        one = theta.ndim == 1 and interaction.ndim == 2
        thetas = np.broadcast_to(theta, (*batch, n)).reshape(-1, n)
        curves = np.broadcast_to(interaction, (*batch, n, width)).reshape(-1, n, width)
        x, cross = np.empty((len(laws), n)), np.empty((len(laws), n, width))
        step = max(1, _BLOCK // len(self._points)) if one else 1
        for start in range(0, len(laws), step):
            some = slice(start, start + step)
            shares = self.probabilities(laws[some])
            rates = self._trials * expit(thetas[start] + self._statistic @ curves[start].T)
            x[some] = shares @ rates
            for i in range(n):
                cross[some, i] = (shares * rates[:, i]) @ self._statistic
        return x.reshape(*batch, n), cross.reshape(*batch, n, width)

    def inverse(
        self, mean: FloatArray, cross: FloatArray, law: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return theta (n,) and interaction (n, width): a logistic regression for each neuron."""
        shares = self.probabilities(law[None])[0]
        design = np.column_stack([np.ones(len(self._statistic)), self._statistic])
        reach = shares @ np.abs(design)
        out = np.empty((len(mean), design.shape[1]))

        def oracle(point: FloatArray) -> tuple[float, FloatArray, FloatArray]:
            logits = design @ point
            weighted = self._trials * shares
            p = expit(logits)
            curvature = weighted * p * expit(-logits)
            value = float(weighted @ np.logaddexp(0.0, logits))
            return value, (weighted * p) @ design, (design.T * curvature) @ design

        for i, target in enumerate(np.column_stack([mean, cross])):
            start = np.zeros(design.shape[1])
            start[0] = np.log(target[0] / (self._trials - target[0]))
            # E[x |s_Z|] is at most so much
            scale = mean[i] * reach
            out[i] = match_mean(oracle, target, start, largest=1e4, scale=scale)
            if np.abs(out[i]).max() >= 1e4:
                raise BoundaryError(
                    f"mean: no tuning curve of neuron {i} has these expectations: E[x s_Z] is too "
                    "far from E[x] E[s_Z]"
                )
        return out[:, 0], out[:, 1:]
