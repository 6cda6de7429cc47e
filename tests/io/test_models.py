import copy
import dataclasses
import io
import os
import pickle

import numpy as np
import pytest

from harmonium import (
    Bernoulli,
    Binomial,
    Boltzmann,
    Categorical,
    ExponentialFamily,
    LinearGaussian,
    Mixture,
    NegativeBinomial,
    Normal,
    Poisson,
    Product,
    VonMises,
)
from harmonium.errors import ModelFileError
from harmonium.expectation import Prepared
from harmonium.families.normal_stack import NormalPrepared
from harmonium.graphs import Graph
from harmonium.io import (
    layout,
    load_model,
    model_to_bytes,
    model_tree,
    read_container,
    save_model,
    to_bytes,
)
from harmonium.io.codecs import CODECS
from harmonium.io.model_tree import CLASSES, encode_model
from harmonium.learning import Fit, Standardisation, fit
from harmonium.rules import ConjugationRule, Region
from harmonium.rules.linear_stack import LinearPrepared
from harmonium.rules.mixture_stack import MixturePrepared
from laws.harmonium_cases import every_model
from laws.random_points import with_missing


def table(seed=0, n=60, d=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + [0.0, 50.0, -1e4][:d]


@pytest.fixture(scope="module")
def fitted():
    return fit(Mixture(Normal(3), 2), table(), seed=0, max_iter=5, warn=False)


@pytest.fixture(scope="module")
def factors():
    model = LinearGaussian(Normal(3, "diagonal"), Mixture(Normal(1), 2))
    return fit(model, table(), seed=0, max_iter=5, warn=False)


def assert_same_bits(ours, theirs, x):
    whole = not ours.model.has_marginals
    for rows in (x, with_missing(x, 0.2, np.random.default_rng(0), whole=whole)):
        np.testing.assert_array_equal(ours.log_density(rows), theirs.log_density(rows))
        np.testing.assert_array_equal(ours.latent(rows), theirs.latent(rows))
    for mine, other in zip(ours.sample(20, 7), theirs.sample(20, 7), strict=True):
        np.testing.assert_array_equal(mine, other)
    np.testing.assert_array_equal(ours.natural, theirs.natural)


# ------------------------------------------------------------------ what was saved comes back


@every_model
def test_a_loaded_model_gives_the_same_bits(case):
    x = case.rows(0, 60)
    before = fit(case.model, x, seed=0, max_iter=3, warn=False)
    after = load_model(model_to_bytes(before)).fit
    assert after.model == before.model
    assert_same_bits(before, after, x)


@pytest.mark.parametrize("max_iter", [0, 1])
@pytest.mark.parametrize("shape", ["diagonal", "isotropic", "full"])
def test_starting_points_and_first_iterations_too(max_iter, shape):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(100, 5)) @ rng.normal(size=(5, 20)) + rng.normal(size=(100, 20))
    model = LinearGaussian(Normal(20, shape), Normal(5))
    before = fit(model, x, seed=0, max_iter=max_iter, warn=False)
    assert_same_bits(before, load_model(model_to_bytes(before)).fit, x)


@pytest.mark.parametrize(
    ("model", "columns"),
    [
        (Boltzmann(5, edges=((0, 1), (3, 4), (2, 1))), "bbbbb"),
        (Mixture(Boltzmann(3, edges=()), 2), "bbb"),
        (Mixture(Product(Bernoulli(2), Normal(2), Poisson(1)), 2), "bbnnp"),
        (Product(Categorical(2), Product(Normal(1), Binomial(3, 2))), "bnbb"),
        (Mixture(NegativeBinomial(2.5, 1), 2), "p"),
    ],
    ids=repr,
)
def test_fields_of_every_kind_come_back(model, columns):
    rng = np.random.default_rng(0)
    draw = {
        "b": lambda: rng.integers(0, 2, 80),
        "n": lambda: rng.normal(size=80),
        "p": lambda: rng.poisson(3, 80),
    }
    x = np.column_stack([draw[kind]() for kind in columns]).astype(float)
    before = fit(model, x, seed=0, max_iter=3, warn=False)
    after = load_model(model_to_bytes(before)).fit
    assert after.model == model
    missing = with_missing(x, 0.2, rng)
    for rows in (x, missing):
        np.testing.assert_array_equal(before.log_density(rows), after.log_density(rows))


