"""Laws of the pass: the compiled one is the plain one, whatever the threads and the layout."""

import numpy as np
import pytest

from harmonium.expectation import as_source, expectation, log_densities, set_threads
from laws.case import with_holes
from laws.family_cases import every_family, families_with
from laws.scales import spread

#: Enough for several threads, and for more than one block.
MANY = 80_000


@pytest.fixture(autouse=True)
def threads():
    yield
    set_threads(None)


def sources(case, natural, n=500):
    """Complete and incomplete data, with and without weights."""
    x = case.rows(natural, n)
    weights = np.random.default_rng(1).random(n) * np.tile([0, 1, 3], n)[:n]
    tables = [x, with_holes(x)] if case.missing else [x]
    return [as_source(table, w) for table in tables for w in (None, weights)]


@every_family
def test_which_families_are_compiled(case):
    assert (case.family.prepare(case.points(51)).kernel() is not None) == case.kernel


@families_with("kernel")
def test_compiled_pass_is_the_plain_pass(case):
    natural = case.points(52)
    prepared = case.family.prepare(case.points(53))
    for source in sources(case, natural):
        fast, plain = (expectation(prepared, source, engine=e) for e in ("auto", "numpy"))
        assert fast.weight == plain.weight
        assert abs(fast.log_likelihood - plain.log_likelihood) <= 1e-10 * abs(plain.log_likelihood)
        floor = 1e-10 * fast.weight * np.abs(plain.sums / plain.weight).max()
        np.testing.assert_allclose(fast.sums, plain.sums, rtol=1e-10, atol=floor)
        logs = [log_densities(prepared, source, engine=e) for e in ("auto", "numpy")]
        np.testing.assert_allclose(*logs, rtol=1e-10, atol=1e-10)


@every_family
def test_pass_sums_what_complete_expects(case):
    natural = case.points(54)
    prepared = case.family.prepare(natural)
    for source in sources(case, case.points(55)):
        shares = np.ones(len(source.x)) if source.weights is None else source.weights
        log_marginal, expected = case.family.complete(natural, source.x)
        total = expectation(prepared, source)
        assert total.weight == pytest.approx(shares.sum(), rel=1e-13)
        assert total.log_likelihood == pytest.approx(shares @ log_marginal, rel=1e-10)
        average = shares @ expected / shares.sum()
        scale = spread(case.family, natural) + np.abs(average)
        assert (np.abs(prepared.mean(total.sums)[0] - average) <= 1e-9 * scale).all()
        np.testing.assert_allclose(
            log_densities(prepared, source), log_marginal, rtol=1e-10, atol=1e-10
        )


@every_family
def test_pass_and_maximise_is_maximum_likelihood(case):
    x = case.rows(case.points(56), 1000)
    weights = np.random.default_rng(1).random(len(x))
    estimate = case.family.maximum_likelihood(x, weights)
    start = case.family.prepare(case.points(57))
    notes = set()
    found = start.maximise(expectation(start, as_source(x, weights)).sums, notes)
    assert not notes
    scale = 1 / np.maximum(spread(case.family, estimate), 1e-6) + np.abs(estimate)
    assert (np.abs(found.natural[0] - estimate) <= 1e-9 * scale).all()
    assert found.residual(expectation(found, as_source(x, weights)).sums) <= 1e-9
    if case.family.dimension:
        assert start.residual(expectation(start, as_source(x, weights)).sums) > 1e-3


@every_family
def test_stacks_are_their_members(case):
    points = case.points(58, 3)
    stack = case.family.prepare(points)
    x = case.rows(points[0], 20)
    weights = np.random.default_rng(2).random((20, 3)) * [1, 0, 2]
    sums = stack.accumulate(x, weights)
    logs = stack.evaluate(x) + stack.log_base_measure(x)[:, None]
    np.testing.assert_allclose(
        logs.T, case.family.log_density(points[:, None], x), rtol=1e-10, atol=1e-10
    )
    np.testing.assert_allclose(stack.weights(sums), weights.sum(0), rtol=1e-13)
    for k in range(3):
        member = stack.take(np.array([k]))
        scale = np.abs(points[k])
        np.testing.assert_allclose(
            member.natural[0], points[k], rtol=1e-9, atol=1e-9 * scale.max(initial=0)
        )
        alone = member.accumulate(x, weights[:, k : k + 1])
        np.testing.assert_allclose(sums[k : k + 1], alone, rtol=1e-12, atol=1e-12)
    # a member without weight stays where it is
    kept = stack.maximise(stack.accumulate(np.repeat(x, 50, 0), np.repeat(weights, 50, 0)), set())
    np.testing.assert_array_equal(kept.natural[1], stack.natural[1])


@every_family
def test_threads_do_not_change_a_bit(case):
    check_threads(case, case.rows(case.points(59), MANY))


@families_with("missing")
def test_threads_do_not_change_a_bit_of_incomplete_data(case):
    check_threads(case, with_holes(case.rows(case.points(59), MANY), 0.1))


def check_threads(case, x):
    source = as_source(x, np.random.default_rng(3).random(MANY))
    prepared = case.family.prepare(case.points(60))
    results = []
    for n in (1, 2, 3):
        set_threads(n)
        total = expectation(prepared, source)
        logs = log_densities(prepared, source)
        results.append((total.log_likelihood, total.sums.tobytes(), logs.tobytes()))
    assert results[0] == results[1] == results[2]


LAYOUTS = {
    "fortran": np.asfortranarray,
    "reversed": lambda x: np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1],
    "strided": lambda x: np.repeat(np.repeat(x, 2, 0), 3, 1)[::2, ::3],
    "big-endian": lambda x: x.astype(">f8"),
    "list": lambda x: x.tolist(),
}


@every_family
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_do_not_change_a_bit(case, layout):
    natural = case.points(61)
    x = case.rows(natural, 300)
    prepared = case.family.prepare(natural)
    plain = expectation(prepared, as_source(x))
    other = expectation(prepared, as_source(LAYOUTS[layout](x)))
    assert (plain.log_likelihood, plain.sums.tobytes()) == (
        other.log_likelihood,
        other.sums.tobytes(),
    )
    for function in (case.family.log_density, lambda t, y: case.family.sample(t, 0, 3)):
        np.testing.assert_array_equal(
            function(natural, x), function(LAYOUTS[layout](natural[None])[0], LAYOUTS[layout](x))
        )
