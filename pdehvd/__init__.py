"""pdehvd: physics-informed networks and data-free PDE models on many processes."""

from __future__ import annotations

import importlib

__version__ = "0.1.0"
_FUNCTIONS = ("check", "expression", "load_plugins", "register", "train")


def __getattr__(name: str) -> object:
    """Load the interface when a name of it is first used: `import pdehvd` itself costs nothing.

    By name and not by an import statement, for the lower floors import this package too. Modules
    of the package, which have small letters, are not looked for in the interface.
    """
    if name[:1].isupper() or name in _FUNCTIONS:
        interface = importlib.import_module("pdehvd.interface")
        if name in interface.__all__:
            return getattr(interface, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the names that the package offers."""
    return sorted(["__version__", *importlib.import_module("pdehvd.interface").__all__])