def test_a_fit_of_a_family_alone():
    x = np.random.default_rng(0).poisson(3, size=(30, 2)).astype(float)
    before = fit(Poisson(2), x, seed=0)
    after = load_model(model_to_bytes(before)).fit
    np.testing.assert_array_equal(before.log_density(x), after.log_density(x))
    assert after.model == Poisson(2)


def test_everything_else_comes_back(fitted, tmp_path):
    told = dataclasses.replace(
        fitted,
        history=np.array([np.inf, *fitted.history[1:]]),
        notes=frozenset({"b: noted", "a: noted"}),
        residual=np.inf,
        converged=np.True_,
    )
    path = tmp_path / "model.hm"
    extra = {"rows": 60, "étude": [1.5, None, {"deep": True}]}
    save_model(path, told, feature_names=["x", "ÿ", ""], metadata=extra)
    saved = load_model(path)
    assert saved.feature_names == ("x", "ÿ", "")
    assert saved.metadata == extra
    assert saved.format_version == 1
    assert saved.library_version == layout.library_version()
    after = saved.fit
    np.testing.assert_array_equal(after.history, told.history)
    assert (after.converged, after.residual) == (True, np.inf)
    assert (after.message, after.n_iterations, after.notes) == (
        told.message,
        told.n_iterations,
        told.notes,
    )
    np.testing.assert_array_equal(after.standardisation.shift, fitted.standardisation.shift)
    np.testing.assert_array_equal(after.standardisation.scale, fitted.standardisation.scale)


def test_names_and_metadata_may_be_missing(fitted):
    saved = load_model(model_to_bytes(fitted))
    assert saved.feature_names is None
    assert saved.metadata == {}


def test_the_same_content_is_the_same_bytes(fitted, tmp_path):
    path = tmp_path / "model.hm"
    save_model(path, fitted, feature_names=list("abc"), metadata={"b": 1, "a": 2})
    data = path.read_bytes()
    assert data == model_to_bytes(fitted, feature_names=tuple("abc"), metadata={"a": 2, "b": 1})
    saved = load_model(data)
    again = model_to_bytes(saved.fit, feature_names=saved.feature_names, metadata=saved.metadata)
    assert again == data


def test_reads_paths_files_and_bytes(fitted, tmp_path):
    path = tmp_path / "model.hm"
    save_model(str(path), fitted)
    data = path.read_bytes()
    for source in (path, str(path), data, io.BytesIO(data)):
        assert load_model(source).fit.model == fitted.model
    with path.open("rb") as file:
        assert load_model(file).fit.model == fitted.model


def test_the_whole_file_by_hand(monkeypatch):
    """What is in a file is what the format says, and only that."""
    monkeypatch.setattr(layout, "library_version", lambda: "0.1.0")
    arrays = {
        "history": np.array([3.5, 3.0]),
        "point.0.natural": np.array([[0.5, -1.0], [2.0, 0.0]]),
        "point.1.log_weights": np.log([[0.25, 0.75]]),
        "residual": np.array(1e-7),
        "standardisation.scale": np.ones(2),
        "standardisation.shift": np.zeros(2),
    }
    metadata = {
        "version": 1,
        "model": [
            {"class": "Poisson", "fields": {"n": 2}},
            {"class": "Categorical", "fields": {"n_categories": 2}},
            {"class": "MixtureRule", "fields": {"shared": None}},
            {
                "class": "Harmonium",
                "fields": {"observable": {"node": 0}, "latent": {"node": 1}, "rule": {"node": 2}},
            },
        ],
        "point": [
            {"class": "StatisticPrepared", "fields": {}},
            {"class": "MixturePrepared", "fields": {"components": {"node": 0}}},
        ],
        "converged": True,
        "message": "converged",
        "n_iterations": 1,
        "notes": [],
        "feature_names": ["a", "b"],
        "metadata": {},
    }
    data = to_bytes("model", arrays, metadata)
    saved = load_model(data)
    assert saved.fit.model == Mixture(Poisson(2), 2)
    x = np.array([[1.0, 0.0]])
    rates = np.exp(arrays["point.0.natural"])
    by_hand = np.log((np.array([0.25, 0.75]) * np.exp(-rates.sum(1)) * rates[:, 0]).sum())
    assert saved.fit.log_density(x)[0] == pytest.approx(by_hand, rel=1e-14)
    assert model_to_bytes(saved.fit, feature_names=["a", "b"]) == data


