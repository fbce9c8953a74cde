"""The cache of costly references."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pdehvd.caches import places
from pdehvd.reference import cache


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def folder() -> Path:
    return next(iter(places("references")))


class Counted:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> dict[str, np.ndarray]:
        self.calls += 1
        return {"a": np.arange(3.0), "b": np.array([1 + 2j])}


def test_second_time_is_read() -> None:
    compute = Counted()
    first = cache.cached("r", {"nu": 0.1}, compute)
    second = cache.cached("r", {"nu": 0.1}, compute)
    assert compute.calls == 1
    assert all(np.array_equal(first[key], second[key]) for key in first)
    assert [path.suffix for path in folder().iterdir()] == [".npz"]


def test_key_is_definition_name_and_version(monkeypatch: pytest.MonkeyPatch) -> None:
    compute = Counted()
    cache.cached("r", {"nu": 0.1}, compute)
    cache.cached("r", {"nu": 0.2}, compute)
    cache.cached("s", {"nu": 0.1}, compute)
    monkeypatch.setattr(cache, "__version__", "other")
    cache.cached("r", {"nu": 0.1}, compute)
    assert compute.calls == 4


def test_broken_file_is_replaced() -> None:
    compute = Counted()
    cache.cached("r", {}, compute)
    (path,) = folder().iterdir()
    path.write_bytes(path.read_bytes()[:50])
    cache.cached("r", {}, compute)
    cache.cached("r", {}, compute)
    assert compute.calls == 2


def test_pickles_are_not_loaded() -> None:
    compute = Counted()
    cache.cached("r", {}, compute)
    (path,) = folder().iterdir()
    np.savez(path, a=np.array([{}], dtype=object))
    assert np.array_equal(cache.cached("r", {}, compute)["a"], np.arange(3.0))


def test_unwritable_folder_costs_only_the_computation(tmp_path: Path) -> None:
    (tmp_path / "pdehvd").write_text("a file where the folder should be")
    compute = Counted()
    for _ in range(2):
        assert np.array_equal(cache.cached("r", {}, compute)["a"], np.arange(3.0))
    assert compute.calls == 2


def test_nothing_is_left_of_a_failed_write(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(cache.os, "replace", full)
    assert "a" in cache.cached("r", {}, Counted())
    assert list(folder().iterdir()) == []
