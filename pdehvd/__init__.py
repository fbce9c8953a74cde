"""pdehvd: physics-informed networks and data-free PDE models on many processes."""

__version__ = "0.1.0"