def test_copies_and_pickles_of_a_fit_give_the_same_bits(fitted, factors):
    for before in (fitted, factors):
        before.log_density(table())  # whatever is kept for later is copied with it
        for after in (
            copy.copy(before),
            copy.deepcopy(before),
            pickle.loads(pickle.dumps(before)),
        ):
            assert_same_bits(before, after, table())


def test_a_copy_shares_no_memory(fitted):
    after = copy.deepcopy(fitted)
    assert not np.shares_memory(after.prepared.log_weights, fitted.prepared.log_weights)
    assert not np.shares_memory(after.history, fitted.history)


# ----------------------------------------------------------------------------- any depth


def chain(depth):
    model, prepared = Normal(1), NormalPrepared(Normal(1), np.ones((1, 1)), np.ones((1, 1, 1)))
    for level in range(depth):
        noise = NormalPrepared(Normal(1), np.full((1, 1), float(level)), np.full((1, 1, 1), 2.0))
        loadings = np.full((1, 1, 1), 0.5)
        prepared = LinearPrepared(Normal(1), model, loadings, noise, prepared)
        model = LinearGaussian(Normal(1), model)
    standard = Standardisation(np.zeros(1), np.ones(1))
    return Fit(model, prepared, standard, np.zeros(1), True, 0.0, 0, "made by hand")


def test_depth_is_no_matter_of_recursion():
    depth = 1500  # beyond where Python stops recursing
    after = load_model(model_to_bytes(chain(depth))).fit
    model, prepared = after.model, after.prepared
    for level in reversed(range(depth)):
        assert prepared.noise.means[0, 0] == level
        model, prepared = model.latent, prepared.prior
    assert model == Normal(1)
    assert prepared.means[0, 0] == 1


#: What model files do not hold yet.
UNSAVED = {"Graph", "GraphPrepared"}


def test_every_class_of_the_library_but_graphs_can_be_saved():
    def below(kind):
        for sub in kind.__subclasses__():
            yield sub
            yield from below(sub)

    def ours(kind):
        return {
            sub.__name__
            for sub in below(kind)
            if sub.__module__.startswith("harmonium.") and not sub.__abstractmethods__
        }

    kinds = ours(ExponentialFamily) | ours(ConjugationRule) | ours(Region)
    assert kinds - UNSAVED == CLASSES.keys()
    assert ours(Prepared) - UNSAVED == CODECS.keys()


def test_graphs_are_not_saved_and_say_so():
    model = Graph({"a": Categorical(2), "b": Categorical(2)}, [("a", "b")])
    with pytest.raises(TypeError, match=r"Graph can not be saved.*parameters by themselves"):
        encode_model(model)


# ------------------------------------------------------------------------- what is not saved


def test_only_fits_are_saved(fitted, tmp_path):
    class Estimator:
        fit_ = fitted

    path = tmp_path / "model.hm"
    with pytest.raises(TypeError, match=r"must be a Fit, not Estimator.*pass its fit_"):
        save_model(path, Estimator())
    assert not os.listdir(tmp_path)


def test_classes_of_others_are_not_saved(fitted):
    class Mine(Poisson):
        pass

    x = np.random.default_rng(0).poisson(3, size=(30, 2)).astype(float)
    with pytest.raises(TypeError, match=r"Mine can not be saved: .*harmonium's own"):
        model_to_bytes(fit(Mixture(Mine(2), 2), x, seed=0, max_iter=1, warn=False))

    class Stack(MixturePrepared):
        pass

    inner = fitted.prepared
    stack = Stack(inner.observable, inner.log_weights, inner.components, inner.rows)
    with pytest.raises(TypeError, match="Stack can not be saved"):
        model_to_bytes(dataclasses.replace(fitted, prepared=stack))


@pytest.mark.parametrize(
    ("names", "error", "words"),
    [
        (["a", "b"], ValueError, "2 names for 3 columns"),
        ("abc", TypeError, "a sequence of names"),
        (["a", "b", 3], TypeError, "must be strings, not 3"),
        (["a", "b", "\ud800"], ValueError, "lone surrogate"),
    ],
)
def test_names_that_are_none(fitted, names, error, words):
    with pytest.raises(error, match=words):
        model_to_bytes(fitted, feature_names=names)


