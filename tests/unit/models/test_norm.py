from typing import Annotated

import numpy as np
import pytest
import tensorflow as tf
from pydantic import TypeAdapter, ValidationError

from pdehvd.errors import ConfigError
from pdehvd.models import norm as norms
from pdehvd.models import pointwise
from pdehvd.models.norm import BatchNorm, GroupNorm, InstanceNorm, NoNorm
from pdehvd.models.norm_layer import NormLayer
from pdehvd.spec import Section, Spec

AXES = {"batch": [0, 1, 2], "instance": [1, 2], "group": [1, 2, 4]}


def alone(sums, name):
    return sums


def gelu(x):
    """tf.nn.gelu(x, approximate=True), which rounds its constants to float32."""
    return 0.5 * x * (1 + tf.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def images(seed, *shape, dtype="float64"):
    return tf.constant(np.random.default_rng(seed).standard_normal(shape), dtype)


def layer(norm, activation="gelu", result="float64"):
    return NormLayer(norm, "unit", activation, result)


def passed(layer, z, scale, shift, g, reduce=alone):
    """Return h, dz and the gradients of scale and shift."""
    statistics = layer.statistics(z, scale.dtype.name, reduce)
    known = layer.known(scale, shift, statistics)
    totals = layer.totals(z, g, known)
    dz = layer.pullback(z, g, known, layer.shares(totals, known, reduce))
    dshift, dscale = tf.unstack(tf.reduce_sum(totals, axis=1))
    return layer.activate(z, known), dz, dscale, dshift


def plain(norm, z, scale, shift):
    """The same by TensorFlow's own operations."""
    if isinstance(norm, NoNorm):
        return gelu(z + shift)
    groups = getattr(norm, "groups", 1)
    parts = tf.reshape(z, [*z.shape[:-1], groups, -1]) if norm.name == "group" else z
    mean, variance = tf.nn.moments(parts, AXES[norm.name], keepdims=True)
    unit = tf.reshape((parts - mean) / tf.sqrt(variance + norm.epsilon), z.shape)
    return gelu(scale * unit + shift)


@pytest.mark.parametrize(
    "norm", [BatchNorm(), InstanceNorm(epsilon=0.1), GroupNorm(groups=2), NoNorm()]
)
def test_values_and_gradients_are_those_of_automatic_differentiation(norm):
    z, g = 3 * images(0, 3, 4, 5, 6) + 2, images(1, 3, 4, 5, 6)
    scale = tf.ones(6, tf.float64) if norm.name == "none" else images(2, 6)
    shift = images(3, 6)
    with tf.GradientTape() as tape:
        tape.watch([z, scale, shift])
        wanted = plain(norm, z, scale, shift)
    dz, dscale, dshift = tape.gradient(wanted, [z, scale, shift], g)
    found = passed(layer(norm), z, scale, shift, g)
    for one, two in zip(found, [wanted, dz, dscale, dshift], strict=True):
        if two is not None:
            np.testing.assert_allclose(one, two, rtol=1e-11, atol=1e-12)


def test_statistics_count_every_pixel_once_however_it_is_sharded():
    z, g = images(0, 5, 4, 4, 3) + 7, images(1, 5, 4, 4, 3)
    scale, shift = images(2, 3), images(3, 3)
    whole = passed(layer(BatchNorm()), z, scale, shift, g)
    seen = {}
    for _ in range(3):
        # Every turn knows the sums of one more collective; the third one knows them all.
        shards, sent = [], {}
        for rank, rows in enumerate((slice(0, 1), slice(1, 5))):

            def reduce(sums, name, rank=rank, sent=sent, seen=seen):
                sent.setdefault(name, {})[rank] = sums
                return seen.get(name, sums)

            shards.append(passed(layer(BatchNorm()), z[rows], scale, shift, g[rows], reduce))
        seen = {name: tf.add_n(list(parts.values())) for name, parts in sent.items()}
    for k, join in enumerate([tf.concat, tf.concat, None, None]):
        parts = [shard[k] for shard in shards]
        found = tf.add_n(parts) if join is None else join(parts, axis=0)
        np.testing.assert_allclose(found, whole[k], rtol=1e-11, atol=1e-12)
    assert set(seen) == {"unit", "unit.backward"}


def test_local_statistics_use_no_collective():
    z, g = images(0, 2, 4, 4, 3), images(1, 2, 4, 4, 3)
    ones = tf.ones(3, tf.float64)

    def reduce(sums, name):
        raise AssertionError(name)

    for norm in (BatchNorm(sync="local"), BatchNorm(sync="none"), InstanceNorm(), NoNorm()):
        passed(layer(norm), z, ones, ones, g, reduce)


@pytest.mark.parametrize("smallest", [1, 1 << 40])
def test_a_mean_of_many_deviations_costs_no_accuracy(monkeypatch, smallest):
    monkeypatch.setattr(pointwise, "COMPILED_FROM", smallest)
    z = tf.cast(1e4 + images(0, 2, 64, 64, 4), tf.float32)
    statistics = layer(BatchNorm()).statistics(z, "float32", alone)
    exact = np.asarray(z, float).reshape(-1, 4)
    np.testing.assert_allclose(statistics.mean[0], exact.mean(0), rtol=1e-7)
    np.testing.assert_allclose(statistics.variance[0], exact.var(0), rtol=1e-5)
    naive = (z.numpy() ** 2).mean((0, 1, 2)) - z.numpy().mean((0, 1, 2)) ** 2
    assert np.abs(naive / exact.var(0) - 1).max() > 1e-2


@pytest.mark.parametrize("activation", ["gelu", "relu"])
@pytest.mark.parametrize("shape", [(1, 96, 6), (3, 40, 2)])
def test_compiled_passes_are_the_plain_ones(monkeypatch, activation, shape):
    z, g = images(0, *shape), images(1, *shape)
    coefficients = [images(k, shape[0], shape[2]) for k in range(2, 7)]
    found = []
    for smallest in (1 << 40, 1):
        monkeypatch.setattr(pointwise, "COMPILED_FROM", smallest)
        monkeypatch.setattr(pointwise, "_ROW", 24)
        found.append(
            [
                pointwise.activate(z, coefficients[:3], activation, "float64"),
                pointwise.pullback(z, g, coefficients, activation),
                *pointwise.totals(z, g, coefficients[:3], activation),
                *pointwise.moments(z, "float64"),
            ]
        )
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", sorted(pointwise.ACTIVATIONS))
def test_slopes_of_activations(name):
    x = tf.constant(np.linspace(-4, 4, 30))
    with tf.GradientTape() as tape:
        tape.watch(x)
        value, slope = pointwise.ACTIVATIONS[name](x)
    np.testing.assert_allclose(slope, tape.gradient(value, x), rtol=1e-12, atol=1e-14)
    own = {"gelu": gelu, "swish": tf.nn.swish, "sigmoid": tf.sigmoid}
    own |= {"tanh": tf.tanh, "relu": tf.nn.relu, "leaky_relu": lambda x: tf.maximum(x, 0.1 * x)}
    np.testing.assert_allclose(value, own.get(name, tf.identity)(x), rtol=1e-12, atol=1e-14)


def test_sections():
    section = TypeAdapter(Annotated[Spec, Section("norm")])
    assert section.validate_python("group") == GroupNorm(groups=8)
    assert section.validate_python({"name": "batch", "sync": "local"}).sync == "local"
    assert norms.NoNorm() == section.validate_python("none")


@pytest.mark.parametrize(
    ("given", "path", "words"),
    [
        (
            {"name": "instance", "sync": "global"},
            ("sync",),
            "'instance' shares no statistics between",
        ),
        ({"name": "none", "sync": "local"}, ("sync",), "or batch normalisation"),
        ({"name": "bach"}, ("name",), "did you mean 'batch'"),
    ],
)
def test_bad_sections(given, path, words):
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Annotated[Spec, Section("norm")]).validate_python(given)
    cause = caught.value.errors()[0]["ctx"]["error"]
    assert isinstance(cause, ConfigError)
    assert cause.path == path
    assert words in str(cause)
