"""Fields that depend on some of the coordinates: what texts mean, what is refused."""

import numpy as np
import pytest
import tensorflow as tf

from pdehvd.config.root import load_config
from pdehvd.errors import ConfigError
from pdehvd.models.fields import FieldNetworks
from pdehvd.models.mlp import MLP
from pdehvd.models.seen_inputs import FewerInputs
from pdehvd.numerics.plans import plan
from pdehvd.problems.pde import PDESpec
from pdehvd.problems.sampling import SobolSpec

BOUNDS = np.array([[0.0, 2.0], [1.0, 3.0]])
NAMES = ("x", "t")


def built(fields=None, equations=None, **sections):
    spec = PDESpec(
        coordinates={"x": [0, 2], "t": [1, 3]},
        fields=fields or {"u": ["x", "t"], "k": ["x"], "s": ["t"]},
        equations=equations or {"heat": "u_t - diff(k*u_x, x)", "front": "s_t - u_x"},
        **sections,
    )
    return spec.build(SobolSpec(equations=32, conditions=8), seed=1)


def test_derivatives_along_other_coordinates_are_zero():
    problem = built(
        definitions={"flux": "k*u_x"},
        equations={"one": "flux_t + laplacian(u + k + s)", "two": "diff(s*k, x, t)"},
    )
    first, second = (term.expressions[0] for term in problem.blocks[0].terms)
    assert str(first) == "k*u_xt + k_xx + u_xx"
    assert str(second) == "k_x*s_t"


def test_what_outputs_depend_on():
    problem = built(definitions={"rate": "s_t/s", "both": "k*s", "place": "x*k"})
    depends = {name: problem.arguments(name) for name in problem.outputs}
    assert depends == {
        "u": ("x", "t"),
        "k": ("x",),
        "s": ("t",),
        "rate": ("t",),
        "both": ("x", "t"),
        "place": ("x",),
    }


@pytest.mark.parametrize("periodic", [{}, {"x": True}])
@pytest.mark.parametrize("fourier", [(), {"count": 4}])
def test_a_network_of_fewer_inputs_is_constant_along_the_others(periodic, fourier):
    own = BOUNDS.copy()
    own[1] = 2.0
    model = MLP(width=5, depth=2, periodic=periodic, fourier=fourier)
    network = FewerInputs(model.build(own, 1, "float64", NAMES), [0], np.array([1.0, 2.0]))
    parameters = [tf.constant(value + 0.1) for value in network.initial(3)]
    random = np.random.default_rng(0)
    x = BOUNDS[:, 0] + 2 * random.random((6, 2))
    moved = np.stack([x[:, 0], x[::-1, 1]], axis=1)
    operators = [[((2, 0), 1.0), ((0, 2), 3.0)], [((0, 2), 1.0), ((0, 1), 1.0)]]
    wanted = plan(2, [(1, 1), (3, 0)], operators)
    channels = network.jet(parameters, tf.constant(x), wanted)
    np.testing.assert_array_equal(network.apply(parameters, tf.constant(moved)), channels[0])
    for index in wanted.partials:
        if index[1]:
            assert not channels[wanted.channel(index)].numpy().any()
    # The operator keeps what is not zero of it.
    second = network.jet(parameters, tf.constant(x), plan(2, [(2, 0)]))
    np.testing.assert_allclose(
        channels[wanted.channel(0, operators)],
        second[plan(2, [(2, 0)]).channel((2, 0))],
        rtol=1e-12,
    )
    assert not channels[wanted.channel(1, operators)].numpy().any()
    inner = network.recorded(parameters, tf.constant(x), wanted)
    assert inner is not None
    for one, other in zip(inner[0], channels, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-14)


def test_a_first_layer_has_no_weights_for_other_coordinates():
    own = BOUNDS.copy()
    own[1] = 2.0
    assert MLP(width=5, depth=1).build(own, 1, "float64", NAMES).layout[0][1] == (1, 5)


def test_outputs_are_in_the_order_of_the_fields():
    networks = [MLP(width=3, depth=1).build(BOUNDS, n, "float64", NAMES) for n in (2, 1)]
    plain, ordered = FieldNetworks(networks), FieldNetworks(networks, [0, 2, 1])
    parameters = [tf.constant(value) for value in plain.initial(1)]
    x = tf.constant(BOUNDS)
    expected = plain.apply(parameters, x).numpy()[:, [0, 2, 1]]
    np.testing.assert_array_equal(ordered.apply(parameters, x), expected)


def test_a_table_leaves_out_what_its_fields_do_not_depend_on(tmp_path, monkeypatch):
    (tmp_path / "k.csv").write_text("x,k\n0,1\n1,2\n2,5\n")
    monkeypatch.chdir(tmp_path)
    problem = built(conditions={"known": {"data": "k.csv"}})
    np.testing.assert_array_equal(problem.measured["known"].x, [[0, 2], [1, 2], [2, 2]])
    (tmp_path / "k.csv").write_text("x,k,u\n0,1,1\n1,2,1\n2,5,1\n")
    with pytest.raises(ConfigError, match="has no column 't'"):
        built(conditions={"known": {"data": "k.csv"}})


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"equations": {"one": "u_t - k_t"}}, r"equations\.one: 'k_t': k does not depend on t"),
        ({"fields": {"u": ["x", "t"], "k": ["y"], "s": ["t"]}}, r"fields\.k\.0: 'y' is not a c"),
        ({"fields": {"u": ["x", "t"], "k": [], "s": ["t"]}}, r"fields\.k: k depends on nothing"),
        ({"hard": {"k": "t*network"}}, r"hard\.k"),
        (
            {"conditions": {"a": {"on": "t = 1", "equal": {"k_t": 0}}}},
            "'k_t': k does not depend on t; expected derivatives by x, or t in fields.k",
        ),
    ],
)
def test_bad_fields_are_one_message(sections, words):
    with pytest.raises(ConfigError, match=words):
        built(**sections)


@pytest.mark.parametrize("name", ["stefan", "heat_source"])
def test_shipped_examples_name_their_coordinates(name):
    config, _ = load_config(f"configs/{name}.yaml")
    assert isinstance(config.problem.fields, dict)
