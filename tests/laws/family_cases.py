"""The families under the laws. A new family joins by one line here."""

from typing import Any

import numpy as np
import pytest

from harmonium.families import (
    Bernoulli,
    Beta,
    Binomial,
    Boltzmann,
    Categorical,
    CoMPoisson,
    Dirichlet,
    Exponential,
    Gamma,
    Geometric,
    InverseGaussian,
    NegativeBinomial,
    Normal,
    NormalWishart,
    Poisson,
    Product,
    VonMises,
    VonMisesFisher,
    Wishart,
)
from laws import charts, formulas, scipy_laws
from laws.case import Case
from laws.supports import (
    Columns,
    Simplex,
    Sphere,
    angle,
    binary,
    count,
    positive,
    real,
    unit_interval,
    up_to,
)
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
_WAITING = {"support": Columns(positive), "chart": charts.negative}
_BINARY = {"support": Columns(binary), "marginals": scipy_laws.bernoulli, **_EXACT}
_WAITS = {"support": Columns(count), "chart": charts.negative, "reach": 6.5, **_EXACT}
_GAMMA = {
    "kernel": True,
    "chart": charts.shape_and_rate,
    "reach": 18.0,
    "marginals": scipy_laws.gamma,
}
_BETA = {"kernel": True, "chart": charts.positive, "marginals": scipy_laws.beta}
_PASSAGE = {"kernel": True, "support": Columns(positive), "marginals": scipy_laws.inverse_gaussian}
# quadrature wants shapes and parameters not far below one
_TAME = {"easy": 0.2}
_COM = {
    "kernel": True,
    "support": Columns(count),
    "marginals": scipy_laws.com_poisson,
    "easy": 1.0,
    "reach": 1.8,
}

_SCIPY_DIRICHLET = {"marginals": scipy_laws.dirichlet_weights, "joint": scipy_laws.dirichlet}
_WEIGHTS: dict[str, Any] = {
    "support": Simplex(),
    "chart": charts.positive,
    "easy": 0.8,
    "reach": 27.0,
    "missing": False,
    "kernel": True,
    **_SCIPY_DIRICHLET,
}
_SPHERE: dict[str, Any] = {
    "formula": formulas.von_mises_fisher,
    "chart": charts.spherical,
    "missing": False,
    "kernel": True,
}
_MATRICES: dict[str, Any] = {"formula": formulas.wishart, "chart": charts.wishart}
_PRIORS: dict[str, Any] = {"chart": charts.normal_wishart, "missing": False, "reach": 3.0}
# products: their parts side by side
_MIXED: dict[str, Any] = {
    "formula": formulas.side_by_side(
        (formulas.normal(1), 2), (formulas.poisson, 1), (formulas.categorical, 2)
    ),
    "support": Columns(real, count, up_to(2)),
    "chart": charts.side_by_side(
        (charts.normal, Normal(1)),
        (charts.everywhere, Poisson(1)),
        (charts.everywhere, Categorical(3)),
    ),
    "marginals": scipy_laws.side_by_side(
        scipy_laws.normals, scipy_laws.poisson, scipy_laws.categorical
    ),
    "outside": [[0, 0, 0, 0, 0], [0, -1, 701, 0, 0]],
    "kernel": True,
    "reach": 5.0,
}
_NESTED: dict[str, Any] = {
    "formula": formulas.side_by_side(
        (formulas.categorical, 1), (formulas.normal_isotropic, 3), (formulas.categorical, 1)
    ),
    "support": Columns(up_to(1), real, real, up_to(1)),
    "chart": charts.side_by_side(
        (charts.everywhere, Categorical(2)),
        (charts.normal, Normal(2, "isotropic")),
        (charts.everywhere, Categorical(2)),
    ),
    "marginals": scipy_laws.side_by_side(
        scipy_laws.categorical,
        scipy_laws.side_by_side(scipy_laws.normals, scipy_laws.categorical),
    ),
    "outside": [[0, 0, 0, 1, 0]],
    "kernel": True,
    "reach": 5.0,
}

