"""Where caches go, for users with a home and without one."""

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pdehvd import caches, native
from pdehvd.launch import loopback
from scripts.shared import machine

ROOT = Path(__file__).parents[2]


@pytest.fixture
def unnamed(monkeypatch, tmp_path):
    """Name no cache; temporary files go to a folder of this test."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(caches.tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def homeless(unnamed, monkeypatch):
    """Be a user whom the machine does not know, as in a container."""

    def unknown():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(caches.Path, "home", unknown)
    return unnamed


def test_the_variable_comes_first_and_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert list(caches.places("lib")) == [tmp_path / "cache/pdehvd/lib"]


@pytest.mark.parametrize("value", ["", "relative/folder"])
def test_a_variable_that_names_no_folder_is_as_good_as_none(unnamed, monkeypatch, value):
    monkeypatch.setenv("HOME", str(unnamed / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    assert list(caches.places("lib")) == [unnamed / "home/.cache/pdehvd/lib"]
    assert list(unnamed.iterdir()) == []


def test_without_a_home_it_is_a_private_folder(homeless):
    (place,) = caches.places("lib")
    assert place == homeless / f"pdehvd-{os.geteuid()}" / "lib"
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    assert list(caches.places("lib")) == [place]


def test_a_home_that_cannot_be_written_is_read_first_all_the_same(unnamed, monkeypatch):
    # What Docker gives to an unknown user is "/"; a file in the way stops root too.
    (unnamed / "home").write_text("")
    monkeypatch.setenv("HOME", str(unnamed / "home"))
    first, second = caches.places("lib")
    assert first == unnamed / "home/.cache/pdehvd/lib"
    assert second == unnamed / f"pdehvd-{os.geteuid()}" / "lib"


def test_a_private_folder_of_somebody_else_is_not_used(homeless):
    folder = homeless / f"pdehvd-{os.geteuid()}"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    assert list(caches.places("lib")) == []
    folder.rmdir()
    (homeless / "theirs").mkdir(mode=0o700)
    folder.symlink_to(homeless / "theirs")
    assert list(caches.places("lib")) == []
    folder.unlink()
    folder.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(folder, 4242, 4242)
        assert list(caches.places("lib")) == []


def test_no_folder_for_temporary_files_is_no_failure(homeless, monkeypatch):
    def none():
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(caches.tempfile, "gettempdir", none)
    assert list(caches.places("lib")) == []
    assert (
        native.compile_library(Path(loopback.__file__).with_name("loopback.c"), ["cc"], ["-ldl"])
        is None
    )


def test_libraries_and_references_share_the_rule(homeless):
    from pdehvd.reference.cache import cached

    source = Path(loopback.__file__).with_name("loopback.c")
    made = native.compile_library(source, ["cc", "gcc"], ["-ldl"])
    assert made is not None and made.parent == homeless / f"pdehvd-{os.geteuid()}" / "lib"
    calls = []
    for _ in range(2):
        cached("r", {}, lambda: calls.append(1) or {})
    assert len(calls) == 1


def test_the_setup_follows_the_same_rule(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert machine.cache_folder() == str(tmp_path / "pdehvd")


UNKNOWN = """
import os, sys, tempfile
from pdehvd import caches
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(4242)
    os.setuid(4242)
print(caches.home(), *caches.places("lib"))
"""


def test_an_unknown_user_of_the_system_has_a_private_cache(tmp_path):
    """The real thing, where this test may become another user."""
    environment = {n: v for n, v in os.environ.items() if n not in ("HOME", "XDG_CACHE_HOME")}
    tmp_path.chmod(0o777)
    for folder in tmp_path.parents:
        if folder.is_relative_to(tempfile.gettempdir()) and folder.owner() == tmp_path.owner():
            folder.chmod(folder.stat().st_mode | 0o011)
    done = subprocess.run(
        [sys.executable, "-c", UNKNOWN],
        env={**environment, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if os.geteuid() == 0:
        assert done.stdout.split() == ["None", str(tmp_path / "pdehvd-4242/lib")]
