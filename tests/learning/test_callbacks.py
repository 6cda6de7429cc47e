"""What callbacks see, and what is left when one, or Ctrl-C, ends a fit."""

import signal
import threading
import time

import numpy as np
import pytest

from harmonium import Mixture, Normal, get_threads, set_threads
from harmonium.learning import Step, fit
from harmonium.validation import FloatArray

MODEL = Mixture(Normal(2), 2)
METHODS = ["EM", "CE-GD", "EM-GD", "CE-MCGD", "EM-MCGD"]


def data() -> FloatArray:
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(size=(50, 2)), rng.normal((7.0, 2.0), size=(50, 2))])


def quick(method: str) -> dict[str, object]:
    return {"seed": 0} if method == "EM" else {"seed": 0, "steps": 3}


@pytest.mark.parametrize("method", METHODS)
class TestEveryMethod:
    def test_true_stops(self, method: str) -> None:
        # without a warning: it was asked for
        found = fit(
            MODEL,
            data(),
            method,
            tol=0.0,
            callback=lambda step: step.iteration == 3,
            **quick(method),
        )  # type: ignore[call-overload, arg-type, unused-ignore]
        assert found.n_iterations == 3
        assert found.history.shape == (4,)
        assert found.message == "stopped by the callback"
        again = fit(MODEL, data(), method, tol=0.0, max_iter=3, warn=False, **quick(method))  # type: ignore[arg-type]
        assert np.array_equal(found.natural, again.natural)

    def test_what_else_does_not(self, method: str) -> None:
        found = fit(
            MODEL,
            data(),
            method,
            max_iter=2,
            tol=0.0,
            warn=False,
            callback=lambda _: 1,
            **quick(method),
        )  # type: ignore[call-overload, arg-type, unused-ignore]
        assert found.n_iterations == 2

    @pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
    def test_exceptions_pass_through(self, method: str, error: type[BaseException]) -> None:
        steps: list[Step] = []
        x = data()
        kept = x.copy()

        def stop(step: Step) -> None:
            steps.append(step)
            if step.iteration == 2:
                raise error("enough")

        with pytest.raises(error, match="enough"):
            fit(MODEL, x, method, tol=0.0, callback=stop, **quick(method))  # type: ignore[arg-type]
        # what a callback was shown is whole, and the next fit is as if nothing had been
        assert np.array_equal(x, kept)
        short = fit(MODEL, x, method, tol=0.0, max_iter=2, warn=False, **quick(method))  # type: ignore[arg-type]
        assert np.array_equal(steps[-1].prepared.natural, short.prepared.natural)
        resumed = fit(
            MODEL, x, method, initial=steps[-1].in_units, max_iter=0, warn=False, **quick(method)
        )  # type: ignore[call-overload, arg-type, unused-ignore]
        np.testing.assert_allclose(resumed.history[0], short.cross_entropy, rtol=1e-9)

    def test_steps_are_in_order(self, method: str) -> None:
        steps: list[Step] = []
        found = fit(
            MODEL,
            data(),
            method,
            max_iter=3,
            tol=0.0,
            warn=False,
            callback=steps.append,
            **quick(method),
        )  # type: ignore[call-overload, arg-type, unused-ignore]
        assert [step.iteration for step in steps] == [0, 1, 2, 3]
        offset = found.history[0] + steps[0].log_likelihood
        np.testing.assert_allclose(
            found.history, [offset - step.log_likelihood for step in steps], rtol=1e-14
        )


def test_stopping_ends_all_starts() -> None:
    started = []

    def stop(step: Step) -> bool:
        started.append(step.iteration == 0)
        return sum(started) == 2 and step.iteration == 1

    found = fit(MODEL, data(), seed=0, n_init=5, tol=0.0, callback=stop, max_iter=4)
    assert sum(started) == 2
    assert found.history.shape in ((5,), (2,))


def test_early_stopping_on_other_rows() -> None:
    # the recipe of docs/learning.md: stop where rows that were kept aside get less likely
    x = data()
    kept = x[::4]
    best = [np.inf, 0]

    def patience(step: Step) -> bool:
        loss = -MODEL.log_observable_density(step.in_units.natural[0], kept).mean()
        best[:] = [loss, step.iteration] if loss < best[0] else best
        return step.iteration - best[1] >= 5

    found = fit(Mixture(Normal(2), 2), x[1::2], seed=0, tol=0.0, callback=patience)
    assert found.message == "stopped by the callback"
    assert found.n_iterations == best[1] + 5


def forever(method: str) -> None:
    """Fits without end, each of many steps."""
    x = np.random.default_rng(0).normal(size=(2000, 2))
    options = {} if method == "EM" else {"steps": 10_000}
    while True:
        fit(Mixture(Normal(2), 6), x, method, seed=0, tol=0.0, warn=False, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", METHODS)
def test_ctrl_c(method: str) -> None:
    timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])
    begun = time.perf_counter()
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            forever(method)
        # at once; a busy machine may take longer to say so
        assert time.perf_counter() - begun < 3
    finally:
        timer.cancel()


@pytest.mark.parametrize("method", METHODS)
def test_threads(method: str) -> None:
    x = np.random.default_rng(0).normal(size=(3000, 2))
    x[::7, 1] = np.nan
    histories = []
    before = get_threads()
    try:
        for n in (1, 2):
            set_threads(n)
            found = fit(MODEL, x, method, tol=0.0, max_iter=2, warn=False, **quick(method))  # type: ignore[arg-type]
            histories.append((found.history.tobytes(), found.prepared.natural.tobytes()))
    finally:
        set_threads(before)
    assert histories[0] == histories[1]
