"""Runs without pictures."""

import pytest

# The first bytes of a picture.
PNG = b"\x89PNG\r\n\x1a\n"


def hide_pictures(patch: pytest.MonkeyPatch) -> None:
    """Make every figure an empty picture: drawing takes longer than all else of a small run."""
    from matplotlib.figure import Figure

    patch.setattr(Figure, "savefig", lambda figure, file, **options: file.write(PNG))
