"""Block Gibbs sampling: all of Z given X, then all of X given Z, chains side by side."""

from typing import Any, Protocol

import numpy as np

from harmonium.families.base import ExponentialFamily
from harmonium.validation import FloatArray, as_floats


class Conditionals(Protocol):
    """What a sweep asks of a model: see :class:`~harmonium.harmonium.Harmonium`."""

    @property
    def observable(self) -> ExponentialFamily:
        """The family of X."""

    @property
    def latent(self) -> ExponentialFamily:
        """The family of Z."""

    def _likelihood(self, parts: Any, z: FloatArray) -> FloatArray: ...
    def _posterior(self, parts: Any, x: FloatArray) -> FloatArray: ...


def draw_latent(
    model: Conditionals, parts: Any, x: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Return one draw of Z given each row of X."""
    points = model._posterior(parts, x)
    _check(model.latent, points, "posterior")
    return model.latent._sample(points, rng)


def draw_observable(
    model: Conditionals, parts: Any, z: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Return one draw of X given each row of Z."""
    points = model._likelihood(parts, z)
    _check(model.observable, points, "likelihood")
    return model.observable._sample(points, rng)


def _check(family: ExponentialFamily, points: FloatArray, what: str) -> None:
    finite = np.isfinite(points).all()
    broken = family._outside(points) if finite else (None, "natural parameters must be finite")
    if broken is not None:
        raise ValueError(
            f"natural: a chain has come to where the {what} is outside its domain ({broken[1]}, of "
            f"{family!r}); the two conditionals may have no joint law: bound the interaction"
        )


def block_gibbs(
    model: Conditionals,
    parts: Any,
    rng: np.random.Generator,
    *,
    chains: int,
    draws: int,
    burn_in: int,
    thin: int,
    initial: object = None,
    given: object = None,
) -> FloatArray:
    """Return (chains, draws, columns of X and Z): see :meth:`harmonium.Harmonium.gibbs`."""
    if initial is None:
        x = _first_rows(model, parts, chains, rng)
    else:
        x = model.observable.check_data(initial, "initial")
        if len(x) != chains:
            raise ValueError(f"initial: {len(x)} rows for {chains} chains")
    row = np.full(x.shape[-1], np.nan) if given is None else _given(model.observable, given)
    held = ~np.isnan(row)
    x = np.where(held, row, x)
    kept = np.empty((chains, draws, x.shape[-1] + model.latent.n_features))
    for sweep in range(burn_in + thin * draws):
        z = draw_latent(model, parts, x, rng)
        x = np.where(held, row, draw_observable(model, parts, z, rng))
        # of every `thin` sweeps the last
        place, rest = divmod(sweep - burn_in + 1, thin)
        if place > 0 and rest == 0:
            kept[:, place - 1] = np.concatenate([x, z], -1)
    return kept


def _given(observable: ExponentialFamily, given: object) -> FloatArray:
    """A partly observed row, NaN where it is to be drawn."""
    row = as_floats(given, name="given")
    if row.ndim != 1:
        raise ValueError(f"given: one row ({observable.n_features},), not of shape {row.shape}")
    if not observable.independent_columns:
        raise ValueError(
            f"given: columns of {observable!r} depend on each other given z, so some can not be "
            "held while the rest is drawn"
        )
    return np.asarray(observable.check_data(row[None], "given", missing=True)[0])


def _first_rows(
    model: Conditionals, parts: Any, chains: int, rng: np.random.Generator
) -> FloatArray:
    """Rows of X to start from: the biases' own laws, where they are any."""
    observable, latent = model.observable, model.latent
    x, z = parts.observable, parts.latent
    if observable._outside(x) is None:
        return observable._sample(np.broadcast_to(x, (chains, observable.dimension)), rng)
    if latent._outside(z) is None:
        first = latent._sample(np.broadcast_to(z, (chains, latent.dimension)), rng)
        return draw_observable(model, parts, first, rng)
    raise ValueError(
        "initial: neither bias alone is in its family's domain, so there is nothing to start "
        "from; give rows of the observable"
    )