CASES = [
    Case(Categorical(1), formulas.categorical, Columns(up_to(0)), **_CATEGORIES),
    Case(Categorical(2), formulas.categorical, Columns(up_to(1)), **_CATEGORIES),
    Case(Categorical(5), formulas.categorical, Columns(up_to(4)), **_CATEGORIES),
    Case(Poisson(1), formulas.poisson, reach=690.0, **_COUNTS),
    Case(Poisson(2), formulas.poisson, outside=[[0, 701], [-746, 0]], **_COUNTS),
    Case(Bernoulli(1), formulas.binomial(), **_BINARY),
    Case(Bernoulli(3), formulas.binomial(), **_BINARY),
    Case(
        Binomial(7, 2),
        formulas.binomial(7),
        Columns(up_to(7)),
        marginals=scipy_laws.binomial(7),
        **_EXACT,
    ),
    Case(
        NegativeBinomial(2.5, 2),
        formulas.negative_binomial(2.5),
        outside=[[-1, 0], [-746, -1]],
        marginals=scipy_laws.negative_binomial(2.5),
        **_WAITS,
    ),
    Case(
        Geometric(2),
        formulas.negative_binomial(1),
        outside=[[-1, 0.1]],
        marginals=scipy_laws.negative_binomial(1),
        **_WAITS,
    ),
    Case(
        CoMPoisson(1),
        formulas.com_poisson,
        chart=charts.second_negative,
        outside=[[0, 0], [0, 1], [36, -1]],
        **_COM,
    ),
    Case(CoMPoisson(2), formulas.com_poisson, chart=charts.second_negative, **_COM),
    Case(
        Exponential(2),
        formulas.exponential,
        Columns(positive),
        charts.negative,
        marginals=scipy_laws.exponential,
        outside=[[-1, 0], [-1, -1e101]],
        boundary=[1.0, 0.0],
        **_EXACT,
    ),
    Case(
        Gamma(1),
        formulas.gamma,
        outside=[[0, -1], [1, 0], [2e15, -1], [1, -1e101]],
        boundary=[0.0, 1.0],
        **_GAMMA,
    ),
    Case(Gamma(2), formulas.gamma, Columns(positive), **_TAME, **_GAMMA),
    Case(
        Beta(1),
        formulas.beta,
        outside=[[0, 1], [1, -1], [1e-101, 1]],
        boundary=[-np.log(2), -np.log(2)],
        **_BETA,
    ),
    Case(Beta(2), formulas.beta, Columns(unit_interval), **_TAME, **_BETA),
    Case(
        InverseGaussian(1),
        formulas.inverse_gaussian,
        chart=charts.negative,
        outside=[[0, -1], [-1, 0], [-1e-101, -1e100], [-1e30, -1e31]],
        **_PASSAGE,
    ),
    Case(InverseGaussian(2), formulas.inverse_gaussian, chart=charts.negative, **_PASSAGE),
    Case(Normal(1), formulas.normal(1), outside=[[0, 0], [1, 0.5]], **_REALS),
    Case(Normal(2), formulas.normal(2), outside=[[0, 0, -0.5, 1, -0.5]], **_REALS),
    Case(Normal(2, "diagonal"), formulas.normal_diagonal, outside=[[0, 0, -1, 0]], **_REALS),
    Case(Normal(2, "isotropic"), formulas.normal_isotropic, outside=[[0, 0, 1]], **_REALS),
    Case(Normal(4), formulas.normal(4), boundary=[0.0] * 14, **_NORMAL),
    Case(VonMises(1), formulas.von_mises, outside=[[0, 1.1e12]], **_ANGLES),
    Case(VonMises(2), formulas.von_mises, **_ANGLES),
    Case(Boltzmann(1), formulas.boltzmann(1), **_UNITS),
    Case(Boltzmann(4), formulas.boltzmann(4), easy=1.0, reach=8.0, **_UNITS),
    Case(Dirichlet(2), formulas.dirichlet, outside=[[0, 1], [1, 2e15]], **_WEIGHTS),
    Case(Dirichlet(3), formulas.dirichlet, outside=[[1, 1, -1]], **_WEIGHTS),
    Case(VonMisesFisher(2), outside=[[0, 1.1e12]], boundary=[0.6, 0.8], reach=19.0, **_SPHERE),
    Case(VonMisesFisher(3), support=Sphere(), reach=15.0, **_SPHERE),
    Case(VonMisesFisher(30), boundary=np.eye(30)[3], reach=5.0, **_SPHERE),
    Case(
        Wishart(1),
        support=Columns(positive),
        marginals=scipy_laws.wishart_of_one,
        outside=[[0, 1], [-1, 0], [-1, 2e13], [-1e101, 1]],
        reach=20.0,
        **_TAME,
        **_MATRICES,
    ),
    Case(
        Wishart(2),
        outside=[[-1, 2.1, -1, 1], [-1, 0, -1, 0.5]],
        boundary=[1.0, 0.0, 1.0, 0.0],
        missing=False,
        reach=5.0,
        **_MATRICES,
    ),
    Case(Wishart(4), boundary=[0.0] * 11, missing=False, reach=3.0, **_MATRICES),
    Case(
        NormalWishart(1),
        formulas.normal_wishart(1),
        outside=[[0, 1, 0, 1], [0, 1, -1, 0], [2, 1, -1, 1]],
        boundary=[1.0, -0.5, 1.0, 0.0],
        **_PRIORS,
    ),
    Case(NormalWishart(3), formulas.normal_wishart(3), boundary=[0.0] * 11, **_PRIORS),
    Case(Product(Normal(1), Poisson(1), Categorical(3)), **_MIXED),
    Case(Product(Categorical(2), Product(Normal(2, "isotropic"), Categorical(2))), **_NESTED),
    Case(WaitingTime(), formulas.exponential, outside=[[0.0]], boundary=[0.0], **_WAITING),
]


def _mark(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=repr)


every_family = _mark(CASES)
#: All but a categorical of one category.
families_with_parameters = _mark([case for case in CASES if case.family.dimension])


def families_with(*fields: str, discrete: bool | None = None) -> pytest.MarkDecorator:
    """The cases that state these fields, and whose support is discrete or not."""
    chosen = [case for case in CASES if all(getattr(case, field) for field in fields)]
    if discrete is not None:
        chosen = [case for case in chosen if case.support and case.support.discrete == discrete]
    return _mark(chosen)
