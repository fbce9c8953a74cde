"""Names of derivatives, and hard conditions against SymPy's own differentiation."""

import itertools

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from pdehvd.numerics.derivatives import MAX_ORDER, no_partial, read_twice
from pdehvd.numerics.expressions import (
    ExpressionError,
    Partial,
    check_names,
    expand_normals,
    field_symbols,
    parse,
    partial_name,
    partial_of,
    substitute_hard,
    symbol,
)

FIELDS, COORDINATES = ("u", "u_1", "p"), ("x", "y", "t")


@pytest.mark.parametrize(
    ("name", "field", "orders"),
    [
        ("u", "u", (0, 0, 0)),
        ("u_x", "u", (1, 0, 0)),
        ("u_xxt", "u", (2, 0, 1)),
        ("u_txx", "u", (2, 0, 1)),
        ("u_1", "u_1", (0, 0, 0)),
        ("u_1_x", "u_1", (1, 0, 0)),
        ("p_yyyy", "p", (0, 4, 0)),
    ],
)
def test_names_of_derivatives_and_back(name, field, orders):
    partial = partial_of(name, FIELDS, COORDINATES)
    assert partial == Partial(field, orders)
    canonical = partial_name(partial, COORDINATES)
    assert partial_of(canonical, FIELDS, COORDINATES) == partial
    assert sorted(canonical) == sorted(name)


def test_every_derivative_to_order_four_has_its_own_name():
    orders = [m for m in itertools.product(range(5), repeat=3) if sum(m) <= 4]
    names = {partial_name(Partial("u_1", m), COORDINATES) for m in orders}
    assert len(names) == len(orders) == 35


@pytest.mark.parametrize("name", ["v_x", "u_z", "u_", "ux", "u_n", "_x", "u_x_", "u__op0", "x"])
def test_other_names_are_no_derivatives(name):
    assert partial_of(name, FIELDS, COORDINATES) is None


def test_coordinates_of_several_letters():
    coordinates = ("x1", "x2", "theta")
    assert partial_of("u_x2x1theta", ("u",), coordinates) == Partial("u", (1, 1, 1))
    assert partial_name(Partial("u", (2, 0, 1)), coordinates) == "u_x1x1theta"
    assert partial_of("u_x3", ("u",), coordinates) is None


def test_order_five_is_refused():
    with pytest.raises(ExpressionError, match=r"order 5.*orders 1 to 4"):
        field_symbols("u_xxxxx", FIELDS, COORDINATES)


def test_the_derivatives_that_texts_use():
    found = field_symbols(["u_tx + u*p_yy", "u_xt - 1e5*nu*u_1_x", 3], FIELDS, COORDINATES)
    assert found == {
        "u_tx": symbol("u_xt"),
        "u_xt": symbol("u_xt"),
        "p_yy": symbol("p_yy"),
        "u_1_x": symbol("u_1_x"),
    }
    assert field_symbols(0, FIELDS, COORDINATES) == {}


def test_an_ordinary_differential_equation():
    found = field_symbols("x_t - sigma*(y - x)", ("x", "y", "z"), ("t",))
    assert found == {"x_t": symbol("x_t")}


def test_normal_derivatives_only_where_asked_for():
    assert field_symbols("u_n + 2*u", FIELDS, COORDINATES) == {}
    assert field_symbols("u_n + 2*u", FIELDS, COORDINATES, normal=True) == {"u_n": symbol("u_n")}
    assert field_symbols("u_n", ("u",), ("n",), normal=True) == {"u_n": symbol("u_n")}


def test_normal_derivatives_expand_over_the_spatial_coordinates():
    [result] = expand_normals([symbol("u_n") + 2 * symbol("u")], ("u",), ("x", "y"))
    expected = symbol("__normal_x") * symbol("u_x") + symbol("__normal_y") * symbol("u_y")
    assert result == expected + 2 * symbol("u")


@pytest.mark.parametrize(
    ("fields", "coordinates", "others", "bad"),
    [
        (["u"], ["lambda"], [], "lambda"),
        (["u"], ["x"], ["network"], "network"),
        (["u", "x"], ["x"], [], "x"),
        (["sin"], ["x"], [], "sin"),
        (["u"], ["x"], ["pi"], "pi"),
        (["u", "u_x"], ["x"], [], "u_x"),
        (["u"], ["x", "t"], ["u_t"], "u_t"),
        (["u"], ["x", "y", "xy"], [], "xy"),
        (["u"], ["x", "xx"], [], "xx"),
        (["u"], ["t", "theta", "heta"], [], "theta"),
        (["u v"], ["x"], [], "u v"),
        (["__u"], ["x"], [], "__u"),
        (["u"], ["x"], ["a__b"], "a__b"),
        (["u"], ["x", "u_x"], [], "u_x"),
        (["u"], ["x", "n"], [], "n"),
        (["u"], ["x", "u_n"], [], "u_n"),
        (["u", "u_n"], ["x"], [], "u_n"),
        (["u"], ["x"], ["u_n"], "u_n"),
        (["u", "u"], ["x"], [], "u"),
    ],
)
def test_names_that_would_mean_two_things_are_refused(fields, coordinates, others, bad):
    with pytest.raises(ExpressionError) as caught:
        check_names(fields, coordinates, others)
    assert caught.value.path == (bad,)


