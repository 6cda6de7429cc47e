"""Seeds and random generators."""

from typing import Any

import numpy as np
import pytest

from harmonium.validation import as_generator, as_seed


def draws(seed: Any) -> list[float]:
    return [float(draw) for draw in as_generator(seed).random(4)]


class TestGenerator:
    @pytest.mark.parametrize("seed", [0, 42, np.int64(42), np.uint8(7), 2**200, np.array(3)])
    def test_integers_are_reproducible(self, seed: Any) -> None:
        assert draws(seed) == draws(seed) == np.random.default_rng(int(seed)).random(4).tolist()

    def test_different_integers_differ(self) -> None:
        assert draws(1) != draws(2)

    def test_none_is_fresh(self) -> None:
        assert draws(None) != draws(None)

    def test_a_generator_is_used_itself(self) -> None:
        generator = np.random.default_rng(1)
        assert as_generator(generator) is generator

    def test_seed_sequence(self) -> None:
        sequence = np.random.SeedSequence(5)
        assert draws(sequence) == draws(np.random.SeedSequence(5))

    def test_random_state_gives_and_advances(self) -> None:
        state = np.random.RandomState(3)
        first = draws(state)
        assert first == draws(np.random.RandomState(3))
        assert first != draws(state)

    @pytest.mark.parametrize("seed", [-1, np.int8(-5)])
    def test_negative(self, seed: Any) -> None:
        words = f"random_state must be zero or a positive integer, not {seed}"
        with pytest.raises(ValueError, match=words):
            as_generator(seed, name="random_state")

    @pytest.mark.parametrize(
        "seed",
        [True, np.True_, 1.0, 1.5, "1", b"1", [1, 2], (1,), np.random, object(), np.array([1, 2])],
    )
    def test_all_else(self, seed: Any) -> None:
        with pytest.raises(TypeError, match="seed must be None, a non-negative integer, or"):
            as_generator(seed)


class TestSeed:
    def test_range_and_type(self) -> None:
        generator = np.random.default_rng(0)
        seeds = [as_seed(generator) for _ in range(200)]
        assert all(type(seed) is int and 0 <= seed < 2**64 for seed in seeds)
        assert len(set(seeds)) == 200
        assert max(seeds) > 2**63

    def test_reproducible(self) -> None:
        assert as_seed(7) == as_seed(7) != as_seed(8)

    def test_a_generator_is_advanced(self) -> None:
        generator = np.random.default_rng(7)
        assert as_seed(generator) == as_seed(7)
        assert as_seed(generator) != as_seed(7)

    def test_errors_name_the_argument(self) -> None:
        with pytest.raises(TypeError, match="random_state must be None"):
            as_seed("x", name="random_state")
