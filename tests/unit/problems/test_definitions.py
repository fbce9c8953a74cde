"""Definitions, operators and normals in the texts of a problem, with a network that is known."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from pdehvd.assembly.build import build_problem, build_reference
from pdehvd.config.root import prepare
from pdehvd.errors import ConfigError
from tests.support.known import config_of, known_objective, residual_sizes

prepare()

# u = x y^2 and v = x^2 - y on a square with a round hole.
PLANE = {
    "coordinates": {"x": [0, 2], "y": [0, 2]},
    "geometry": {
        "difference": [
            {"rectangle": {"from": [0, 0], "to": [2, 2]}},
            {"disk": {"center": [1, 1], "radius": 0.5}, "name": "hole"},
        ]
    },
    "fields": ["u", "v"],
    "constants": {"a": 3},
    "definitions": {
        "shear": "u_y + v_x",
        "stretch": "a*(u_x + v_y)",
        "shift": "(x - 1)/0.5",
        "flux": "stretch*u",
    },
}


def known(x):
    return tf.stack([x[:, 0] * x[:, 1] ** 2, x[:, 0] ** 2 - x[:, 1]], 1)


def sizes(**texts):
    return residual_sizes(known_objective({**PLANE, **texts}, known))


@pytest.mark.parametrize(
    "equation",
    [
        "shear - 2*x*y - 2*x",
        "shear_x - 2*y - 2",
        "stretch - 3*(y^2 - 1)",
        "stretch_y - 6*y",
        "laplacian(u) - 2*x + 0*v",
        "div(u, v) - y^2 + 1",
        "diff(flux, x) - 3*(y^2 - 1)*y^2",
        "flux_xy - 3*(4*y^3 - 2*y)",
        "diff(x*u, y, x) - 4*x*y",
        "laplacian(shear) + 0*u",
        "shift*u - 2*(x - 1)*x*y^2",
    ],
)
def test_the_texts_mean_what_they_say(equation):
    found = sizes(equations={"e": equation})
    assert found["equation/e"] < 1e-10


def test_normals_point_out_of_the_body():
    """On the rim of the hole the outward normal is -(x - 1, y - 1)/0.5; div(n u) has two parts."""
    rim = {
        "u*n_x": "-2*(x - 1)*x*y^2",
        "u_n": "-2*((x - 1)*y^2 + (y - 1)*2*x*y)",
        "shear_n": "-2*((x - 1)*(2*y + 2) + (y - 1)*2*x)",
        "u*(n_x^2 + n_y^2)": "x*y^2",
    }
    walls = {"u*n_y + v": "x*y^2 + x^2 - y"}
    found = sizes(
        equations={"e": "u + v"},
        conditions={"rim": {"on": "hole", "equal": rim}, "top": {"on": "y = 2", "equal": walls}},
    )
    assert found["condition/rim"] < 1e-9 and found["condition/top"] < 1e-12


def test_definitions_of_fields_are_outputs_with_hard_conditions_and_unknowns():
    objective = known_objective(
        {
            **PLANE,
            "unknowns": {"k": 5.0},
            "definitions": {**PLANE["definitions"], "law": "k*diff(u, x)"},
            "hard": {"u": "1 + x*network"},
            "equations": {"e": "u_x + law + v"},
        },
        known,
    )
    assert objective.problem.outputs == ("u", "v", "shear", "stretch", "flux", "law")
    points = np.random.default_rng(0).uniform(0, 2, (20, 2))
    x, y = points.T
    theta = tf.constant(objective.initial(0))
    u, u_x, u_y = 1 + x**2 * y**2, 2 * x * y**2, 2 * x**2 * y
    stretch = 3 * (u_x - 1)
    right = [u, x**2 - y, u_y + 2 * x, stretch, stretch * u, 5 * u_x]
    found = objective.outputs(theta, tf.constant(points)).numpy()
    np.testing.assert_allclose(found, np.stack(right, 1), rtol=1e-12, atol=1e-12)


def test_a_table_may_measure_a_definition(tmp_path):
    (tmp_path / "gauge.csv").write_text("x,y,shear\n0.2,0.1,0.44\n1.9,0.5,5.7\n")
    objective = known_objective(
        {**PLANE, "equations": {"e": "u + v"}, "conditions": {"g": {"data": "gauge.csv"}}},
        known,
        folder=tmp_path,
    )
    assert residual_sizes(objective)["data/g"] < 1e-12


def test_a_reference_knows_definitions_and_names_functions():
    config = config_of(
        {
            **PLANE,
            "equations": {"e": "u + v"},
            "reference": {"name": "exact", "shear": "shift + a*x", "u": "x*y^2"},
        }
    )
    problem = build_problem(config, 1)
    values = build_reference(config, problem)(np.array([[1.5, 0.25]]))
    assert values["shear"] == pytest.approx(1 + 4.5) and values["u"] == pytest.approx(1.5 / 16)


@pytest.mark.parametrize(
    ("texts", "path", "message"),
    [
        ({"definitions": {"p": "q", "q": "u"}}, ("definitions", "p"), "unknown name 'q'"),
        ({"definitions": {"u": "v"}}, ("definitions", "u"), "the name 'u' is used twice"),
        ({"definitions": {"s": "u_n"}}, ("definitions", "s"), "only in conditions on a boundary"),
        ({"definitions": {"s": "u*n_x"}}, ("definitions", "s"), "the components of the normal"),
        ({"definitions": {"sin": "u"}}, ("definitions", "sin"), "already has a meaning"),
        (
            {"definitions": {"s": "u_xxx"}, "equations": {"e": "s_xx"}},
            ("equations", "e"),
            "order 5",
        ),
        ({"equations": {"e": "shift - 1"}}, ("equations", "e"), "the equation contains no field"),
        (
            {"conditions": {"c": {"on": "x > 1", "equal": {"u*n_x": 0}}}},
            ("conditions", "c", "equal", "u*n_x"),
            "'n_x' on 'x > 1', which has no outward normal",
        ),
        (
            {"conditions": {"c": {"on": "hole", "equal": {"shift": 0}}}},
            ("conditions", "c", "equal", "shift"),
            "the condition contains no field",
        ),
        (
            {"reference": {"name": "exact", "u": "flux"}},
            ("reference", "u"),
            "'flux' holds a field",
        ),
    ],
)
def test_what_is_refused(texts, path, message):
    problem = {**PLANE, "equations": {"e": "laplacian(u) + v"}, **texts}
    if "definitions" in texts and "equations" not in texts:
        problem["equations"] = {"e": "u + v"}
    with pytest.raises(ConfigError) as caught:
        config = config_of(problem)
        build_reference(config, build_problem(config, 1))
    assert message in str(caught.value) and caught.value.path == ("problem", *path)


def test_what_a_laplacian_differentiates_by_is_no_parameter():
    texts = {"coordinates": {"x": [0, 1], "a": [0, 1]}, "fields": ["u"]}
    whole = build_problem(config_of({**texts, "equations": {"e": "laplacian(u)"}}), 1)
    assert whole.domain.space == ("x", "a")
    alone = build_problem(
        config_of({**texts, "definitions": {"s": "u_x"}, "equations": {"e": "s_x"}}), 1
    )
    assert alone.domain.space == ("x",)
