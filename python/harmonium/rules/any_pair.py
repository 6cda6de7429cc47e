"""Any two families, conjugated or not: restricted Boltzmann machines and their relatives."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NoReturn

import numpy as np

from harmonium.errors import NotConjugatedError
from harmonium.expectation.prepared import Prepared
from harmonium.families.base import ExponentialFamily, Indices
from harmonium.rules.base import ConjugationRule
from harmonium.rules.interaction import Block
from harmonium.rules.likelihood import Conjugation
from harmonium.validation import FloatArray, as_count

#: Which statistics of a side meet the other's.
Choice = tuple[int, ...] | Literal["location"] | None


@dataclass(frozen=True)
class AnyPair(ConjugationRule):
    """Chosen statistics of any observable meet chosen statistics of any latent (Eq. 2), no more.

    Likelihood and posterior are those of every harmonium. Nothing makes ``psi_X(theta_X + Theta
    s_Z(z))`` affine in s_Z(z) (Eq. 10), so there is no rho: whatever needs it (``prior``,
    ``conjugation``, ``from_prior_and_likelihood``) raises NotConjugatedError. Where one side has at
    most 2**25 states, the log-partition function, densities, expectations and samples are exact
    sums over them.

    Parameters
    ----------
    rows, columns : tuple of int, {"location"}, optional
        Which statistics of the observable and of the latent meet: by their numbers, those that
        place an observation, or all.
    """

    rows: Choice = None
    columns: Choice = None
    conjugates: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for name in ("rows", "columns"):
            object.__setattr__(self, name, _choice(getattr(self, name), name))

    def check(self, observable: ExponentialFamily, latent: ExponentialFamily) -> None:
        """Any two families, but an observable without latent columns of its own."""
        if observable.n_observed != observable.n_features:
            raise ValueError(
                f"observable: {observable!r} has latent columns of its own, which a model without "
                "conjugation can not sum out; make it the latent of its observable"
            )
        for name, chosen, family in (
            ("rows", self.rows, observable),
            ("columns", self.columns, latent),
        ):
            if isinstance(chosen, tuple) and chosen[-1] >= family.dimension:
                raise ValueError(
                    f"{name}: statistic {chosen[-1]}, but {family!r} has {family.dimension}, "
                    "numbered from 0"
                )

    def blocks(self, observable: ExponentialFamily, latent: ExponentialFamily) -> tuple[Block, ...]:
        """One block of the statistics chosen."""
        return (Block(_numbers(self.rows, observable), _numbers(self.columns, latent)),)

    def _refuse(self, what: str) -> NoReturn:
        raise NotConjugatedError(
            f"{what}: a model of any two families has no conjugation parameters. `likelihood`, "
            "`posterior` and `log_unnormalised_density` need none; where one side can be "
            "enumerated, `log_latent_density` is the latent's marginal and `sample` is exact; "
            "`gibbs` samples approximately; `split` and `join` give and take its parameters"
        )

    def conjugation_parameters(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
    ) -> Conjugation:
        """NotConjugatedError: there are none."""
        self._refuse("rho")

    def forward(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        prior: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """NotConjugatedError: the prior is not in the latent's family."""
        self._refuse("prior")

    def regress(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        observable_mean: FloatArray,
        latent_mean: FloatArray,
        cross: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """NotConjugatedError: likelihood and prior are not fitted apart."""
        self._refuse("prior")

    def outside(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
    ) -> tuple[Any, str] | None:
        """NotConjugatedError: a likelihood alone does not say which z are reachable."""
        self._refuse("prior")

    def prepare(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        prior: FloatArray,
    ) -> Prepared:
        """NotConjugatedError: the prior is not in the latent's family."""
        self._refuse("prior")

    def posterior_of_partial(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        prepared: Prepared,
        prior: FloatArray,
        x: FloatArray,
        observed: Indices,
    ) -> FloatArray:
        """NotConjugatedError: the posterior given part of a row is not in the latent's family."""
        self._refuse("x: the posterior given part of a row")

    def to_parameters(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        prior: FloatArray,
    ) -> Any:
        """NotConjugatedError: the prior is not in the latent's family."""
        self._refuse("prior")

    def from_parameters(
        self, observable: ExponentialFamily, latent: ExponentialFamily, **parameters: object
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """NotConjugatedError: the prior is not in the latent's family."""
        self._refuse("prior")


def _choice(chosen: object, name: str) -> Choice:
    if chosen is None or chosen == "location":
        return chosen
    if isinstance(chosen, str) or not np.iterable(chosen):
        raise ValueError(f'{name}: numbers of statistics, "location" or None; got {chosen!r}')
    numbers = sorted(as_count(one, name=name, minimum=0) for one in chosen)
    if not numbers or len(set(numbers)) < len(numbers):
        raise ValueError(f"{name}: different numbers of statistics, at least one; got {chosen!r}")
    return tuple(numbers)


def _numbers(chosen: Choice, family: ExponentialFamily) -> Indices:
    if chosen is None:
        return np.arange(family.dimension)
    if chosen == "location":
        return family.location
    return np.array(chosen, dtype=np.intp)