@pytest.mark.parametrize(
    ("metadata", "error", "words"),
    [
        ([1], TypeError, "metadata must be a mapping"),
        ({"a": (1,)}, TypeError, r"metadata\['a'\] is of type tuple"),
        ({"a": float("nan")}, ValueError, r"metadata\['a'\] is nan"),
        ({1: 2}, TypeError, "metadata has the key 1"),
    ],
)
def test_metadata_that_are_none(fitted, metadata, error, words):
    with pytest.raises(error, match=words):
        model_to_bytes(fitted, metadata=metadata)


def test_metadata_as_deep_as_they_may_be(fitted):
    deep = {}
    for _ in range(97):
        deep = {"in": deep}
    assert load_model(model_to_bytes(fitted, metadata=deep)).metadata == deep
    with pytest.raises(ValueError, match="deeper than 98 levels"):
        model_to_bytes(fitted, metadata={"in": deep})


def test_what_could_not_be_read_is_not_written(fitted, tmp_path):
    path = tmp_path / "model.hm"
    save_model(path, fitted)
    old = path.read_bytes()
    inner = fitted.prepared
    for log_weights, words in (
        (np.array([[np.nan, 0.0]]), "point.1.log_weights: must be finite"),
        (np.array([[0.0, 0.0]]), "fitted can not be saved: .*must sum to one"),
    ):
        broken = MixturePrepared(inner.observable, log_weights, inner.components, inner.rows)
        with pytest.raises(ValueError, match=words):
            save_model(path, dataclasses.replace(fitted, prepared=broken))
    with pytest.raises(ValueError, match="residual: must be numbers"):
        save_model(path, dataclasses.replace(fitted, residual=np.nan))
    assert path.read_bytes() == old
    assert os.listdir(tmp_path) == ["model.hm"]


# --------------------------------------------------------------- files that are not as saved


def test_truncations_and_changed_bytes_are_seen(factors):
    data = model_to_bytes(factors, feature_names=list("abc"))
    rng = np.random.default_rng(0)
    for length in [
        0,
        1,
        7,
        27,
        28,
        len(data) - 33,
        len(data) - 1,
        *rng.integers(len(data), size=60),
    ]:
        with pytest.raises(ModelFileError):
            load_model(data[:length])
    for place in [0, 8, 12, 20, 28, len(data) - 1, *rng.integers(len(data), size=200)]:
        damaged = bytearray(data)
        damaged[place] ^= 1 << int(rng.integers(8))
        with pytest.raises(ModelFileError):
            load_model(bytes(damaged))


def test_messages_name_the_file(tmp_path):
    path = tmp_path / "other.hm"
    path.write_bytes(to_bytes("example", {}, {}))
    with pytest.raises(ModelFileError, match=r"other.hm' is of another kind: it holds 'example'"):
        load_model(path)
    path.write_bytes(to_bytes("model", {}, {}))
    with pytest.raises(
        ModelFileError, match=r"other.hm' contradicts itself: there is no model ver"
    ):
        load_model(path)
    with pytest.raises(ModelFileError, match=r"^the data given contradicts"):
        load_model(path.read_bytes())
    with pytest.raises(ModelFileError, match=r"^the file given contradicts"):
        load_model(io.BytesIO(path.read_bytes()))
    with path.open("rb") as file, pytest.raises(ModelFileError, match=r"other.hm' contradicts"):
        load_model(file)
    with pytest.raises(ModelFileError, match="is not a harmonium file but a pickle"):
        load_model(pickle.dumps({}))
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "none.hm")


def rewritten(data, change, nonfinite=()):
    """The file after a change of what it holds, with a valid checksum."""
    container = read_container(data)
    arrays, metadata = dict(container.arrays), copy.deepcopy(container.metadata)
    change(arrays, metadata)
    return to_bytes("model", arrays, metadata, allow_nonfinite=nonfinite)


def entry(key, value):
    def change(arrays, metadata):
        metadata[key] = value

    return change


def without(key):
    return lambda arrays, metadata: metadata.pop(key)


