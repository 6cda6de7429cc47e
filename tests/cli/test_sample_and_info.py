import json

import numpy as np
import pytest

from harmonium import (
    Categorical,
    Circle,
    Grid,
    LinearGaussian,
    Mixture,
    Normal,
    Poisson,
    PopulationCode,
    Product,
    Views,
    VonMises,
)
from harmonium.cli.parameters import grids
from harmonium.io import load_model, save_model
from harmonium.io.model_tree import encode_model
from harmonium.learning import fit
from harmonium.learning.information import n_free_parameters

# --------------------------------------------------------------------------------- sample


def test_the_models_own_draws(run, fitted, blobs_csv):
    path = fitted(blobs_csv, "--model", "gaussian-mixture", "--components", 2)
    ended = run("sample", path, "-n", 7, "--seed", 5)
    assert (ended.code, ended.err) == (0, "")
    assert ended.names == ["a", "b", "c d"]
    x, latent = load_model(path).fit.sample(7, 5)
    np.testing.assert_array_equal(ended.values, x)
    ended = run("sample", path, "-n", 7, "--seed", 5, "--latent")
    assert ended.names == ["a", "b", "c d", "cluster"]
    np.testing.assert_array_equal(ended.values, np.hstack([x, latent]))
    assert run("sample", path, "-n", 7).out != run("sample", path, "-n", 7).out


def test_counts_and_labels_are_written_as_whole_numbers(run, fitted, counts_csv):
    path = fitted(counts_csv, "--model", "poisson-mixture", "--components", 2)
    rows = run("sample", path, "-n", 50, "--latent").rows[1:]
    assert all(field.isdecimal() for row in rows for field in row)


def test_every_level_has_its_columns(run, fitted, factors_csv, tmp_path):
    path = fitted(
        factors_csv, "--model", "reduction-and-clustering", "--factors", 2, "--components", 2,
        "--max-iter", 2,
    )  # fmt: skip
    out = tmp_path / "out.csv"
    ended = run("sample", path, "-n", 3, "--latent", "--output", out)
    assert (ended.code, ended.out) == (0, "")
    header, *rows = out.read_text().splitlines()
    assert header == "x0,x1,x2,x3,x4,x5,factor_0,factor_1,cluster"
    assert len(rows) == 3


def test_names_are_not_taken_twice(run, tmp_path, blobs):
    path = tmp_path / "model.hm"
    model = Mixture(LinearGaussian(Normal(3, "diagonal"), Mixture(Normal(1), 2)), 2)
    fitted = fit(model, blobs, seed=0, max_iter=1, warn=False)
    save_model(path, fitted, feature_names=["a", "b", "factor_0"])
    names = run("sample", path, "-n", 1, "--latent").names
    assert names == ["a", "b", "factor_0", "factor_0_2", "cluster", "cluster_2"]
    save_model(path, fitted)
    assert run("sample", path, "-n", 1).names == ["column 1", "column 2", "column 3"]


def test_what_sample_refuses(refused, fitted, blobs_csv, tmp_path):
    path = fitted(blobs_csv, "--model", "gaussian-mixture", "--components", 2)
    assert "required: -n/--rows" in refused("sample", path)
    assert "at least 1, not '0'" in refused("sample", path, "-n", 0)
    assert refused("sample", path, "-n", 1, "--output", path).endswith("is the input too")
    assert "No such file" in refused("sample", tmp_path / "no.hm", "-n", 1)


# ----------------------------------------------------------------------------------- info


def test_info_for_people(run, fitted, factors_csv):
    path = fitted(
        factors_csv, "--model", "reduction-and-clustering", "--factors", 2, "--components", 2,
        "--max-iter", 3,
    )  # fmt: skip
    ended = run("info", path)
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    saved = load_model(path)
    said = {
        line.split("  ")[0].strip(): line.split("  ")[-1].strip() for line in lines if "  " in line
    }
    assert said["file"] == str(path)
    assert said["format"] == "version 1, checksum ok"
    assert said["written by"] == f"harmonium {saved.library_version}"
    assert said["columns"] == "6: x0, x1, x2, x3, x4, x5"
    assert said["free parameters"] == str(n_free_parameters(saved.fit.model))
    assert said["iterations"] == f"3, {saved.fit.message}"
    assert said["command data"] == "factors.csv"
    assert said["command factors"] == "2"
    tree = [line.strip("│├└─ ") for line in lines]
    for words in (
        "Harmonium()",
        "observable: Normal(n=6, covariance='diagonal')",
        "latent: Harmonium()",
        "observable: Normal(n=2, covariance='full')",
        "latent: Categorical(n_categories=2)",
        "rule: MixtureRule(shared=None)",
        "rule: LinearRule()",
    ):
        assert tree.count(words) == 1
    for title in ("loadings", "latent: weights", "latent: means", "latent: standard deviations"):
        assert title in lines


