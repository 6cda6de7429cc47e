"""How much of everything the demo does."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """The demo's numbers, so that tests can run all of it in seconds.

    Attributes
    ----------
    starts : int
        Starting points of each small mixture.
    most_groups, most_factors : int
        How far to search for the number of groups and of factors.
    folds : int
        Parts of cross-validation.
    ring_points, ring_starts, units : int
        Points on two rings, restarts of the model with binary units, how many units.
    digits, digit_starts, digit_latent : int
        Images used (at most), restarts of reduction and clustering, latent dimensions.
    iterations : int
        Most iterations of the two larger models.
    peer_iterations, repeats : int
        Most iterations of scikit-learn's factor analysis; how often fast fits are timed.
    resolution : int
        Points along the side of a picture of a density.
    dpi : int
        Dots per inch of the pictures.
    """

    starts: int = 8
    most_groups: int = 6
    most_factors: int = 7
    folds: int = 5
    ring_points: int = 1000
    ring_starts: int = 12
    units: int = 6
    digits: int = 1797
    digit_starts: int = 3
    digit_latent: int = 12
    iterations: int = 300
    peer_iterations: int = 500
    repeats: int = 3
    resolution: int = 240
    dpi: int = 200


FULL = Size()
