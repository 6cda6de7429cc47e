"""Allocations that do not fit are refused before the work."""

import os
from pathlib import Path
from typing import Any

import pytest

from harmonium.validation import available_memory, check_memory, memory


def test_what_fits() -> None:
    check_memory(0, "nothing")
    check_memory(1 << 25, "the table of 2**22 states")


def test_this_machine_tells_and_it_is_plausible() -> None:
    available = available_memory()
    assert available is None or 1 << 20 < available < 1 << 50


def test_what_does_not_fit_is_refused_with_both_sizes(monkeypatch: Any) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: 3 << 30)
    check_memory(3 << 30, "the table")
    words = (
        r"the table of 2\*\*30 states needs 8,589,934,592 bytes \(8\.00 GiB\) of memory, but only "
        r"3,221,225,472 bytes \(3\.00 GiB\) are available"
    )
    with pytest.raises(ValueError, match=words):
        check_memory(8 << 30, "the table of 2**30 states")


def test_sizes_beyond_words(monkeypatch: Any) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: 3 << 30)
    with pytest.raises(ValueError, match=r"needs more than 2\*\*20000 bytes"):
        check_memory(2**20_000, "the table")


def test_no_check_where_the_system_does_not_tell(monkeypatch: Any) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: None)
    check_memory(2**100, "the table")


@pytest.fixture
def files(monkeypatch: Any) -> dict[str, str]:
    """Files of a system, by name, in place of this one's."""
    contents: dict[str, str] = {}

    def read_text(path: Path, encoding: str) -> str:
        if str(path) not in contents:
            raise FileNotFoundError
        return contents[str(path)]

    monkeypatch.setattr(Path, "read_text", read_text)
    monkeypatch.setattr(
        os, "sysconf", {"SC_PHYS_PAGES": 1000, "SC_PAGE_SIZE": 4096}.__getitem__, raising=False
    )
    return contents


class TestAvailable:
    def test_linux(self, files: dict[str, str]) -> None:
        files["/proc/meminfo"] = "MemTotal: 9 kB\nMemFree: 1 kB\nMemAvailable:   7 kB\n"
        assert available_memory() == 7 * 1024

    def test_container(self, files: dict[str, str]) -> None:
        files["/proc/meminfo"] = "MemAvailable:   7000 kB\n"
        files["/sys/fs/cgroup/memory.max"] = "4096\n"
        assert available_memory() == 4096

    def test_container_without_a_limit(self, files: dict[str, str]) -> None:
        files["/proc/meminfo"] = "MemAvailable:   7 kB\n"
        files["/sys/fs/cgroup/memory.max"] = "max\n"
        assert available_memory() == 7 * 1024

    @pytest.mark.parametrize("text", ["", "MemAvailable:\n", "MemAvailable: many kB\n"])
    def test_other_systems(self, files: dict[str, str], text: str) -> None:
        files["/proc/meminfo"] = text
        assert available_memory() == 1000 * 4096

    def test_systems_that_do_not_tell(self, files: dict[str, str], monkeypatch: Any) -> None:
        monkeypatch.delattr(os, "sysconf")
        assert available_memory() is None

    def test_systems_that_know_not(self, files: dict[str, str], monkeypatch: Any) -> None:
        monkeypatch.setattr(os, "sysconf", lambda name: -1 if name == "SC_PHYS_PAGES" else 4096)
        assert available_memory() is None