def test_info_for_programs(run, fitted, blobs_csv):
    path = fitted(blobs_csv, "--model", "gaussian-mixture", "--components", 2)
    ended = run("info", path, "--json")
    assert (ended.code, ended.err) == (0, "")
    told = json.loads(ended.out)
    saved = load_model(path)
    point = saved.fit.in_units
    assert told["format_version"] == 1
    assert told["checksum"] == "ok"
    assert told["model"] == encode_model(saved.fit.model)
    assert told["feature_names"] == ["a", "b", "c d"]
    assert told["n_columns"] == 3
    assert told["n_free_parameters"] == 19
    assert told["fit"]["converged"] is True
    assert told["fit"]["history"] == saved.fit.history.tolist()
    assert told["fit"]["cross_entropy"] == saved.fit.cross_entropy
    assert told["metadata"] == saved.metadata
    parameters = told["parameters"]
    np.testing.assert_array_equal(parameters["weights"], np.exp(point.log_weights))
    np.testing.assert_array_equal(parameters["components"]["means"], point.components.means)
    np.testing.assert_array_equal(
        parameters["components"]["covariances"], point.components.covariances
    )


@pytest.mark.parametrize(
    ("arguments", "titles"),
    [
        (
            ("--model", "gaussian-boltzmann", "--units", 2),
            ["loadings", "latent: biases", "latent: couplings"],
        ),
        (
            ("--model", "gaussian-mixture", "--components", 2, "--covariance", "tied"),
            ["weights", "means", "standard deviations"],
        ),
        (("--model", "von-mises-mixture", "--components", 2), ["weights", "mean", "concentration"]),
        (("--model", "ppca", "--factors", 1), ["loadings"]),
    ],
)
def test_what_is_shown_of_each_model(fitted, write_csv, run, arguments, titles):
    x = np.random.default_rng(0).normal(size=(50, 3)) + np.arange(50)[:, None] % 2
    path = fitted(write_csv("t.csv", ["a", "b", "c"], x), *arguments, "--max-iter", 3)
    saved = load_model(path)
    found = grids(saved.fit.in_units, ["a", "b", "c"])
    assert [grid.title for grid in found] == titles
    for grid in found:
        assert grid.values.shape == (len(grid.rows), len(grid.columns))
    json.loads(run("info", path, "--json").out)


def test_stacks_of_models_are_shown_one_by_one(blobs):
    model = Mixture(LinearGaussian(Normal(3, "diagonal"), Normal(1)), 2)
    found = grids(fit(model, blobs, seed=0, max_iter=2, warn=False).in_units, ["a", "b", "c"])
    titles = [grid.title for grid in found]
    assert titles[:2] == ["weights", "cluster 0: loadings"]
    assert "cluster 1: loadings" in titles


def test_parts_of_a_product_have_their_own_columns(run, tmp_path):
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(size=(60, 2)), rng.poisson(4, 60)])
    model = Mixture(Product(Normal(2), Poisson(1)), 2)
    fitted = fit(model, x, seed=0, max_iter=3, warn=False)
    found = grids(fitted.in_units, ["a", "b", "c"])
    assert [(grid.title, list(grid.rows)) for grid in found] == [
        ("weights", ["cluster 0", "cluster 1"]),
        ("means", ["a", "b"]),
        ("standard deviations", ["a", "b"]),
        ("rate", ["c"]),
    ]
    save_model(tmp_path / "model.hm", fitted)
    told = json.loads(run("info", tmp_path / "model.hm", "--json").out)
    parts = told["parameters"]["components"]["parts"]
    np.testing.assert_allclose(parts[1]["rate"], found[3].values.T)


def test_probabilities_of_categories_are_no_columns():
    x = np.random.default_rng(0).integers(0, 3, size=(40, 1)).astype(float)
    found = grids(fit(Categorical(3), x, seed=0).in_units, ["kind"])
    (grid,) = found
    assert (grid.title, grid.rows) == ("probabilities", ["0", "1", "2"])
    np.testing.assert_allclose(grid.values[:, 0], np.bincount(x[:, 0].astype(int)) / 40, rtol=1e-9)


