import numpy as np
import pytest

from harmonium import Bernoulli, Gamma, Mixture, Normal, Poisson, Product
from harmonium.io import load_model, save_model
from harmonium.learning import fit
from harmonium.learning.clusters import cluster_probabilities


@pytest.fixture
def clusters(fitted, blobs_csv):
    return fitted(blobs_csv, "--model", "gaussian-mixture", "--components", 2)


def test_of_a_mixture_cluster_and_log_density(run, clusters, blobs_csv, blobs):
    ended = run("predict", clusters, blobs_csv)
    assert (ended.code, ended.err) == (0, "")
    assert ended.names == ["cluster", "log_density"]
    model = load_model(clusters).fit
    np.testing.assert_array_equal(ended.values[:, 0], model.latent(blobs).argmax(1))
    np.testing.assert_array_equal(ended.values[:, 1], model.log_density(blobs))
    assert {row[0] for row in ended.rows[1:]} == {"0", "1"}


def test_what_is_asked_for(run, clusters, blobs_csv, blobs):
    model = load_model(clusters).fit
    ended = run("predict", clusters, blobs_csv, "--probabilities")
    assert ended.names == ["cluster_0", "cluster_1"]
    np.testing.assert_array_equal(ended.values, model.latent(blobs))
    ended = run("predict", clusters, blobs_csv, "--log-density")
    assert ended.names == ["log_density"]
    np.testing.assert_array_equal(ended.values[:, 0], model.log_density(blobs))


def test_of_factors_their_means(run, fitted, factors_csv):
    path = fitted(factors_csv, "--model", "factor-analysis", "--factors", 2)
    x = np.loadtxt(factors_csv, delimiter=",", skiprows=1)
    model = load_model(path).fit
    for options in ((), ("--latent",)):
        ended = run("predict", path, factors_csv, *options)
        assert ended.names == ["factor_0", "factor_1"]
        np.testing.assert_array_equal(ended.values, model.latent(x))


def test_of_binary_units_their_probabilities(run, fitted, factors_csv):
    path = fitted(factors_csv, "--model", "gaussian-boltzmann", "--units", 2, "--max-iter", 20)
    ended = run("predict", path, factors_csv)
    assert ended.names == ["unit_0", "unit_1"]
    assert ((ended.values >= 0) & (ended.values <= 1 + 1e-12)).all()


def test_of_clustered_factors_both(run, fitted, factors_csv):
    path = fitted(
        factors_csv, "--model", "reduction-and-clustering", "--factors", 2, "--components", 2,
        "--max-iter", 20,
    )  # fmt: skip
    x = np.loadtxt(factors_csv, delimiter=",", skiprows=1)
    model = load_model(path).fit
    ended = run("predict", path, factors_csv)
    assert ended.names == ["cluster", "factor_0", "factor_1"]
    probabilities = cluster_probabilities(model, x)
    np.testing.assert_array_equal(ended.values[:, 0], probabilities.argmax(1))
    np.testing.assert_array_equal(ended.values[:, 1:], model.latent(x))
    # the two clusters that the table was made of
    assert len({tuple(labels) for labels in (ended.values[::2, 0], 1 - ended.values[1::2, 0])}) == 1
    ended = run("predict", path, factors_csv, "--probabilities")
    np.testing.assert_array_equal(ended.values, probabilities)


def test_columns_are_found_by_name(run, clusters, blobs_csv, blobs, tmp_path):
    moved = tmp_path / "moved.csv"
    rows = [["id", "c d", "extra", "a", "b"]]
    rows += [
        [f"r{i}", repr(x[2]), "", repr(x[0]), repr(x[1])] for i, x in enumerate(blobs.tolist())
    ]
    moved.write_text("\n".join(";".join(row) for row in rows))
    assert run("predict", clusters, moved).out == run("predict", clusters, blobs_csv).out


def test_columns_without_a_header_are_taken_in_order(run, clusters, blobs_csv, write_csv, blobs):
    bare = write_csv("bare.csv", None, blobs)
    assert run("predict", clusters, bare).out == run("predict", clusters, blobs_csv).out
    wide = write_csv("wide.csv", None, np.column_stack([np.arange(60), blobs]))
    by_number = run("predict", clusters, wide, "--drop", 1)
    assert by_number.out == run("predict", clusters, blobs_csv).out


def test_missing_values(run, clusters, write_csv, blobs):
    blobs[3, 1] = np.nan
    blobs[4] = np.nan
    data = write_csv("t.csv", ["a", "b", "c d"], blobs)
    ended = run("predict", clusters, data, "--missing", "--log-density")
    model = load_model(clusters).fit
    np.testing.assert_array_equal(ended.values[:, 0], model.log_density(blobs))
    assert ended.values[4, 0] == 0


def test_to_a_file(run, clusters, blobs_csv, tmp_path):
    out = tmp_path / "out.csv"
    expected = run("predict", clusters, blobs_csv).out
    ended = run("predict", clusters, blobs_csv, "--output", out)
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert out.read_text() == expected
    assert run("predict", clusters, blobs_csv, "--output", "-").out == expected