def node(tree, place, **changes):
    def change(arrays, metadata):
        metadata[tree][place].update(changes)

    return change


def fields(place, **changes):
    def change(arrays, metadata):
        metadata["model"][place]["fields"].update(changes)

    return change


def array(name, value):
    def change(arrays, metadata):
        arrays[name] = np.asarray(value)

    return change


def no_array(name):
    return lambda arrays, metadata: arrays.pop(name)


def filled(name, value):
    """One entry changed, the first."""

    def change(arrays, metadata):
        arrays[name].flat[0] = value

    return change


# the model's nodes: Normal, Categorical, MixtureRule, Harmonium; the point's: its components, itself
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            entry("version", 2),
            "holds a model of version 2, and harmonium .* up to version 1.*upgrade",
        ),
        (entry("version", 0), "there is no model version 0"),
        (entry("version", True), "there is no model version True"),
        (entry("version", "1"), "there is no model version 1"),
        (without("version"), "there is no model version None"),
        (without("notes"), "its metadata have no notes"),
        (entry("more", 1), "unknown entry 'more'"),
        (entry("converged", 1), "its converged is 1"),
        (entry("n_iterations", True), "its n_iterations is True"),
        (entry("n_iterations", -1), "n_iterations: -1"),
        (entry("n_iterations", 4), r"history: shape \(6,\), expected \(5,\)"),
        (entry("message", None), "its message is None"),
        (entry("notes", [1]), "its notes are not all strings"),
        (entry("feature_names", ["a"]), "1 names for 3 columns"),
        (entry("feature_names", [1, 2, 3]), "must be strings, not 1"),
        (entry("feature_names", {}), "its feature_names is {}"),
        (entry("metadata", []), r"its metadata is \[\]"),
        # the model
        (entry("model", []), "its model is not a list of nodes"),
        (entry("model", [1]), "node 0 of its model is not a node"),
        (node("model", 0, more=1), "node 0 of its model is not a node"),
        (node("model", 0, fields=None), "node 0 of its model is not a node"),
        (node("model", 0, **{"class": 3}), "node 0 of its model is not a node"),
        (
            node("model", 0, **{"class": "Cauchy"}),
            r"holds the class 'Cauchy', which harmonium .* does not know: it was written by "
            r"harmonium .*; upgrade harmonium if that is newer",
        ),
        (node("model", 0, **{"class": "os.system"}), "the class 'os.system'"),
        (fields(0, tails="heavy"), "holds the field of Normal 'tails'.*does not know"),
        (fields(0, n=0), "Normal, node 0 of its model, can not be made: n must be at least 1"),
        (fields(0, n="3"), "can not be made: n must be an integer"),
        (fields(0, n=[3]), "can not be made: n must be an integer"),
        (fields(0, n=10**12), "its Normal alone has 500,0.* parameters"),
        (fields(0, covariance="round"), "can not be made: covariance:"),
        (fields(0, covariance={"a": 1}), "holds {'a': 1} for a node"),
        (fields(3, rule={"node": 0}), "refers to node 0, .* held twice"),
        (fields(0, covariance={"node": "0"}), "for a node"),
        (fields(0, covariance={"node": -1}), "refers to node -1"),
        (fields(2, shared={"node": 2}), "refers to node 2, which does not come before it"),
        (fields(2, shared="location"), "can not be made: shared"),
        (fields(3, rule={"node": 1}, latent={"node": 2}), "has a rule that is none"),
        (fields(3, observable=3), "node 0 of its model is held by none"),
        (fields(3, observable={"node": 1}, latent={"node": 0}), "can not be made: latent"),
        (
            node("model", 3, fields={"observable": [{"node": 0}, {"node": 1}, {"node": 2}]}),
            "Harmonium has no latent",
        ),
        (lambda a, m: m["model"].append({"class": "LinearRule", "fields": {}}), "held by none"),
        (entry("model", [{"class": "LinearRule", "fields": {}}]), "its model is a LinearRule"),
        # the point
        (entry("point", {}), "its point is {}"),
        (node("point", 0, **{"class": "CauchyPrepared"}), "the kind of point 'CauchyPrepared'"),
        (node("point", 0, **{"class": "StatisticPrepared"}), "a Normal where its point has a Stat"),
        (node("point", 0, **{"class": "BoltzmannPrepared"}), "a Normal where its point has a Bolt"),
        (entry("point", [{"class": "NormalPrepared", "fields": {}}]), "has a Harmonium where"),
        (node("point", 0, fields={"noise": 1}), r"has the parts \['noise'\], not \[\]"),
        (node("point", 1, fields={}), "held by none"),
        (
            node("point", 1, fields={"parts": {"node": 0}}),
            r"parts \['parts'\], not \['components'\]",
        ),
        (node("point", 1, fields={"components": [{"node": 0}]}), "for a node"),
        # the arrays
        (no_array("point.0.means"), "it has no array 'point.0.means'"),
        (no_array("history"), "it has no array 'history'"),
        (array("point.2.means", 1.0), "it has the unknown array 'point.2.means'"),
        (array("point.0.means", np.zeros((2, 3), int)), "is of int64, not float64"),
        (array("point.0.means", np.zeros((2, 2))), r"means: shape \(2, 2\), expected \(any, 3\)"),
        (
            array("point.0.means", np.zeros((3, 3))),
            r"covariances: shape \(2, 3, 3\), expected \(3,",
        ),
        (array("point.0.covariances", np.ones((2, 3))), r"covariances: shape"),
        (
            filled("point.0.covariances", -1.0),
            "covariances: must be positive definite, but matrix 0",
        ),
        (filled("point.0.covariances", 0.0), "must be positive definite"),
        (
            lambda a, m: a["point.0.covariances"].__setitem__((1, 0, 1), 9.0),
            r"must be symmetric, but in matrix 1",
        ),
        (
            filled("point.0.means", -1e76),
            r"means: must be within 1e\+75, but entry \[0, 0\] is -1e\+76",
        ),
        (filled("point.0.covariances", 1e151), r"covariances: must be within 1e\+150"),
        (filled("standardisation.shift", 1e76), r"standardisation.shift: must be within 1e\+75"),
        (filled("point.0.scale", -1.0), r"scale: must be at least zero, but entry \[0\] is -1.0"),
        (
            array("point.1.log_weights", np.log([[0.5, 0.4]])),
            "must sum to one, but .* row 0 do to 0.9",
        ),
        (array("point.1.log_weights", [[1e300, 0.0]]), "must sum to one"),
        (
            array("point.1.log_weights", [[0.0]]),
            r"log_weights: shape \(1, 1\), expected \(any, 2\)",
        ),
        (array("point.1.log_weights", np.zeros((0, 2))), r"log_weights: shape"),
        (
            array("point.1.log_weights", np.log(np.full((2, 2), 0.5))),
            "components: 2 of them, expected 4",
        ),
        (
            filled("standardisation.scale", 0.0),
            r"scale: must be above zero, but entry \[0\] is 0.0",
        ),
        (array("standardisation.shift", np.zeros(2)), r"shift: shape \(2,\), expected \(3,\)"),
        (array("residual", [1.0]), r"residual: shape \(1,\)"),
        (array("history", np.zeros((6, 1))), "history: shape"),
    ],
)
def test_files_that_contradict_themselves(fitted, change, words):
    with pytest.raises(ModelFileError, match=words):
        load_model(rewritten(model_to_bytes(fitted), change))


