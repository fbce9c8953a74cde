import numpy as np
import pytest
import tensorflow as tf

from pdehvd.errors import ConfigError
from pdehvd.models import convolutions, stage_pass
from pdehvd.models.norm import BatchNorm, GroupNorm, InstanceNorm, NoNorm
from pdehvd.models.unet import UNet

SMALL = {"depth": 2, "width": 3}


def alone(sums, name):
    return sums


def start(dimension=2, dtype="float64", channels=2, outputs=1, seed=0, batch=3, **options):
    """Return a network, parameters away from the initial ones, and images."""
    network = UNet(**{**SMALL, **options}).build_grid(dimension, channels, outputs, dtype)
    random = np.random.default_rng(seed)
    theta = [v + 0.1 * random.standard_normal(v.shape) for v in network.initial(seed)]
    nodes = (8, 12) if dimension == 2 else (8, 4, 4)
    images = random.standard_normal((batch, *nodes, channels))
    return network, [tf.constant(v, dtype) for v in theta], tf.constant(images, dtype)


def losses(fields):
    return tf.reduce_sum(tf.sin(fields) + fields**2)


def slopes(network, theta, images, reduce=alone):
    """Return the loss, its gradient [P] and the moments."""
    with tf.GradientTape() as tape:
        tape.watch(theta)
        fields, moments = network.train(theta, images, reduce)
        loss = losses(fields)
    return loss.numpy(), network.flatten(tape.gradient(loss, theta)).numpy(), moments.numpy()


def plain(named, depth, x):
    """The network with transposed convolutions by TensorFlow's operations, and its moments."""
    moments = []

    def unit(x, name, stride=1):
        z = tf.nn.conv2d(x, named[f"{name}/weight"], stride, "SAME")
        mean, variance = tf.nn.moments(z, [0, 1, 2])
        moments.extend([mean, variance])
        z = (z - mean) / tf.sqrt(variance + 1e-5)
        z = z * named[f"{name}/scale"] + named[f"{name}/shift"]
        return 0.5 * z * (1 + tf.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)))

    seen = []
    for level in range(depth + 1):
        x = unit(x, f"down_{level}/unit_0", 1 if level == 0 else 2)
        x = unit(x, f"down_{level}/unit_1")
        seen.append(x)
    seen.pop()
    for level in reversed(range(depth)):
        skip, kernel = seen.pop(), named[f"up_{level}/up"]
        larger = tf.nn.conv2d_transpose(x, kernel, skip.shape, 2)
        x = unit(tf.concat([skip, larger], axis=-1), f"up_{level}/unit_0")
        x = unit(x, f"up_{level}/unit_1")
    fields = tf.nn.conv2d(x, named["output/weight"], 1, "SAME") + named["output/bias"]
    return fields, tf.concat(moments, axis=0)


