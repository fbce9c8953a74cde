"""First derivatives that ride in operators: the same values from fewer channels."""

import numpy as np
import pytest
import sympy

from pdehvd.numerics.absorb import absorb_first_order
from pdehvd.numerics.collapse import collapse_operators
from pdehvd.numerics.derivatives import field_symbols, partial_of
from pdehvd.numerics.expressions import compile_numpy, parse, symbol
from pdehvd.numerics.plans import plan


def absorbed(texts, fields, coordinates, unknowns=()):
    names = {name: symbol(name) for name in (*fields, *coordinates, *unknowns)}
    names |= field_symbols(texts, fields, coordinates)
    given = [parse(text, names) for text in texts]
    before = collapse_operators(given, fields, coordinates)
    return given, before, absorb_first_order(before, fields, coordinates)


def channels(result, coordinates):
    return plan(len(coordinates), result.partials, result.operators).channels


CASES = [
    (["u_t + u*u_x - 0.01*u_xx"], ["u"], "xt", (), 4, 3),
    (["3*u_t - 0.5*(u_xx + u_yy)"], ["u"], "xyt", (), 5, 4),
    (["u*(u_t - 2*u_xx)"], ["u"], "xt", (), 4, 3),
    (
        [
            "u_t + u*u_x + p_x - 0.1*(u_xx + u_yy)",
            "v_t + v*v_y + p_y - 0.1*(v_xx + v_yy)",
            "u_x + v_y",
        ],
        ["u", "v", "p"],
        "xyt",
        (),
        5,
        4,
    ),
    (["u_t - 0.01*u_xx", "u_t*u"], ["u"], "xt", (), 4, 4),
    (["u_t - k*u_xx"], ["u"], "xt", ("k",), 4, 4),
    (["u_t + 0.5*v_xx", "v_t - 0.5*u_xx"], ["u", "v"], "xt", (), 4, 4),
    (["u_t^2 - u_xx"], ["u"], "xt", (), 4, 4),
    (["u_tt - u_xx + u_t"], ["u"], "xt", (), 4, 4),
    (["u_x - u_xx"], ["u"], "x", (), 3, 3),
]


@pytest.mark.parametrize(("texts", "fields", "letters", "unknowns", "before", "after"), CASES)
def test_channels(texts, fields, letters, unknowns, before, after):
    coordinates = tuple(letters)
    _, first, second = absorbed(texts, fields, coordinates, unknowns)
    assert channels(first, coordinates) == before
    assert channels(second, coordinates) == after


@pytest.mark.parametrize(("texts", "fields", "letters", "unknowns"), [case[:4] for case in CASES])
def test_values_do_not_change(texts, fields, letters, unknowns):
    coordinates, generator = tuple(letters), np.random.default_rng(1)
    given, _, result = absorbed(texts, fields, coordinates, unknowns)
    values = {s.name: generator.normal(size=5) for e in given for s in e.free_symbols}
    numbers = {}
    for free in set().union(*(e.free_symbols for e in result.expressions)):
        if free.name in result.names:
            field, index = result.names[free.name]
            total = 0.0
            for orders, factor in result.operators[index]:
                total = total + factor * next(
                    value
                    for name, value in values.items()
                    if partial_of(name, fields, coordinates) == (field, orders)
                )
            numbers[free.name] = total
        else:
            numbers[free.name] = values[free.name]
    want = compile_numpy(given, sorted(values))(values)
    got = compile_numpy(result.expressions, sorted(numbers))(numbers)
    for a, b in zip(want, got, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    assert all(isinstance(e, sympy.Basic) for e in result.expressions)