def test_an_older_file_may_lack_a_field_that_has_a_default(fitted):
    def change(arrays, metadata):
        del metadata["model"][0]["fields"]["covariance"]

    assert load_model(rewritten(model_to_bytes(fitted), change)).fit.model == fitted.model


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("point.0.means", "point, is none: means: must be finite"),
        ("point.1.log_weights", "log_weights: must be finite"),
        ("standardisation.shift", "standardisation.shift: must be finite"),
    ],
)
def test_parameters_that_are_not_finite(fitted, name, words, value):
    data = rewritten(model_to_bytes(fitted), filled(name, value), [name])
    with pytest.raises(ModelFileError, match=words):
        load_model(data)


def test_parameters_that_might_have_been_infinite(fitted):
    data = rewritten(model_to_bytes(fitted), lambda a, m: None, ["point.0.means"])
    with pytest.raises(ModelFileError, match=r"'point.0.means' may not be infinite"):
        load_model(data)


@pytest.mark.parametrize("name", ["history", "residual"])
def test_what_may_be_infinite_may_not_be_nan(fitted, name):
    data = model_to_bytes(fitted)
    infinite = rewritten(data, filled(name, np.inf), [name])
    assert load_model(infinite).fit.model == fitted.model
    with pytest.raises(ModelFileError, match=f"{name}: must be numbers"):
        load_model(rewritten(data, filled(name, np.nan), [name]))


