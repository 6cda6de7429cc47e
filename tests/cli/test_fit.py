import os
import stat
import sys

import numpy as np
import pytest

from harmonium import Boltzmann, LinearGaussian, Mixture, Normal, Poisson, VonMises
from harmonium.cli import progress
from harmonium.cli.choices import CHOICES
from harmonium.expectation import get_threads
from harmonium.io import load_model
from harmonium.learning import fit
from harmonium.learning.gauge import with_standard_latent
from harmonium.learning.information import information_criteria

MIXTURE = ("--model", "gaussian-mixture", "--components", 2)


def options_of(choice):
    return [part for name in choice.needs for part in (f"--{name}", 2)]


# ------------------------------------------------------------------------------- what is done


def test_the_file_holds_the_librarys_own_fit(run, blobs_csv, blobs, tmp_path):
    path = tmp_path / "model.hm"
    ended = run("fit", blobs_csv, *MIXTURE, "--seed", 3, "--n-init", 2, "--output", path)
    assert (ended.code, ended.err) == (0, "")
    saved = load_model(path)
    expected = fit(Mixture(Normal(3), 2), blobs, seed=3, n_init=2, accelerate=True)
    assert saved.fit.model == expected.model
    np.testing.assert_array_equal(saved.fit.history, expected.history)
    np.testing.assert_array_equal(saved.fit.log_density(blobs), expected.log_density(blobs))
    assert saved.feature_names == ("a", "b", "c d")
    assert saved.metadata == {
        "command": {
            "model": "gaussian-mixture",
            "components": 2,
            "data": "blobs.csv",
            "rows": 60,
            "weight": 60.0,
            "weights": None,
            "missing": False,
            "seed": 3,
            "n_init": 2,
            "tol": 1e-6,
            "max_iter": 1000,
        }
    }


def test_the_summary_says_what_was_found(run, blobs_csv, blobs, tmp_path):
    path = tmp_path / "model.hm"
    out = run("fit", blobs_csv, *MIXTURE, "--output", path).out
    fitted = load_model(path).fit
    criteria = information_criteria(fitted, 60)
    said = {line[:16].strip(): line[16:].strip() for line in out.splitlines()}
    assert said["data"] == f"{blobs_csv}: 60 rows, 3 columns"
    assert said["iterations"] == f"{fitted.n_iterations}, converged"
    assert said["log-likelihood"].startswith(f"{-fitted.cross_entropy:.6g} per row")
    assert float(said["free parameters"]) == criteria.n_parameters == 19
    assert float(said["BIC"]) == pytest.approx(criteria.bic, rel=1e-7)
    assert float(said["AIC"]) == pytest.approx(criteria.aic, rel=1e-7)
    assert said["saved to"] == str(path)
    means = fitted.in_units.components.means
    table = out[out.index("\nmeans\n") :].splitlines()
    assert table[2].split() == ["cluster", "0", "cluster", "1"]
    for line, name, row in zip(table[3:], ("a", "b", "c d"), means.T, strict=False):
        assert line.startswith(name)
        np.testing.assert_allclose([float(t) for t in line[len(name) :].split()], row, rtol=1e-4)
    blocks = out[out.index("\nweights\n") :].splitlines()
    assert [line.split()[-1] for line in blocks[3:5]] == ["0.5", "0.5"]


def test_factors_are_shown_in_standard_coordinates(run, factors_csv, tmp_path):
    path = tmp_path / "model.hm"
    out = run("fit", factors_csv, "--model", "ppca", "--factors", 2, "--output", path).out
    fitted = load_model(path).fit
    assert with_standard_latent(fitted).prepared.loadings == pytest.approx(
        fitted.prepared.loadings, abs=1e-9
    )
    point = fitted.in_units
    rows = out[out.index("\nloadings\n") :].splitlines()
    assert rows[2].split() == ["mean", "factor_0", "factor_1", "noise", "deviation"]
    numbers = np.array([line.split()[1:] for line in rows[3:9]], dtype=float)
    np.testing.assert_allclose(numbers[:, 0], point.noise.means[0], rtol=1e-4)
    np.testing.assert_allclose(numbers[:, 1:3], point.loadings[0], rtol=1e-4)
    np.testing.assert_allclose(numbers[:, 3], np.sqrt(point.noise.covariances[0, 0]), rtol=1e-4)
    assert "latent" not in out


