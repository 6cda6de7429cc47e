"""Laws of arguments: what is refused, in which words, and that families are values."""

import copy
import pickle
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest

import harmonium.families
from harmonium.errors import BoundaryError
from laws.family_cases import every_family, families_with, families_with_parameters

BY_NATURAL = ["log_partition", "to_mean", "fisher_information", "entropy", "sample"]


@families_with("outside")
def test_points_outside_the_domain(case):
    inside = case.points(71)
    for outside in case.outside:
        batch = np.array([inside, outside, inside])
        for name in BY_NATURAL:
            with pytest.raises(ValueError, match=r"^natural\[1\]: .*must"):
                getattr(case.family, name)(batch)
        with pytest.raises(ValueError, match=r"^natural: .*must"):
            case.family.log_density(outside, case.rows(inside, 2))
        with pytest.raises(ValueError, match=r"^natural_q: .*must"):
            case.family.relative_entropy(inside, outside)


@families_with_parameters
def test_points_that_are_no_points(case):
    natural = case.points(72, 3)
    for bad in (np.nan, np.inf, -np.inf):
        broken = natural.copy()
        broken[2, 0] = bad
        for name in BY_NATURAL:
            with pytest.raises(ValueError, match=r"^natural\[2\]: not finite"):
                getattr(case.family, name)(broken)
        with pytest.raises(ValueError, match=r"^mean\[2\]: not finite"):
            case.family.to_natural(broken)
    for name in BY_NATURAL:
        with pytest.raises(ValueError, match=r"^natural: shape .*vectors of length"):
            getattr(case.family, name)(np.zeros((2, case.family.dimension + 1)))
        with pytest.raises(ValueError, match=r"^natural: shape"):
            getattr(case.family, name)(0.0)
        with pytest.raises(TypeError, match="natural"):
            getattr(case.family, name)("north")


@families_with_parameters
def test_means_on_the_boundary(case):
    mean = case.family.to_mean(case.points(73, 3))
    mean[1] = case.boundary_mean()
    with pytest.raises(BoundaryError, match=r"^mean\[1\]: .*must"):
        case.family.to_natural(mean)


@families_with("support")
def test_data_off_the_support(case):
    natural = case.points(74)
    rows = case.rows(natural, 3)
    for value in case.support.off:
        x = rows.copy()
        x[1, 0] = value
        for call in (
            case.family.sufficient_statistic,
            case.family.log_base_measure,
            case.family.maximum_likelihood,
            lambda x: case.family.log_density(natural, x),
            lambda x: case.family.complete(natural, x),
        ):
            with pytest.raises(ValueError, match=r"^x: .*row 1"):
                call(x)


@every_family
def test_tables_that_are_no_tables(case):
    natural = case.points(75)
    x = case.rows(natural, 3)
    wrong = np.zeros((3, case.family.n_features + 1))
    holed, endless = x.copy(), x.copy()
    holed[1, 0], endless[2, 0] = np.nan, np.inf
    for call in (
        case.family.sufficient_statistic,
        case.family.maximum_likelihood,
        lambda x: case.family.log_density(natural, x),
    ):
        for bad in (x[0], x[None], wrong, holed, endless, x[:0]):
            with pytest.raises(ValueError, match="x"):
                call(bad)
    with pytest.raises(ValueError, match="one point"):
        case.family.complete(case.points(75, 2), x)


@every_family
def test_families_are_values(case):
    family = case.family
    same = [copy.copy(family), copy.deepcopy(family), pickle.loads(pickle.dumps(family))]
    names = {**vars(harmonium.families), type(family).__name__: type(family)}
    same.append(eval(repr(family), names))
    for other in same:
        assert other == family
        assert hash(other) == hash(family)
        assert repr(other) == repr(family)
    assert len({family, *same}) == 1
    assert family != case.family.dimension
    for field in fields(family):
        with pytest.raises(FrozenInstanceError):
            setattr(family, field.name, 1)


@every_family
def test_index_sets_part_the_statistic(case):
    family = case.family
    both = np.concatenate([family.location, family.shape])
    np.testing.assert_array_equal(np.sort(both), np.arange(family.dimension))
    x = case.rows(case.points(76), 4)
    assert family.sufficient_statistic(x).shape == (4, family.dimension)
    assert family.log_base_measure(x).shape == (4,)
