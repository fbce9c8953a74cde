"""Plug-in files: Python named on the command line, which may register more specs."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from pdehvd.errors import ConfigError
from pdehvd.launch.tensorflow_import import import_tensorflow

_PREFIX = "pdehvd_plugin_"


def load_plugins(files: Sequence[str | Path]) -> None:
    """Import each file once, in order.

    Raises `ConfigError` with the line and the exception where a file cannot be imported.
    """
    if files:
        # Most of them import it, and would let it greet.
        import_tensorflow()
    for file in files:
        _load(Path(file))


def loaded() -> list[Path]:
    """Return the plug-in files that this process has imported, in order."""
    return [Path(str(sys.modules[name].__file__)) for name in loaded_modules()]


def loaded_modules() -> list[str]:
    """Return the names of their modules, which hold a digest of the content of each file."""
    return [name for name in sys.modules if name.startswith(_PREFIX)]


def _load(file: Path) -> None:
    if file.suffix != ".py":
        raise ConfigError(f"the plug-in {file} is not a Python file", (), "a file that ends in .py")
    if not file.is_file():
        raise ConfigError(f"there is no plug-in file {file}")
    path = file.resolve()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read the plug-in {file}: {error.strerror}") from error
    # The name holds the content, so that a notebook sees an edited file and imports no file twice.
    digest = hashlib.sha256(str(path).encode() + b"\0" + content).hexdigest()[:12]
    name = f"{_PREFIX}{file.stem}_{digest}"
    if name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # .py files always have a loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        del sys.modules[name]
        raise
    except BaseException as error:
        # SystemExit too: a plug-in that leaves early must not look like a finished run.
        del sys.modules[name]
        text = " ".join(str(error).split())
        raise ConfigError(
            f"the plug-in failed: {file}:{_line(error, path)}: {type(error).__name__}"
            + (f": {text}" if text else "")
        ) from error


def _line(error: BaseException, path: Path) -> int:
    """Return the line of the plug-in that the exception came from, the deepest one."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno or 0
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    return (lines[-1] if lines else 0) or 0
