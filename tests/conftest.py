"""What the tests of several folders use."""

import sys

import pytest

from pdehvd.config import plugins
from tests.support.pictures import hide_pictures


def forget_plugins():
    """Plug-ins that a test loads are forgotten, or the runs of the next tests would name them."""
    before = plugins.loaded_modules()
    yield
    for name in set(plugins.loaded_modules()) - set(before):
        del sys.modules[name]


plugins_of_module = pytest.fixture(scope="module", autouse=True)(forget_plugins)
plugins_of_test = pytest.fixture(autouse=True)(forget_plugins)


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
