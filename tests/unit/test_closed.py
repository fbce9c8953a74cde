"""No file runs code: not a checkpoint, a table, a field, a cache, a mesh or a config."""

from __future__ import annotations

import ast
import contextlib
import os
import pickle
import stat
import sys
from pathlib import Path

import numpy as np
import pytest

import pdehvd
from pdehvd.config.yaml_source import read_source
from pdehvd.errors import ConfigError
from pdehvd.numerics.expressions import ExpressionError, parse, symbol
from pdehvd.problems.data import read_table
from pdehvd.problems.shapes_mesh import read_mesh
from pdehvd.reference import cache
from pdehvd.results.field_files import read_fields_file
from pdehvd.training.checkpoint_index import Counters, read_index
from pdehvd.training.snapshot import Snapshot, write_snapshots
from pdehvd.training.stored import StoredState

SOURCES = sorted(Path(pdehvd.__file__).parent.rglob("*.py"))
MODULES = {"pickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "code"}
CALLS = {"eval", "exec", "load_model", "unsafe_load", "full_load", "yaml.load", "os.system"}

HOSTILE = (
    "__import__('os').mkdir('sprung')",
    "open('sprung', 'w')",
    "(lambda: open('sprung', 'w'))()",
    "[open('sprung', 'w') for i in (1,)]",
    "x if open('sprung', 'w') else x",
    "f'{open(1)}'",
    "eval('1')",
    "exec('import os')",
    "sin(x).func.__globals__",
    "x.__class__.__base__.__subclasses__()",
    "getattr(x, '__class__')",
    "sin(open)",
    "(y := x)",
    "x[0]",
    "breakpoint()",
)
watched: list[str] = []
watching = [False]


def _note(event: str, arguments: tuple, watching: list[bool] = watching) -> None:
    # The list is kept as a default: when the interpreter ends, the module's names are gone.
    if watching[0]:
        watched.append(event)


# Python tells such hooks of files, imports, programs and compiled code. They cannot be taken back.
sys.addaudithook(_note)


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.folder),)


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """The folder that a trap makes; the trap itself works."""
    folder = tmp_path / "sprung"
    pickle.loads(pickle.dumps(Trap(folder)))
    folder.rmdir()
    return folder


def archive(path: Path, trap: Path, *names: str) -> Path:
    """Write an NPZ file whose arrays hold pickled traps."""
    with path.open("wb") as file:
        np.savez(file, **{name: np.array([Trap(trap)], object) for name in names})
    return path


def raw(path: Path, trap: Path) -> Path:
    """Write a file that is a pickled trap, whatever its name says."""
    path.write_bytes(pickle.dumps(Trap(trap)))
    return path


def test_a_crafted_checkpoint_is_refused(tmp_path: Path, trap: Path) -> None:
    one = Snapshot(Counters(step=1), {name: np.zeros(1) for name in ("theta", "weights")})
    for number, pickled in enumerate((True, False)):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        write_snapshots(folder, [one])
        file = folder / "trainer-0.theta.npy"
        if pickled:
            np.save(file, np.array([Trap(trap)], object), allow_pickle=True)
        else:
            raw(file, trap)
        with pytest.raises(ConfigError, match="cannot read the checkpoint"):
            StoredState(read_index((folder / "index.json").read_bytes()), folder).whole("theta")
    assert not trap.exists()


@pytest.mark.parametrize("ending", [".npz", ".csv", ".h5", ".keras", ".pkl", ".npy"])
def test_a_crafted_table_or_field_is_refused(ending: str, tmp_path: Path, trap: Path) -> None:
    files = [raw(tmp_path / f"raw{ending}", trap)]
    if ending == ".npz":
        files.append(archive(tmp_path / "objects.npz", trap, "u"))
    for file in files:
        with pytest.raises(ConfigError):
            read_table(file)
        with pytest.raises(ConfigError):
            read_fields_file(file, ("u",))
    assert not trap.exists()


def test_a_crafted_cache_is_computed_anew(
    tmp_path: Path, trap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    calls = []

    def compute() -> cache.Arrays:
        calls.append(1)
        return {"u": np.ones(2)}

    cache.cached("heat", {}, compute)
    (file,) = (tmp_path / "pdehvd/references").iterdir()
    archive(file, trap, "u")
    assert cache.cached("heat", {}, compute)["u"].tolist() == [1.0, 1.0]
    assert len(calls) == 2 and not trap.exists()


def test_the_cache_follows_the_umask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for mask, mode in ((0o077, 0o600), (0o022, 0o644)):
        previous = os.umask(mask)
        try:
            cache.cached("heat", {"mask": mask}, lambda: {"u": np.ones(2)})
        finally:
            os.umask(previous)
        modes = [
            stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "pdehvd/references").iterdir()
        ]
        assert mode in modes and len(modes) == (1 if mask == 0o077 else 2)


@pytest.mark.parametrize("ending", [".stl", ".ply", ".obj", ".off", ".pkl", ".json"])
def test_a_crafted_mesh_is_refused(ending: str, tmp_path: Path, trap: Path) -> None:
    with pytest.raises(ConfigError):
        read_mesh(raw(tmp_path / f"body{ending}", trap))
    assert not trap.exists()


@pytest.mark.parametrize("tag", ["python/object/apply:os.mkdir", "python/object/new:os.mkdir"])
def test_a_tag_in_a_config_is_refused(tag: str, tmp_path: Path, trap: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"name: !!{tag} ['{trap}']\n")
    with pytest.raises(ConfigError, match=r"config\.yaml:1"):
        read_source(file)
    assert not trap.exists()


@pytest.mark.parametrize("text", HOSTILE)
def test_an_expression_does_not_reach_python(text: str) -> None:
    for harmless in ("sin(x) + 1", "x +"):
        with contextlib.suppress(ExpressionError):
            parse(harmless, {"x": symbol("x")})
    watched.clear()
    watching[0] = True
    try:
        with pytest.raises(ExpressionError):
            parse(text, {"x": symbol("x")})
    finally:
        watching[0] = False
    # `compile` is Python's own parser: it makes a tree, and runs nothing.
    assert set(watched) <= {"compile", "object.__getattr__"}


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: file.name)
def test_no_source_file_can_run_what_it_reads(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not MODULES & {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] not in MODULES
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert called not in CALLS and not called.endswith(".load_model")
            assert keywords.get("shell", "False") == "False"
            if called == "np.load":
                assert keywords.get("allow_pickle") == "False"