@pytest.mark.parametrize(
    ("model", "change", "words"),
    [
        (
            Mixture(Poisson(2), 2),
            array("point.0.natural", np.full((2, 2), 701.0)),
            "natural.*log rates",
        ),
        (Mixture(Poisson(2), 2), array("point.0.natural", np.zeros((2, 3))), r"shape \(2, 3\)"),
        (Mixture(Poisson(2), 2), array("standardisation.shift", np.ones(2)), "neither shifted nor"),
        (
            Mixture(VonMises(1), 2),
            array("point.0.natural", np.full((2, 2), 1e13)),
            "concentrations",
        ),
        (Mixture(Categorical(3), 2), array("point.0.natural", np.zeros((2, 3))), "natural: shape"),
        (Mixture(Boltzmann(2), 2), array("point.0.natural", np.zeros((2, 4))), "natural: shape"),
        (
            Mixture(Boltzmann(2), 2),
            node("point", 0, **{"class": "StatisticPrepared"}),
            "a Boltzmann where its point has a StatisticPrepared",
        ),
        (
            Mixture(Boltzmann(2), 2),
            lambda a, m: m["model"][0]["fields"].update(n=26),
            "can not be made: n: 26 units",
        ),
    ],
)
def test_points_out_of_their_domain(model, change, words):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, size=(40, model.n_observed)).astype(float)
    data = model_to_bytes(fit(model, x, seed=0, max_iter=1, warn=False))
    with pytest.raises(ModelFileError, match=words):
        load_model(rewritten(data, change))


# the point's nodes: the noise, the prior's components, the prior, the model
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (filled("point.0.covariances", 0.0), "covariances: must be above zero"),
        (
            array("point.3.loadings", np.ones((1, 3, 2))),
            r"shape \(1, 3, 2\), expected \(any, 3, 1\)",
        ),
        (array("point.3.loadings", np.ones((2, 3, 1))), "noise: 1 of them, expected 2"),
        (
            array("point.3.loadings", np.full((1, 3, 1), 1e76)),
            r"loadings: must be within 1e\+75, but",
        ),
        (
            node("point", 3, fields={"noise": {"node": 2}, "prior": {"node": 0}}),
            "has a Normal where its point has a MixturePrepared",
        ),
    ],
)
def test_linear_models_that_contradict_themselves(factors, change, words):
    data = model_to_bytes(factors)
    assert load_model(data).fit.model == factors.model
    with pytest.raises(ModelFileError, match=words):
        load_model(rewritten(data, change))


def test_a_stack_is_not_a_model():
    x = np.random.default_rng(0).poisson(3, size=(30, 2)).astype(float)
    data = model_to_bytes(fit(Poisson(2), x, seed=0))
    with pytest.raises(ModelFileError, match="it holds 2 points, expected one"):
        load_model(rewritten(data, array("point.0.natural", np.zeros((2, 2)))))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (array("point.1.natural", np.zeros((3, 1))), "parts: 3 of them, expected 2"),
        (node("point", 2, fields={"parts": {"node": 0}}), "node 1 of its point is held by none"),
        (
            node("point", 2, fields={"parts": [{"node": 1}, {"node": 0}]}),
            r"expected \(any, 1\)",
        ),
        (entry("point", []), "not a list of nodes"),
    ],
)
def test_products_that_contradict_themselves(change, words):
    rng = np.random.default_rng(0)
    x = rng.poisson(3, size=(40, 3)).astype(float)
    model = Mixture(Product(Poisson(2), Poisson(1)), 2)
    data = model_to_bytes(fit(model, x, seed=0, max_iter=1, warn=False))
    with pytest.raises(ModelFileError, match=words):
        load_model(rewritten(data, change))