@pytest.mark.parametrize(
    ("name", "options", "model"),
    [
        ("gaussian-mixture", ("--covariance", "full"), Mixture(Normal(2), 2)),
        ("gaussian-mixture", ("--covariance", "tied"), Mixture(Normal(2), 2, "shape")),
        ("gaussian-mixture", ("--covariance", "diag"), Mixture(Normal(2, "diagonal"), 2)),
        ("gaussian-mixture", ("--covariance", "spherical"), Mixture(Normal(2, "isotropic"), 2)),
        ("factor-analysis", (), LinearGaussian(Normal(2, "diagonal"), Normal(2))),
        ("ppca", (), LinearGaussian(Normal(2, "isotropic"), Normal(2))),
        ("gaussian-boltzmann", (), LinearGaussian(Normal(2, "diagonal"), Boltzmann(2))),
        (
            "reduction-and-clustering",
            (),
            LinearGaussian(Normal(2, "diagonal"), Mixture(Normal(2), 2)),
        ),
        ("poisson-mixture", (), Mixture(Poisson(2), 2)),
        ("von-mises-mixture", (), Mixture(VonMises(2), 2)),
    ],
)
def test_every_model_by_its_name(run, write_csv, tmp_path, name, options, model):
    rng = np.random.default_rng(0)
    data = write_csv("t.csv", ["a", "b"], rng.poisson([[1, 4], [4, 1]] * 20))
    path = tmp_path / "model.hm"
    ended = run(
        "fit", data, "--model", name, *options_of(CHOICES[name]), *options,
        "--max-iter", 5, "--output", path,
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert load_model(path).fit.model == model
    assert name in ended.out
    assert run("info", path).code == 0


def test_columns_weights_and_a_semicolon(run, tmp_path, blobs):
    path, data = tmp_path / "model.hm", tmp_path / "t.csv"
    weights = np.arange(60) % 4
    lines = ["id;a;w;b;c"] + [
        f"row {i};{x[0]!r};{w};{x[1]!r};{x[2]!r}"
        for i, (x, w) in enumerate(zip(blobs.tolist(), weights, strict=True))
    ]
    data.write_text("\n".join(lines))
    ended = run("fit", data, *MIXTURE, "--drop", "id", "--weights", "w", "--output", path)
    assert ended.code == 0, ended.err
    assert "total weight     90" in ended.out
    saved = load_model(path)
    assert saved.feature_names == ("a", "b", "c")
    expected = fit(Mixture(Normal(3), 2), blobs, weights=weights, seed=0, accelerate=True)
    np.testing.assert_array_equal(saved.fit.history, expected.history)
    again = run("fit", data, *MIXTURE, "--columns", "c,a", "--output", path)
    assert again.code == 0, again.err
    assert load_model(path).feature_names == ("c", "a")


def test_missing_values(run, write_csv, blobs, tmp_path):
    path = tmp_path / "model.hm"
    blobs[0, 1] = blobs[5, 2] = np.nan
    data = write_csv("t.csv", ["a", "b", "c"], blobs)
    ended = run("fit", data, *MIXTURE, "--missing", "--output", path)
    assert ended.code == 0, ended.err
    assert "missing values   2 of 180" in ended.out
    expected = fit(Mixture(Normal(3), 2), blobs, seed=0, accelerate=True)
    np.testing.assert_array_equal(load_model(path).fit.history, expected.history)


def test_standard_input_without_a_header(run, blobs, tmp_path):
    path = tmp_path / "model.hm"
    text = "\n".join("\t".join(map(repr, row)) for row in blobs.tolist()).encode()
    ended = run("fit", "-", *MIXTURE, "--drop", "2", "--output", path, stdin=text)
    assert ended.code == 0, ended.err
    saved = load_model(path)
    assert saved.feature_names is None
    assert saved.fit.prepared.n_observed == 2
    assert saved.metadata["command"]["data"] == "-"
    assert "column 1" in ended.out


def test_quiet_says_nothing(run, blobs_csv, tmp_path):
    ended = run("fit", blobs_csv, *MIXTURE, "--output", tmp_path / "model.hm", "--quiet")
    assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_warnings_are_lines(run, blobs_csv, tmp_path):
    ended = run("fit", blobs_csv, *MIXTURE, "--max-iter", 0, "--output", tmp_path / "model.hm")
    assert ended.code == 0
    assert "iterations       0, not converged after 0 iterations" in ended.out
    (line,) = ended.err.splitlines()
    assert line.startswith("harmonium fit: warning: not converged after 0 iterations; ")


def test_threads_do_not_change_the_bytes(run, blobs_csv, tmp_path):
    path = tmp_path / "model.hm"
    run("fit", blobs_csv, *MIXTURE, "--threads", 1, "--output", path)
    assert get_threads() == 1
    one = path.read_bytes()
    run("fit", blobs_csv, *MIXTURE, "--threads", 3, "--output", path)
    assert get_threads() == 3
    assert path.read_bytes() == one


def test_an_older_model_is_replaced_and_keeps_its_permissions(run, blobs_csv, tmp_path):
    path = tmp_path / "model.hm"
    path.write_bytes(b"old")
    path.chmod(0o640)
    assert run("fit", blobs_csv, *MIXTURE, "--output", path).code == 0
    assert load_model(path).fit.converged
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


# ------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "the following arguments are required: DATA.csv, --model, --output; see harmonium fit"),
        (("t.csv", "--output", "m"), "the following arguments are required: --model"),
        (("t.csv", "--model", "k-means", "--output", "m"), "--model: invalid choice: 'k-means'"),
        (
            ("t.csv", "--model", "ppca", "--factors", "0", "--output", "m"),
            "argument --factors: a whole number of at least 1, not '0'",
        ),
        (("t.csv", *MIXTURE, "--components", "2.5", "--output", "m"), "at least 1, not '2.5'"),
        (("t.csv", *MIXTURE, "--components", "9" * 30, "--output", "m"), "at least 1, not '999"),
        (("t.csv", *MIXTURE, "--seed", "-1", "--output", "m"), "at least 0, not '-1'"),
        (("t.csv", *MIXTURE, "--tol", "nan", "--output", "m"), "a number of at least zero, not 'nan'"),
        (("t.csv", *MIXTURE, "--tol", "small", "--output", "m"), "at least zero, not 'small'"),
        (("t.csv", *MIXTURE, "--delimiter", "ab", "--output", "m"), "the word tab, not 'ab'"),
        (("t.csv", *MIXTURE, "--comp", "3", "--output", "m"), "unrecognized arguments: --comp"),
        (
            ("t.csv", "--model", "gaussian-mixture", "--output", "m"),
            "--model gaussian-mixture needs --components",
        ),
        (
            ("t.csv", *MIXTURE, "--factors", "2", "--output", "m"),
            "--factors does not apply to --model gaussian-mixture",
        ),
        (
            ("t.csv", "--model", "poisson-mixture", "--components", "2", "--covariance", "full",
             "--output", "m"),
            "--covariance does not apply to --model poisson-mixture",
        ),
    ],
)  # fmt: skip
def test_arguments(refused, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in refused("fit", *arguments)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (
            "a\n1\n2\n",
            (*MIXTURE[:3], 3),
            "--components 3 needs at least as many rows, and there are 2",
        ),
        (
            "a,w\n1,0\n2,1\n3,0\n",
            (*MIXTURE, "--weights", "w"),
            "--components 2 needs at least as many rows of positive weight, and there are 1",
        ),
        ("a\n1\n", (*MIXTURE[:3], 1), "t.csv: 1 row, but variances need at least two"),
        (
            "a,w\n1,1\n2,-1\n",
            (*MIXTURE, "--weights", "w"),
            "t.csv: row 2 (line 3), column 'w': a weight must be zero or positive, not -1",
        ),
        (
            "a,w\n1,1\n2,\n",
            (*MIXTURE, "--weights", "w", "--missing"),
            "t.csv: row 2 (line 3), column 'w': a weight must be zero or positive, not nan",
        ),
        (
            "a,w\n1,0\n2,0\n",
            (*MIXTURE, "--weights", "w"),
            "--weights: all weights in t.csv are zero",
        ),
        (
            "a,b\n1,\n2,NA\n",
            (*MIXTURE, "--missing"),
            "t.csv: column 'b' has no values; leave it out",
        ),
        ("a,b\n1,x\n2,y\n", MIXTURE, "'x' is not a number; leave the column out with --drop b"),
        (
            "a,b\n1,\n2,1\n",
            MIXTURE,
            "row 1 (line 2), column 'b': there is no value; --missing takes",
        ),
        (
            "a,b\n1,2\n3,4\n",
            ("--model", "ppca", "--factors", 3),
            "--factors: 3 factors of 2 columns",
        ),
        (
            "a,b\n1,2\n3,4\n",
            ("--model", "gaussian-boltzmann", "--units", 26),
            "n: 26 units have 2**26 states",
        ),
        (
            "a,b\n1,2\n\n3,-1\n5,6\n",
            ("--model", "poisson-mixture", "--components", 2),
            "t.csv: row 2 (line 4), column 'b': -1 is not a count: a whole number, zero or more",
        ),
        (
            "b,a\n1,2\n2,3.5\n0.5,1\n",
            ("--model", "poisson-mixture", "--components", 2, "--columns", "a,b"),
            "t.csv: row 2 (line 3), column 'a': 3.5 is not a count: a whole number, zero or more",
        ),
        (
            "a\n1\n1e16\n",
            ("--model", "von-mises-mixture", "--components", 2),
            "t.csv: row 2 (line 3), column 'a': 1e+16 is not an angle in radians, of at most 1e15",
        ),
        (
            "a\n1\n2\n1e80\n",
            MIXTURE,
            "t.csv: row 3 (line 4), column 'a': 1e+80 is not a number between -1e75 and 1e75",
        ),
    ],
)
def test_data(refused, tmp_path, monkeypatch, text, options, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(text)
    assert message in refused("fit", "t.csv", *options, "--output", "m.hm")
    assert os.listdir() == ["t.csv"]


def test_files(refused, blobs_csv, tmp_path):
    model = tmp_path / "model.hm"
    assert refused("fit", tmp_path / "no.csv", *MIXTURE, "--output", model).endswith(
        "no.csv: No such file or directory"
    )
    assert refused("fit", blobs_csv, *MIXTURE, "--output", tmp_path).endswith("is a folder")
    assert "there is no folder" in refused(
        "fit", blobs_csv, *MIXTURE, "--output", tmp_path / "no" / "model.hm"
    )
    link = tmp_path / "link.hm"
    link.symlink_to(blobs_csv)
    before = blobs_csv.read_bytes()
    for path in (blobs_csv, link):
        assert refused("fit", blobs_csv, *MIXTURE, "--output", path).endswith("is the input too")
    assert blobs_csv.read_bytes() == before
    device = refused("fit", blobs_csv, *MIXTURE, "--output", "/dev/null")
    assert device.endswith("/dev/null: Not a regular file, so it cannot be replaced")
    assert not model.exists()


def test_an_output_that_may_not_be_written(refused, blobs_csv, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # a superuser may write anywhere
    message = refused("fit", blobs_csv, *MIXTURE, "--output", tmp_path / "model.hm")
    assert message.endswith("model.hm can not be written")


# ----------------------------------------------------------------------- progress, interruption


class Terminal:
    """Standard error as a terminal."""

    encoding = "utf-8"

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass

    def isatty(self):
        return True


def test_progress_is_in_the_datas_units(run, blobs_csv, tmp_path, monkeypatch):
    shown = []

    class Recording(progress.FitProgress):
        def __call__(self, step):
            super().__call__(step)
            shown.append(self._progress.tasks[0].description)

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr("harmonium.cli.fitting.FitProgress", Recording)
    path = tmp_path / "model.hm"
    weights = ("--weights", "c d")
    text = blobs_csv.read_text().replace("-", "").splitlines()
    blobs_csv.write_text("\n".join([text[0], "1,,2", *text[2:]]))
    ended = run("fit", blobs_csv, *MIXTURE, *weights, "--missing", "--output", path)
    assert ended.code == 0
    fitted = load_model(path).fit
    assert len(shown) == fitted.n_iterations + 1
    for number, (line, value) in enumerate(zip(shown, fitted.history, strict=True)):
        words = line.split()
        assert words[:3] == ["iteration", f"{number}/1000", "cross-entropy"]
        assert float(words[3]) == pytest.approx(value, abs=1e-6)
    assert "starting" in sys.stderr.text or "iteration" in sys.stderr.text


def test_progress_counts_starts(run, blobs_csv, tmp_path, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    shown = []
    update = progress.Progress.update
    monkeypatch.setattr(
        progress.Progress,
        "update",
        lambda self, task, description: (
            shown.append(description),
            update(self, task, description=description),
        ),
    )
    run("fit", blobs_csv, *MIXTURE, "--n-init", 3, "--output", tmp_path / "model.hm")
    assert shown[0].startswith("start 1/3  iteration 0/1000")
    assert shown[-1].startswith("start 3/3")
    shown.clear()
    run("fit", blobs_csv, *MIXTURE, "--output", tmp_path / "model.hm", "--quiet")
    assert shown == []


def test_an_interrupted_fit_leaves_the_old_file_whole(run, blobs_csv, tmp_path, monkeypatch):
    path = tmp_path / "model.hm"
    path.write_bytes(b"old")

    class Interrupting(progress.FitProgress):
        def __call__(self, step):
            if step.iteration == 1:
                raise KeyboardInterrupt

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr("harmonium.cli.fitting.FitProgress", Interrupting)
    ended = run("fit", blobs_csv, *MIXTURE, "--tol", 0, "--output", path)
    assert (ended.code, ended.out) == (130, "")
    assert terminal.text.endswith("harmonium fit: interrupted\n")
    assert path.read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["blobs.csv", "model.hm"]