def test_large_tables_are_cut(run, write_csv, fitted):
    x = np.random.default_rng(0).poisson(3, size=(60, 50))
    data = write_csv("t.csv", [f"n{j}" for j in range(50)], x)
    path = fitted(data, "--model", "poisson-mixture", "--components", 15, "--max-iter", 1)
    out = run("info", path).out
    assert "and 10 more rows and 3 more columns: see harmonium info --json" in out
    assert "n39" in out
    assert "n40 " not in out[out.index("\nrate\n") :]


def test_names_do_not_reach_the_terminal_as_they_are(run, write_csv, fitted, tmp_path):
    x = np.random.default_rng(0).normal(size=(30, 2))
    data = write_csv("t.csv", ["[red]a\x1b[31m", ":smile:"], x)
    path = fitted(data, "--model", "gaussian-mixture", "--components", 1)
    out = run("info", path).out
    assert "\x1b" not in out
    assert "[red]a\\x1b[31m" in out
    assert ":smile:" in out


def test_info_of_what_is_no_model(refused, tmp_path, blobs_csv):
    assert "No such file" in refused("info", tmp_path / "no.hm")
    assert "is not a harmonium file" in refused("info", blobs_csv)


# ------------------------------------------------------- population codes and several views


@pytest.fixture
def code(tmp_path):
    """A saved population code of an angle, and its file."""
    angle = VonMises(1)
    model = PopulationCode(Poisson(3), angle, Circle(90))
    point = model.from_parameters(
        gains=[1.0, 2.0, 3.0],
        preferred=[0.5, 2.0, 4.0],
        concentrations=2.0,
        prior=angle.from_parameters(mean=1.0, concentration=3.0),
    )
    found = fit(model, [[1, 2, 0], [0, 3, 1]], initial=point, max_iter=0, warn=False)
    path = tmp_path / "code.hm"
    save_model(path, found, feature_names=["left", "up", "right"])
    return found, path


def test_a_population_code_by_its_tuning_curves(run, code):
    found, path = code
    gains, preferred, concentrations, *prior = grids(found.in_units, ["left", "up", "right"])
    assert (gains.title, gains.rows) == ("gains", ["left", "up", "right"])
    np.testing.assert_allclose(gains.values[:, 0], [1, 2, 3], rtol=1e-12)
    assert (preferred.title, preferred.columns) == ("tuning: mean", ["angle_0"])
    np.testing.assert_allclose(preferred.values[:, 0], [0.5, 2, 4], rtol=1e-12)
    np.testing.assert_allclose(concentrations.values, 2, rtol=1e-12)
    assert [grid.title for grid in prior] == ["latent: mean", "latent: concentration"]
    out = run("info", path).out
    assert "region: Circle(points=90, n=1)" in out
    assert "tuning: concentration" in out
    plain = json.loads(run("info", path, "--json").out)["parameters"]
    np.testing.assert_array_equal(plain["theta"], found.in_units.theta)
    ended = run("sample", path, "-n", 4, "--seed", 3, "--latent")
    assert ended.names == ["left", "up", "right", "angle_0"]
    np.testing.assert_array_equal(ended.values, np.hstack(found.sample(4, 3)))


def test_curves_without_a_preferred_value_are_shown_as_they_are():
    model = PopulationCode(Poisson(2), Normal(1), Grid(-1, 1, 20))
    point = model.from_prior_and_likelihood(
        prior=Normal(1).from_parameters(mean=[0.0], covariance=[[1.0]]),
        observable=[0.1, 0.2],
        interaction=[[0.3, 0.0], [-0.4, 0.1]],
    )
    table = grids(model.prepare(point), ["a", "b"])[0]
    assert (table.title, table.columns) == ("log tuning curves", ["theta", "Theta 0", "Theta 1"])
    np.testing.assert_array_equal(table.values, [[0.1, 0.3, 0.0], [0.2, -0.4, 0.1]])


def test_each_view_has_its_tables(blobs):
    latent = Normal(1)
    model = Views(LinearGaussian(Normal(2, "diagonal"), latent), LinearGaussian(Normal(1), latent))
    found = fit(model, blobs, seed=0, max_iter=2, warn=False)
    tables = grids(found.in_units, ["a", "b", "c"])
    assert [table.title for table in tables[:2]] == ["view 0: loadings", "view 1: loadings"]
    assert [list(table.rows) for table in tables[:2]] == [["a", "b"], ["c"]]
    drawn = np.vstack([table.values[:, 1] for table in tables[1:2]])
    ours = model.to_parameters(found.natural).views[1].loadings
    np.testing.assert_allclose(np.abs(drawn), np.abs(ours), rtol=1e-9)
