"""The compiled pass against the plain one, and what no result may depend on."""

from collections.abc import Iterator

import numpy as np
import pytest

from harmonium import get_threads, set_threads
from harmonium.expectation import (
    ArraySource,
    FunctionSource,
    Prepared,
    Source,
    Totals,
    expectation,
    latents,
    log_densities,
)
from harmonium.validation import FloatArray
from laws.columns import kinds
from laws.harmonium_cases import HarmoniumCase, every_model
from laws.tolerances import assert_close

#: More rows than a block has, so that blocks, and many pieces of one, are joined.
MANY = 67_000


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    before = get_threads()
    yield
    set_threads(before)


def assert_equal_totals(left: Totals, right: Totals, relative: float) -> None:
    scale = np.abs(right.sums).max()
    np.testing.assert_allclose(left.sums, right.sums, rtol=relative, atol=relative * scale)
    np.testing.assert_allclose(left.log_likelihood, right.log_likelihood, rtol=relative)
    np.testing.assert_allclose(left.weight, right.weight, rtol=1e-13)


def variants(case: HarmoniumCase, n: int) -> dict[str, ArraySource]:
    """Complete, weighted and incomplete rows."""
    rng = case.rng(2)
    x = case.rows(1, min(n, 3000))
    x = x[rng.permutation(np.arange(n) % len(x))]
    weights = rng.gamma(1.0, size=n) * (rng.random(n) < 0.8)
    partial = case.with_missing(x, 0.25, rng)
    return {
        "complete": ArraySource(x),
        "weighted": ArraySource(x, weights),
        "missing": ArraySource(partial),
        "missing and weighted": ArraySource(partial, weights),
    }


def bits(prepared: Prepared, source: Source) -> tuple[bytes, ...]:
    """Everything that a pass gives, to the last bit."""
    totals = expectation(prepared, source)
    numbers = np.array([totals.log_likelihood, totals.weight])
    return (
        numbers.tobytes(),
        totals.sums.tobytes(),
        log_densities(prepared, source).tobytes(),
        latents(prepared, source).tobytes(),
    )


@every_model
class TestEngines:
    def test_which_models_are_compiled(self, case: HarmoniumCase) -> None:
        assert (case.model.prepare(case.point(1)).kernel() is not None) == case.compiled

    def test_the_compiled_pass_is_the_plain_one(self, case: HarmoniumCase) -> None:
        prepared = case.model.prepare(case.point(3))
        for source in variants(case, 1500).values():
            assert_equal_totals(
                expectation(prepared, source),
                expectation(prepared, source, engine="numpy"),
                1e-10,
            )
            plain = log_densities(prepared, source, engine="numpy")
            assert_close(log_densities(prepared, source), plain, 1e-10)
            assert_close(latents(prepared, source), prepared.latent(source.x), 1e-10)

    def test_far_rows(self, case: HarmoniumCase) -> None:
        prepared = case.model.prepare(case.point(3))
        x = case.far(case.rows(1, 100), 1e5)
        source = ArraySource(x)
        assert_equal_totals(
            expectation(prepared, source), expectation(prepared, source, engine="numpy"), 1e-10
        )
        plain = log_densities(prepared, source, engine="numpy")
        assert_close(log_densities(prepared, source), plain, 1e-10)
        shares = latents(prepared, source)
        assert_close(shares, prepared.latent(x), 1e-9)


@every_model
class TestBits:
    def test_threads(self, case: HarmoniumCase) -> None:
        prepared = case.model.prepare(case.point(3))
        source = variants(case, MANY)["missing and weighted"]
        set_threads(1)
        alone = bits(prepared, source)
        for threads in (2, 3, 8):
            set_threads(threads)
            assert bits(prepared, source) == alone

    def test_pieces(self, case: HarmoniumCase) -> None:
        prepared = case.model.prepare(case.point(3))
        whole = variants(case, MANY)["missing and weighted"]
        assert whole.weights is not None
        cuts = [0, 0, 1, 10, 10, 30_000, 65_537, MANY]

        def pieces() -> Iterator[tuple[FloatArray, FloatArray]]:
            assert whole.weights is not None
            for start, stop in zip(cuts, [*cuts[1:], MANY], strict=True):
                yield whole.x[start:stop], whole.weights[start:stop]

        source = FunctionSource(pieces, whole.n_features)
        assert bits(prepared, source) == bits(prepared, whole)

    def test_layout(self, case: HarmoniumCase) -> None:
        model, natural, x = case.model, case.point(3), case.rows(1, 300)
        strided = np.zeros((600, 2 * x.shape[1]))
        strided[::2, ::2] = x
        read_only = x.copy()
        read_only.flags.writeable = False
        expected = model.log_observable_density(natural, x), model.expectation(natural, x)
        layouts = [np.asfortranarray(x), strided[::2, ::2], x[::-1].copy()[::-1], read_only]
        for same in [*layouts, x.tolist(), x.astype(">f8")]:
            assert np.array_equal(model.log_observable_density(natural, same), expected[0])
            assert np.array_equal(model.expectation(natural, same), expected[1])


@every_model
class TestWeights:
    def test_whole_weights_repeat_rows(self, case: HarmoniumCase) -> None:
        prepared, x = case.model.prepare(case.point(3)), case.rows(1, 200)
        x = case.with_missing(x, 0.2, case.rng(5))
        counts = case.rng(4).integers(0, 4, len(x))
        weighted = expectation(prepared, ArraySource(x, counts.astype(float)))
        repeated = expectation(prepared, ArraySource(np.repeat(x, counts, 0)))
        assert_equal_totals(weighted, repeated, 1e-12)

    def test_a_weight_of_zero_is_no_row(self, case: HarmoniumCase) -> None:
        # not even one whose squares overflow
        prepared, x = case.model.prepare(case.point(3)), case.rows(1, 200)
        absurd = np.where(np.array(kinds(case.leaf)) == "bounded", x[:1], 1e300)
        more = np.concatenate([absurd, x[:100], absurd, x[100:], absurd])
        weights = np.ones(len(more))
        weights[[0, 101, -1]] = 0.0
        for engine in ("auto", "numpy"):
            left = expectation(prepared, ArraySource(more, weights), engine=engine)
            right = expectation(prepared, ArraySource(x, np.ones(len(x))), engine=engine)
            assert left.log_likelihood == right.log_likelihood
            assert left.weight == right.weight
            assert np.array_equal(left.sums, right.sums)

    def test_sums_add_up(self, case: HarmoniumCase) -> None:
        prepared, x = case.model.prepare(case.point(3)), case.rows(1, 200)
        parts = [expectation(prepared, ArraySource(part)) for part in (x[:70], x[70:])]
        assert_equal_totals(parts[0] + parts[1], expectation(prepared, ArraySource(x)), 1e-12)
