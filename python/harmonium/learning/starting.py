"""Where fits start: for each kind of model, points from which EM finds good optima.

Starting points are made from distinct rows and their weights, so that an integer weight is the
same as so many repetitions, and the order of the rows does not matter.
"""

from typing import Any, Literal, cast, get_args

import numpy as np

from harmonium.expectation import ArraySource, Prepared, expectation
from harmonium.families.base import ExponentialFamily
from harmonium.families.boltzmann import Boltzmann
from harmonium.families.categorical import Categorical
from harmonium.families.normal import Normal
from harmonium.families.normal_stack import NormalPrepared
from harmonium.families.product import Product
from harmonium.families.product_stack import ProductPrepared
from harmonium.harmonium import Harmonium
from harmonium.learning.factors import Factors, maximum_likelihood_factors, principal_factors
from harmonium.learning.floating_point import steady
from harmonium.learning.kmeans import kmeans, seeds, squared_distances
from harmonium.learning.separation import separating_factors
from harmonium.learning.standardisation import Sample, quantiles
from harmonium.learning.starting_views import is_linear, linear_views
from harmonium.models import LinearGaussian
from harmonium.rules.linear import LinearRule
from harmonium.rules.linear_stack import NATURAL_NOISE_FLOOR, NOISE_FLOOR, LinearPrepared
from harmonium.rules.mixture import MixtureRule
from harmonium.rules.mixture_stack import MixturePrepared
from harmonium.rules.views import ViewsRule
from harmonium.validation import FloatArray

#: Least share of noise where factors only start a fit: EM does not leave a noise of nothing.
_OPEN = 0.01
#: Iterations of EM by which starting points are told from each other.
_TRIAL = 15
#: Factors whose strength relative to the noise is less are not to be seen in the rows.
_FAINT = 1e-3

#: How the rows are first shared among components.
Sharing = Literal["kmeans", "k-means++", "random", "random_from_data"]


def as_sharing(sharing: object) -> Sharing:
    """Return a way to share rows by its name; ValueError for others."""
    if sharing not in get_args(Sharing):
        raise ValueError(f"sharing: one of {get_args(Sharing)}; got {sharing!r}")
    return cast(Sharing, sharing)


@steady
def start(
    family: ExponentialFamily,
    sample: Sample,
    rng: np.random.Generator,
    sharing: Sharing = "kmeans",
) -> Prepared:
    """Return a starting point for a model of the rows of ``sample``, NaN where missing.

    Families start at their maximum likelihood; mixtures from clusters of the rows, each of
    which starts its component; linear Gaussian models from their best factors, with the
    scores starting the latent, or, where the latent is binary, from random directions.
    """
    return _start(family, sample, rng, sharing, NOISE_FLOOR**2)


def _start(
    family: ExponentialFamily,
    sample: Sample,
    rng: np.random.Generator,
    sharing: Sharing,
    least_noise: float,
) -> Prepared:
    """As :func:`start`, with noise variances of at least this share of their columns'."""
    filled = Sample(_fill(family, sample), sample.weights)
    if isinstance(family, Harmonium):
        rule = family.rule
        if isinstance(rule, MixtureRule) or (isinstance(rule, ViewsRule) and rule.is_mixture):
            return _start_mixture(family, filled, rng, sharing)
        if isinstance(rule, LinearRule):
            return _start_linear(family, filled, rng, sharing, least_noise)
        if isinstance(rule, ViewsRule) and is_linear(rule):
            whole = LinearGaussian(Normal(family.n_observed, "diagonal"), family.latent)
            least_noise = max(least_noise, NATURAL_NOISE_FLOOR**2)
            started = _start_linear(whole, filled, rng, sharing, least_noise)
            return linear_views(family, started)
        raise ValueError(f"initial: no starting point is known for {family!r}; give one")
    return _start_leaf(family, filled)


def share_rows(
    points: Sample, n_components: int, rng: np.random.Generator, sharing: Sharing
) -> FloatArray:
    """Return responsibilities (n, n_components) of the points of an embedding.

    "kmeans" runs Lloyd's algorithm from k-means++ seeds; "k-means++" takes each seed's nearest
    rows; "random_from_data" takes the nearest to random rows; "random" draws shares at random.
    """
    x, weights = points.x, points.weights
    n = len(x)
    if sharing == "random":
        shares = rng.random((n, n_components))
        return np.asarray(shares / shares.sum(-1, keepdims=True))
    if sharing == "kmeans":
        return np.asarray(np.eye(n_components)[kmeans(x, weights, n_components, rng)])
    if sharing == "k-means++":
        chosen = seeds(x, weights, n_components, rng)
    else:
        chosen = _at_random(weights, n_components, rng)
    return np.asarray(np.eye(n_components)[squared_distances(x, x[chosen]).argmin(-1)])


