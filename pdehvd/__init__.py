"""pdehvd: physics-informed networks and data-free PDE models on many processes."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"
_LAZY = {"train": "pdehvd.experiment.notebook", "Run": "pdehvd.results.stored_run"}


def __getattr__(name: str) -> Any:
    """Load `train` and `Run` when they are first used: `import pdehvd` itself costs nothing.

    By name and not by an import statement, for the lower floors import this package too.
    """
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the names that the package offers."""
    return ["Run", "__version__", "train"]
