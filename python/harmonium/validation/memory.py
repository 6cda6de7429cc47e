"""Refusing an allocation before the work, not in its midst."""

import os
from pathlib import Path

# No machine runs out of memory on less, and asking the system is not free.
_NEGLIGIBLE = 1 << 24

# What a container may use: version 2 and version 1 of Linux control groups.
_LIMIT_FILES = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)


def check_memory(n_bytes: int, what: str) -> None:
    """Check that an allocation fits in the memory now available.

    Parameters
    ----------
    n_bytes
        The size of the allocation.
    what
        What needs it, as the subject of the message.

    Raises
    ------
    ValueError
        If it does not fit, naming both sizes. Where the system does not tell how much memory it
        has, nothing is checked.
    """
    if n_bytes <= _NEGLIGIBLE:
        return
    available = available_memory()
    if available is not None and n_bytes > available:
        raise ValueError(
            f"{what} needs {_bytes_words(n_bytes)} of memory, but only "
            f"{_bytes_words(available)} are available."
        )


def available_memory() -> int | None:
    """Return how many bytes can be allocated without swapping, None if the system does not tell."""
    found = [_system_memory(), *map(_container_limit, _LIMIT_FILES)]
    return min((n_bytes for n_bytes in found if n_bytes is not None), default=None)


def _system_memory() -> int | None:
    # sysconf's count of available pages leaves out the file cache, which the kernel gives up on
    # demand and which fills most of a busy machine; so Linux' own estimate comes first.
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        n_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None
    return n_bytes if n_bytes > 0 else None


def _container_limit(file: str) -> int | None:
    try:
        return int(Path(file).read_text(encoding="ascii"))
    except (OSError, ValueError):  # no such file, or "max"
        return None


def _bytes_words(n_bytes: int) -> str:
    if n_bytes.bit_length() > 80:  # beyond it neither the digits nor their number help
        return f"more than 2**{n_bytes.bit_length() - 1} bytes"
    return f"{n_bytes:,} bytes ({n_bytes / 2**30:,.2f} GiB)"
