"""What tractability says is what the library does."""

from typing import Any

import numpy as np
import pytest

from harmonium import (
    Bernoulli,
    Boltzmann,
    Circle,
    ConjugatePrior,
    Harmonium,
    LinearGaussian,
    Mixture,
    Normal,
    Poisson,
    PopulationCode,
    Views,
    VonMises,
    tractability,
)
from harmonium.errors import NotConjugatedError

# complete but for one coupling: too wide to eliminate
GRID = [(i, j) for i in range(40) for j in range(i)][1:]
DENSE = Boltzmann(40, edges=GRID)

CODE = PopulationCode(Poisson(8), VonMises(1), Circle(100))
METHODS = ("EM", "CE-GD", "EM-GD", "CE-MCGD", "EM-MCGD")


@pytest.mark.parametrize(
    "model",
    [
        Mixture(Poisson(3), 2),
        LinearGaussian(Normal(3), Boltzmann(4)),
        LinearGaussian(Normal(5, "diagonal"), Mixture(Normal(2), 3)),
        Views(Mixture(Poisson(1), 2), Mixture(Normal(1), 2)),
        CODE,
        Harmonium(Bernoulli(30), Bernoulli(4)),
    ],
    ids=repr,
)
def test_everything_is_exact(model: Harmonium) -> None:
    found = tractability(model)
    exact = set(found.exact())
    assert set(METHODS) <= exact
    assert {"density", "posterior", "sampling", "forward mapping", "backward mapping"} <= exact
    assert found["conjugation"].exact == model.rule.conjugates


def test_a_population_code_says_within_what() -> None:
    found = tractability(CODE)
    assert "residual of Eq. 10" in found["density"].how
    assert "held" in found["EM"].how
    assert "residual" in tractability(Views(CODE, CODE))["posterior"].how


def test_a_machine_beyond_reach() -> None:

    found = tractability(Mixture(DENSE, 2))
    assert not found["density"].exact
    assert not found["EM"].exact
    assert found["posterior means"].exact
    reason = found["density"].how
    with pytest.raises(ValueError, match=r"4[0-9]|width|states"):
        DENSE.log_partition(np.zeros(DENSE.dimension))
    assert reason
    assert not tractability(DENSE)["sampling"].exact


def test_a_pair_beyond_reach() -> None:
    model = Harmonium(Bernoulli(64), Bernoulli(64))
    found = tractability(model)
    assert found["posterior"].exact
    assert not any(found[method].exact for method in METHODS)
    assert "neither side can be enumerated" in found["density"].how
    with pytest.raises(NotConjugatedError):
        model.log_partition(np.zeros(model.dimension))
    nested = tractability(Mixture(Poisson(2), 2))
    assert nested["density"].exact


def test_missing_values() -> None:
    assert tractability(Mixture(Poisson(2), 2))["missing values"].how == "any column"
    prior = ConjugatePrior(Normal(2))
    assert tractability(prior)["missing values"].how == "whole rows"
    assert tractability(ConjugatePrior(Poisson(2)))["missing values"].how == "any column"
    assert len(tractability(prior).exact()) == 4


def test_printed_as_a_table() -> None:
    lines = str(tractability(Mixture(Poisson(3), 2))).splitlines()
    assert lines[0].startswith("Harmonium(")
    assert len(lines) == 1 + 8 + 5
    assert any(line.startswith("EM ") and " exact " in line for line in lines)


@pytest.mark.parametrize("model", ["Poisson", None, 3])
def test_what_is_no_model(model: Any) -> None:
    with pytest.raises(TypeError, match="model: a family"):
        tractability(model)


def test_unknown_names() -> None:
    with pytest.raises(KeyError, match="the computations are"):
        tractability(CODE)["speed"]
