"""Bayesian estimation of a family's parameters: exact posteriors, predictions and evidence."""

from typing import NamedTuple

import numpy as np

from harmonium.families.base import ExponentialFamily
from harmonium.rules.estimation import estimation
from harmonium.validation import FloatArray, as_generator, as_shape, as_table, as_weights


class _Messages(NamedTuple):
    """Of each row: the shift (n, latent dimension) of the prior, and the log constant (n,)."""

    shift: FloatArray
    constant: FloatArray


class ConjugatePrior:
    """Bayesian estimation with a conjugate prior (Eq. 22, 30 and 31): the latent is the parameter.

    Everything but the prior is constant, so a point of this model is a point of ``prior``, the
    family of the parameter's laws: a Dirichlet for a Categorical, gammas for Poisson counts and
    exponential times, betas for binary, binomial, geometric and negative binomial counts, a
    normal-Wishart for a Normal. With parameters known: ``covariance`` or ``mean`` of a Normal,
    ``concentration`` of angles and directions, ``shape`` of a Gamma (its rate is estimated),
    ``mean`` of an InverseGaussian (its shape is), ``degrees_of_freedom`` of a Wishart (the inverse
    of its scale is). Products estimate their parts side by side (``parts``: one mapping of what is
    known for each).

    A missing observation (NaN) adds nothing: of independent columns any may be missing, of
    others whole rows.

    Parameters
    ----------
    observable : ExponentialFamily
        The family of the data.
    **known
        Parameters that are not estimated, by name.

    Raises
    ------
    ValueError
        For a family that has no tractable conjugate prior.
    TypeError
        For known parameters that leave none.
    """

    def __init__(self, observable: ExponentialFamily, **known: object) -> None:
        if not isinstance(observable, ExponentialFamily):
            raise TypeError(f"observable: an exponential family, not {observable!r}")
        self.observable = observable
        self.known = known
        self._constants = estimation(observable, **known)

    def __repr__(self) -> str:
        known = "".join(f", {name}={value!r}" for name, value in self.known.items())
        return f"ConjugatePrior({self.observable!r}{known})"

    @property
    def prior(self) -> ExponentialFamily:
        """The family of the parameter's laws, prior and posterior."""
        return self._constants.prior

    @property
    def interaction(self) -> FloatArray:
        """Theta (observable's dimension, prior's dimension): what a statistic adds to the prior."""
        return self._constants.interaction.copy()

    @property
    def rho(self) -> FloatArray:
        """Rho (prior's dimension,): what each whole observation takes from the prior."""
        return np.asarray(self._constants.rho.sum(0))

    @property
    def chi(self) -> float:
        """Chi, in nats."""
        return float(self._constants.chi.sum())

    def likelihood(self, z: object) -> FloatArray:
        """Return the observable's natural parameters (n, ...) at parameters z (n, columns) (Eq. 5).

        ``z`` are observations of the prior: weights, rates, (mean, precision) rows.
        """
        constants = self._constants
        statistic = self.prior.sufficient_statistic(z)
        return np.asarray(constants.theta + statistic @ constants.interaction.T)

    def _messages(self, x: object) -> _Messages:
        constants = self._constants
        table = as_table(
            x, name="x", missing=True, empty_columns=True, n_features=self.observable.n_features
        )
        self.observable._check_support(table, "x")
        missing = np.isnan(table)
        seen = np.empty((len(table), len(constants.parts)), dtype=bool)
        base = np.zeros(len(table))
        for part, (family, columns) in enumerate(constants.parts):
            seen[:, part] = ~missing[:, columns].any(-1)
            broken = ~seen[:, part] & ~missing[:, columns].all(-1)
            if broken.any():
                raise ValueError(
                    f"x: row {int(np.argmax(broken))} is partly missing, but {family!r} is "
                    "estimated from whole rows; NaN in all of its columns marks a missing one"
                )
            there = np.flatnonzero(seen[:, part])
            base[there] += family._log_base_measure(table[np.ix_(there, columns)])
        with np.errstate(invalid="ignore"):
            statistic = self.observable._statistic(table)
        statistic = np.where(seen[:, constants.statistics], statistic, 0.0)
        return _Messages(
            statistic @ constants.interaction - seen @ constants.rho,
            statistic @ constants.theta + base - seen @ constants.chi,
        )

    # ------------------------------------------------------------------------- Bayes' rule

    def posterior(self, prior: object, x: object, weights: object = None) -> FloatArray:
        """Return the posterior (..., dimension) after all rows at once (Theorem 16).

        ``prior`` (..., dimension) is any law of the parameter, another posterior too: batches one
        after another give what all rows at once do. A weight is so many repetitions of a row.
        """
        point = self.prior.check_natural(prior, "prior")
        shift = self._messages(x).shift
        shares = as_weights(weights, len(shift), name="weights")
        total = shift.sum(0) if shares is None else shares @ shift
        return self.prior.check_natural(point + total, "posterior")

    def posteriors(self, prior: object, x: object) -> FloatArray:
        """Return the posteriors (n, dimension) after each of the rows, one by one."""
        point = self._one(prior)
        return np.asarray(point + self._messages(x).shift.cumsum(0))

    def _one(self, prior: object) -> FloatArray:
        point = self.prior.check_natural(prior, "prior")
        if point.ndim != 1:
            raise ValueError(f"prior: one law, of shape ({self.prior.dimension},)")
        return point

    def log_predictive_density(self, prior: object, x: object) -> FloatArray:
        """Return the log density (n,) in nats of each row as the next observation (Eq. 14).

        The parameter is integrated out under ``prior``, which may be a posterior.
        """
        point = self._one(prior)
        shift, constant = self._messages(x)
        family = self.prior
        evidence = family._log_partition(point + shift) - family._log_partition(point)
        return np.asarray(evidence + constant)

    def log_marginal_likelihood(
        self, prior: object, x: object, weights: object = None
    ) -> FloatArray:
        """Return the log density (...) in nats of all rows together: the evidence."""
        point = self.prior.check_natural(prior, "prior")
        shift, constant = self._messages(x)
        shares = as_weights(weights, len(shift), name="weights")
        shares = np.ones(len(shift)) if shares is None else shares
        family = self.prior
        after = family.check_natural(point + shares @ shift, "posterior")
        evidence = family._log_partition(after) - family._log_partition(point)
        return np.asarray(evidence + shares @ constant)

    def sample(
        self, prior: object, rng: object = None, size: object = None
    ) -> tuple[FloatArray, FloatArray]:
        """Return draws of observations and of the parameters that made them, ``size`` + (columns,)."""
        point = self._one(prior)
        generator = as_generator(rng, name="rng")
        shape = as_shape(size, name="size")
        z = self.prior._sample(np.broadcast_to(point, (*shape, len(point))), generator)
        laws = self.likelihood(z.reshape(-1, z.shape[-1]))
        x = self.observable._sample(laws, generator)
        return x.reshape(*shape, -1), z
