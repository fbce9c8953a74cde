"""Runs without pictures."""

import pytest

from pdehvd.results import plots

# The first bytes of a picture.
PNG = b"\x89PNG\r\n\x1a\n"


def hide_pictures(patch: pytest.MonkeyPatch) -> None:
    """Make every figure an empty picture: drawing takes longer than all else of a small run."""
    from matplotlib.figure import Figure

    patch.setattr(Figure, "savefig", lambda figure, file, **options: file.write(PNG))


def without_pictures(patch: pytest.MonkeyPatch) -> None:
    """Make no figure: what a picture shows is evaluated on thousands of points."""
    patch.setattr(plots, "figures", lambda *_: {})
