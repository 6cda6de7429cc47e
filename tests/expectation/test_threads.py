"""Threads: how many, two passes at once, forked children, Ctrl-C in the middle of a pass."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from harmonium import LinearGaussian, Mixture, Normal, get_threads, set_threads
from harmonium.expectation import ArraySource, expectation, log_densities


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    yield
    set_threads(None)


class TestSetting:
    def test_the_default_is_the_processors_at_hand(self, monkeypatch: Any) -> None:
        monkeypatch.delenv("HARMONIUM_THREADS", raising=False)
        available = getattr(os, "sched_getaffinity", None)
        assert get_threads() == (len(available(0)) if available else os.cpu_count())

    def test_the_environment(self, monkeypatch: Any) -> None:
        monkeypatch.setenv("HARMONIUM_THREADS", " 3 ")
        assert get_threads() == 3
        set_threads(5)
        assert get_threads() == 5
        set_threads(None)
        assert get_threads() == 3

    @pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
    def test_a_wrong_environment(self, text: str, monkeypatch: Any) -> None:
        monkeypatch.setenv("HARMONIUM_THREADS", text)
        with pytest.raises(ValueError, match=f"HARMONIUM_THREADS='{text}': expected a whole numb"):
            get_threads()

    @pytest.mark.parametrize("n", [0, -1, 1.5, "2", True])
    def test_a_wrong_number(self, n: Any) -> None:
        with pytest.raises((ValueError, TypeError), match="n "):
            set_threads(n)


def job(seed: int) -> tuple[Any, ArraySource]:
    rng = np.random.default_rng(seed)
    if seed % 2:
        mixture = Mixture(Normal(3), 4)
        natural = mixture.from_parameters(mean=rng.normal(size=(4, 3)), covariance=np.eye(3))
        return mixture.prepare(natural), ArraySource(rng.normal(size=(40_000, 3)))
    factors = LinearGaussian(Normal(6, "diagonal"), Normal(2))
    natural = factors.from_parameters(
        mean=np.zeros(6), loadings=rng.normal(size=(6, 2)), noise=np.ones(6)
    )
    return factors.prepare(natural), ArraySource(rng.normal(size=(40_000, 6)))


def bits(prepared: Any, source: ArraySource) -> bytes:
    return expectation(prepared, source).sums.tobytes() + log_densities(prepared, source).tobytes()


def test_passes_at_once_give_the_same_bits() -> None:
    jobs = [job(seed) for seed in range(4)]
    alone = [bits(*one) for one in jobs]
    set_threads(2)
    start = threading.Barrier(4)

    def at_once(one: tuple[Any, ArraySource]) -> list[bytes]:
        start.wait()
        return [bits(*one) for _ in range(5)]

    with ThreadPoolExecutor(4) as pool:
        for expected, found in zip(alone, pool.map(at_once, jobs), strict=True):
            assert found == [expected] * 5


def test_other_threads_run_during_a_pass() -> None:
    # the interpreter's lock is released
    prepared, source = job(1)
    big = ArraySource(np.tile(source.x, (20, 1)))
    done = threading.Event()
    ticks = []

    def count() -> None:
        while not done.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    watcher = threading.Thread(target=count)
    watcher.start()
    began = time.perf_counter()
    expectation(prepared, big)
    ended = time.perf_counter()
    done.set()
    watcher.join()
    during = [tick for tick in ticks if began <= tick <= ended]
    assert len(during) > 0.05 * (ended - began) / 0.001


FORK = """
import os, signal, sys
import numpy as np
from harmonium import Mixture, Normal, set_threads
from harmonium.expectation import ArraySource, expectation

set_threads(3)
rng = np.random.default_rng(1)
model = Mixture(Normal(3), 4)
prepared = model.prepare(
    model.from_parameters(mean=rng.normal(size=(4, 3)), covariance=np.eye(3))
)
source = ArraySource(rng.normal(size=(60_000, 3)))
before = expectation(prepared, source).sums.tobytes()
children = []
for _ in range(3):
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # a child that hangs dies of it
        same = all(expectation(prepared, source).sums.tobytes() == before for _ in range(3))
        os._exit(0 if same else 7)
    children.append(child)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
after = expectation(prepared, source).sums.tobytes()
print(codes, after == before)
"""


def test_a_forked_child_runs_passes() -> None:
    # a Python of its own: the test process may hold threads of others
    done = subprocess.run(
        [sys.executable, "-c", FORK], capture_output=True, text=True, timeout=90, check=False
    )
    assert done.stdout.strip() == "[0, 0, 0] True", done.stderr


INTERRUPT = """
import sys, time
import numpy as np
from harmonium import Boltzmann, LinearGaussian, Normal, set_threads
from harmonium.expectation import ArraySource, expectation, latents, log_densities

set_threads(int(sys.argv[2]))
rng = np.random.default_rng(1)
model = LinearGaussian(Normal(2), Boltzmann(18))
prepared = model.prepare(model.from_parameters(
    mean=np.zeros(2), loadings=rng.normal(size=(2, 18)), noise=np.eye(2),
    prior=0.1 * rng.normal(size=model.latent.dimension),
))
x = rng.normal(size=(20_000, 2))
done = {"expectation": expectation, "log_densities": log_densities, "latents": latents}[sys.argv[1]]


def bits():
    return expectation(prepared, ArraySource(x[:60])).sums.tobytes()


before = bits()
print("ready", flush=True)
try:
    done(prepared, ArraySource(x))
    print("finished", flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
print(bits() == before, flush=True)
"""


@pytest.mark.parametrize(
    ("done", "threads"),
    [("expectation", 1), ("expectation", 3), ("log_densities", 2), ("latents", 2)],
)
def test_ctrl_c_ends_a_pass(done: str, threads: int) -> None:
    # the whole pass takes most of a minute
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPT, done, str(threads)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == "ready\n"
            time.sleep(0.3)
            sent = time.perf_counter()
            child.send_signal(signal.SIGINT)
            answer = child.stdout.readline()
            elapsed = time.perf_counter() - sent
            assert answer == "interrupted\n"
            assert elapsed < 0.5
            assert child.stdout.readline() == "True\n"
        finally:
            child.kill()
