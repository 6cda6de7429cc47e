"""The scale of the data, to which the smallest variance of a fit is relative."""

from functools import singledispatch

from harmonium.expectation.prepared import Prepared
from harmonium.families.normal_stack import NormalPrepared
from harmonium.families.product_stack import ProductPrepared
from harmonium.rules.linear_stack import LinearPrepared
from harmonium.rules.mixture_stack import MixturePrepared
from harmonium.validation import FloatArray


@singledispatch
def with_data_scale(prepared: Prepared, scale: FloatArray) -> Prepared:  # noqa: ARG001 - for normals
    """Return the point, its normals of data held to a variance relative to ``scale`` (n,).

    Left to itself a stack goes by its own spread, which one component far away, wherever it
    started, would make so wide that all others had to be wide too.
    """
    return prepared


@with_data_scale.register
def _(prepared: NormalPrepared, scale: FloatArray) -> Prepared:
    return NormalPrepared(prepared.family, prepared.means, prepared.covariances, scale)


@with_data_scale.register
def _(prepared: ProductPrepared, scale: FloatArray) -> Prepared:
    pairs = zip(prepared.parts, prepared.columns, strict=True)
    return ProductPrepared([with_data_scale(part, scale[own]) for part, own in pairs])


@with_data_scale.register
def _(prepared: MixturePrepared, scale: FloatArray) -> Prepared:
    components = with_data_scale(prepared.components, scale)
    return MixturePrepared(prepared.observable, prepared.log_weights, components, prepared.rows)


@with_data_scale.register
def _(prepared: LinearPrepared, scale: FloatArray) -> Prepared:
    noise = with_data_scale(prepared.noise, scale)
    assert isinstance(noise, NormalPrepared)
    return LinearPrepared(
        prepared.observable, prepared.latent_family, prepared.loadings, noise, prepared.prior
    )
