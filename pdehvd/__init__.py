"""pdehvd: physics-informed networks and data-free PDE models on many processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pdehvd.experiment.notebook import Run as Run
    from pdehvd.experiment.notebook import train as train

__version__ = "0.1.0"
__all__ = ["Run", "__version__", "train"]


def __getattr__(name: str) -> Any:
    """Load `train` and `Run` when they are first used: `import pdehvd` itself costs nothing."""
    if name in ("train", "Run"):
        from pdehvd.experiment import notebook

        return getattr(notebook, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
