"""The families under the laws. A new family joins by one line here."""

from typing import Any

import numpy as np
import pytest

from harmonium.families import Boltzmann, Categorical, Normal, Poisson, VonMises
from laws import charts, formulas, scipy_laws
from laws.case import Case
from laws.supports import Columns, angle, binary, count, positive, real, up_to
from laws.waiting_time import WaitingTime

# what the cases of one family share; psi and the mean of all these are exact to 8 eps
_EXACT: dict[str, Any] = {"forward": 8 * float(np.finfo(float).eps), "kernel": True}
_CATEGORIES = {"marginals": scipy_laws.categorical, **_EXACT}
_COUNTS = {"support": Columns(count), "marginals": scipy_laws.poisson, **_EXACT}
_SCIPY_NORMAL = {"marginals": scipy_laws.normals, "joint": scipy_laws.normal}
_NORMAL = {"chart": charts.normal, "reach": 5.0, **_SCIPY_NORMAL, **_EXACT}
_REALS = {"support": Columns(real), **_NORMAL}
_SCIPY_VON_MISES = {"marginals": scipy_laws.von_mises, "chart": charts.polar}
_ANGLES = {"support": Columns(angle), "reach": 27.0, **_SCIPY_VON_MISES, **_EXACT}
_UNITS = {"support": Columns(binary), **_EXACT}
_WAITING = {"support": Columns(positive), "chart": charts.negative, "missing": False}

CASES = [
    Case(Categorical(1), formulas.categorical, Columns(up_to(0)), **_CATEGORIES),
    Case(Categorical(2), formulas.categorical, Columns(up_to(1)), **_CATEGORIES),
    Case(Categorical(5), formulas.categorical, Columns(up_to(4)), **_CATEGORIES),
    Case(Poisson(1), formulas.poisson, reach=690.0, **_COUNTS),
    Case(Poisson(2), formulas.poisson, outside=[[0, 701], [-746, 0]], **_COUNTS),
    Case(Normal(1), formulas.normal(1), outside=[[0, 0], [1, 0.5]], **_REALS),
    Case(Normal(2), formulas.normal(2), outside=[[0, 0, -0.5, 1, -0.5]], **_REALS),
    Case(Normal(2, "diagonal"), formulas.normal_diagonal, outside=[[0, 0, -1, 0]], **_REALS),
    Case(Normal(2, "isotropic"), formulas.normal_isotropic, outside=[[0, 0, 1]], **_REALS),
    Case(Normal(4), formulas.normal(4), boundary=[0.0] * 14, **_NORMAL),
    Case(VonMises(1), formulas.von_mises, outside=[[0, 1.1e12]], **_ANGLES),
    Case(VonMises(2), formulas.von_mises, **_ANGLES),
    Case(Boltzmann(1), formulas.boltzmann(1), **_UNITS),
    Case(Boltzmann(4), formulas.boltzmann(4), easy=1.0, reach=8.0, **_UNITS),
    Case(WaitingTime(), formulas.exponential, outside=[[0.0]], boundary=[0.0], **_WAITING),
]


def _mark(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=repr)


every_family = _mark(CASES)


def families_with(*fields: str, discrete: bool | None = None) -> pytest.MarkDecorator:
    """The cases that state these fields, and whose support is discrete or not."""
    chosen = [case for case in CASES if all(getattr(case, field) for field in fields)]
    if discrete is not None:
        chosen = [case for case in chosen if case.support and case.support.discrete == discrete]
    return _mark(chosen)


def families_without(field: str) -> pytest.MarkDecorator:
    """The cases that do not state this field."""
    return _mark([case for case in CASES if not getattr(case, field)])
