"""`make accuracy`: the command runs, its figures are what they say, and all targets are met."""

import importlib.util
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from harmonium import Gamma
from laws import exact
from laws.accuracy import Worst, measure
from laws.declared import DECLARED

SCRIPT = Path(__file__).parents[1] / "benches" / "accuracy.py"


@pytest.fixture
def command() -> ModuleType:
    spec = importlib.util.spec_from_file_location("accuracy_command", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_targets_are_met(command, tmp_path):
    output = tmp_path / "accuracy.md"
    assert command.main(["--points", "10", "--processes", "1", "--output", str(output)]) == 0
    lines = output.read_text(encoding="utf-8").splitlines()
    assert sum(line.endswith("| yes |") for line in lines) == len(DECLARED)
    assert not any("NO" in line or "nan" in line for line in lines)


def test_committed_table_meets_every_target():
    page = SCRIPT.parents[1] / "docs" / "accuracy.md"
    lines = page.read_text(encoding="utf-8").splitlines()
    assert sum(line.endswith("| yes |") for line in lines) == len(DECLARED)
    assert any("2000 points" in line for line in lines)


def test_figures_do_not_depend_on_the_processes(command, tmp_path):
    one, two = tmp_path / "one.md", tmp_path / "two.md"
    arguments = ["--points", "3", "--output"]
    assert command.main([*arguments, str(one), "--processes", "1"]) == 0
    script = [sys.executable, str(SCRIPT), *arguments, str(two), "--processes", "2"]
    assert subprocess.run(script, capture_output=True, check=False).returncode == 0
    assert one.read_bytes() == two.read_bytes()


def test_ctrl_c_leaves_the_file_as_it_was(command, tmp_path, monkeypatch):
    output = tmp_path / "accuracy.md"
    output.write_text("old", encoding="utf-8")
    done = []

    def interrupted(part):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(part)
        return part[0], Worst()

    monkeypatch.setattr(command, "measure_part", interrupted)
    assert command.main(["--points", "10", "--processes", "1", "--output", str(output)]) == 130
    assert len(done) == 2
    assert output.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [output]


def gamma_laws():
    return next(declared for declared in DECLARED if isinstance(declared.family, Gamma))


@pytest.mark.parametrize("entry", ["log_partition_conditioned", "mean_conditioned"])
def test_an_error_is_seen(entry):
    declared = gamma_laws()

    def wrong(theta):
        psi, (first, second) = declared.exact(theta)
        if entry == "mean_conditioned":
            return psi, [first, second * (1 + exact.mpf("1e-9"))]
        return psi * (1 + exact.mpf("1e-9")), [first, second]

    worst = measure(replace(declared, exact=wrong), declared.points(1, 20))
    assert 1e-10 < getattr(worst, entry) < 1.1e-9
    assert not worst.met(declared)
    assert measure(declared, declared.points(1, 20)).met(declared)


def test_a_wrong_way_back_is_seen(monkeypatch):
    declared = gamma_laws()
    back = Gamma._to_natural
    monkeypatch.setattr(Gamma, "_to_natural", lambda self, mean: back(self, mean) * (1 + 1e-7))
    worst = measure(declared, declared.points(1, 20))
    assert 0.9e-7 < worst.round_trip < 1.1e-7
    assert not worst.met(declared)


def test_points_are_inside_their_domain_and_repeat():
    for declared in DECLARED:
        points = declared.points(5, 30)
        declared.family.check_natural(points)
        assert (points == declared.points(5, 30)).all()
