"""Compiled rows and factors against those computed operation by operation, for few items."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from pdehvd.assembly.build import build_objective, build_problem
from pdehvd.comm.group import Solo
from pdehvd.config.root import prepare
from pdehvd.objectives.linearization import Linearization
from tests.support.known import config_of

prepare()

FACE = "u_x + 0.3*v_y"
SQUARE = {
    "coordinates": {"x": [0, 2], "y": [0, 1]},
    "fields": ["u", "v"],
    "equations": {"first": "u_xx + v_xy + u_yy", "second": "u_xy + v_xx + v_yy"},
    "conditions": {
        "left": {"on": "x = 0", "equal": {"u": 0, "u_y + v_x": 0}},
        "right": {"on": "x = 2", "equal": {FACE: 1, "u_y + v_x": 0}},
        "bottom": {"on": "y = 0", "equal": {"v": 0, "u_y + v_x": 0}},
        "top": {"on": "y = 1", "equal": {"v_y + 0.3*u_x": 0, "u_y + v_x": 0}},
    },
}


@pytest.mark.parametrize(
    ("precision", "bound", "items", "width"),
    [
        ("float64", 1e-12, 1, 8),
        ("float64", 1e-12, 4, 8),
        ("float64", 1e-12, 4, 16),
        ("float32", 1e-4, 4, 8),
        ("float32", 1e-4, 8, 16),
    ],
)
def test_what_is_compiled_is_what_is_written(precision, bound, items, width):
    config = config_of(
        SQUARE,
        {"name": "sobol", "equations": 33, "conditions": 4 * items},
        precision=precision,
        model={"name": "mlp", "width": width, "depth": 2},
    )
    objective = build_objective(config, build_problem(config, 1), Solo())
    dtype = tf.as_dtype(precision)
    linear = Linearization(objective.law, objective.counts, dtype)
    theta, batch = tf.constant(objective.initial(1)), objective.batch(0)
    weights = tf.ones([len(objective.terms)], dtype)
    compiled = linear.rows_and_slabs(theta, batch, weights)
    tf.config.run_functions_eagerly(True)
    try:
        plain = linear.rows_and_slabs(theta, batch, weights)
    finally:
        tf.config.run_functions_eagerly(False)
    for ours, theirs in zip(tf.nest.flatten(compiled), tf.nest.flatten(plain), strict=True):
        scale = max(1.0, float(np.max(np.abs(theirs), initial=0.0)))
        assert np.max(np.abs(ours - theirs), initial=0.0) < bound * scale
