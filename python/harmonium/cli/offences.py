"""Values that a model can not take, found in the file."""

from collections.abc import Callable

import numpy as np

from harmonium.cli.errors import CommandError, one_line
from harmonium.cli.tables import Table
from harmonium.families.base import ExponentialFamily
from harmonium.families.bernoulli import Bernoulli
from harmonium.families.beta import Beta
from harmonium.families.boltzmann import Boltzmann
from harmonium.families.categorical import Categorical
from harmonium.families.com_poisson import CoMPoisson
from harmonium.families.exponential import Exponential
from harmonium.families.gamma import Gamma
from harmonium.families.geometric import Geometric
from harmonium.families.inverse_gaussian import InverseGaussian
from harmonium.families.negative_binomial import NegativeBinomial
from harmonium.families.normal import Normal
from harmonium.families.poisson import Poisson
from harmonium.families.product import Product
from harmonium.families.von_mises import VonMises
from harmonium.harmonium import Harmonium
from harmonium.validation import FloatArray

#: What the values of a family must be, as an error says it; else the library's own words are used.
_COUNT = "a count: a whole number, zero or more"
_WORDS: dict[type[ExponentialFamily], str] = {
    Bernoulli: "0 or 1",
    Beta: "a number between 0 and 1, both excluded",
    Boltzmann: "0 or 1",
    Categorical: "the number of a category, from 0",
    CoMPoisson: _COUNT,
    Exponential: "a number above zero",
    Gamma: "a number above zero",
    Geometric: _COUNT,
    InverseGaussian: "a number above zero",
    NegativeBinomial: _COUNT,
    Normal: "a number between -1e75 and 1e75",
    Poisson: _COUNT,
    VonMises: "an angle in radians, of at most 1e15",
}


def check_values(table: Table, x: FloatArray, model: ExponentialFamily) -> None:
    """Refuse a table with values off the model's support, naming row, line, column and value."""

    def refusal(part: FloatArray) -> str | None:
        try:
            if isinstance(model, Harmonium):
                model.check_table(part)
            else:
                model.check_data(part, missing=True)
        except ValueError as error:
            return str(error)
        return None

    words = refusal(x)
    if words is None:
        return
    row = _first(lambda n: refusal(x[:n]) is not None, len(x)) - 1
    for column in np.flatnonzero(~np.isnan(x[row])):
        alone = np.full((1, x.shape[1]), np.nan)
        alone[0, column] = x[row, column]
        if refusal(alone) is not None:
            rule = _rule(model, int(column), words)
            place = table.where(row, int(column))
            raise CommandError(f"{place}: {x[row, column]:.15g} is not {rule}")
    raise CommandError(f"{table.where(row)}: {one_line(words)}")


def _first(holds: Callable[[int], bool], most: int) -> int:
    """The least n from 1 to ``most`` of which ``holds``, which holds of all beyond it too."""
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _rule(model: ExponentialFamily, column: int, words: str) -> str:
    """What the values of a column must be."""
    while isinstance(model, Harmonium | Product):
        if isinstance(model, Harmonium):
            model = model.observable
            continue
        for part in model.parts:
            if column < part.n_observed:
                model = part
                break
            column -= part.n_observed
    return _WORDS.get(type(model), f"in the model's domain: {one_line(words)}")
