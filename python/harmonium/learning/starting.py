"""Where fits start: for each kind of model, points from which EM finds good optima."""

from typing import Any, Literal

import numpy as np
from sklearn.cluster import KMeans, kmeans_plusplus

from harmonium.expectation.prepared import Prepared
from harmonium.families.base import ExponentialFamily
from harmonium.families.boltzmann import Boltzmann
from harmonium.families.normal import Normal
from harmonium.families.normal_stack import NormalPrepared
from harmonium.harmonium import Harmonium
from harmonium.learning.factors import Factors, maximum_likelihood_factors, principal_factors
from harmonium.rules.linear import LinearRule
from harmonium.rules.linear_stack import NOISE_FLOOR, LinearPrepared
from harmonium.rules.mixture import MixtureRule
from harmonium.rules.mixture_stack import MixturePrepared
from harmonium.validation import FloatArray

#: How the rows are first shared among components.
Sharing = Literal["kmeans", "k-means++", "random", "random_from_data"]


def start(
    family: ExponentialFamily,
    x: FloatArray,
    rng: np.random.Generator,
    sharing: Sharing = "kmeans",
) -> Prepared:
    """Return a starting point for a model of the rows ``x`` (n, n_observed), NaN where missing.

    Families start at their maximum likelihood; mixtures from clusters of the rows, each of
    which starts its component; linear Gaussian models from principal components, with the
    scores starting the latent, or, where the latent is binary, from random directions.
    """
    if isinstance(family, Harmonium):
        if isinstance(family.rule, MixtureRule):
            return _start_mixture(family, x, rng, sharing)
        if isinstance(family.rule, LinearRule):
            return _start_linear(family, x, rng, sharing)
        raise ValueError(f"initial: no starting point is known for {family!r}; give one")
    return _start_leaf(family, x)


def share_rows(
    x: FloatArray, n_components: int, rng: np.random.Generator, sharing: Sharing
) -> FloatArray:
    """Return responsibilities (n, n_components) of the rows of an embedding without NaN.

    "kmeans" runs Lloyd's algorithm from k-means++ seeds; "k-means++" takes each seed's nearest
    rows; "random_from_data" takes the nearest to random rows; "random" draws shares at random.
    """
    n = len(x)
    if sharing == "random":
        shares = rng.random((n, n_components))
        return np.asarray(shares / shares.sum(-1, keepdims=True))
    seed = int(rng.integers(2**31 - 1))
    distinct = len(np.unique(x, axis=0))
    if sharing == "kmeans" and distinct >= n_components:
        labels = KMeans(n_components, n_init=1, random_state=seed).fit(x).labels_
        return np.eye(n_components)[labels]
    if sharing == "random_from_data" or distinct < n_components:
        centres = x[rng.choice(n, n_components, replace=n < n_components)]
    else:
        centres, _ = kmeans_plusplus(x, n_components, random_state=seed)
    distance = np.stack([((x - c) ** 2).sum(-1) for c in centres], -1)
    return np.eye(n_components)[distance.argmin(-1)]


def embedding(family: ExponentialFamily, x: FloatArray) -> FloatArray:
    """Return rows (n, p) in which distances mean something for the family; NaN are filled in.

    The statistics that place an observation, square roots of counts, in robust units.
    """
    while isinstance(family, Harmonium):
        family = family.observable
    filled = _fill(x)
    points = family._statistic(filled)[:, family.location]
    if points.size and (points >= 0).all() and (points == np.rint(points)).all():
        points = np.sqrt(points)
    if family.standardisation == "none":
        spread = points.std(0)
        points = points / np.where(spread > 0, spread, 1.0)
    return points