def test_from_standard_input(run, clusters, blobs_csv):
    expected = run("predict", clusters, blobs_csv).out
    assert run("predict", clusters, "-", stdin=blobs_csv.read_bytes()).out == expected


def test_a_model_saved_in_python_and_a_family_alone(run, tmp_path, write_csv):
    path = tmp_path / "model.hm"
    x = np.random.default_rng(0).poisson(3, size=(20, 2))
    fitted = fit(Poisson(2), x, seed=0)
    save_model(path, fitted)
    data = write_csv("t.csv", ["any", "names"], x)
    ended = run("predict", path, data)
    assert ended.names == ["log_density"]
    np.testing.assert_array_equal(ended.values[:, 0], fitted.log_density(x))


def test_names_that_tell_nothing_apart(run, tmp_path, write_csv, blobs):
    path = tmp_path / "model.hm"
    fitted = fit(Mixture(Normal(3), 2), blobs, seed=0, max_iter=2, warn=False)
    save_model(path, fitted, feature_names=["a", "a", "b"])
    ended = run("predict", path, write_csv("t.csv", ["x", "y", "z"], blobs), "--log-density")
    np.testing.assert_array_equal(ended.values[:, 0], fitted.log_density(blobs))


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("a,b\n1,2\n", (), "t.csv: no column 'c d', which the model needs; it has 'a', 'b'"),
        ("1,2\n", (), "t.csv: 2 columns, but the model needs 3 columns ('a', 'b', 'c d'); choose"),
        ("a,b,c d\n1,2,x\n", (), "t.csv: row 1 (line 2), column 'c d': 'x' is not a number"),
        ("a,b,c d\n1,2,\n", (), "column 'c d': there is no value; --missing takes empty"),
        ("b,c d,a\n1,2,1e80\n", (), "row 1 (line 2), column 'a': 1e+80 is not a number between"),
        ("", (), "t.csv: is empty"),
        ("a,b,c d\n", (), "t.csv: has a header but no rows"),
        (
            "a,b,c d\n1,2,3\n",
            ("--latent",),
            "--latent: this model has no latent coordinates; --prob",
        ),
        ("a,b,c d\n1,2,3\n", ("--latent", "--log-density"), "not allowed with argument --latent"),
        ("a,b,c d\n1,2,3\n", ("--output", "no/out.csv"), "--output: there is no folder"),
        ("a,b,c d\n1,2,3\n", ("--output", "t.csv"), "--output: t.csv is the input too"),
    ],
)
def test_refusals(refused, clusters, tmp_path, monkeypatch, text, options, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(text)
    assert message in refused("predict", clusters, "t.csv", *options)
    assert (tmp_path / "t.csv").read_text() == text


def test_a_model_without_clusters(refused, fitted, factors_csv):
    path = fitted(factors_csv, "--model", "ppca", "--factors", 1)
    message = refused("predict", path, factors_csv, "--probabilities")
    assert message == "--probabilities: this model has no clusters"


def test_counts_that_are_none(refused, fitted, counts_csv, write_csv):
    path = fitted(counts_csv, "--model", "poisson-mixture", "--components", 2)
    data = write_csv("t.csv", ["right", "left"], [[1, 2], [3, 0.5]])
    assert refused("predict", path, data).endswith(
        "t.csv: row 2 (line 3), column 'left': 0.5 is not a count: a whole number, zero or more"
    )


def test_the_rule_is_that_of_the_columns_family(refused, run, tmp_path, write_csv):
    path = tmp_path / "model.hm"
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(size=50), rng.integers(0, 2, 50), rng.gamma(2, size=50)])
    model = Mixture(Product(Normal(1), Bernoulli(1), Gamma(1)), 2)
    fitted = fit(model, x, seed=0, max_iter=3, warn=False)
    save_model(path, fitted, feature_names=["n", "b", "g"])
    data = write_csv("t.csv", ["g", "b", "n"], x[:, ::-1])
    np.testing.assert_array_equal(
        run("predict", path, data, "--log-density").values[:, 0], fitted.log_density(x)
    )
    for row, column, words in (
        ([1, 2, 1], "b", "2 is not 0 or 1"),
        ([1, 0, -1], "g", "-1 is not a number above zero"),
        ([1e99, 0, 1], "n", "1e+99 is not a number between -1e75 and 1e75"),
    ):
        data = write_csv("t.csv", ["n", "b", "g"], [[0, 1, 1], row])
        assert refused("predict", path, data).endswith(
            f"t.csv: row 2 (line 3), column {column!r}: {words}"
        )


def test_files_that_are_no_models(refused, clusters, blobs_csv, tmp_path):
    assert refused("predict", tmp_path / "no.hm", blobs_csv).endswith("No such file or directory")
    assert "is not a harmonium file" in refused("predict", blobs_csv, blobs_csv)
    cut = tmp_path / "cut.hm"
    cut.write_bytes(clusters.read_bytes()[:-1])
    assert "is truncated" in refused("predict", cut, blobs_csv)
    assert "is a model file, not a table" in refused("predict", clusters, clusters)