def _at_random(weights: FloatArray, n: int, rng: np.random.Generator) -> Any:
    """Rows drawn one after another by weight, without replacement as long as there are any."""
    # the first of independent exponential waiting times (Efraimidis and Spirakis, 2006), in logs:
    # weights may differ by more than a float holds
    drawn = np.maximum(rng.standard_exponential(len(weights)), np.finfo(float).tiny)
    waiting = np.log(drawn) - np.log(weights)
    return np.resize(np.argsort(waiting, kind="stable")[:n], n)


def embedding(family: ExponentialFamily, sample: Sample) -> Sample:
    """Return rows (n, p) in which distances mean something for the family.

    The statistics that place an observation, square roots of counts; in standard deviations,
    unless one scale is common to all.
    """
    while isinstance(family, Harmonium):
        family = family.observable
    if isinstance(family, Product):
        parts = zip(family.parts, family.split_columns(sample.x), strict=True)
        placed = [embedding(part, Sample(x, sample.weights)).x for part, x in parts]
        return Sample(np.concatenate(placed, -1), sample.weights)
    points = family._statistic(sample.x)[:, family.location]
    if not points.shape[1]:  # a single category: all rows are alike
        return Sample(np.zeros((len(points), 1)), sample.weights)
    kinds = {units.kind for units in family.standardisation}
    if kinds == {"none"} and points.size and (points >= 0).all():
        points = np.sqrt(points) if (points == np.rint(points)).all() else points
    if "common" not in kinds:
        # not the interquartile ranges of the data's units, in which heavy tails are far out
        spread = np.sqrt(_variance(points, sample.weights))
        points = points / np.where(spread > 0, spread, 1.0)
    return Sample(points, sample.weights)


def _variance(x: FloatArray, weights: FloatArray) -> FloatArray:
    centre = np.average(x, axis=0, weights=weights)
    return np.asarray(np.average((x - centre) ** 2, axis=0, weights=weights))


def _fill(family: ExponentialFamily, sample: Sample) -> FloatArray:
    """Missing values at what occurs: the median of those observed in their column.

    Where the columns of a row go together, the row observed that is nearest to all medians.
    """
    missing = np.isnan(sample.x)
    if not missing.any():
        return sample.x
    while isinstance(family, Harmonium):
        family = family.observable
    if isinstance(family, Product):
        parts = zip(family.parts, family.split_columns(sample.x), strict=True)
        return np.concatenate([_fill(part, Sample(x, sample.weights)) for part, x in parts], -1)
    out = sample.x.copy()
    medians = np.zeros(out.shape[1])
    for f in np.flatnonzero(missing.any(0)):
        seen = ~missing[:, f]
        if seen.any():
            medians[f] = quantiles(out[seen, f], sample.weights[seen], (0.5,))[0]
        out[missing[:, f], f] = medians[f]
    known = np.flatnonzero(~missing.any(-1))
    if not family.has_marginals and len(known):
        nearest = known[((out[known] - medians) ** 2).sum(-1).argmin()]
        out[missing.any(-1)] = out[nearest]
    return out


def _start_leaf(family: ExponentialFamily, sample: Sample) -> Prepared:
    if sample.x.shape[1] != family.n_features:
        raise ValueError(f"initial: no starting point is known for {family!r}; give one")
    natural = family._maximum_likelihood(sample.x, sample.weights, set())
    return family._prepare(natural[None])


def _start_mixture(
    family: Harmonium, sample: Sample, rng: np.random.Generator, sharing: Sharing
) -> MixturePrepared:
    observable, rows = family.observable, family._rows
    k = family.latent.dimension + 1
    shares = share_rows(embedding(observable, sample), k, rng, sharing)
    if isinstance(observable, Harmonium):
        components = _start_deep_components(observable, sample, shares, rng, sharing)
    else:
        tied = len(rows) < observable.dimension
        components = _start_components(observable, sample, shares, tied)
    mass = sample.weights @ shares
    weights = mass / mass.sum() * 0.99 + 0.01 / k
    return MixturePrepared(observable, np.log(weights)[None], components, rows)


