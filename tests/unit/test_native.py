import pytest

from pdehvd.comm import xla_calls
from pdehvd.launch import loopback

BOTH = pytest.mark.parametrize("library", [loopback.loopback_library, xla_calls.calls_library])


@BOTH
def test_it_is_compiled_once_and_never_taken_from_others(library, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = library()
    assert first is not None and first.is_relative_to(tmp_path)
    assert [path.name for path in first.parent.iterdir()] == [first.name]
    made = first.stat().st_mtime_ns
    assert library() == first and first.stat().st_mtime_ns == made
    first.chmod(0o777)
    first.write_bytes(b"somebody else's")
    assert library() == first and first.read_bytes()[:4] == b"\x7fELF"


@BOTH
def test_without_a_compiler_there_is_none(library, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(xla_calls.sys, "executable", str(tmp_path / "python"))
    monkeypatch.delenv("CC", raising=False)
    assert library() is None
