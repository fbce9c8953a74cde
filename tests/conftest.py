"""What the tests of several folders use."""

import pytest

from tests.support.pictures import hide_pictures


@pytest.fixture
def eagerly():
    """Nothing is worth compiling; the tests on several processes run the compiled loop."""
    import tensorflow as tf

    # TensorFlow reports missing GPUs on standard error, once, when it first lists devices.
    tf.config.list_logical_devices()
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def unseen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """No picture is drawn, except for tests that are marked `draws`."""
    if request.node.get_closest_marker("draws") is None:
        hide_pictures(monkeypatch)
