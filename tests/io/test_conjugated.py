"""Population codes and models of several views, saved and read again."""

import pickle
from functools import cache
from typing import Any

import numpy as np
import pytest

from harmonium import (
    Bernoulli,
    Binomial,
    Boltzmann,
    Circle,
    Gamma,
    Grid,
    Harmonium,
    LinearGaussian,
    Mixture,
    Normal,
    Poisson,
    PopulationCode,
    Product,
    Views,
    VonMises,
)
from harmonium.errors import ModelFileError
from harmonium.io import load_model, model_to_bytes, read_container, to_bytes
from harmonium.learning import Fit, fit
from harmonium.rules import PopulationRule, ViewsRule
from laws.random_points import random_point, with_missing

CLUSTERS = Mixture(Normal(1), 2)
PLANE = PopulationCode(Poisson(6), Normal(2), Grid(-3, [3, 4], [20, 25]))
MODELS = {
    "angle": PopulationCode(Poisson(5), VonMises(1), Circle(100)),
    "binary plane": PopulationCode(Bernoulli(5), Normal(2), Grid(-4, 4, [21, 30])),
    "clusters": PopulationCode(Poisson(5), CLUSTERS, Grid(-6, 6, 100)),
    "states": PopulationCode(Poisson(5), LinearGaussian(Normal(1), Boltzmann(2)), Grid(-4, 4, 60)),
    "torus": PopulationCode(Poisson(4), Product(VonMises(1), VonMises(1)), Circle(20, n=2)),
    "tied clusters": PopulationCode(
        Poisson(5), Mixture(Normal(1), 2, shared="shape"), Grid(-6, 6, 100)
    ),
    "two populations": Views(
        PopulationCode(Poisson(4), VonMises(1), Circle(50)),
        PopulationCode(Binomial(3, 3), VonMises(1), Circle(80)),
    ),
    "a population and a table": Views(
        PopulationCode(Poisson(5), CLUSTERS, Grid(-6, 6, 60)),
        LinearGaussian(Normal(2, "diagonal"), CLUSTERS),
    ),
    "categories": Views(Mixture(Normal(2), 3), Mixture(Gamma(1), 3)),
    "tied categories": Views(
        Mixture(Normal(2), 3, shared="shape"), Mixture(Gamma(1), 3, shared="shape")
    ),
}


def likelihood(model: Harmonium, rng: np.random.Generator) -> tuple[Any, Any]:
    """A random likelihood of any of these models."""
    if isinstance(model.rule, PopulationRule):
        leading, n = model.latent.leading, model.n_observed
        curves = 0.3 * np.stack([random_point(leading, rng) for _ in range(n)])
        return rng.normal(size=n) - 2, curves
    if not isinstance(model.rule, ViewsRule) or model.rule.is_mixture:
        parts = model.split(random_point(model, rng))
        return parts.observable, parts.interaction
    views = model.rule.views(model.observable, model.latent)
    own = [likelihood(Harmonium(v.observable, model.latent, v.rule), rng) for v in views]
    matrix = np.zeros((len(model._rows), len(model._columns)))
    for view, (_, interaction) in zip(views, own, strict=True):
        matrix[view.place] = interaction
    return np.concatenate([theta for theta, _ in own]), matrix


@cache
def fitted(name: str) -> tuple[Fit, Any]:
    model, rng = MODELS[name], np.random.default_rng([1, *name.encode()])
    theta, interaction = likelihood(model, rng)
    truth = model.from_prior_and_likelihood(
        prior=random_point(model.latent, rng), observable=theta, interaction=interaction
    )
    x = model.sample(truth, rng, 40)[:, : model.n_observed]
    return fit(model, x, initial=truth, max_iter=2, warn=False), x


every_model = pytest.mark.parametrize("name", MODELS)


def assert_same(ours: Fit, theirs: Fit, x: Any) -> None:
    holes = with_missing(x, 0.3, np.random.default_rng(0), whole=not ours.model.has_marginals)
    for rows in (x, holes):
        np.testing.assert_array_equal(ours.log_density(rows), theirs.log_density(rows))
        np.testing.assert_array_equal(ours.latent(rows), theirs.latent(rows))
    for mine, other in zip(ours.sample(20, 7), theirs.sample(20, 7), strict=True):
        np.testing.assert_array_equal(mine, other)
    np.testing.assert_array_equal(ours.natural, theirs.natural)


@every_model
def test_there_and_back(name):
    before, x = fitted(name)
    data = model_to_bytes(before)
    after = load_model(data).fit
    assert after.model == before.model
    assert_same(before, after, x)
    assert model_to_bytes(after) == data


@every_model
def test_pickles(name):
    before, x = fitted(name)
    assert_same(before, pickle.loads(pickle.dumps(before)), x)


