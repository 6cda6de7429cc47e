"""Where several linear views of one latent start: as one model of all columns, cut into views."""

import numpy as np

from harmonium.families.normal import Normal
from harmonium.families.normal_stack import NormalPrepared
from harmonium.families.product import Product
from harmonium.harmonium import Harmonium
from harmonium.rules.conjugated_stack import ConjugatedPrepared
from harmonium.rules.interaction import InteractionShape
from harmonium.rules.linear import LinearRule
from harmonium.rules.linear_stack import LinearPrepared
from harmonium.rules.views import ViewsRule
from harmonium.validation import FloatArray


def is_linear(rule: ViewsRule) -> bool:
    """Whether every view is a linear Gaussian one."""
    return all(isinstance(own, LinearRule) for own in rule.rules)


def linear_views(family: Harmonium, whole: LinearPrepared) -> ConjugatedPrepared:
    """Return the views that together are a model of all columns with diagonal noise."""
    assert isinstance(family.observable, Product)
    theta: list[FloatArray] = []
    entries: list[FloatArray] = []
    start = 0
    for part in family.observable.parts:
        assert isinstance(part, Normal)
        columns = slice(start, start + part.n)
        deviations = np.sqrt(whole.noise.covariances[0, columns])
        noise = NormalPrepared(
            part, whole.noise.means[:, columns], part._shape.of_scale(deviations)[None]
        )
        view = LinearPrepared(
            part, family.latent, whole.loadings[:, columns], noise, whole.prior
        ).natural[0]
        theta.append(view[: part.dimension])
        entries.append(view[part.dimension + family.latent.dimension :])
        start = columns.stop
    matrix = InteractionShape(family.blocks).matrix(np.concatenate(entries))
    return ConjugatedPrepared(
        family.rule,
        family.observable,
        family.latent,
        np.concatenate(theta)[None],
        matrix[None],
        whole.prior,
    )
