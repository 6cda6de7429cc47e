"""The one class: two families and a rule, which together are a family again."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from harmonium.errors import NotConjugatedError
from harmonium.expectation import as_source, expectation, log_densities
from harmonium.expectation.passes import patterns
from harmonium.expectation.prepared import Prepared
from harmonium.families.base import (
    ColumnUnits,
    Completed,
    ExponentialFamily,
    Indices,
    distinct,
)
from harmonium.numerics.markov_chains import GibbsSample, gibbs_sample
from harmonium.rules import enumeration, pair_information
from harmonium.rules.any_pair import AnyPair
from harmonium.rules.base import ConjugationRule, add_leading
from harmonium.rules.block_gibbs import block_gibbs
from harmonium.rules.interaction import Block, InteractionShape
from harmonium.rules.likelihood import Conjugation
from harmonium.rules.pair import Pair
from harmonium.rules.pair_stack import PairPrepared
from harmonium.validation import (
    FloatArray,
    as_count,
    as_floats,
    as_generator,
    as_table,
    as_weights,
)


class Parts(NamedTuple):
    """A harmonium's vector in its three parts; the interaction as a matrix (..., rows, columns)."""

    observable: FloatArray
    latent: FloatArray
    interaction: FloatArray


@dataclass(frozen=True)
class Harmonium(ExponentialFamily):
    """A harmonium: two families whose statistics meet; conjugated if the rule says how.

    Its log density is ``s_X . theta_X + s_Z . theta_Z + s_X . Theta . s_Z - psi`` (Eq. 2), its
    natural vector [observable | latent | interaction]. Observations are the columns of the
    observable beside those of the latent; data hold the first only. A harmonium is a family, so
    it may itself be the observable or the latent of another.

    Parameters
    ----------
    observable, latent : ExponentialFamily
        The families of X and Z.
    rule : ConjugationRule
        How the likelihood conjugates (Lemma 4): which statistics meet, and rho and chi. By
        default it does not: every statistic meets every other
        (:class:`~harmonium.rules.AnyPair`), as in a restricted Boltzmann machine.
    """

    observable: ExponentialFamily
    latent: ExponentialFamily
    rule: ConjugationRule = field(default_factory=AnyPair)

    def __post_init__(self) -> None:
        for name, family in (("observable", self.observable), ("latent", self.latent)):
            if not isinstance(family, ExponentialFamily):
                raise TypeError(f"{name}: an exponential family, not {family!r}")
        self.rule.check(self.observable, self.latent)

    # --------------------------------------------------------------------------- shapes

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Which statistics of the observable (rows) meet which of the latent (columns)."""
        return self.rule.blocks(self.observable, self.latent)

    @cached_property
    def _interaction(self) -> InteractionShape:
        return InteractionShape(self.blocks)

    @property
    def _rows(self) -> Indices:
        return self._interaction.rows

    @property
    def _columns(self) -> Indices:
        return self._interaction.columns

    def _entries(self) -> tuple[Indices, Indices]:
        """Where the blocks' entries lie in the interaction matrix: rows, columns."""
        return self._interaction.places

    @cached_property
    def dimension(self) -> int:
        """Length of natural and mean vectors."""
        return self.observable.dimension + self.latent.dimension + self._interaction.size

    @property
    def n_features(self) -> int:
        """Columns of an observation: the observable's, then the latent's."""
        return self.observable.n_features + self.latent.n_features

    @property
    def n_observed(self) -> int:
        """Columns of data: the observable's."""
        return self.observable.n_observed

    @property
    def has_marginals(self) -> bool:
        """Whether data may be observed in part: as the observable's."""
        return self.observable.has_marginals

    @property
    def levels(self) -> tuple[int, ...] | None:
        """The observable's and the latent's, side by side."""
        x, z = self.observable.levels, self.latent.levels
        return None if x is None or z is None else x + z

    @cached_property
    def pair(self) -> Pair:
        """The two families and what of them meets, for models without conjugation."""
        return Pair(self.observable, self.latent, self._rows, self._columns)

    @property
    def leading(self) -> ExponentialFamily:
        """The family whose statistic comes first."""
        return self.observable.leading

    @property
    def standardisation(self) -> tuple[ColumnUnits, ...]:
        """How columns of data may be shifted and scaled: as the observable's, if conjugated."""
        if not self.rule.conjugates:
            return (ColumnUnits("none", self.n_observed),)
        return self.observable.standardisation

    def split(self, vector: object) -> Parts:
        """Return the parts of natural or mean vectors (..., dimension)."""
        return self._split(self._point(vector, "vector"))

    def _split(self, vector: FloatArray) -> Parts:
        if not self.rule.conjugates:
            return Parts(*self.pair.split(vector))
        a = self.observable.dimension
        b = a + self.latent.dimension
        return Parts(vector[..., :a], vector[..., a:b], self._interaction.matrix(vector[..., b:]))

    def join(self, observable: object, latent: object, interaction: object) -> FloatArray:
        """Return the vector (..., dimension) of three parts."""
        return self._join(
            as_floats(observable, name="observable"),
            as_floats(latent, name="latent"),
            self._matrix(interaction),
        )

    def _matrix(self, interaction: object) -> FloatArray:
        """An interaction as float64; ValueError unless it has a row and a column for what meets."""
        matrix = as_floats(interaction, name="interaction")
        expected = (len(self._rows), len(self._columns))
        if matrix.shape[-2:] != expected:
            rows, columns = expected
            raise ValueError(
                f"interaction: shape {matrix.shape}, expected (..., {rows}, {columns})"
            )
        return matrix

    def _join(
        self, observable: FloatArray, latent: FloatArray, interaction: FloatArray
    ) -> FloatArray:
        if self.rule.conjugates:
            flat = self._interaction.entries(interaction)
        else:
            n_products = len(self._rows) * len(self._columns)
            flat = interaction.reshape(*interaction.shape[:-2], n_products)
        parts = (observable, latent, flat)
        batch = np.broadcast_shapes(*(p.shape[:-1] for p in parts))
        return np.concatenate([np.broadcast_to(p, (*batch, p.shape[-1])) for p in parts], -1)

    def split_observation(self, x: object) -> tuple[FloatArray, FloatArray]:
        """Return the observable's and the latent's columns of observations (..., n_features)."""
        table = as_floats(x, name="x")
        return table[..., : self.observable.n_features], table[..., self.observable.n_features :]

    # --------------------------------------------------------------- likelihood, prior, posterior

    def _conjugation(self, parts: Parts) -> Conjugation:
        return self.rule.conjugation_parameters(
            self.observable, self.latent, parts.observable, parts.interaction
        )

    def conjugation(self, natural: object) -> Conjugation:
        """Return rho, on the latent's leading statistics, and chi (Eq. 10)."""
        return self._conjugation(self._split(self.check_natural(natural)))

    def _prior(self, parts: Parts) -> FloatArray:
        return add_leading(parts.latent, self._conjugation(parts).rho)

    def prior(self, natural: object) -> FloatArray:
        """Return the prior's natural parameters theta_Z + rho (Eq. 12)."""
        return self._prior(self._split(self.check_natural(natural)))

    def likelihood(self, natural: object, z: object) -> FloatArray:
        """Return the observable's natural parameters (n, ...) given latents z (n, columns) (Eq. 5)."""
        parts = self._split(self.check_natural(natural))
        return self._likelihood(parts, self.latent.check_data(z, "z"))

    def _likelihood(self, parts: Parts, z: FloatArray) -> FloatArray:
        statistic = self.latent._statistic(z)[..., self._columns]
        out = np.array(
            np.broadcast_to(parts.observable, (*statistic.shape[:-1], parts.observable.shape[-1]))
        )
        out[..., self._rows] += _times(statistic, parts.interaction.swapaxes(-1, -2))
        return out

    def posterior(self, natural: object, x: object) -> FloatArray:
        """Return the latent's natural parameters (n, latent dimension) given rows x (Eq. 6).

        Rows may be partly observed: what is missing (NaN) says nothing. Latent columns of an
        observable that is itself a harmonium are no data: they are summed out.
        """
        point = self.check_natural(natural)
        table = self.check_table(x)
        parts = self._split(point)
        nested = self.n_observed != self.observable.n_features
        if not nested and not np.isnan(table).any():
            return self._posterior(parts, table)
        if point.ndim != 1:
            raise ValueError(
                "natural: one point for rows with missing values or an observable with a latent "
                f"of its own; got shape {point.shape}"
            )
        if not self.rule.conjugates:
            raise NotConjugatedError(
                "x: the posterior given part of a row is not in the latent's family without "
                "conjugation; `gibbs` with `given` draws what is missing"
            )
        out = np.empty((len(table), self.latent.dimension))
        prepared = self._prepare(point[None])
        prior = self._prior(parts)
        for rows, columns in patterns(table):
            if columns is None and not nested:
                out[rows] = self._posterior(parts, table[rows])
            else:
                observed = np.arange(self.n_observed) if columns is None else columns
                out[rows] = self.rule.posterior_of_partial(
                    self.observable,
                    self.latent,
                    prepared,
                    prior,
                    table[rows][:, observed],
                    observed,
                )
        return out

    def _posterior(self, parts: Parts, x: FloatArray) -> FloatArray:
        statistic = self.observable._statistic(x)[..., self._rows]
        shift = _times(statistic, parts.interaction)
        batch = np.broadcast_shapes(shift.shape[:-1], parts.latent.shape[:-1])
        out = np.array(np.broadcast_to(parts.latent, (*batch, parts.latent.shape[-1])))
        out[..., self._columns] += shift
        return out

    def joint_posterior(
        self, natural: object, x: object, *, prior: object = None, weights: object = None
    ) -> FloatArray:
        """Return the posterior (latent dimension,) of one latent that made all rows (Theorem 16).

        ``theta* + sum_i (s_X(x_i) . Theta - rho)`` for any ``prior`` in the latent's family, the
        model's own by default (Corollary 10, Eq. 30). Rows may be partly observed; a weight is so
        many repetitions of a row.
        """
        start, shifts = self._messages(natural, x, prior)
        shares = as_weights(weights, len(shifts), name="weights")
        total = shifts.sum(0) if shares is None else shares @ shifts
        return self.latent.check_natural(start + total, "posterior")

    def recursive_posteriors(
        self, natural: object, x: object, *, prior: object = None
    ) -> FloatArray:
        """Return the posteriors (n, latent dimension) after each row: Bayes' rule again and again.

        As :meth:`joint_posterior`, of which the last is the same.
        """
        start, shifts = self._messages(natural, x, prior)
        return self.latent.check_natural(start + shifts.cumsum(0), "posterior")

    def _messages(self, natural: object, x: object, prior: object) -> tuple[FloatArray, FloatArray]:
        """Where to start, and what each row adds."""
        point = self.check_natural(natural)
        if point.ndim != 1:
            raise ValueError(f"natural: one point of shape ({self.dimension},), not {point.shape}")
        own = self._prior(self._split(point))
        start = own if prior is None else self.latent.check_natural(prior, "prior")
        if start.shape != own.shape:
            raise ValueError(f"prior: one law of shape {own.shape}, not {start.shape}")
        return start, self.posterior(point, x) - own

    def from_prior_and_likelihood(
        self, *, prior: object, observable: object, interaction: object
    ) -> FloatArray:
        """Return the natural parameters with this prior theta_Z + rho and this likelihood (Cor. 11)."""
        theta = self.observable.check_natural(observable, "observable")
        star = self.latent.check_natural(prior, "prior")
        matrix = self._matrix(interaction)
        if not np.isfinite(matrix).all():
            raise ValueError("interaction: not finite")
        self._check_likelihood(theta, matrix, "interaction: ")
        return self._from_prior(star, theta, matrix)

    def _check_likelihood(self, theta: FloatArray, interaction: FloatArray, what: str) -> None:
        broken = self.rule.outside(self.observable, self.latent, theta, interaction)
        if broken is not None:
            raise ValueError(f"{what}{broken[1]}")

    def _from_prior(
        self, prior: FloatArray, theta: FloatArray, interaction: FloatArray
    ) -> FloatArray:
        parts = Parts(theta, prior, interaction)
        return self._join(theta, add_leading(prior, -self._conjugation(parts).rho), interaction)

    # ----------------------------------------------------------------------------- the family

    def _statistic(self, x: FloatArray) -> FloatArray:
        first, second = x[..., : self.observable.n_features], x[..., self.observable.n_features :]
        s, t = self.observable._statistic(first), self.latent._statistic(second)
        cross = s[..., self._rows, None] * t[..., None, self._columns]
        return self._join(s, t, cross)

    def _log_base_measure(self, x: FloatArray) -> FloatArray:
        split = self.observable.n_features
        return self.observable._log_base_measure(x[:, :split]) + self.latent._log_base_measure(
            x[:, split:]
        )

    def _log_partition(self, natural: FloatArray) -> FloatArray:
        if not self.rule.conjugates:
            return enumeration.log_partition(self.pair, natural)
        # Eq. 13
        parts = self._split(natural)
        rho, chi = self._conjugation(parts)
        return self.latent._log_partition(add_leading(parts.latent, rho)) + chi

    def _to_mean(self, natural: FloatArray) -> FloatArray:
        if not self.rule.conjugates:
            return enumeration.to_mean(self.pair, natural)
        parts = self._split(natural)
        prior = self._prior(parts)
        observable, cross = self.rule.forward(
            self.observable, self.latent, parts.observable, parts.interaction, prior
        )
        return self._join(observable, self.latent._to_mean(prior), cross)

    def _to_natural(self, mean: FloatArray) -> FloatArray:
        if not self.rule.conjugates:
            return pair_information.to_natural(self.pair, mean)
        # Eq. 27: fit likelihood and prior apart
        parts = self._split(mean)
        theta, interaction = self.rule.regress(
            self.observable, self.latent, parts.observable, parts.latent, parts.interaction
        )
        return self._from_prior(self.latent._to_natural(parts.latent), theta, interaction)

    def _sample(self, natural: FloatArray, rng: np.random.Generator) -> FloatArray:
        if not self.rule.conjugates:
            return enumeration.sample(self.pair, distinct(natural), natural.shape[:-1], rng)
        # many draws of one point: its prior is worked out once
        parts = self._split(distinct(natural))
        prior = self._prior(parts)
        many = np.broadcast_to(prior, (*natural.shape[:-1], prior.shape[-1]))
        z = self.latent._sample(many, rng)
        x = self.observable._sample(self._likelihood(parts, z), rng)
        return np.concatenate([x, z], -1)

    def _fisher_information(self, natural: FloatArray) -> FloatArray:
        if not self.rule.conjugates:
            return pair_information.fisher_information(self.pair, natural)
        return super()._fisher_information(natural)

    def _expected_log_base_measure(self, natural: FloatArray) -> FloatArray:
        raise ValueError("a harmonium's entropy has no closed form where its base measure varies")

    def _complete(self, natural: FloatArray, x: FloatArray, observed: Indices) -> Completed:
        n = self.n_observed
        if len(observed) and observed[-1] >= n:
            raise ValueError(
                f"x: column {int(observed[observed >= n][0])} is the latent's, which is either "
                "known for all columns of a row or missing in all of them"
            )
        if len(observed) < n or self.observable.n_features > n:
            return self._complete_by_row(natural, x, observed)
        parts = self._split(natural)
        posterior = self._posterior(parts, x)
        latent = self.latent._to_mean(posterior)
        statistic = self.observable._statistic(x)
        cross = statistic[:, self._rows, None] * latent[:, None, self._columns]
        log_marginal = (
            statistic @ parts.observable
            + self.observable._log_base_measure(x)
            + self.latent._log_partition(posterior)
            - self._log_partition(natural)
        )
        return Completed(log_marginal, self._join(statistic, latent, cross))

    def _complete_by_row(self, natural: FloatArray, x: FloatArray, observed: Indices) -> Completed:
        """What the pass does with a row, as an average over that row alone."""
        prepared = self._prepare(natural[None])
        stack = prepared if len(observed) == self.n_observed else prepared.restrict(observed)
        one = np.ones((1, 1))
        rows = [prepared.mean(stack.accumulate(row[None], one))[0] for row in x]
        return Completed(stack.evaluate(x)[:, 0] + stack.log_base_measure(x), np.stack(rows))

    def _outside(self, natural: FloatArray) -> tuple[Any, str] | None:
        if not self.rule.conjugates:
            return self.pair.outside(natural)
        parts = self._split(natural)
        broken = self.rule.outside(
            self.observable, self.latent, parts.observable, parts.interaction
        )
        if broken is not None:
            return broken
        broken = self.latent._outside(self._prior(parts))
        return None if broken is None else (broken[0], f"prior: {broken[1]}")

    def _on_boundary(self, mean: FloatArray) -> tuple[Any, str] | None:
        broken = self.latent._on_boundary(self._split(mean).latent)
        return None if broken is None else (broken[0], f"latent: {broken[1]}")

    def _inside(self, mean: FloatArray) -> FloatArray:
        return mean

    def _check_support(self, x: FloatArray, name: str) -> None:
        split = self.observable.n_features
        self.observable._check_support(x[:, :split], name)
        self.latent._check_support(x[:, split:], name)

    def _prepare(self, natural: FloatArray) -> Prepared:
        if not self.rule.conjugates:
            return PairPrepared(self, natural)
        parts = self._split(natural)
        return self.rule.prepare(
            self.observable, self.latent, parts.observable, parts.interaction, self._prior(parts)
        )

    def affine(self, natural: object, shift: object, scale: object) -> FloatArray:
        """Return the natural parameters of the laws of ``shift + scale * X``; Z stays as it is."""
        point = self.check_natural(natural)
        if not point.size:
            return point
        if not self.rule.conjugates:
            raise NotConjugatedError(
                f"{self!r}: shift and scale the data first: the parameters of a model without "
                "conjugation are not mapped"
            )
        flat = point.reshape(-1, self.dimension)
        move = np.broadcast_to(as_floats(shift, name="shift"), (self.n_observed,))
        factor = np.broadcast_to(as_floats(scale, name="scale"), (self.n_observed,))
        if not np.isfinite(move).all():
            raise ValueError(f"shift: must be finite; got {move}")
        if not (np.isfinite(factor) & (factor != 0)).all():
            raise ValueError(f"scale: must be finite and not zero; got {factor}")
        return self._prepare(flat).affine(move, factor).natural.reshape(point.shape)

    # ------------------------------------------------- with or without conjugation

    def log_unnormalised_density(self, natural: object, x: object) -> FloatArray:
        """Return log q(x) up to its constant, (n,), in nats: Eq. 14 before normalisation.

        ``s_X . theta_X + log mu_X + psi_Z(theta_Z + s_X Theta)``, minus the free energy; what is
        left out is psi_XZ, the :meth:`log_partition`, which does not depend on x.
        """
        point = self.check_natural(natural)
        table = self.observable.check_data(x)
        parts = self._split(point)
        with np.errstate(under="ignore"):
            own = np.einsum("...i,...i->...", self.observable._statistic(table), parts.observable)
            psi = self.latent._log_partition(self._posterior(parts, table))
            return np.asarray(own + self.observable._log_base_measure(table) + psi)

    def log_latent_density(self, natural: object, z: object) -> FloatArray:
        """Return log q(z), (n,), of latents z (n, columns), in nats: the prior's, conjugated or not.

        ``s_Z . theta_Z + log mu_Z + psi_X(theta_X + Theta s_Z) - psi_XZ``. With the latent's
        ``states()`` for ``z``, the table of all their probabilities.
        """
        point = self.check_natural(natural)
        table = self.latent.check_data(z, "z")
        parts = self._split(point)
        with np.errstate(under="ignore"):
            own = np.einsum("...i,...i->...", self.latent._statistic(table), parts.latent)
            psi = self.observable._log_partition(self._likelihood(parts, table))
            base = self.latent._log_base_measure(table)
            return np.asarray(own + base + psi - self._log_partition(point))

    def gibbs(
        self,
        natural: object,
        rng: object = None,
        *,
        chains: int = 4,
        draws: int = 1000,
        burn_in: int = 500,
        thin: int = 1,
        initial: object = None,
        given: object = None,
    ) -> GibbsSample:
        """Return approximate draws of (x, z) by block Gibbs sampling, with what they are worth.

        Every model will do. The draws are correlated, and biased while the chains have not met:
        look at ``split_ratio``. Where :meth:`sample` works, it is exact.

        Parameters
        ----------
        natural : (dimension,) array
            The model.
        rng : None, int or numpy Generator
            Source of randomness.
        chains, draws, burn_in, thin : int
            How many chains; how many draws each; sweeps before the first; sweeps for each draw.
        initial : (chains, observable's columns) array, optional
            Where the chains start; by default drawn from the biases alone.
        given : (observable's columns,) array, optional
            A partly observed row: known entries are held, those that are NaN drawn given them.

        Raises
        ------
        ValueError
            If a chain leaves the domain: both conditionals may exist without a joint law; for
            ``given`` where the observable's columns depend on each other given z.
        """
        point = self.check_natural(natural)
        if point.ndim != 1:
            raise ValueError(f"natural: one point of shape ({self.dimension},), not {point.shape}")
        with np.errstate(under="ignore"):
            states = block_gibbs(
                self,
                self._split(point),
                as_generator(rng, name="rng"),
                chains=as_count(chains, name="chains", minimum=2),
                draws=as_count(draws, name="draws", minimum=4),
                burn_in=as_count(burn_in, name="burn_in", minimum=0),
                thin=as_count(thin, name="thin"),
                initial=initial,
                given=given,
            )
        return gibbs_sample(states)

    # ------------------------------------------------------------------------------ data

    def check_table(self, x: object, name: str = "x") -> FloatArray:
        """Return data (n, n_observed) as float64, NaN where missing; ValueError off the support."""
        table = as_table(x, name=name, missing=True, empty_columns=True, n_features=self.n_observed)
        leaf = self.observable
        while isinstance(leaf, Harmonium):
            leaf = leaf.observable
        leaf._check_support(table, name)
        return table

    def log_observable_density(self, natural: object, x: object) -> FloatArray:
        """Return log q(x), (n,), in nats (Eq. 14); of what is observed where values are missing."""
        source = as_source(self.check_table(x))
        return log_densities(self.prepare(natural), source)

    def expectation(self, natural: object, x: object, weights: object = None) -> FloatArray:
        """Return the average of E[(s_X, s_Z, s_X s_Z) | x] over the rows, (dimension,) (Eq. 25)."""
        prepared = self.prepare(natural)
        source = as_source(self.check_table(x), weights)
        return np.asarray(prepared.mean(expectation(prepared, source).sums)[0])

    def to_parameters(self, natural: object) -> Any:
        """Return people's parameters of the model, as its rule names them."""
        parts = self._split(self.check_natural(natural))
        return self.rule.to_parameters(
            self.observable, self.latent, parts.observable, parts.interaction, self._prior(parts)
        )

    def from_parameters(self, **parameters: object) -> FloatArray:
        """Return natural parameters from people's parameters, as the rule names them."""
        prior, theta, interaction = self.rule.from_parameters(
            self.observable, self.latent, **parameters
        )
        # valid parts whose difference, which is what the vector holds, has rounded
        self._check_likelihood(
            theta,
            interaction,
            "parameters: too far apart for one vector of natural parameters: "
            "shift and scale the data first; ",
        )
        return self._from_prior(prior, theta, interaction)


def _times(rows: FloatArray, matrix: FloatArray) -> FloatArray:
    """Rows (..., i) times matrices (..., i, j), whose batch axes are paired: (..., j)."""
    if matrix.ndim == 2:
        return np.asarray(rows @ matrix)
    return np.asarray(np.einsum("...i,...ij->...j", rows, matrix))
