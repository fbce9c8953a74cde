from typing import Annotated

import numpy as np
import pytest
import tensorflow as tf
from pydantic import TypeAdapter, ValidationError

from pdehvd.models.fields import FieldNetworks
from pdehvd.models.mlp import MLP
from pdehvd.models.mlp_network import MLPNetwork, unlucky
from pdehvd.numerics import jets
from pdehvd.spec import Section, Spec

BOUNDS = np.array([[-1.0, 3.0], [0.0, 2.0]])
PLAN = jets.plan(
    2, [(2, 1), (0, 2)], [[((2, 0), 1.0), ((0, 2), -2.0), ((1, 1), 0.5), ((0, 1), 3.0)]]
)
SECOND = jets.plan(2, [(1, 1)], [[((2, 0), 1.0), ((0, 2), 1.0), ((1, 0), -2.0)]])
OPTIONS = [
    {},
    {"activation": "sin"},
    {"activation": "swish"},
    {"activation": "gelu"},
    {"activation": "sigmoid"},
    {"activation": "softplus"},
    {"layers": (3, 5, 4), "scale_inputs": False},
    {"adaptive": 5.0, "activation": "gelu"},
    {"adaptive": 2.0},
    {"residual": True, "depth": 3},
    {"periodic": {"x": True}},
    {"periodic": {"x": {"period": 2.0, "modes": 2}, "y": 1.5}},
    {"fourier": {"count": 3, "scale": 0.5}},
    {"fourier": ({"count": 2, "scale": 0.5}, {"count": 1, "seed": 3}), "periodic": {"y": True}},
    {"shared": False},
]


def build(outputs=2, dtype="float64", **options):
    if "layers" not in options:
        options = {"width": 4, "depth": 2, **options}
    return MLP(**options).build(BOUNDS, outputs, dtype, ("x", "y"))


def started(network, seed=1):
    """Return parameters away from the start, so that biases and slopes matter."""
    random = np.random.default_rng(seed)
    return [
        tf.constant(value + 0.1 * random.normal(size=value.shape).astype(value.dtype))
        for value in network.initial(seed)
    ]


def points(count=3, dtype="float64"):
    return tf.constant(np.random.default_rng(5).uniform(0, 2, (count, 2)), dtype)


def close(found, wanted, tolerance=1e-12):
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=tolerance * (1 + np.abs(other).max()))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_taylor_mode_agrees_with_nested_tapes(options):
    network = build(**options)
    parameters, x = started(network), points()
    for plan in (PLAN, SECOND):
        found = network.jet(parameters, x, plan)
        assert all(entry.shape == (3, 2) for entry in found)
        close(found, jets.nested(lambda q: network.apply(parameters, q), x, plan))


