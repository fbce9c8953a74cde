"""Collapsed operators leave values as they are and save derivatives, or do not appear."""

import numpy as np
import pytest
import sympy

from pdehvd.numerics.expressions import Partial as Named
from pdehvd.numerics.expressions import (
    collapse_operators,
    compile_numpy,
    field_symbols,
    parse,
    partial_name,
    partial_of,
    symbol,
)


def _parsed(texts, fields, coordinates, constants=()):
    known = {name: symbol(name) for name in (*fields, *coordinates, *constants)}
    known |= field_symbols(texts, fields, coordinates)
    return [parse(text, known) for text in texts]


def _values(expressions, rng):
    names = sorted({s.name for e in expressions for s in e.free_symbols})
    return dict(zip(names, rng.normal(size=(len(names), 5)), strict=True))


def _check_same_values(given, collapsed, fields, coordinates):
    """Compute u__op0 from its operator and compare the expressions before and after."""
    values = _values(given, np.random.default_rng(7))
    inserted = dict(values)
    for name, (field, index) in collapsed.names.items():
        inserted[name] = sum(
            c * values.get(partial_name(Named(field, m), coordinates), np.zeros(5))
            for m, c in collapsed.operators[index]
        )
    before = compile_numpy(given, tuple(values))(values)
    after = compile_numpy(collapsed.expressions, tuple(inserted))(inserted)
    np.testing.assert_allclose(after, before, rtol=1e-12, atol=1e-12)
    for expression in collapsed.expressions:  # all that is left can be computed
        for inner in expression.free_symbols:
            partial = partial_of(inner.name, fields, coordinates)
            assert partial is None or partial.orders in collapsed.partials


LAPLACE = (((2, 0), 1.0), ((0, 2), 1.0))


def test_the_laplacian_of_poisson():
    given = _parsed(["u_xx + u_yy - x*y"], ("u",), ("x", "y"))
    result = collapse_operators(given, ("u",), ("x", "y"))
    assert result.operators == (LAPLACE,)
    assert result.names == {"u__op0": ("u", 0)}
    assert result.partials == set()
    assert result.expressions == [symbol("u__op0") - symbol("x") * symbol("y")]


def test_navier_stokes_shares_one_operator_over_fields_and_equations():
    fields, coordinates = ("u", "v", "p"), ("x", "y")
    texts = [
        "u*u_x + v*u_y + p_x - 1/Re*(u_xx + u_yy)",
        "u*v_x + v*v_y + p_y - 1/Re*(v_xx + v_yy)",
        "u_x + v_y",
    ]
    given = _parsed(texts, fields, coordinates, ("Re",))
    result = collapse_operators(given, fields, coordinates)
    assert result.operators == (LAPLACE,)
    assert result.names == {"u__op0": ("u", 0), "v__op0": ("v", 0)}
    assert result.partials == {(0, 0), (1, 0), (0, 1)}
    _check_same_values(given, result, fields, coordinates)


@pytest.mark.parametrize(
    ("texts", "operators"),
    [
        (["u*u_x - u_xx"], 0),  # a lone derivative
        (["u_xx + u_yy", "u_xx - y"], 0),  # no channel saved
        (["u_xx*u_yy - u_xy^2"], 0),  # nonlinear
        (["exp(u_xx + u_yy)"], 0),
        (["u_xx + nu*u_yy"], 0),  # an unknown is no number
        (["u_xx + x*u_yy"], 0),
        (["u_xx + v*u_yy"], 0),
        (["(u_xx + u_yy)*v_xx"], 0),  # a coefficient with a second derivative
        (["u_xxxx + 2*u_xxyy + u_yyyy + u_xx + u_yy"], 0),  # needed below the fourth
        (["u_xxx + u_yyy + u_xx + u_yy"], 0),
        (["u_xx + u_yy", "u_xx - u_yy"], 0),  # as many operators as derivatives
        (["u_xx + 2*u_xy + 3*u_yy", "v_xx + v_yy"], 2),
        (["u_xx + u_yy", "v_xx + v_yy"], 1),
        (["u_xx + u_yy", "2*v_xx + 2*v_yy"], 1),
        (["nu*exp(u)*u_xx + nu*exp(u)*u_yy + u_x^2"], 1),
        (["(1 + u)*u_xx/2 + (1 + u)*u_yy/4"], 1),
        (["x*(u_xx + u_yy)/(1 + x) - u_yy/(1 + x)*x/3"], 1),
        (["u_xx + u_yy + u_xxx"], 0),  # u_xxx needs u_xx, so that the sum saves nothing
        (["pi*u_xx + u_yy + u_xy"], 1),
        (["where(x > 0, u_xx + u_yy, u)"], 1),
    ],
)
def test_which_combinations_collapse(texts, operators):
    fields, coordinates = ("u", "v"), ("x", "y")
    given = _parsed(texts, fields, coordinates, ("nu",))
    result = collapse_operators(given, fields, coordinates)
    assert len(result.operators) == operators
    assert all(operator[0][1] == 1.0 for operator in result.operators)
    _check_same_values(given, result, fields, coordinates)


def test_a_third_derivative_in_another_direction_leaves_the_operator():
    fields, coordinates = ("u",), ("x", "y", "z")
    given = _parsed(["u_xx + u_yy + u_zz + u_xxx"], fields, coordinates)
    result = collapse_operators(given, fields, coordinates)
    assert len(result.operators) == 1
    assert result.partials == {(3, 0, 0)}
    _check_same_values(given, result, fields, coordinates)


def test_derivatives_needed_elsewhere_are_not_computed_twice():
    given = _parsed(["u_xx + u_yy"], ("u",), ("x", "y"))
    result = collapse_operators(given, ("u",), ("x", "y"), ["u_xx"])
    assert result.operators == ()
    assert result.partials == {(2, 0), (0, 2)}


def test_time_does_not_enter_the_operator():
    given = _parsed(["u_tt - c*(u_xx + u_yy)"], ("u",), ("x", "y", "t"), ("c",))
    result = collapse_operators(given, ("u",), ("x", "y", "t"))
    [operator] = result.operators  # with an unknown c, u_tt is no fixed multiple
    assert dict(operator) == {(2, 0, 0): 1.0, (0, 2, 0): 1.0}
    assert result.partials == {(0, 0, 2)}
    _check_same_values(given, result, ("u",), ("x", "y", "t"))
    given = [given[0].xreplace({symbol("c"): sympy.Integer(4)})]
    result = collapse_operators(given, ("u",), ("x", "y", "t"))
    [operator] = result.operators
    assert dict(operator) == {(2, 0, 0): 1.0, (0, 2, 0): 1.0, (0, 0, 2): -0.25}
    _check_same_values(given, result, ("u",), ("x", "y", "t"))


def test_expressions_without_second_derivatives():
    given = _parsed(["x_t - y*x", "y_t + z"], ("x", "y", "z"), ("t",))
    result = collapse_operators(given, ("x", "y", "z"), ("t",))
    assert result.expressions == given
    assert (result.partials, result.operators, result.names) == ({(0,), (1,)}, (), {})


def test_many_different_operators_are_still_decided():
    fields, coordinates = ("u",), ("x", "y", "z")
    texts = [f"u_xx + {k}*u_yy + u_zz" for k in range(1, 12)]
    given = _parsed(texts, fields, coordinates)
    result = collapse_operators(given, fields, coordinates)
    assert result.operators == ()
    assert result.partials == {(2, 0, 0), (0, 2, 0), (0, 0, 2)}