def _fill(x: FloatArray) -> FloatArray:
    """Missing values at a value of their column: the median of those observed, a real one."""
    missing = np.isnan(x)
    if not missing.any():
        return x
    out = x.copy()
    for f in np.flatnonzero(missing.any(0)):
        seen = np.sort(x[~missing[:, f], f])
        out[missing[:, f], f] = seen[len(seen) // 2] if len(seen) else 0.0
    return out


def _start_leaf(family: ExponentialFamily, x: FloatArray) -> Prepared:
    filled = _fill(x)
    notes: set[str] = set()
    natural = family._maximum_likelihood(filled, None, notes)
    return family._prepare(natural[None])


def _start_mixture(
    family: Harmonium, x: FloatArray, rng: np.random.Generator, sharing: Sharing
) -> MixturePrepared:
    rule: Any = family.rule
    k = family.latent.dimension + 1
    shares = share_rows(embedding(family.observable, x), k, rng, sharing)
    if isinstance(family.observable, Harmonium):
        components = _start_deep_components(family.observable, x, shares, rng, sharing)
    else:
        components = _start_components(family.observable, x, shares)
    rows = rule._rows(family.observable)
    weights = (shares.sum(0) + 1.0) / (len(x) + k)
    start_point = MixturePrepared(family.observable, np.log(weights)[None], components, rows)
    if len(rows) < family.observable.dimension:
        assert isinstance(components, NormalPrepared)
        sums = components.accumulate(_fill(x), shares)
        tied = components.maximise_tied(sums, set())
        return MixturePrepared(family.observable, start_point.log_weights, tied, rows)
    return start_point


def _start_components(
    observable: ExponentialFamily, x: FloatArray, shares: FloatArray
) -> Prepared:
    """Components at the law of their rows, blended with the law of all rows by a few rows' weight."""
    filled = _fill(x)
    whole = _start_leaf(observable, x)
    stack = whole.take(np.zeros(shares.shape[1], dtype=np.intp))
    sums = stack.accumulate(filled, shares)
    everything = stack.accumulate(filled, np.ones_like(shares))
    # about as many rows as an observation has columns: enough for a covariance to be regular
    pseudo = min(1.0 + observable.n_features, 0.1 * len(x))
    return stack.maximise(sums + everything * (pseudo / len(x)), set())


def _start_deep_components(
    observable: Harmonium,
    x: FloatArray,
    shares: FloatArray,
    rng: np.random.Generator,
    sharing: Sharing,
) -> Prepared:
    labels = shares.argmax(-1)
    parts = []
    for k in range(shares.shape[1]):
        own = x[labels == k]
        enough = len(own) > 2 * observable.n_observed + 2
        parts.append(start(observable, own if enough else x, rng, sharing))
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
    return first.family._prepare(np.concatenate([p.natural for p in parts]))


def _start_linear(
    family: Harmonium, x: FloatArray, rng: np.random.Generator, sharing: Sharing
) -> LinearPrepared:
    observable = family.observable
    assert isinstance(observable, Normal)
    filled = _fill(x)
    centre = filled.mean(0)
    deviation = filled - centre
    width = family.latent.leading.n_features
    offset = np.zeros(observable.n)
    if isinstance(family.latent.leading, Boltzmann):
        loadings, offset, prior = _random_directions(family.latent, deviation, rng)
        variances = deviation.var(0)
    else:
        diagonal = observable.covariance == "diagonal"
        factors = (maximum_likelihood_factors if diagonal else principal_factors)(deviation, width)
        loadings, variances = factors.loadings, factors.noise
        prior = _start_scores(family.latent, _scores(deviation, factors), rng, sharing)
    scale = np.sqrt(np.maximum(deviation.var(0), np.finfo(float).tiny))
    variances = np.maximum(variances, (NOISE_FLOOR * scale) ** 2)
    covariance = observable._shape.of_scale(np.sqrt(variances))
    noise = NormalPrepared(observable, (centre + offset)[None], covariance[None], scale)
    return LinearPrepared(observable, family.latent, loadings[None], noise, prior)


def _scores(deviation: FloatArray, factors: Factors) -> FloatArray:
    """Least-squares scores of the rows (Bartlett): unbiased, so that clusters keep their places."""
    weighted = factors.loadings / factors.noise[:, None]
    within = factors.loadings.T @ weighted
    scores = deviation @ np.linalg.lstsq(within, weighted.T, rcond=1e-10)[0].T
    return np.asarray(scores)


def _start_scores(
    latent: ExponentialFamily, scores: FloatArray, rng: np.random.Generator, sharing: Sharing
) -> Prepared:
    """A latent normal starts standard; deeper ones start as models of the scores."""
    if isinstance(latent, Normal):
        n = latent.n
        return NormalPrepared(latent, np.zeros((1, n)), np.eye(n)[None])
    return start(latent, scores, rng, sharing)


def _random_directions(
    latent: ExponentialFamily, deviation: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, Prepared]:
    """Binary units point in random directions of the data's spread, each on half of the time."""
    width, n = latent.leading.n_features, deviation.shape[1]
    spread = np.sqrt(deviation.var(0))
    loadings = rng.standard_normal((n, width)) * spread[:, None] * (2 / np.sqrt(width))
    if isinstance(latent, Boltzmann):
        prior: Prepared = latent._prepare(
            0.1 * rng.standard_normal((1, latent.dimension))
        )
        mean = prior.location_mean()[0]
    else:
        bits = (rng.random((len(deviation), width)) < 0.5).astype(float)
        prior = start(latent, bits, rng)
        mean = prior.location_mean()[0]
    return loadings, -loadings @ mean, prior
