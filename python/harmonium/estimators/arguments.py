"""Constructor arguments, checked when a fit begins: each error names the argument."""

from collections.abc import Sequence

import numpy as np


def as_choice(value: object, choices: Sequence[str], *, name: str) -> str:
    """Return ``value`` if it is one of the choices; ValueError that lists them otherwise."""
    if isinstance(value, str) and value in choices:
        return value
    raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, not {value!r}.")


def as_flag(value: object, *, name: str) -> bool:
    """Return True or False; TypeError for anything else, such as the text "no"."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise TypeError(f"{name} must be True or False, not {value!r} of type {type(value).__name__}.")
