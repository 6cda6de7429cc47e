"""Noisy points on rings around the origin, and the law they are drawn from."""

from dataclasses import dataclass

import numpy as np
from scipy.integrate import quad
from scipy.special import i0e, logsumexp

from harmonium.validation import FloatArray

#: Entropy of the law of the two rings, in nats: what that law itself scores a row, but for the sign.
RINGS_ENTROPY = 2.767


@dataclass(frozen=True)
class Rings:
    """Rings of these radii with so many points each, and isotropic noise.

    Attributes
    ----------
    radii : tuple of float
        Radii, without noise.
    counts : tuple of int
        How many points are on each, at equal angles.
    noise : float
        Standard deviation of the noise in either coordinate.
    """

    radii: tuple[float, ...]
    counts: tuple[int, ...]
    noise: float

    def centres(self) -> FloatArray:
        """Return the points (n, 2) without noise, ring by ring."""
        angle = np.concatenate([np.arange(m) * (2 * np.pi / m) for m in self.counts])
        radius = np.repeat(self.radii, self.counts)
        return np.asarray(radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], -1))

    def sample(self, rng: np.random.Generator) -> FloatArray:
        """Return the points (n, 2) with noise, ring by ring."""
        centres = self.centres()
        return np.asarray(centres + self.noise * rng.standard_normal(centres.shape))

    def log_density(self, x: FloatArray) -> FloatArray:
        """Return log densities (n,) in nats of points (n, 2) of rings of uniform angle."""
        return self._log_density(np.linalg.norm(x, axis=-1))

    def _log_density(self, distance: FloatArray) -> FloatArray:
        """At distances (n,) from the origin: a normal's average over the angle is a Bessel function."""
        radii, variance = np.array(self.radii), self.noise**2
        r = np.asarray(distance)[:, None]
        shares = np.array(self.counts) / sum(self.counts)
        logs = -((r - radii) ** 2) / (2 * variance) + np.log(i0e(r * radii / variance))
        return np.asarray(logsumexp(logs, -1, b=shares) - np.log(2 * np.pi * variance))

    def entropy(self) -> float:
        """Return the entropy in nats of rings of uniform angle, by quadrature over the radius.

        That of a mixture of normals at equal angles is the same to all digits where there are
        more than a few points to a standard deviation of the noise.
        """

        def integrand(r: float) -> float:
            log_density = float(self._log_density(np.array([r]))[0])
            return float(-2 * np.pi * r * np.exp(log_density) * log_density)

        farthest = max(self.radii) + 12 * self.noise
        return float(quad(integrand, 0, farthest, points=self.radii, epsabs=1e-12, limit=400)[0])


def two_rings(n: int, rng: np.random.Generator) -> FloatArray:
    """A fifth of n points on a ring of radius 0.3, the rest on one of radius 3; noise of sd 0.2."""
    return Rings((0.3, 3.0), (n // 5, n - n // 5), 0.2).sample(rng)