def loss_of(channels):
    return tf.add_n([tf.reduce_sum(tf.sin(c) + (k + 1) * c * c) for k, c in enumerate(channels)])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"activation": "gelu", "adaptive": 3.0},
        {"fourier": {"count": 2}},
        {"periodic": {"x": True}, "residual": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("plan", [SECOND, PLAN], ids=["second", "third"])
def test_gradients_with_respect_to_parameters(options, plan):
    network, x = build(**options), points(2)
    theta = network.flatten(started(network))

    def loss(theta, nested):
        parameters = network.split(theta)
        if nested:
            return loss_of(jets.nested(lambda q: network.apply(parameters, q), x, plan))
        return loss_of(network.jet(parameters, x, plan))

    gradients = []
    for nested in (False, True):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            value = loss(theta, nested)
        gradients.append(tape.gradient(value, theta))
    close(gradients[:1], gradients[1:])
    direction = tf.constant(np.random.default_rng(3).normal(size=theta.shape))
    step = 1e-5
    difference = (loss(theta + step * direction, False) - loss(theta - step * direction, False)) / (
        2 * step
    )
    np.testing.assert_allclose(difference, tf.reduce_sum(gradients[0] * direction), rtol=1e-7)


def test_an_operator_is_the_sum_of_its_partials():
    network = build(outputs=1, depth=3)
    parameters, x = started(network), points(6)
    operator = [((2, 0), 1.5), ((1, 1), -0.5), ((0, 2), 2.0), ((1, 0), 3.0)]
    apart = jets.plan(2, [index for index, _ in operator])
    single = network.jet(parameters, x, apart)
    total = sum(factor * single[apart.channel(index)] for index, factor in operator)
    close([network.jet(parameters, x, jets.plan(2, [], [operator]))[-1]], [total])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_compiled_in_each_precision(dtype):
    network, exact = build(dtype=dtype), build()
    parameters = started(exact)

    @tf.function(jit_compile=True)
    def run(x):
        return network.jet([tf.cast(p, dtype) for p in parameters], x, SECOND)

    found = run(points(4, dtype))
    assert {entry.dtype.name for entry in found} == {dtype}
    close(found, exact.jet(parameters, points(4), SECOND), 1e-12 if dtype == "float64" else 1e-5)
    assert {value.dtype.name for value in network.initial(0)} == {dtype}


def test_points_are_added_for_the_cache_and_taken_away_again():
    network = build()
    parameters = started(network)
    assert [unlucky(n, 8) for n in (255, 256, 257, 320, None)] == [0, 8, 0, 8, 0]
    assert [unlucky(n, 4) for n in (64, 500, 512, 8192)] == [0, 0, 16, 16]
    x = points(256)
    found = network.jet(parameters, x, SECOND)
    parts = [network.jet(parameters, part, SECOND) for part in (x[:100], x[100:])]
    assert all(entry.shape == (256, 2) for entry in found)
    close(found, [tf.concat(pair, axis=0) for pair in zip(*parts, strict=True)])


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_layout_and_start(options):
    network = build(**options)
    first, again, other = network.initial(7), network.initial(7), network.initial(8)
    assert [value.shape for value in first] == [shape for _, shape in network.layout]
    assert len({name for name, _ in network.layout}) == len(network.layout)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    theta = network.flatten([tf.constant(value) for value in first])
    assert theta.shape == (network.size,)
    for one, back in zip(first, network.split(theta), strict=True):
        np.testing.assert_array_equal(one, back)


def test_the_start_does_not_depend_on_global_generators():
    network = build()
    np.random.seed(1)
    tf.random.set_seed(1)
    first = network.initial(7)
    np.random.seed(2)
    tf.random.set_seed(2)
    assert all(np.array_equal(a, b) for a, b in zip(first, network.initial(7), strict=True))


@pytest.mark.parametrize(
    ("kind", "variance", "largest"),
    [
        ("glorot_normal", 2 / 300, None),
        ("glorot_uniform", 2 / 300, np.sqrt(6 / 300)),
        ("he_normal", 2 / 200, None),
        ("he_uniform", 2 / 200, np.sqrt(6 / 200)),
    ],
)
def test_initializations(kind, variance, largest):
    network = build(layers=(200, 100), initialization=kind)
    weight = network.initial(0)[2]
    assert weight.var() == pytest.approx(variance, rel=0.05)
    assert largest is None or 0.99 * largest < np.abs(weight).max() <= largest
    assert not network.initial(0)[1].any()


def test_adaptive_slopes_start_at_one_and_scale_the_argument():
    plain, adaptive = build(), build(adaptive=4.0)
    start = adaptive.initial(2)
    names = [name for name, _ in adaptive.layout]
    slopes = [n for n, name in enumerate(names) if name.endswith("slope")]
    assert [float(start[n]) for n in slopes] == [0.25, 0.25]
    x = points()
    others = [value for n, value in enumerate(start) if n not in slopes]
    np.testing.assert_allclose(adaptive.apply(start, x), plain.apply(others, x), rtol=1e-14)
    start[slopes[0]] = np.array(0.5)
    others[0], others[1] = 2 * others[0], 2 * others[1]
    np.testing.assert_allclose(adaptive.apply(start, x), plain.apply(others, x), rtol=1e-14)


def test_the_plain_network_is_the_formula():
    network, x = build(residual=True, depth=2), points()
    w0, b0, w1, b1, w2, b2 = (p.numpy() for p in started(network))
    scaled = (x.numpy() - [1, 1]) / [2, 1]
    h = np.tanh(scaled @ w0 + b0)
    h = h + np.tanh(h @ w1 + b1)
    np.testing.assert_allclose(network.apply(started(network), x), h @ w2 + b2, rtol=1e-13)


def test_one_network_per_field():
    network = build(outputs=3, shared=False)
    assert isinstance(network, FieldNetworks)
    assert network.outputs == 3
    assert all(isinstance(part, MLPNetwork) and part.outputs == 1 for part in network.networks)
    assert isinstance(build(outputs=1, shared=False), MLPNetwork)


def parse(section):
    return TypeAdapter(Annotated[Spec, Section("model")]).validate_python(section)


def test_the_yaml_section():
    spec = parse({"name": "mlp", "layers": [20, 20, 30], "periodic": {"x": True, "y": "2*pi"}})
    assert spec.hidden == (20, 20, 30)
    assert parse("mlp").hidden == (50,) * 4
    assert parse({"name": "mlp", "width": 7, "depth": 2}).hidden == (7, 7)
    network = spec.build(BOUNDS, 1, "float64", ("x", "y"))
    assert [frequency for _, frequency in network.embedding.waves] == pytest.approx([np.pi / 2, 1])


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"name": "mlp", "layers": [5], "width": 5}, "given twice"),
        ({"name": "mlp", "layers": [5, 6], "residual": True}, "equal widths"),
        ({"name": "mlp", "layers": []}, "at least 1 item"),
        ({"name": "mlp", "width": 0}, "greater than 0"),
        ({"name": "mlp", "depth": 10**20}, "less than or equal to 1000"),
        ({"name": "mlp", "layers": [3] * 1001}, "at most 1000 items"),
        ({"name": "mlp", "activation": "relu"}, "'tanh'"),
        ({"name": "mlp", "depht": 3}, "not permitted"),
        ({"name": "mlp", "periodic": {"x": -1}}, "greater than 0"),
        ({"name": "mlp", "fourier": {"count": 0}}, "greater than 0"),
        ({"name": "mpl"}, "unknown model 'mpl'"),
    ],
)
def test_bad_sections(section, message):
    with pytest.raises(ValidationError, match=message):
        parse(section)
