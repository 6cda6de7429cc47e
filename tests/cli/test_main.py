import os
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest

import harmonium
from harmonium.cli import main
from harmonium.cli.choices import CHOICES

COMMAND = [sys.executable, "-m", "harmonium.cli"]


def start(*arguments, **settings):
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **settings,
    )


# ------------------------------------------------------------------------ within the process


def test_help_names_every_command(run):
    ended = run("--help")
    assert (ended.code, ended.err) == (0, "")
    for name in ("fit", "predict", "sample", "info", "demo"):
        assert f"\n    {name}" in ended.out
    assert "examples:" in ended.out


@pytest.mark.parametrize("command", ["fit", "predict", "sample", "info"])
def test_help_of_a_command_has_examples(run, command):
    ended = run(command, "--help")
    assert ended.code == 0
    assert f"examples:\n  harmonium {command}" in ended.out.replace("iris.csv", "iris.csv")
    if command == "fit":
        assert all(name in ended.out for name in CHOICES)


def test_version(run):
    ended = run("--version")
    assert (ended.code, ended.out) == (0, f"harmonium {harmonium.__version__}\n")


@pytest.mark.parametrize("arguments", [(), ("train",), ("--verbose",)])
def test_no_command(run, arguments):
    ended = run(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("harmonium: error: ")
    assert ended.err.count("\n") == 1


def test_the_demo_is_imported_when_it_runs(run, tmp_path, monkeypatch):
    seen = []
    demo = types.ModuleType("harmonium.cli.demo")
    demo.run = lambda output: seen.append(output) or 7
    monkeypatch.setitem(sys.modules, "harmonium.cli.demo", demo)
    assert run("demo", "--output", tmp_path / "d").code == 7
    assert seen == [tmp_path / "d"]
    assert run("demo").code == 2


def test_an_error_of_the_program_is_not_hidden(monkeypatch, blobs_csv, tmp_path):
    monkeypatch.setattr("harmonium.cli.fitting.read_table", lambda *a, **k: 1 / 0)
    arguments = ["fit", str(blobs_csv), "--model", "ppca", "--factors", "1"]
    with pytest.raises(ZeroDivisionError):
        main([*arguments, "--output", str(tmp_path / "m.hm")])


def test_too_little_memory(refused, monkeypatch, blobs_csv, tmp_path):
    def read(*arguments, **settings):
        raise MemoryError("Unable to allocate 9 TiB")

    monkeypatch.setattr("harmonium.cli.fitting.read_table", read)
    message = refused(
        "fit", blobs_csv, "--model", "ppca", "--factors", 1, "--output", tmp_path / "m.hm"
    )
    assert message == "there is not enough memory: Unable to allocate 9 TiB"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_screens_that_know_few_characters(tmp_path, encoding, write_csv):
    data = write_csv("t.csv", ["λ", "b"], np.random.default_rng(0).normal(size=(30, 2)))
    path = tmp_path / "model.hm"
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    arguments = ("fit", data, "--model", "ppca", "--factors", 1, "--output", path)
    with start(*arguments, env=environment) as process:
        out, err = process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert ("λ" if encoding == "utf-8" else "?") in out.decode(encoding)
    with start("sample", path, "-n", 1, env=environment) as process:
        out, err = process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert out.decode("utf-8").startswith("λ,b\n")  # tables are in UTF-8 whatever the screen


# ------------------------------------------------------------------------------ as a process


def test_the_installed_script(tmp_path):
    script = Path(sys.executable).parent / "harmonium"
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"harmonium {harmonium.__version__}\n"


def test_pipes(fitted, blobs_csv, tmp_path):
    path = fitted(blobs_csv, "--model", "gaussian-mixture", "--components", 2)
    with start("predict", path, "-", stdin=subprocess.PIPE) as process:
        out, err = process.communicate(blobs_csv.read_bytes())
    assert (process.returncode, err) == (0, b"")
    assert out.startswith(b"cluster,log_density\n")
    assert out.count(b"\n") == 61


@pytest.mark.parametrize("arguments", [("sample", "-n", 200_000), ("info",), ("info", "--json")])
def test_nobody_reads_to_the_end(fitted, blobs_csv, arguments):
    path = fitted(blobs_csv, "--model", "gaussian-mixture", "--components", 2)
    reader, writer = os.pipe()
    os.close(reader)  # as if head had ended before
    with subprocess.Popen(
        [*COMMAND, arguments[0], str(path), *map(str, arguments[1:])],
        stdout=writer,
        stderr=subprocess.PIPE,
    ) as process:
        os.close(writer)
        _, err = process.communicate()
    assert (process.returncode, err) == (141, b"")


def test_head(fitted, blobs_csv):
    path = fitted(blobs_csv, "--model", "gaussian-mixture", "--components", 2)
    with start("sample", path, "-n", 100_000) as process:
        assert process.stdout.readline() == b"a,b,c d\n"
        process.stdout.close()
        err = process.stderr.read()
    assert (process.returncode, err) == (141, b"")


def test_control_c(tmp_path, write_csv):
    rng = np.random.default_rng(0)
    data = write_csv("t.csv", None, rng.normal(size=(4000, 4)))
    folder = tmp_path / "out"
    folder.mkdir()
    process = start(
        "fit", data, "--model", "gaussian-mixture", "--components", 12, "--tol", 0, "--max-iter",
        100_000_000, "--n-init", 1000, "--output", folder / "model.hm",
    )  # fmt: skip
    with process:
        time.sleep(4)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        sent = time.monotonic()
        out, err = process.communicate(timeout=60)
        took = time.monotonic() - sent
    assert (process.returncode, out) == (130, b"")
    assert err.decode().splitlines()[-1] == "harmonium fit: interrupted"
    assert b"Traceback" not in err
    assert took < 10
    assert os.listdir(folder) == []


def test_errors_as_a_process(tmp_path):
    with start(
        "fit", tmp_path / "no.csv", "--model", "ppca", "--factors", 1, "--output", "m"
    ) as process:
        out, err = process.communicate()
    assert (process.returncode, out) == (2, b"")
    assert err.decode() == (
        f"harmonium fit: error: {tmp_path / 'no.csv'}: No such file or directory\n"
    )