def test_a_product_has_as_many_parts_as_its_model():
    rng = np.random.default_rng(0)
    x = rng.poisson(3, size=(40, 3)).astype(float)
    data = model_to_bytes(fit(Product(Poisson(2), Poisson(1)), x, seed=0))

    def change(arrays, metadata):
        metadata["point"] = [metadata["point"][0], metadata["point"][2]]
        metadata["point"][1]["fields"]["parts"] = [{"node": 0}]

    with pytest.raises(ModelFileError, match=r"ProductPrepared.parts is not 2 nodes"):
        load_model(rewritten(data, change))


def test_observables_nested_too_deeply():
    depth = 2000
    nodes = [{"class": "Poisson", "fields": {"n": 1}}]
    for _ in range(depth):
        nodes.append({"class": "Product", "fields": {"parts": [{"node": len(nodes) - 1}]}})
    data = model_to_bytes(fit(Poisson(1), np.ones((3, 1)), seed=0, warn=False))
    with pytest.raises(ModelFileError, match="nested too deeply to be read"):
        load_model(rewritten(data, entry("model", nodes)))


def test_an_isotropic_model_has_one_scale():
    model = Mixture(Normal(3, "isotropic"), 2)
    data = model_to_bytes(fit(model, table(), seed=0, max_iter=1, warn=False))
    with pytest.raises(ModelFileError, match="one scale for all columns"):
        load_model(rewritten(data, array("standardisation.scale", [1.0, 2.0, 3.0])))


def test_messages_are_of_bounded_length(fitted):
    long = "n" * 100_000
    for change in (
        node("model", 0, **{"class": long}),
        fields(0, **{long: 1}),
        fields(0, covariance=long),
        entry("message", [long]),
        entry(long, 1),
        node("point", 0, fields={long: 1}),
        array(long, 1.0),
    ):
        with pytest.raises(ModelFileError) as caught:
            load_model(rewritten(model_to_bytes(fitted), change))
        assert len(str(caught.value)) < 700


def test_a_model_whose_constructor_recurses_too_deeply(fitted, monkeypatch):
    @dataclasses.dataclass(frozen=True)
    class Endless:
        def __post_init__(self):
            type(self)()

    monkeypatch.setitem(model_tree.CLASSES, "Endless", Endless)
    change = node("model", 0, **{"class": "Endless", "fields": {}})
    with pytest.raises(ModelFileError, match="nested too deeply to be read"):
        load_model(rewritten(model_to_bytes(fitted), change))


def places_in(value, path=()):
    """All places within nested metadata."""
    yield path
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from places_in(inner, (*path, key))


WRONG = [None, True, 0, -1, 1, 2, 10**6, 2**70, 0.5, 1e308, "", "full", "shape", [], [0], {}]
WRONG += [{"node": 0}, {"node": 1}, {"node": 10**9}, [{"node": 0}], {"a": []}, [[1, 0]], "Normal"]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_a_file_says_is_loaded_or_refused(fitted, factors, seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 2, size=(40, 4)).astype(float)
    units = Mixture(Product(Boltzmann(3, edges=((0, 1),)), Poisson(1)), 2)
    models = [fitted, factors, fit(units, x, seed=0, max_iter=1, warn=False)]
    refused = 0
    for _ in range(150):
        container = read_container(model_to_bytes(models[rng.integers(len(models))]))
        arrays, metadata = dict(container.arrays), copy.deepcopy(container.metadata)
        for _ in range(rng.integers(0, 3)):
            path = list(places_in(metadata))[1:]
            *parents, last = path[rng.integers(len(path))]
            parent = metadata
            for key in parents:
                parent = parent[key]
            if rng.random() < 0.2 and isinstance(parent, dict):
                del parent[last]
            else:
                parent[last] = copy.deepcopy(WRONG[rng.integers(len(WRONG))])
        name = sorted(arrays)[rng.integers(len(arrays))]
        if rng.random() < 0.5:
            values = np.array(arrays[name])
            values.flat[rng.integers(values.size)] = rng.choice([0.0, -1.0, 1e308, np.inf, np.nan])
            arrays[name] = values
        odd = [n for n, values in arrays.items() if not np.isfinite(values).all()]
        data = to_bytes("model", arrays, metadata, allow_nonfinite=odd)
        try:
            loaded = load_model(data).fit
        except ModelFileError:
            refused += 1
        else:
            rows = np.zeros((1, loaded.prepared.n_observed))
            assert not np.isnan(loaded.log_density(rows)).any()
    assert 50 < refused < 150  # some of each
