"""The term and the place that a diverged run names."""

import re

import numpy as np
import pytest
import tensorflow as tf

from tests.support.known import known_objective

PROBLEM = {
    "coordinates": {"x": [0, 1], "t": [0, 1]},
    "fields": ["u"],
    "equations": {"good": "u", "e": "u_t + u"},
}


def line(x):
    return x[:, :1] + 0 * x[:, 1:]


def blamed(problem, of=line, **more):
    objective = known_objective({**PROBLEM, **problem}, of, **more)
    theta = tf.constant(objective.initial(0))
    text = objective.whole(0).where_not_finite(theta, tf.zeros(0))
    return text, objective.whole(0).batch


def place(text):
    x, t = re.search(r"x = ([\d.e+-]+), t = ([\d.e+-]+)", text).groups()
    return float(x), float(t)


def test_nothing_where_all_is_finite():
    assert blamed({})[0] == ""


@pytest.mark.parametrize(
    ("equation", "wrong"),
    [("log(u - 0.5)", lambda x: x < 0.5), ("1/min(u - 0.5, 0)", lambda x: x >= 0.5)],
)
def test_a_residual_that_is_no_number(equation, wrong):
    text, batch = blamed({"equations": {"good": "u", "bad": equation}})
    assert text.startswith("equation/bad is ") and re.search("is -?(nan|inf) at", text)
    points = batch[0].x.numpy()
    np.testing.assert_allclose(place(text), points[wrong(points[:, 0])][0], rtol=1e-5)


def test_conditions_are_named_too():
    conditions = {"tip": {"at": [{"x": 0.5, "t": 1}, {"x": 0, "t": 0.25}], "equal": {"u/x": 1}}}
    text, _ = blamed({"conditions": conditions}, lambda x: 1 + line(x))
    assert text == "condition/tip is inf at x = 0, t = 0.25"
    conditions = {"sides": {"periodic": "x", "of": ["log(u - 1.5)"]}}
    text, _ = blamed({"conditions": conditions}, lambda x: 1 + line(x))
    assert text.startswith("condition/sides is nan at x = 0, t = ")
    conditions = {"mean": {"integral": "sqrt(u - 2)", "over": "x", "equal": 1, "points": 4}}
    text, _ = blamed({"conditions": conditions})
    assert text.startswith("condition/mean is nan at x = ")


def test_a_gradient_that_is_no_number_where_the_value_is():
    """|grad u| has no derivative by theta at the bottom of a parabola."""
    points = [{"x": x, "t": 0.125} for x in (0.25, 0.75, 0.5)]
    conditions = {"slope": {"at": points, "equal": {"sqrt(u_x^2 + u_t^2)": 0}}}
    text, _ = blamed({"conditions": conditions}, lambda x: (line(x) - 0.5) ** 2)
    expected = "the gradient of condition/slope is not finite at x = 0.5, t = 0.125"
    assert text == f"{expected}, where the term is 0"


def test_values_come_before_gradients_of_earlier_terms():
    conditions = {"tip": {"at": {"x": 0, "t": 0.25}, "equal": {"1/u": 1}}}
    text, _ = blamed({"equations": {"e": "sqrt(u_t^2)"}, "conditions": conditions})
    assert text == "condition/tip is inf at x = 0, t = 0.25"


def test_a_square_beyond_the_range():
    text, _ = blamed({"equations": {"good": "u", "big": "1e200*(u + 1)"}})
    assert re.fullmatch(
        r"equation/big is [12](\.\d+)?e\+200 at x = .*, t = .*, and its square is too large", text
    )


def test_the_neighbour_of_a_term_without_a_gradient_is_not_blamed():
    equations = {"good": "u_t - u_xx", "bad": "sqrt(u_x^2 + u_t^2) - 1"}
    text, _ = blamed({"equations": equations}, lambda x: 1 + 0 * line(x) ** 2)
    assert text.startswith("the gradient of equation/bad is not finite at x = ")
