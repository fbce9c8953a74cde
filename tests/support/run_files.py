"""Data files of the small runs that tests move and pack."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def write_tables(folder: Path) -> None:
    """Write `tables/probes.csv`, measured values, and `u.npz`, a solution on a grid."""
    (folder / "tables").mkdir(parents=True)
    (folder / "tables" / "probes.csv").write_text("x,t,u\n0.5,0.1,-0.9\n-0.5,0.2,0.8\n")
    x, t = np.linspace(-1, 1, 11), np.linspace(0, 1, 7)
    exact = -np.sin(np.pi * x)[:, None] * np.exp(-0.1 * np.pi**2 * t)
    np.savez(folder / "u.npz", x=x, t=t, u=exact)