@pytest.mark.parametrize("name", ["angle", "a population and a table"])
def test_learning_goes_on_from_a_file_as_it_would_have(name):
    before, x = fitted(name)
    after = load_model(model_to_bytes(before)).fit
    ours, theirs = (
        fit(one.model, x, initial=one.natural, max_iter=2, warn=False) for one in (before, after)
    )
    np.testing.assert_array_equal(ours.natural, theirs.natural)


@pytest.mark.parametrize("name", ["angle", "two populations", "categories"])
def test_damage_is_seen(name):
    data, rng = model_to_bytes(fitted(name)[0]), np.random.default_rng(0)
    for place in rng.integers(len(data), size=60):
        damaged = bytearray(data)
        damaged[place] ^= 1 << int(rng.integers(8))
        with pytest.raises(ModelFileError):
            load_model(bytes(damaged))


def rewritten(name: str, change: Any) -> bytes:
    """The file after a change of what it holds, with a valid checksum."""
    container = read_container(model_to_bytes(fitted(name)[0]))
    arrays, metadata = dict(container.arrays), container.metadata
    change(arrays, metadata)
    return to_bytes("model", arrays, metadata)


def array(name, value):
    return lambda arrays, metadata: arrays.update({name: np.asarray(value)})


def filled(name, value):
    def change(arrays, metadata):
        arrays[name] = arrays[name].copy()
        arrays[name].flat[0] = value

    return change


def fields(kind, **changes):
    def change(arrays, metadata):
        node = next(node for node in metadata["model"] if node["class"] == kind)
        node["fields"].update(changes)

    return change


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("angle", lambda a, m: a.pop("point.1.theta"), "no array 'point.1.theta'"),
        ("angle", array("point.1.theta", np.zeros((1, 4))), r"theta: shape \(1, 4\), expected"),
        ("angle", array("point.1.theta", np.zeros((2, 5))), r"interaction: shape .* \(2, 5, 2\)"),
        ("angle", array("point.1.interaction", np.zeros((1, 5, 3))), "interaction: shape"),
        ("angle", filled("point.1.interaction", 1e76), "interaction: must be within"),
        ("angle", filled("point.1.interaction", 800.0), "log rates must be at most 700"),
        ("angle", filled("point.1.theta", 701.0), "log rates must be at most 700"),
        ("angle", filled("point.0.natural", 1e13), "concentrations"),
        ("angle", array("point.0.natural", np.ones((2, 2))), "prior: 2 of them, expected 1"),
        ("angle", fields("Circle", points=3), "points must be at least 4"),
        ("angle", fields("Circle", points=10**12), "at most 33,554,432 points"),
        ("angle", fields("Circle", n=10**12), "at most 33,554,432 points"),
        ("angle", fields("Circle", n=2), "region: has 2 axes"),
        ("angle", fields("PopulationRule", region=3), "region: a Circle or a Grid|held by none"),
        ("binary plane", fields("Grid", lower=[9.0, 0.0]), "lower must be below upper"),
        ("binary plane", fields("Grid", points=[10**9, 10**9]), "at most 33,554,432 points"),
        (
            "angle",
            lambda a, m: m["point"][1].update({"class": "LinearPrepared"}),
            "has a Harmonium where its point has a LinearPrepared",
        ),
        (
            "categories",
            lambda a, m: m["point"][-1].update({"class": "ConjugatedPrepared"}),
            "has a Harmonium where its point has a ConjugatedPrepared",
        ),
        ("a population and a table", filled("point.2.theta", 701.0), "log rates"),
    ],
)
def test_files_that_contradict_themselves(name, change, words):
    with pytest.raises(ModelFileError, match=words):
        load_model(rewritten(name, change))


def test_curves_far_from_the_origin_are_saved():
    """Their theta, a log rate at the origin, may be lower than any log rate of a Poisson law."""
    model = PopulationCode(Poisson(9), Normal(1), Grid(-1, 9, 200))
    prior = Normal(1).from_parameters(mean=[4.0], covariance=[[2.0]])
    point = model.from_parameters(
        gains=1.0, preferred=np.arange(9.0), widths=np.full(9, 0.19), prior=prior
    )
    before = fit(model, np.eye(9), initial=point, max_iter=1, warn=False)
    assert model.split(before.natural).observable.min() < -745
    assert_same(before, load_model(model_to_bytes(before)).fit, np.eye(9))


def test_what_no_block_has_is_zero():
    model: Harmonium = MODELS["a population and a table"]
    place = int(
        np.argwhere(fitted("a population and a table")[0].prepared.interaction[0] == 0)[-1][0]
    )

    def change(arrays, metadata):
        arrays["point.2.interaction"] = arrays["point.2.interaction"].copy()
        matrix = arrays["point.2.interaction"][0, place]
        matrix[matrix == 0] = 0.1

    assert place >= model.observable.parts[0].dimension
    with pytest.raises(ModelFileError, match="must be zero outside its blocks"):
        load_model(rewritten("a population and a table", change))
