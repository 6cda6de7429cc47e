"""Results that are remembered are those of the function."""

import threading

import numpy as np
import pytest

from harmonium.numerics.remembered import remembered


def test_asked_again_it_is_not_worked_out_again():
    calls = []

    @remembered
    def total(a, b):
        """Sums."""
        calls.append(len(a))
        return a + b, a - b

    x, y = np.arange(3.0), np.ones(3)
    first = total(x, y)
    x_again = x.copy()
    assert total(x_again, y)[0] is first[0]
    assert calls == [3]
    x_again[0] = 7.0
    np.testing.assert_array_equal(total(x_again, y)[0], [8, 2, 3])
    np.testing.assert_array_equal(total(np.arange(6.0)[::2], y)[1], [-1, 1, 3])
    with pytest.raises(ValueError, match="read-only"):
        first[0][0] = 1.0
    assert total.__doc__ == "Sums."


def test_large_arguments_are_not_kept():
    calls = []

    @remembered
    def double(a):
        calls.append(len(a))
        return 2 * a

    for _ in range(2):
        double(np.zeros(5000))[0] = 1.0
    assert calls == [5000, 5000]


def test_threads():
    @remembered
    def square(a):
        return a * a

    wrong = []

    def work(seed):
        rng = np.random.default_rng(seed)
        for _ in range(200):
            x = np.floor(rng.random(3) * 4)
            wrong.extend(np.flatnonzero(square(x) != x * x))

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong
