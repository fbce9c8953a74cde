"""The library that is preloaded into mpirun, in a process of its own."""

import os
import subprocess
import sys

from pdehvd.comm import loopback

LISTEN = """
import socket
for address in ("0.0.0.0", "::", "127.0.0.2"):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as door:
        door.bind((address, 0))
        print(door.getsockname()[0])
"""


def test_a_socket_for_all_interfaces_is_bound_to_the_loopback_one():
    library = loopback.library()
    assert library is not None
    done = subprocess.run(
        [sys.executable, "-c", LISTEN],
        env={**os.environ, "LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["127.0.0.1", "::1", "127.0.0.2"]


def test_it_is_compiled_once_and_never_taken_from_others(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = loopback.library()
    assert first is not None and first.is_relative_to(tmp_path)
    assert [path.name for path in first.parent.iterdir()] == [first.name]
    made = first.stat().st_mtime_ns
    assert loopback.library() == first and first.stat().st_mtime_ns == made
    first.chmod(0o777)
    first.write_bytes(b"somebody else's")
    assert loopback.library() == first and first.read_bytes()[:4] == b"\x7fELF"


def test_without_a_compiler_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.delenv("CXX", raising=False)
    assert loopback.library() is None
