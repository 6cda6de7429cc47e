"""The families under the laws. A new family joins by one line here."""

import numpy as np
import pytest
from scipy import stats

from harmonium.families import Boltzmann, Categorical, Normal, Poisson, VonMises
from laws import charts, formulas
from laws.case import Case
from laws.supports import Columns, angle, binary, count, real, up_to


def _normals(p):
    return [stats.norm(m, v**0.5) for m, v in zip(p.mean, np.diag(p.covariance), strict=True)]


def _normal(p):
    return stats.multivariate_normal(p.mean, p.covariance)


def _von_mises(p):
    return [stats.vonmises(k, m) for m, k in zip(p.mean, p.concentration, strict=True)]


def _poisson(p):
    return [stats.poisson(r) for r in p.rate]


def _categorical(p):
    return [stats.rv_discrete(values=(np.arange(len(p.probabilities)), p.probabilities))]


_DIAGONAL, _ISOTROPIC = formulas.normal_diagonal, formulas.normal_isotropic
_NORMAL = {"chart": charts.normal, "reach": 5.0, "marginals": _normals, "joint": _normal}
_REAL, _COUNTS, _BINARY = Columns(real), Columns(count), Columns(binary)

CASES = [
    Case(Categorical(2), formulas.categorical, Columns(up_to(1)), marginals=_categorical),
    Case(Categorical(5), formulas.categorical, Columns(up_to(4)), marginals=_categorical),
    Case(Poisson(1), formulas.poisson, _COUNTS, marginals=_poisson, reach=690.0),
    Case(Poisson(2), formulas.poisson, _COUNTS, marginals=_poisson, outside=[[0, 701], [-746, 0]]),
    Case(Normal(1), formulas.normal(1), _REAL, **_NORMAL, outside=[[0, 0], [1, 0.5]]),
    Case(Normal(2), formulas.normal(2), _REAL, **_NORMAL, outside=[[0, 0, -0.5, 1, -0.5]]),
    Case(Normal(2, "diagonal"), _DIAGONAL, _REAL, **_NORMAL, outside=[[0, 0, -0.5, 0]]),
    Case(Normal(2, "isotropic"), _ISOTROPIC, _REAL, **_NORMAL, outside=[[0, 0, 0.5]]),
    Case(Normal(4), formulas.normal(4), **_NORMAL, boundary=[0.0] * 14),
    Case(VonMises(1), formulas.von_mises, Columns(angle), charts.polar, marginals=_von_mises, reach=27),
    Case(VonMises(2), formulas.von_mises, Columns(angle), charts.polar, marginals=_von_mises, reach=27),
    Case(Boltzmann(1), formulas.boltzmann(1), _BINARY),
    Case(Boltzmann(4), formulas.boltzmann(4), _BINARY, reach=8),
]

every_family = pytest.mark.parametrize("case", CASES, ids=repr)


def families_with(*fields: str) -> pytest.MarkDecorator:
    """The cases that state these fields."""
    chosen = [case for case in CASES if all(getattr(case, field) for field in fields)]
    return pytest.mark.parametrize("case", chosen, ids=repr)
