"""Several observables of one latent: what they say of it adds up (Fig. 7a, Theorem 16)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from harmonium.expectation.prepared import Prepared
from harmonium.families.base import ExponentialFamily, Indices
from harmonium.families.categorical import Categorical
from harmonium.families.product import Product
from harmonium.rules.base import ConjugationRule, add_leading
from harmonium.rules.conjugated_stack import ConjugatedPrepared
from harmonium.rules.interaction import Block, InteractionShape
from harmonium.rules.likelihood import Completion, Conjugation, Likelihood, Message
from harmonium.rules.mixture import MixtureRule, components_of
from harmonium.rules.mixture_stack import MixturePrepared
from harmonium.validation import FloatArray


class ViewsParameters(NamedTuple):
    """People's parameters: each view's own model, all with the same prior, and the prior."""

    views: tuple[Any, ...]
    prior: Any


class View(NamedTuple):
    """One view: its rule and family, its part of the statistic, of the matrix and of the columns."""

    rule: ConjugationRule
    observable: ExponentialFamily
    statistics: slice
    shape: InteractionShape
    place: Any
    features: slice


@dataclass(frozen=True)
class ViewsRule(ConjugationRule):
    """Each view conjugates by its own rule; rho and chi are the sums of theirs.

    The observable is the Product of the views'. A view that is missing in a row, wholly or in
    part, adds nothing that it does not know.

    Parameters
    ----------
    rules : tuple of ConjugationRule
        One for each part of the observable.
    """

    rules: tuple[ConjugationRule, ...]

    def __init__(self, rules: Sequence[ConjugationRule]) -> None:
        object.__setattr__(self, "rules", tuple(rules))

    def check(self, observable: ExponentialFamily, latent: ExponentialFamily) -> None:
        """ValueError unless every view conjugates."""
        if not isinstance(observable, Product) or len(observable.parts) != len(self.rules):
            raise ValueError(
                f"observable: a Product of {len(self.rules)} families, one for each view; "
                f"got {observable!r}"
            )
        for i, (rule, part) in enumerate(zip(self.rules, observable.parts, strict=True)):
            try:
                rule.check(part, latent)
            except ValueError as error:
                raise ValueError(f"view {i}: {error}") from None
        if self.is_mixture:
            rows = self.interaction_shape(observable, latent).rows
            shared = np.array_equal(rows, observable.location)
            if len(rows) < observable.dimension and not shared:
                raise ValueError(
                    "views: those of one category share the shape of their components all, or "
                    'none does: give shared="shape" to each that has a shape, or to none'
                )

    def views(self, observable: ExponentialFamily, latent: ExponentialFamily) -> list[View]:
        """Return each view, with its places in the whole."""
        assert isinstance(observable, Product)
        whole = self.interaction_shape(observable, latent)
        views, start, feature = [], 0, 0
        for rule, part in zip(self.rules, observable.parts, strict=True):
            shape = rule.interaction_shape(part, latent)
            rows = np.searchsorted(whole.rows, shape.rows + start)
            columns = np.searchsorted(whole.columns, shape.columns)
            place = (..., rows[:, None], columns[None, :])
            statistics = slice(start, start + part.dimension)
            features = slice(feature, feature + part.n_features)
            views.append(View(rule, part, statistics, shape, place, features))
            start, feature = statistics.stop, features.stop
        return views

    def blocks(self, observable: ExponentialFamily, latent: ExponentialFamily) -> tuple[Block, ...]:
        """The views' blocks, their rows one view after another."""
        assert isinstance(observable, Product)
        out, start = [], 0
        for rule, part in zip(self.rules, observable.parts, strict=True):
            own = rule.blocks(part, latent)
            out += [Block(block.rows + start, block.columns) for block in own]
            start += part.dimension
        return tuple(out)

    def conjugation_parameters(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
    ) -> Conjugation:
        """The sums of the views' (Eq. 30)."""
        views = [
            view.rule.conjugation_parameters(
                view.observable, latent, theta[..., view.statistics], interaction[view.place]
            )
            for view in self.views(observable, latent)
        ]
        rho = np.zeros((*views[0].rho.shape[:-1], max(rho.shape[-1] for rho, _ in views)))
        for own, _ in views:
            rho = add_leading(rho, own)
        return Conjugation(rho, np.sum([chi for _, chi in views], axis=0))

    def forward(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        prior: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """The views' expectations under the one prior."""
        x, cross = np.zeros(theta.shape), np.zeros(interaction.shape)
        for view in self.views(observable, latent):
            own = theta[..., view.statistics], interaction[view.place]
            x[..., view.statistics], cross[view.place] = view.rule.forward(
                view.observable, latent, *own, prior
            )
        return x, cross

    def regress(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        observable_mean: FloatArray,
        latent_mean: FloatArray,
        cross: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """Each view by itself."""
        theta, interaction = np.zeros(observable_mean.shape), np.zeros(cross.shape)
        for view in self.views(observable, latent):
            theta[..., view.statistics], interaction[view.place] = view.rule.regress(
                view.observable,
                latent,
                observable_mean[..., view.statistics],
                latent_mean,
                cross[view.place],
            )
        return theta, interaction

    def outside(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
    ) -> tuple[Any, str] | None:
        """Every view must be inside."""
        for i, view in enumerate(self.views(observable, latent)):
            own = theta[..., view.statistics], interaction[view.place]
            broken = view.rule.outside(view.observable, latent, *own)
            if broken is not None:
                return broken[0], f"view {i}: {broken[1]}"
        return None

    def likelihood(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
    ) -> Likelihood:
        """Return the views' likelihoods as one."""
        return _ViewsLikelihood(self, observable, latent, theta, interaction)

    def _own_totals(self, view: View, latent: ExponentialFamily, totals: Any) -> FloatArray:
        x, z, cross = totals
        return np.concatenate([x[view.statistics], z, view.shape.entries(cross[view.place])])

    def _split_totals(
        self, observable: ExponentialFamily, latent: ExponentialFamily, totals: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        d = observable.dimension
        e = d + latent.dimension
        shape = self.interaction_shape(observable, latent)
        return totals[:d], totals[d:e], shape.matrix(totals[e:])

    def refit(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        prior: FloatArray,
        weight: float,
        totals: FloatArray,
        notes: set[str],
    ) -> tuple[FloatArray, FloatArray]:
        """Each view by itself."""
        parts = self._split_totals(observable, latent, totals)
        theta, interaction = theta.copy(), interaction.copy()
        for view in self.views(observable, latent):
            theta[view.statistics], interaction[view.place] = view.rule.refit(
                view.observable,
                latent,
                theta[view.statistics],
                interaction[view.place],
                prior,
                weight,
                self._own_totals(view, latent, parts),
                notes,
            )
        return theta, interaction

    def misfit(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        prior: FloatArray,
        weight: float,
        totals: FloatArray,
    ) -> float:
        """The largest of the views'."""
        parts = self._split_totals(observable, latent, totals)
        return max(
            view.rule.misfit(
                view.observable,
                latent,
                theta[view.statistics],
                interaction[view.place],
                prior,
                weight,
                self._own_totals(view, latent, parts),
            )
            for view in self.views(observable, latent)
        )

    def moved(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        prior: FloatArray,
        shift: FloatArray,
        scale: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """Each view's own columns."""
        theta, interaction = theta.copy(), interaction.copy()
        for view in self.views(observable, latent):
            theta[view.statistics], interaction[view.place] = view.rule.moved(
                view.observable,
                latent,
                theta[view.statistics],
                interaction[view.place],
                prior,
                shift[view.features],
                scale[view.features],
            )
        return theta, interaction

    def prepare(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        prior: FloatArray,
    ) -> Prepared:
        """Mixtures as one mixture of the product; others in natural coordinates."""
        if not self.is_mixture:
            behind = latent._prepare(prior)
            return ConjugatedPrepared(self, observable, latent, theta, interaction, behind)
        assert isinstance(latent, Categorical)
        rows = self.interaction_shape(observable, latent).rows
        components = components_of(theta, interaction, rows)
        stack = observable._prepare(components.reshape(-1, observable.dimension))
        return MixturePrepared(observable, latent._log_probabilities(prior), stack, rows)

    @property
    def is_mixture(self) -> bool:
        """Whether the views are of one category: then they are a mixture of products."""
        return all(isinstance(rule, MixtureRule) for rule in self.rules)

    def to_parameters(
        self,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
        prior: FloatArray,
    ) -> ViewsParameters:
        """Each view's own model with the common prior, and the prior's parameters."""
        views = tuple(
            view.rule.to_parameters(
                view.observable,
                latent,
                theta[..., view.statistics],
                interaction[view.place],
                prior,
            )
            for view in self.views(observable, latent)
        )
        return ViewsParameters(views, latent.to_parameters(prior))

    def from_parameters(
        self, observable: ExponentialFamily, latent: ExponentialFamily, **parameters: object
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """From ``prior`` (natural parameters) and ``views``: a mapping of each view's parameters."""
        given = parameters.get("views")
        if set(parameters) != {"prior", "views"} or not isinstance(given, list | tuple):
            raise TypeError(
                "parameters: prior, and views, a sequence of one mapping for each; "
                f"got {sorted(parameters)}"
            )
        if len(given) != len(self.rules):
            raise ValueError(f"views: {len(given)} mappings for {len(self.rules)} views")
        prior = latent.check_natural(parameters["prior"], "prior")
        parts = []
        views = self.views(observable, latent)
        for view, own in zip(views, given, strict=True):
            named = (
                {"weights": latent.to_parameters(prior).probabilities}
                if isinstance(view.rule, MixtureRule)
                else {"prior": prior}
            )
            parts.append(view.rule.from_parameters(view.observable, latent, **{**named, **own})[1:])
        batch = np.broadcast_shapes(*(theta.shape[:-1] for theta, _ in parts))
        whole = self.interaction_shape(observable, latent)
        theta = np.zeros((*batch, observable.dimension))
        interaction = np.zeros((*batch, len(whole.rows), len(whole.columns)))
        for view, (own_theta, own_interaction) in zip(views, parts, strict=True):
            theta[..., view.statistics] = own_theta
            interaction[view.place] = own_interaction
        return prior, theta, interaction


class _ViewsLikelihood(Likelihood):
    """Views are independent given the latent: messages add up, completions stand side by side."""

    def __init__(
        self,
        rule: ViewsRule,
        observable: ExponentialFamily,
        latent: ExponentialFamily,
        theta: FloatArray,
        interaction: FloatArray,
    ) -> None:
        super().__init__(rule, observable, latent, theta, interaction)
        self._views = rule.views(observable, latent)
        self._parts = [
            view.rule.likelihood(
                view.observable, latent, theta[view.statistics], interaction[view.place]
            )
            for view in self._views
        ]

    def _known(self, x: FloatArray, observed: Indices) -> list[tuple[FloatArray, Indices]]:
        """Each view's observed columns, in its own numbers, and their values."""
        out = []
        for view in self._views:
            own = (observed >= view.features.start) & (observed < view.features.stop)
            out.append((x[:, own], observed[own] - view.features.start))
        return out

    def _partial_message(self, x: FloatArray, observed: Indices) -> Message:
        pairs = zip(self._parts, self._known(x, observed), strict=True)
        messages = [part.message(*known) for part, known in pairs]
        shift = np.zeros((len(x), max(m.shift.shape[-1] for m in messages)))
        for message in messages:
            shift[:, : message.shift.shape[-1]] += message.shift
        return Message(shift, np.sum([m.constant for m in messages], axis=0))

    def _completion(self, x: FloatArray, observed: Indices, posterior: FloatArray) -> Completion:
        n = len(posterior)
        statistic = np.zeros((n, self.observable.dimension))
        cross = np.zeros((n, *self.interaction.shape))
        for view, part, known in zip(
            self._views, self._parts, self._known(x, observed), strict=True
        ):
            own = part.complete(*known, posterior)
            statistic[:, view.statistics] = own.statistic
            cross[view.place] = own.cross
        return Completion(statistic, cross)
