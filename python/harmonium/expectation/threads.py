"""How many threads the kernels may use."""

import os

from harmonium.validation import as_count

_ENVIRONMENT = "HARMONIUM_THREADS"
_setting: list[int | None] = [None]


def get_threads() -> int:
    """Return how many threads the kernels may use: the setting, else the processors at hand."""
    chosen = _setting[0]
    if chosen is not None:
        return chosen
    text = os.environ.get(_ENVIRONMENT, "").strip()
    if text:
        if not text.isdigit() or int(text) < 1:
            raise ValueError(f"{_ENVIRONMENT}={text!r}: expected a whole number of at least 1")
        return int(text)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def set_threads(n: int | None) -> None:
    """Let the kernels use at most ``n`` threads; None for the default. Results do not depend on it."""
    _setting[0] = None if n is None else as_count(n, name="n")
