import numpy as np
import pytest
import tensorflow as tf

from pdehvd.errors import ConfigError
from pdehvd.models.embeddings import Embedding
from pdehvd.models.features import FourierFeatures, PeriodicFeatures
from pdehvd.numerics import jets

BOUNDS = np.array([[-1.0, 3.0], [0.0, 2.0]])
VALUE = jets.plan(2, [])


def features(embedding, x):
    return tf.transpose(embedding.jet(tf.constant(x), VALUE)[0]).numpy()


def test_coordinates_are_scaled_to_the_unit_box():
    embedding = Embedding.build(BOUNDS, ("x", "y"))
    corners = np.array([[-1.0, 0.0], [3.0, 2.0], [1.0, 1.0]])
    np.testing.assert_allclose(features(embedding, corners), [[-1, -1], [1, 1], [0, 0]])
    plain = Embedding.build(BOUNDS, ("x", "y"), scaled=False)
    np.testing.assert_array_equal(features(plain, corners), corners)
    assert embedding.width == plain.width == 2


def test_a_coordinate_of_no_length_gives_no_feature():
    embedding = Embedding.build(np.array([[1.0, 1.0], [0.0, 2.0]]), ("x", "y"))
    np.testing.assert_allclose(features(embedding, np.array([[1.0, 2.0]])), [[1]])


def test_periodic_features():
    embedding = Embedding.build(
        BOUNDS, ("x", "y"), periodic={"x": PeriodicFeatures(period=True, modes=2)}
    )
    assert embedding.width == 5
    x = np.array([[0.3, 0.5], [4.3, 0.5]])
    found = features(embedding, x)
    k = 2 * np.pi * 0.3 / 4
    np.testing.assert_allclose(
        found[0], [-0.5, np.cos(k), np.cos(2 * k), np.sin(k), np.sin(2 * k)], rtol=1e-14
    )
    np.testing.assert_allclose(found[0], found[1], rtol=1e-14)


def test_all_coordinates_may_be_periodic():
    embedding = Embedding.build(BOUNDS, ("x", "y"), periodic={"y": 0.5, "x": "pi/2"})
    x = np.array([[0.3, 0.1]])
    shifted = x + np.array([np.pi / 2, 1.5])
    assert embedding.width == 4
    np.testing.assert_allclose(features(embedding, x), features(embedding, shifted), rtol=1e-13)


def test_fourier_features():
    parts = [FourierFeatures(count=3, scale=0.5), FourierFeatures(count=2, scale=10.0, seed=1)]
    embedding = Embedding.build(BOUNDS, ("x", "y"), fourier=parts)
    assert embedding.width == 10
    frequencies = embedding.frequencies
    assert frequencies.shape == (2, 5)
    x = np.array([[0.3, 0.1], [2.0, 1.0]])
    angles = 2 * np.pi * ((x - [1, 1]) / [2, 1]) @ frequencies
    wanted = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
    np.testing.assert_allclose(features(embedding, x), wanted, atol=1e-13)


def test_frequencies_depend_on_their_seed_and_scale_only():
    def draw(**section):
        part = FourierFeatures(count=400, **section)
        return Embedding.build(BOUNDS, ("x", "y"), fourier=[part]).frequencies

    np.testing.assert_array_equal(draw(), draw())
    np.testing.assert_allclose(draw(scale=3.0), 3 * draw())
    assert not np.array_equal(draw(), draw(seed=1))
    assert draw(scale=3.0).std() == pytest.approx(3, rel=0.1)


def test_fourier_features_of_periodic_ones_stay_periodic():
    embedding = Embedding.build(
        BOUNDS, ("x", "y"), periodic={"x": True}, fourier=[FourierFeatures(count=4)]
    )
    x = np.array([[0.3, 0.1]])
    assert embedding.width == 8
    np.testing.assert_allclose(
        features(embedding, x), features(embedding, x + np.array([4, 0])), atol=1e-13
    )
    assert not np.allclose(features(embedding, x), features(embedding, x + np.array([0, 1])))


@pytest.mark.parametrize(
    ("periodic", "path", "words"),
    [
        ({"xx": True}, ("periodic", "xx"), "one of x, y; did you mean 'x'"),
        ({"x": "-pi"}, ("periodic", "x"), "positive"),
        ({"x": "2*q"}, ("periodic", "x"), "q"),
        ({"x": PeriodicFeatures(period=False)}, ("periodic", "x"), "positive"),
    ],
)
def test_bad_periods(periodic, path, words):
    with pytest.raises(ConfigError, match=words) as caught:
        Embedding.build(BOUNDS, ("x", "y"), periodic=periodic)
    assert caught.value.path == path
