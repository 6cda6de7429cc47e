"""Commands within the process, and tables to give them."""

import csv
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from harmonium.cli import main
from harmonium.expectation import threads


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[list[str]]:
        """Its output as records."""
        return list(csv.reader(io.StringIO(self.out)))

    @property
    def names(self) -> list[str]:
        """The header of its output."""
        return self.rows[0]

    @property
    def values(self) -> np.ndarray:
        """The numbers of its output."""
        return np.array(self.rows[1:], dtype=float)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch) -> Callable[..., Ended]:
    """Run a command; ``stdin`` is what standard input holds."""
    monkeypatch.setattr(threads, "_setting", [None])

    def run(*arguments: object, stdin: bytes | None = None) -> Ended:
        capsys.readouterr()
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return run


@pytest.fixture
def refused(run) -> Callable[..., str]:
    """Run a command that must be refused, in one line; the line, without its start."""

    def refused(*arguments: object, stdin: bytes | None = None) -> str:
        ended = run(*arguments, stdin=stdin)
        assert ended.code == 2
        assert ended.out == ""
        line, end = ended.err.split("\n", 1)
        assert end == ""
        start = f"harmonium {arguments[0]}: error: "
        assert line.startswith(start), line
        return line.removeprefix(start)

    return refused


def write(path: Path, names: list[str] | None, values: object) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        if names is not None:
            writer.writerow(names)
        writer.writerows(np.asarray(values).tolist())
    return path


@pytest.fixture
def write_csv(tmp_path) -> Callable[..., Path]:
    """Write a table to a file of this name."""
    return lambda name, names, values: write(tmp_path / name, names, values)


@pytest.fixture
def blobs() -> np.ndarray:
    """Two clusters in three columns (60, 3)."""
    rng = np.random.default_rng(0)
    centres = np.array([[0.0, 10.0, -5.0], [8.0, 10.0, 5.0]])
    return centres[np.arange(60) % 2] + rng.normal(size=(60, 3))


@pytest.fixture
def blobs_csv(tmp_path, blobs) -> Path:
    return write(tmp_path / "blobs.csv", ["a", "b", "c d"], blobs)


@pytest.fixture
def counts_csv(tmp_path) -> Path:
    rng = np.random.default_rng(1)
    rates = np.array([[1.0, 20.0], [15.0, 3.0]])
    return write(tmp_path / "counts.csv", ["left", "right"], rng.poisson(rates[np.arange(80) % 2]))


@pytest.fixture
def factors_csv(tmp_path) -> Path:
    """Two clusters of two factors behind six columns."""
    rng = np.random.default_rng(2)
    z = rng.normal(size=(150, 2)) + 5 * (np.arange(150) % 2)[:, None] * [1, -1]
    x = z @ rng.normal(size=(2, 6)) + 0.5 * rng.normal(size=(150, 6)) + np.arange(6)
    return write(tmp_path / "factors.csv", [f"x{j}" for j in range(6)], x)


@pytest.fixture
def fitted(run, tmp_path) -> Callable[..., Path]:
    """Fit a model to a table; the model's file."""

    def fitted(data: Path, *arguments: object) -> Path:
        path = tmp_path / "model.hm"
        ended = run("fit", data, *arguments, "--output", path, "--quiet")
        assert (ended.code, ended.out) == (0, ""), ended.err
        return path

    return fitted