def test_values_moments_and_gradients_are_those_of_plain_operations():
    network, theta, images = start(up="transposed")
    names = [name for name, _ in network.layout]
    with tf.GradientTape() as tape:
        tape.watch(theta)
        fields, moments = plain(dict(zip(names, theta, strict=True)), 2, images)
        loss = losses(fields)
    wanted = network.flatten(tape.gradient(loss, theta))
    found = slopes(network, theta, images)
    np.testing.assert_allclose(network.train(theta, images, alone)[0], fields, rtol=1e-10)
    np.testing.assert_allclose(found[2], moments, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(found[1], wanted, atol=1e-11 * np.abs(wanted).max())
    assert network.moments == moments.shape[0] == network.initial_moments().size


@pytest.mark.parametrize(
    ("dimension", "options"),
    [
        (2, {"down": "max_pool", "up": "nearest", "norm": NoNorm(), "activation": "swish"}),
        (2, {"down": "average_pool", "up": "bilinear", "norm": GroupNorm(groups=3)}),
        (2, {"norm": InstanceNorm(), "kernel": 5, "output": "sigmoid", "activation": "tanh"}),
        (3, {"activation": "tanh", "up": "transposed"}),
        (3, {"down": "average_pool", "up": "bilinear", "norm": GroupNorm(groups=1)}),
        (3, {"down": "max_pool", "up": "nearest"}),
    ],
)
def test_gradients_are_those_of_finite_differences(dimension, options):
    network, theta, images = start(dimension, outputs=2, **options)
    fields, _ = network.train(theta, images, alone)
    assert fields.shape == (*images.shape[:-1], 2)
    _, gradient, _ = slopes(network, theta, images)
    along = np.random.default_rng(5).standard_normal(network.size)
    h = 1e-6
    moved = [network.split(network.flatten(theta) + s * h * along) for s in (1, -1)]
    up, down = (losses(network.train(part, images, alone)[0]).numpy() for part in moved)
    assert (up - down) / (2 * h) == pytest.approx(gradient @ along, rel=3e-6)


@pytest.mark.parametrize("part", [1, 1 << 30])
@pytest.mark.parametrize(
    ("dimension", "options"),
    [
        (2, {"up": "transposed"}),
        (2, {"down": "max_pool", "up": "bilinear", "norm": InstanceNorm()}),
        (3, {"down": "average_pool", "norm": GroupNorm(groups=3)}),
    ],
)
def test_computing_stages_twice_changes_nothing(monkeypatch, part, dimension, options):
    monkeypatch.setattr(stage_pass, "_NUMBERS_OF_A_PART", part)
    kept = slopes(*start(dimension, **options))
    again = slopes(*start(dimension, remat=True, **options))
    assert again[0] == kept[0]
    np.testing.assert_allclose(again[1], kept[1], atol=1e-13 * np.abs(kept[1]).max())
    np.testing.assert_array_equal(again[2], kept[2])


@pytest.mark.parametrize("remat", [False, True])
def test_every_normalisation_uses_two_collectives_of_its_own_name(remat):
    network, theta, images = start(remat=remat)
    names = []

    def reduce(sums, name):
        names.append(name)
        assert sums.dtype == tf.float64
        return sums

    slopes(network, theta, images, reduce)
    units = [name for name, _ in network.layout if name.endswith("scale")]
    units = [name.removesuffix("/scale") for name in units]
    assert sorted(names) == sorted([*units, *(f"{unit}.backward" for unit in units)])


def test_in_a_graph_the_numbers_are_the_same():
    network, theta, images = start(remat=True)
    once = tf.function(lambda theta: network.train(theta, images, alone), autograph=False)
    graph = once(theta)
    for one, two in zip(graph, network.train(theta, images, alone), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12)


def test_inference_with_the_moments_of_a_batch_repeats_its_fields():
    for options in ({}, {"norm": InstanceNorm()}, {"norm": NoNorm()}):
        network, theta, images = start(**options)
        fields, moments = network.train(theta, images, alone)
        np.testing.assert_allclose(network.infer(theta, images, moments), fields, rtol=1e-10)
    network, theta, images = start()
    first = network.infer(theta, images, network.initial_moments())
    one = network.infer(theta, images[:1], network.initial_moments())
    np.testing.assert_allclose(first[:1], one, rtol=1e-10)


def test_moving_averages_are_described_for_who_keeps_them():
    network, *_ = start(norm=BatchNorm(momentum=0.5, sync="none"))
    assert (network.momentum, network.merged) == (0.5, False)
    moments = network.initial_moments()
    np.testing.assert_array_equal(np.unique(moments), [0, 1])
    assert moments.sum() == network.moments / 2
    assert start(norm=InstanceNorm())[0].moments == 0
    assert start()[0].merged


def test_initial_values_depend_on_the_seed_and_give_small_fields():
    network = UNet(depth=2, width=8, output="sigmoid").build_grid(2, 3, 1, "float32")
    first, again, other = (network.initial(seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
    assert [value.shape for value in first] == [shape for _, shape in network.layout]
    assert len({name for name, _ in network.layout}) == len(network.layout)
    images = np.random.default_rng(0).standard_normal((2, 16, 16, 3)).astype("float32")
    fields, moments = network.train([tf.constant(v) for v in first], tf.constant(images), alone)
    np.testing.assert_allclose(fields, 0.5, atol=0.02)
    variances = tf.split(moments, [8, 8, moments.shape[0] - 16])[1]
    assert 0.5 < np.mean(variances) < 4


def test_widths_grow_up_to_a_bound():
    network = UNet(depth=3, width=4, growth=1.5, max_width=8).build_grid(2, 1, 1, "float32")
    shapes = dict(network.layout)
    assert [shapes[f"down_{level}/unit_1/weight"][-1] for level in range(4)] == [4, 6, 8, 8]


def test_half_precision_is_close_and_keeps_sums_and_parameters():
    wanted = slopes(*start(dtype="float32", width=8))
    for dimension in (2, 3):
        network, theta, images = start(dimension, "float32", width=8, compute="bfloat16")
        fields, moments = network.train(theta, images, alone)
        assert fields.dtype == moments.dtype == tf.float32
        found = slopes(network, theta, images)
        if dimension == 2:
            assert 0 < np.linalg.norm(found[1] - wanted[1]) < 0.2 * np.linalg.norm(wanted[1])
        assert np.isfinite(found[1]).all()
    double = slopes(*start(dtype="float64", width=8, compute="float32"))
    np.testing.assert_allclose(double[1], wanted[1], atol=1e-4 * np.abs(wanted[1]).max())


@pytest.mark.parametrize("kind", ["nearest", "bilinear"])
@pytest.mark.parametrize("smallest", [1, 1 << 40])
@pytest.mark.parametrize(("dtype", "rounding"), [("float64", 1e-12), ("float32", 1e-5)])
def test_doubling_and_its_adjoint(monkeypatch, kind, smallest, dtype, rounding):
    monkeypatch.setattr(convolutions, "COMPILED_FROM", smallest)
    random = np.random.default_rng(0)
    x = tf.constant(random.standard_normal((2, 4, 6, 1)), dtype)
    g = tf.constant(random.standard_normal((2, 8, 12, 1)), dtype)
    with tf.GradientTape() as tape:
        tape.watch(x)
        larger = convolutions.doubled(x, kind)
    assert larger.dtype == dtype
    method = "nearest" if kind == "nearest" else "bilinear"
    np.testing.assert_allclose(larger, tf.image.resize(x, [8, 12], method), rtol=1e-5)
    inner = tf.reduce_sum(larger * g).numpy()
    found = tf.reduce_sum(tape.gradient(larger, x, g) * x).numpy()
    assert found == pytest.approx(inner, rel=rounding)


def test_memory():
    network, small = start()[0], start(remat=True)[0]
    once = network.memory((64, 64), 1)
    assert network.memory((64, 64), 3) == pytest.approx(3 * once)
    assert network.memory((128, 128), 1) == pytest.approx(4 * once)
    assert small.memory((64, 64), 1) < 0.7 * once
    assert start(compute="float32")[0].memory((64, 64), 1) == once / 2
    # Two units each way keep two images each, going up three more came before them.
    assert once > 64 * 64 * 8 * 3 * 9


@pytest.mark.parametrize(
    ("options", "nodes", "words"),
    [
        ({"depth": 4}, (64, 50), "50 nodes cannot be halved 4 times; expected a resolution of 48"),
        ({"depth": 4}, (10, 64), "a resolution of 16, or a smaller depth"),
        ({"depth": 3, "norm": InstanceNorm()}, (8, 8), "at most 2"),
    ],
)
def test_resolutions_that_do_not_fit(options, nodes, words):
    network = UNet(**options).build_grid(2, 1, 1, "float32")
    with pytest.raises(ConfigError, match=words) as caught:
        network.check(nodes)
    assert caught.value.path == ("depth",)
    network.check((32, 48))


def test_options_that_do_not_fit():
    with pytest.raises(ConfigError, match="12 channels cannot be cut into 8") as caught:
        UNet(width=12, norm=GroupNorm()).build_grid(2, 1, 1, "float32")
    assert caught.value.path == ("norm", "groups")
    with pytest.raises(ConfigError, match="1 coordinate; expected 2 or 3"):
        UNet().build_grid(1, 1, 1, "float32")
    with pytest.raises(ValueError, match="4 nodes has no middle"):
        UNet(kernel=4)


@pytest.mark.parametrize("option", [{"depth": 5000}, {"growth": 1e300}, {"width": 10**400}])
def test_sizes_that_no_number_holds_are_refused(option):
    with pytest.raises(ConfigError, match="at most"):
        UNet(**option)