def test_usual_names_are_accepted():
    check_names(["u", "v", "p", "u_1", "T"], ["x", "y", "t"], ["nu", "Re", "k_1", "ν"])


def test_the_longest_coordinate_is_read_first():
    coordinates = ["t", "theta", "x1", "x"]
    check_names(["u"], coordinates)
    names = {"u_t": "t", "u_theta": "theta", "u_x1x": "x1 x", "u_xx1": "x x1"}
    names |= {"u_ttheta": "t theta", "u_thetat": "theta t", "u_thetathetatt": "theta theta t t"}
    for name, along in names.items():
        orders = tuple(along.split().count(axis) for axis in coordinates)
        assert partial_of(name, ["u"], coordinates) == Partial("u", orders)
        assert partial_of(partial_name(Partial("u", orders), coordinates), ["u"], coordinates)
    assert no_partial("u_thetaz", ["u"], coordinates) == "'z' is not a coordinate"


@given(st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=4, unique=True))
def test_coordinates_are_refused_exactly_where_a_joined_name_has_two_readings(coordinates):
    readings = {}
    for order in range(1, MAX_ORDER + 1):
        for names in itertools.product(coordinates, repeat=order):
            readings.setdefault("".join(names), set()).add(tuple(sorted(names)))
    double = any(len(found) > 1 for found in readings.values())
    assert (read_twice(coordinates) is not None) == double


def test_many_coordinates_are_compared_at_once():
    check_names(["u"], [f"x{number}" for number in range(1, 101)])


def _differentiated(expression, stand_ins, coordinates):
    """Insert explicit functions for the fields and let SymPy take every derivative."""
    axes = [symbol(name) for name in coordinates]
    values = {}
    for inner in expression.free_symbols:
        partial = partial_of(inner.name, tuple(stand_ins), coordinates)
        if partial is not None:
            value = stand_ins[partial.field]
            for axis, order in zip(axes, partial.orders, strict=True):
                value = sympy.diff(value, axis, order)
            values[inner] = value
    return expression.xreplace(values)


@pytest.mark.parametrize(
    "transform",
    [
        "-sin(pi*x) + t*(1 - x^2)*network",
        "x*exp(network*t)",
        "network^2/(1 + nu*x)",
        "tanh(network)",
        "network",
        "x*t",
    ],
)
def test_hard_conditions_agree_with_explicit_differentiation(transform):
    fields, coordinates = ("u", "v"), ("x", "t")
    text = "u_t + u*u_x + nu*u_xxxx - v*u_xt*u_xxt + v_x"
    known = {name: symbol(name) for name in (*fields, *coordinates, "nu", "network")}
    expression = parse(text, known | field_symbols(text, fields, coordinates))
    hard = parse(transform, known)
    [result] = substitute_hard([expression], {"u": hard}, fields, coordinates)

    x, t = symbol("x"), symbol("t")
    network, other = sympy.sin(x * t + 1), sympy.exp(x - t**2)
    full = hard.xreplace({symbol("network"): network})
    expected = _differentiated(expression, {"u": full, "v": other}, coordinates)
    obtained = _differentiated(result, {"u": network, "v": other}, coordinates)
    at = {x: sympy.Float("0.3", 30), t: sympy.Float("0.7", 30), symbol("nu"): sympy.Float("0.2")}
    assert abs((expected - obtained).subs(at).evalf(30)) < 1e-12
    assert abs(expected.subs(at).evalf(30)) > 1e-3


def test_a_field_without_a_hard_condition_is_left_alone():
    expression = symbol("v_x") + symbol("u_x")
    hard = {"u": symbol("x") * symbol("network")}
    [result] = substitute_hard([expression], hard, ("u", "v"), ("x",))
    expected = symbol("v_x") + symbol("u") + symbol("x") * symbol("u_x")
    assert sympy.expand(result - expected) == 0


def test_hard_conditions_name_their_own_field_only():
    with pytest.raises(ExpressionError, match="no field 'w'"):
        substitute_hard([], {"w": symbol("network")}, ("u",), ("x",))
    with pytest.raises(ExpressionError, match="may not use the field 'v'"):
        substitute_hard([], {"u": symbol("v") * symbol("network")}, ("u", "v"), ("x",))
