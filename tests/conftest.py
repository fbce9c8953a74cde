"""What the tests of several folders use."""

import pytest

# The first bytes of a picture.
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def eagerly():
    """Nothing is worth compiling; the tests on several processes run the compiled loop."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def hide_pictures(patch: pytest.MonkeyPatch) -> None:
    """Make every figure an empty picture: drawing takes longer than all else of a small run."""
    from matplotlib.figure import Figure

    patch.setattr(Figure, "savefig", lambda figure, file, **options: file.write(PNG))


@pytest.fixture
def unseen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """No picture is drawn, except for tests that are marked `draws`."""
    if request.node.get_closest_marker("draws") is None:
        hide_pictures(monkeypatch)
