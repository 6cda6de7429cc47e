"""Laws of people's parameters and of changes of units."""

import numpy as np
import pytest

from laws.family_cases import CASES, every_family, families_with
from laws.scales import natural_condition
from laws.units import allowed, shifts

AFFINE = [case for case in CASES if shifts(case.family)]
FIXED = [case for case in CASES if not shifts(case.family)]


@families_with("marginals")
@pytest.mark.parametrize("batch", [(), (3,), (2, 2)])
def test_parameters_there_and_back(case, batch):
    natural = case.points(81, *batch)
    parameters = case.family.to_parameters(natural)
    for value in leaves(parameters):
        assert np.shape(value)[: len(batch)] == batch
    back = case.family.from_parameters(**parameters._asdict())
    assert back.shape == natural.shape
    for place in np.ndindex(batch):
        bound = case.round_trip * natural_condition(case.family, natural[place])
        assert (np.abs(back[place] - natural[place]) <= bound).all()


def leaves(parameters):
    """The arrays of a tuple of tuples of ... arrays."""
    if isinstance(parameters, tuple):
        return [leaf for value in parameters for leaf in leaves(value)]
    return [parameters]


@pytest.mark.parametrize("case", AFFINE, ids=repr)
def test_densities_follow_a_change_of_units(case):
    rng = np.random.default_rng(0)
    natural = case.points(82)
    n = case.family.n_features
    x = case.rows(natural, 30)
    shift = 10 * rng.standard_normal(n)
    scale = np.exp(3 * rng.standard_normal(n)) * rng.choice([-1, 1], n)
    shift, scale = allowed(case.family, shift, scale)
    moved = case.family.affine(natural, shift, scale)
    there = case.family.log_density(moved, shift + scale * x)
    here = case.family.log_density(natural, x) - np.log(np.abs(scale)).sum()
    np.testing.assert_allclose(there, here, rtol=0, atol=1e-9)
    back = case.family.affine(moved, -shift / scale, 1 / scale)
    np.testing.assert_allclose(back, natural, rtol=1e-9, atol=1e-9)
    prepared = case.family.prepare(natural).affine(shift, scale)
    logs = prepared.evaluate(shift + scale * x)[:, 0] + prepared.log_base_measure(x)
    np.testing.assert_allclose(logs, here, rtol=0, atol=1e-9)


@pytest.mark.parametrize("case", AFFINE, ids=repr)
@pytest.mark.parametrize("scale", [0.0, np.nan, np.inf])
def test_scales_that_are_none(case, scale):
    with pytest.raises(ValueError, match="scale"):
        case.family.affine(case.points(83), 0.0, scale)


@pytest.mark.parametrize("case", FIXED, ids=repr)
def test_families_without_units_say_so(case):
    with pytest.raises(ValueError, match=type(case.family).__name__):
        case.family.affine(case.points(84), 1.0, 2.0)


@every_family
def test_parameters_by_wrong_names(case):
    with pytest.raises(TypeError):
        case.family.from_parameters(colour=1.0)
