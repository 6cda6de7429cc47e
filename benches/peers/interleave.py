"""Side by side: two callables in turn, in one process and under the same limits on threads.

Each is run once before the clock starts. Then they alternate, A B A B, so that whatever else the
machine does meets both; the figure is the median of the ratios of neighbours. Wall time is what
a person waits; processor time is that of all threads (``time.process_time``), so it shows what
the second thread costs, and threads that spin.
"""

import gc
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median, quantiles

import numpy as np
from rich.table import Table
from threadpoolctl import threadpool_limits

import harmonium


@dataclass(frozen=True)
class Side:
    """A callable with a name; what it returns last is the mean log-likelihood, in nats a row."""

    name: str
    run: Callable[[], float]


@dataclass(frozen=True)
class Comparison:
    """Seconds of every run of ours and of the peer's, and where both ended."""

    title: str
    peer: str
    threads: int
    wall: tuple[tuple[float, float], ...]
    processor: tuple[tuple[float, float], ...]
    log_likelihoods: tuple[float, float]

    @property
    def wall_ratios(self) -> list[float]:
        """The peer's wall time in units of ours, one for each pair of neighbours."""
        return [theirs / ours for ours, theirs in self.wall]

    @property
    def processor_ratios(self) -> list[float]:
        """As :attr:`wall_ratios`, of processor time."""
        return [theirs / ours for ours, theirs in self.processor]


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Let our kernels, BLAS and OpenMP use at most ``n`` threads."""
    harmonium.set_threads(n)
    try:
        with threadpool_limits(n):
            yield
    finally:
        harmonium.set_threads(None)


def _timed(run: Callable[[], float]) -> tuple[float, float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    value = run()
    return time.perf_counter() - wall, time.process_time() - processor, value


def interleave(title: str, ours: Side, peer: Side, *, n_threads: int, pairs: int = 5) -> Comparison:
    """Run ours and the peer's in turn ``pairs`` times; ValueError when they do not end together."""
    wall, processor = [], []
    with threads(n_threads):
        ends = ours.run(), peer.run()
        if not np.allclose(*ends, rtol=1e-8, atol=0):
            raise ValueError(
                f"{title}: {ours.name} ends at {ends[0]!r}, {peer.name} at {ends[1]!r}"
            )
        gc.collect()
        for _ in range(pairs):
            (wall_a, cpu_a, _), (wall_b, cpu_b, _) = _timed(ours.run), _timed(peer.run)
            wall.append((wall_a, wall_b))
            processor.append((cpu_a, cpu_b))
    return Comparison(title, peer.name, n_threads, tuple(wall), tuple(processor), ends)


def _ratio(values: list[float]) -> str:
    low, _, high = quantiles(values, n=4)
    return f"[bold]{median(values):.1f}[/bold] ({low:.1f}–{high:.1f})"


def table(comparisons: Iterable[Comparison]) -> Table:
    """Return the comparisons as a table: medians, ratios with their quartiles, log-likelihoods."""
    out = Table(title="Time of the peer / time of harmonium: medians of neighbours (quartiles)")
    for name in ("", "peer", "threads", "ours, ms", "peer, ms", "wall", "processor"):
        out.add_column(name, justify="left" if name in ("", "peer") else "right")
    out.add_column("nats a row, ours", justify="right")
    out.add_column("peer", justify="right")
    for c in comparisons:
        times = [f"{1e3 * median(side):.1f}" for side in zip(*c.wall, strict=True)]
        ends = [f"{value:.9f}" for value in c.log_likelihoods]
        ratios = [_ratio(c.wall_ratios), _ratio(c.processor_ratios)]
        out.add_row(c.title, c.peer, str(c.threads), *times, *ratios, *ends)
    return out
