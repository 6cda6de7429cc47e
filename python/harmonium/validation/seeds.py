"""Sources of randomness."""

import numpy as np

from harmonium.validation.scalars import integer_of


def as_generator(seed: object, *, name: str = "seed") -> np.random.Generator:
    """Return the random generator that a seed stands for.

    Parameters
    ----------
    seed
        None for fresh entropy; an integer, zero or more, or a ``SeedSequence`` for a reproducible
        stream; a ``Generator``, which is used and advanced itself; a ``RandomState``, from which a
        seed is drawn.
    name
        The argument's name, for messages.

    Raises
    ------
    TypeError
        For anything else.
    ValueError
        For a negative integer.
    """
    if isinstance(seed, np.random.Generator):
        return seed
    if seed is None or isinstance(seed, np.random.SeedSequence):
        return np.random.default_rng(seed)
    if isinstance(seed, np.random.RandomState):
        return np.random.default_rng(seed.randint(0, 2**32, size=4, dtype=np.uint32))
    number = integer_of(seed)
    if number is None:
        raise TypeError(
            f"{name} must be None, a non-negative integer, or a numpy Generator, SeedSequence or "
            f"RandomState, not {seed!r} of type {type(seed).__name__}."
        )
    if number < 0:
        raise ValueError(f"{name} must be zero or a positive integer, not {number}.")
    return np.random.default_rng(number)


def as_seed(seed: object, *, name: str = "seed") -> int:
    """Draw the 64-bit seed of a kernel's random streams, from 0 to 2**64 - 1.

    Parameters
    ----------
    seed, name
        As in `as_generator`; the same integer always gives the same result, while a ``Generator``
        or ``RandomState`` is advanced.

    Raises
    ------
    TypeError, ValueError
        As `as_generator`.
    """
    return int(as_generator(seed, name=name).integers(0, 2**64, dtype=np.uint64))
