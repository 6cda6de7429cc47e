"""Costly functions of small arrays that are asked for the same again and again."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVar

import numpy as np

from harmonium.validation import FloatArray

_Result = TypeVar("_Result")

#: Results are kept for this many arguments, of at most this many numbers.
_KEPT, _LARGEST = 16, 4096


def remembered(function: Callable[..., _Result]) -> Callable[..., _Result]:
    """Return the function of flat arrays, its last results remembered: arrays not to be written to."""

    @lru_cache(maxsize=_KEPT)
    def known(*arguments: bytes) -> _Result:
        result: Any = function(*(np.frombuffer(one) for one in arguments))
        for array in result if isinstance(result, tuple) else (result,):
            array.flags.writeable = False
        return result  # type: ignore[no-any-return]  # what the function returns

    @wraps(function)
    def remembering(*arguments: FloatArray) -> _Result:
        if max(len(one) for one in arguments) > _LARGEST:
            return function(*arguments)
        return known(*(np.ascontiguousarray(one, dtype=float).tobytes() for one in arguments))

    return remembering
