"""Where data come from: what a source yields, and what it refuses."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harmonium import Mixture, Poisson
from harmonium.expectation import (
    ArraySource,
    FunctionSource,
    Source,
    as_source,
    expectation,
    latents,
    log_densities,
)
from harmonium.expectation.sources import BLOCK_ROWS

MODEL = Mixture(Poisson(2), 2)
PREPARED = MODEL.prepare(MODEL.from_parameters(rate=[[1.0, 2.0], [5.0, 3.0]]))
X = np.arange(12.0).reshape(6, 2)
WEIGHTS = np.array([1.0, 0.0, 0.0, 2.0, 0.5, 1.0])


def read(source: Source) -> tuple[list[int], Any, Any]:
    """Rows of each block, all rows, all weights."""
    blocks = list(source.blocks())
    sizes = [len(x) for x, _ in blocks]
    weights = [w for _, w in blocks]
    assert all((w is None) == (weights[0] is None) for w in weights)
    joined = None if weights[0] is None else np.concatenate(weights)
    return sizes, np.concatenate([x for x, _ in blocks]), joined


class TestArraySource:
    def test_blocks_are_views(self) -> None:
        x = np.zeros((2 * BLOCK_ROWS + 3, 1))
        blocks = list(ArraySource(x).blocks())
        assert [len(block) for block, _ in blocks] == [BLOCK_ROWS, BLOCK_ROWS, 3]
        assert all(np.shares_memory(block, x) and weights is None for block, weights in blocks)

    def test_weights_go_with_their_rows(self) -> None:
        x = np.arange(BLOCK_ROWS + 2.0)[:, None]
        sizes, rows, weights = read(ArraySource(x, x[:, 0]))
        assert sizes == [BLOCK_ROWS, 2]
        assert np.array_equal(rows[:, 0], weights)

    def test_a_memory_map(self, tmp_path: Any) -> None:
        mapped = np.memmap(tmp_path / "x", dtype=float, mode="w+", shape=X.shape)
        mapped[:] = X
        assert np.array_equal(
            log_densities(PREPARED, as_source(mapped)), log_densities(PREPARED, ArraySource(X))
        )


class TestFunctionSource:
    @pytest.mark.parametrize("cuts", [[6], [1, 2, 3], [0, 6, 0], [2, 0, 4], [1] * 6])
    @pytest.mark.parametrize("weighted", [False, True])
    def test_pieces_are_joined(self, cuts: list[int], weighted: bool) -> None:
        edges = np.cumsum([0, *cuts])

        def pieces() -> Iterator[Any]:
            for start, stop in itertools.pairwise(edges):
                rows = slice(start, stop)
                yield (X[rows], WEIGHTS[rows]) if weighted else X[rows]

        source = FunctionSource(pieces, 2)
        sizes, rows, weights = read(source)
        assert sizes == [6]
        assert rows.flags.c_contiguous
        assert np.array_equal(rows, X)
        assert np.array_equal(weights, WEIGHTS) if weighted else weights is None
        same = ArraySource(X, WEIGHTS if weighted else None)
        assert np.array_equal(expectation(PREPARED, source).sums, expectation(PREPARED, same).sums)

    def test_blocks_are_of_one_size(self) -> None:
        x = np.arange(2.0 * BLOCK_ROWS + 10)[:, None]
        pieces = np.split(x, [5, BLOCK_ROWS - 1, BLOCK_ROWS + 7])
        sizes, rows, _ = read(FunctionSource(lambda: iter(pieces), 1))
        assert sizes == [BLOCK_ROWS, BLOCK_ROWS, 10]
        assert np.array_equal(rows, x)

    def test_pieces_without_weights_beside_others_weigh_one(self) -> None:
        pieces = [X[:2], (X[2:4], [0.0, 3.0]), X[4:]]
        _, _, weights = read(FunctionSource(lambda: pieces, 2))
        assert np.array_equal(weights, [1, 1, 0, 3, 1, 1])

    def test_pieces_of_any_kind(self) -> None:
        frame = pd.DataFrame({"a": [0, 2], "b": [1, 3]})
        pieces = [frame, [[4, 5], [6, 7]], np.asfortranarray(X[4:])]
        _, rows, _ = read(FunctionSource(lambda: pieces, 2))
        assert np.array_equal(rows, X)

    def test_it_is_read_again_at_every_pass(self) -> None:
        calls = []

        def pieces() -> Iterator[Any]:
            calls.append(1)
            yield X

        source = FunctionSource(pieces, 2)
        for done in (expectation, log_densities, latents):
            done(PREPARED, source)
        assert len(calls) == 3

    @pytest.mark.parametrize("done", [expectation, log_densities, latents])
    def test_a_spent_iterator_is_an_error(self, done: Any) -> None:
        spent = iter([X])
        source = FunctionSource(lambda: spent, 2)
        done(PREPARED, source)
        with pytest.raises(ValueError, match="x: the source gave no rows; `read` must return a fr"):
            done(PREPARED, source)

    @pytest.mark.parametrize(
        ("piece", "words"),
        [
            (np.ones((2, 3)), "x has 3 features, but .* is expecting 2 features"),
            (np.ones(2), "x: Expected 2D array, got 1D array"),
            ([[1.0, np.inf]], "x contains infinity"),
            ((X, WEIGHTS[:3]), "weights must have 6 entries, but it has 3"),
            ((X, -WEIGHTS), "weights must be zero or positive"),
            ((X, WEIGHTS * np.nan), "weights contains NaN"),
        ],
        ids=repr,
    )
    def test_pieces_that_are_wrong(self, piece: Any, words: str) -> None:
        with pytest.raises(ValueError, match=words):
            expectation(PREPARED, FunctionSource(lambda: [X, piece], 2))

    def test_an_exception_in_the_reader_passes_through(self) -> None:
        def pieces() -> Iterator[Any]:
            yield X
            raise OSError("disc")

        with pytest.raises(OSError, match="disc"):
            expectation(PREPARED, FunctionSource(pieces, 2))


class TestAsSource:
    def test_a_source_stays_as_it_is(self) -> None:
        source = FunctionSource(lambda: [X], 2)
        assert as_source(source) is source
        with pytest.raises(ValueError, match="weights: a block source brings its own"):
            as_source(source, WEIGHTS)

    def test_a_table_becomes_one(self) -> None:
        source = as_source(X.astype(np.float32).tolist(), WEIGHTS.tolist())
        assert source.n_features == 2
        sizes, rows, weights = read(source)
        assert sizes == [6]
        assert np.array_equal(rows, X)
        assert np.array_equal(weights, WEIGHTS)

    def test_a_source_of_another_s_own(self) -> None:
        class Halves:
            n_features = 2

            def blocks(self) -> Iterator[Any]:
                yield X[:3], None
                yield X[3:], None

        source = Halves()
        assert as_source(source) is source
        whole = log_densities(PREPARED, ArraySource(X))
        assert np.array_equal(log_densities(PREPARED, source), whole)

    def test_weights_that_are_wrong(self) -> None:
        with pytest.raises(ValueError, match="weights must have 6 entries"):
            as_source(X, [1.0])


@pytest.mark.parametrize("done", [expectation, log_densities, latents])
def test_the_wrong_number_of_columns(done: Any) -> None:
    with pytest.raises(ValueError, match="x has 3 columns, the model reads 2"):
        done(PREPARED, ArraySource(np.ones((4, 3))))


@pytest.mark.parametrize("done", [expectation, log_densities])
def test_engines(done: Any) -> None:
    with pytest.raises(ValueError, match='engine: "auto" or "numpy"; got \'rust\''):
        done(PREPARED, ArraySource(X), engine="rust")


def test_a_model_without_latent_variable() -> None:
    with pytest.raises(ValueError, match="no latent variable"):
        latents(Poisson(2).prepare([0.0, 0.0]), ArraySource(X))