def _start_components(
    observable: ExponentialFamily, sample: Sample, shares: FloatArray, tied: bool
) -> Prepared:
    """Components at the law of their rows, blended with that of all rows by a few rows' weight.

    Of normals only the spread is blended, with that of all rows about their own components' means:
    the mean of all rows, and the spread about it, may be those of an outlier.
    """
    whole = _start_leaf(observable, sample)
    stack = whole.take(np.zeros(shares.shape[1], dtype=np.intp))
    # about as many rows as an observation has columns: enough for a covariance to be regular
    relative = sample.weights / sample.weights.max()
    rows = relative.sum() ** 2 / (relative**2).sum()
    share = min((1.0 + observable.n_features) / rows, 0.1)
    return _blended(stack, sample.x, shares * sample.weights[:, None], share, tied)


def _blended(
    stack: Prepared, x: FloatArray, weights: FloatArray, share: float, tied: bool
) -> Prepared:
    """The members fitted to their rows and to this share of everyone's, with one shape if tied."""
    if isinstance(stack, ProductPrepared):
        ends = np.cumsum([part.n_observed for part in stack.parts])[:-1]
        columns = zip(stack.parts, np.split(x, ends, axis=1), strict=True)
        return ProductPrepared([_blended(part, own, weights, share, tied) for part, own in columns])
    sums = stack.accumulate(x, weights)
    if isinstance(stack, NormalPrepared):
        stack = stack.maximise(sums, set())
        sums = stack.accumulate(x, weights)
        everything = np.broadcast_to(sums.sum(0), sums.shape)
    else:
        every = np.broadcast_to(weights.sum(-1, keepdims=True), weights.shape)
        everything = stack.accumulate(x, every)
    blended = sums + share * everything
    return (
        stack.maximise_tied(blended, stack.count, set()) if tied else stack.maximise(blended, set())
    )


def _start_deep_components(
    observable: Harmonium,
    sample: Sample,
    shares: FloatArray,
    rng: np.random.Generator,
    sharing: Sharing,
) -> Prepared:
    labels = shares.argmax(-1)
    parts = []
    for k in range(shares.shape[1]):
        own = np.flatnonzero(labels == k)
        enough = len(own) > 2 * observable.n_observed + 2
        rows = sample.take(own) if enough else sample
        parts.append(_start(observable, rows, rng, sharing, _OPEN))
    return join(parts)


def join(parts: list[Any]) -> Prepared:
    """Return one stack of the members of several of the same kind."""
    first = parts[0]
    if isinstance(first, NormalPrepared):
        return NormalPrepared(
            first.family,
            np.concatenate([p.means for p in parts]),
            np.concatenate([p.covariances for p in parts]),
            np.max([p.scale for p in parts], axis=0),
        )
    if isinstance(first, ProductPrepared):
        members = zip(*(p.parts for p in parts), strict=True)
        return ProductPrepared([join(list(one)) for one in members])
    if isinstance(first, MixturePrepared):
        return MixturePrepared(
            first.observable,
            np.concatenate([p.log_weights for p in parts]),
            join([p.components for p in parts]),
            first.rows,
        )
    if isinstance(first, LinearPrepared):
        noise = join([p.noise for p in parts])
        assert isinstance(noise, NormalPrepared)
        return LinearPrepared(
            first.observable,
            first.latent_family,
            np.concatenate([p.loadings for p in parts]),
            noise,
            join([p.prior for p in parts]),
        )
    family: ExponentialFamily = first.family
    return family._prepare(np.concatenate([p.natural for p in parts]))


