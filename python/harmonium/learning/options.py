"""The methods of learning and their options, checked before anything is read."""

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from harmonium.learning.descent import Search
from harmonium.learning.optimisers import Adam, GradientDescent, Momentum, Optimiser
from harmonium.learning.paths import first_order, natural_gradient, quasi_newton
from harmonium.learning.space import Space
from harmonium.validation import as_count, as_positive

#: Methods of learning.
Method = Literal["EM", "CE-GD", "EM-GD", "CE-MCGD", "EM-MCGD"]

#: Optimisers by name; the last two are for exact gradients of all rows.
OptimiserName = Literal["Adam", "momentum", "gradient descent", "L-BFGS", "natural"]

_FIRST_ORDER: dict[str, type[Any]] = {
    "Adam": Adam,
    "momentum": Momentum,
    "gradient descent": GradientDescent,
}
#: Iterations unless told: where gradients are exact a fit ends when it has converged.
_EXACT, _SAMPLED = 1000, 200


@dataclass(frozen=True)
class Options:
    """How to go about a fit.

    Attributes
    ----------
    method : str
        One of :data:`Method`.
    max_iter : int
        Most iterations: of EM, or of ``steps`` gradient steps each.
    optimiser : str or Optimiser
        Of the gradient methods.
    rate : float, optional
        Of a natural gradient.
    steps : int
        Gradient steps of an iteration.
    batch_size : int, optional
        Rows of a gradient; None: all.
    joint_samples, posterior_samples : int
        Of (x, z) and of z for each row, for a Monte Carlo gradient.
    """

    method: str
    max_iter: int
    optimiser: Any
    rate: float | None
    steps: int
    batch_size: int | None
    joint_samples: int
    posterior_samples: int

    @property
    def descends(self) -> bool:
        """Whether it goes by gradients."""
        return self.method != "EM"

    @property
    def samples(self) -> bool:
        """Whether gradients are Monte Carlo estimates."""
        return self.method.endswith("MCGD")

    @property
    def holds(self) -> bool:
        """Whether posteriors are held during the steps of an iteration."""
        return self.method.startswith("EM")

    @property
    def is_exact(self) -> bool:
        """Whether every step follows from all rows and no chance."""
        return not self.samples and self.batch_size is None

    def search(self, space: Space) -> Search:
        """Return how to go downhill in a space."""
        if self.optimiser == "L-BFGS":
            return lambda slope, _: quasi_newton(_given(slope))
        if self.optimiser == "natural":
            rate = 1.0 if self.rate is None else self.rate
            return lambda slope, _: natural_gradient(_given(slope), space, rate)
        return lambda _, gradient: first_order(self.optimiser, gradient, space)


def _given(slope: Any) -> Any:
    assert slope is not None, "options are checked"
    return slope


def options_of(
    method: str,
    max_iter: int | None,
    optimiser: object,
    rate: object,
    steps: object,
    batch_size: object,
    joint_samples: object,
    posterior_samples: object,
) -> Options:
    """Return the options of a method, with defaults where None is given.

    Raises
    ------
    ValueError
        For an option that the method has no use for, and for values out of range.
    TypeError
        For values of the wrong kind.
    """
    if method not in get_args(Method):
        names = ", ".join(f'"{name}"' for name in get_args(Method))
        raise ValueError(f"method: one of {names}; got {method!r}")
    given = {"optimiser": optimiser, "rate": rate, "steps": steps, "batch_size": batch_size}
    sampling = {"joint_samples": joint_samples, "posterior_samples": posterior_samples}
    if method == "EM":
        given |= sampling
        _refuse(given, 'method "EM" takes no gradient steps')
    elif not method.endswith("MCGD"):
        _refuse(sampling, f'method "{method}" does not sample; take "{method[:3]}MCGD"')
    options = Options(
        method=method,
        max_iter=0,
        optimiser="Adam" if optimiser is None else optimiser,
        rate=None if rate is None else as_positive(rate, name="rate"),
        steps=100 if steps is None else as_count(steps, name="steps"),
        batch_size=None if batch_size is None else as_count(batch_size, name="batch_size"),
        joint_samples=10
        if joint_samples is None
        else as_count(joint_samples, name="joint_samples"),
        posterior_samples=(
            1
            if posterior_samples is None
            else as_count(posterior_samples, name="posterior_samples")
        ),
    )
    most = _EXACT if options.is_exact else _SAMPLED
    limit = most if max_iter is None else as_count(max_iter, name="max_iter", minimum=0)
    return replace(options, max_iter=limit, optimiser=_optimiser(options))


def _refuse(options: dict[str, object], why: str) -> None:
    for name, value in options.items():
        if value is not None:
            raise ValueError(f"{name}: {why}; got {value!r}")


def _optimiser(options: Options) -> Any:
    found, rate = options.optimiser, options.rate
    if found in ("L-BFGS", "natural"):
        if not options.is_exact:
            raise ValueError(
                f'optimiser: {found!r} needs exact gradients of all rows; take "Adam", or '
                '"CE-GD" or "EM-GD" without batch_size'
            )
        if found == "L-BFGS" and rate is not None:
            raise ValueError("rate: L-BFGS finds its own steps")
        return found
    if isinstance(found, str):
        if found not in _FIRST_ORDER:
            names = ", ".join(f'"{name}"' for name in get_args(OptimiserName))
            raise ValueError(f"optimiser: one of {names}, or an object; got {found!r}")
        return _FIRST_ORDER[found]() if rate is None else _FIRST_ORDER[found](rate)
    if not isinstance(found, Optimiser):
        raise TypeError(f"optimiser: a name, or an object with `init` and `step`; got {found!r}")
    if rate is not None:
        raise ValueError("rate: the optimiser given has its own")
    return found
