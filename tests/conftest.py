"""What the tests of several folders use."""

import pytest


@pytest.fixture
def eagerly():
    """Nothing is worth compiling; the tests on several processes run the compiled loop."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