def _start_linear(
    family: Harmonium,
    sample: Sample,
    rng: np.random.Generator,
    sharing: Sharing,
    least_noise: float,
) -> LinearPrepared:
    observable = family.observable
    assert isinstance(observable, Normal)
    centre = np.average(sample.x, axis=0, weights=sample.weights)
    deviation = sample.x - centre
    # rows whose plain products are the weighted ones
    share = np.sqrt(sample.weights * (len(sample.x) / sample.weights.sum()))
    weighted = deviation * share[:, None]
    variances = (weighted**2).mean(0)
    # a column that does not vary is in units of its own
    scale = np.where(variances > 0, np.sqrt(variances), 1.0)
    width = family.latent.leading.n_features
    if isinstance(family.latent.leading, Boltzmann):
        loadings, offset, prior = _random_directions(family.latent, scale, sample, rng)
        factors = Factors(loadings, variances)
        return _linear(family, factors, centre + offset, scale, prior, _OPEN)
    diagonal = observable.covariance == "diagonal"
    factors = (maximum_likelihood_factors if diagonal else principal_factors)(weighted, width)
    if isinstance(family.latent, Normal):
        prior = _standard_normal(family.latent)
        return _linear(family, factors, centre, scale, prior, least_noise)
    candidates = [factors]
    n_clusters = _n_clusters(family.latent)
    if n_clusters > 1:
        apart = separating_factors(deviation, sample.weights, width, n_clusters, rng)
        candidates += [] if apart is None else [apart]
    floor = (NOISE_FLOOR * scale) ** 2
    points = []
    for found in candidates:
        scores = _scores(deviation, Factors(found.loadings, np.maximum(found.noise, floor)), rng)
        prior = _start(family.latent, Sample(scores, sample.weights), rng, sharing, _OPEN)
        points.append(_linear(family, found, centre, scale, prior, _OPEN))
    return points[0] if len(points) == 1 else _likeliest(points, sample)


def _linear(
    family: Harmonium,
    factors: Factors,
    offset: FloatArray,
    scale: FloatArray,
    prior: Prepared,
    least_noise: float,
) -> LinearPrepared:
    """A point with these factors, its noise at least a share of the columns' variances."""
    observable = family.observable
    assert isinstance(observable, Normal)
    variances = np.maximum(factors.noise, least_noise * scale**2)
    covariance = observable._shape.of_scale(np.sqrt(variances))
    noise = NormalPrepared(observable, offset[None], covariance[None], scale)
    return LinearPrepared(observable, family.latent, factors.loadings[None], noise, prior)


def _n_clusters(family: ExponentialFamily) -> int:
    """How many categories lie behind; one where there are none."""
    while isinstance(family, Harmonium):
        family = family.latent
    return family.n_categories if isinstance(family, Categorical) else 1


def _likeliest(points: list[LinearPrepared], sample: Sample) -> LinearPrepared:
    """The point that is most likely after a few iterations of EM, moved by these."""
    source = ArraySource(sample.x, sample.weights)
    best, highest = points[0], -np.inf
    for point in points:
        for _ in range(_TRIAL):
            point = point.maximise(expectation(point, source).sums, set())
        reached = expectation(point, source).log_likelihood
        if reached > highest:
            best, highest = point, reached
    return best


def _standard_normal(latent: Normal) -> NormalPrepared:
    covariance = latent._shape.of_scale(np.ones(latent.n))
    return NormalPrepared(latent, np.zeros((1, latent.n)), covariance[None])


def _scores(deviation: FloatArray, factors: Factors, rng: np.random.Generator) -> FloatArray:
    """Least-squares scores of the rows (Bartlett): unbiased, so that clusters keep their places.

    Of a factor that explains nothing they are drawn from a standard normal.
    """
    weighted = factors.loadings / factors.noise[:, None]
    within = factors.loadings.T @ weighted
    strength = np.sqrt(np.diagonal(within))
    seen = strength > _FAINT
    scores = rng.standard_normal((len(deviation), len(strength)))
    # each factor in units of its own: a column without noise makes one a million times stronger
    unit = strength[seen]
    scaled = within[np.ix_(seen, seen)] / np.outer(unit, unit)
    solved = np.linalg.lstsq(scaled, (weighted[:, seen] / unit).T, rcond=1e-10)[0]
    scores[:, seen] = deviation @ (solved / unit[:, None]).T
    return scores


def _random_directions(
    latent: ExponentialFamily, scale: FloatArray, sample: Sample, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, Prepared]:
    """Binary units point in random directions of the data's spread, each on half of the time."""
    width, n = latent.leading.n_features, len(scale)
    loadings = rng.standard_normal((n, width)) * scale[:, None] * (2 / np.sqrt(width))
    if isinstance(latent, Boltzmann):
        prior: Prepared = latent._prepare(0.1 * rng.standard_normal((1, latent.dimension)))
    else:
        bits = (rng.random((len(sample.x), width)) < 0.5).astype(float)
        prior = start(latent, Sample(bits, sample.weights), rng)
    mean = prior.location_mean()[0]
    return loadings, -loadings @ mean, prior
