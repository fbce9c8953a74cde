"""Checked SymPy expressions as functions of TensorFlow tensors or NumPy arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import sympy
from numpy.typing import ArrayLike

from pdehvd.launch.tensorflow_import import import_tensorflow
from pdehvd.numerics.operations import NUMPY, Operations, tensorflow
from pdehvd.numerics.program import Program

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow import Tensor


def compile_numpy(
    expressions: Sequence[sympy.Basic], names: Sequence[str]
) -> Callable[[Mapping[str, ArrayLike]], list[np.ndarray]]:
    """Return a function from arrays by name to the values of `expressions`, in float64.

    Inputs are [N] or []; every output has the broadcast shape of all inputs among `names`,
    constants too. Relations give booleans. Points outside a domain (log of -1) give NaN silently.

    Raises ExpressionError when an expression uses a name outside `names`.
    """
    program = Program(expressions, names)

    def evaluate(inputs: Mapping[str, ArrayLike]) -> list[np.ndarray]:
        given: dict[str, np.ndarray | np.generic]
        given = {n: np.asarray(inputs[n], np.float64) for n in program.names if n in inputs}
        shape = np.broadcast_shapes(*(array.shape for array in given.values()))
        with np.errstate(all="ignore"):
            results = program.run(NUMPY, given)
        return [np.array(np.broadcast_to(result, shape)) for result in results]

    return evaluate


def compile_tf(
    expressions: Sequence[sympy.Basic], names: Sequence[str]
) -> Callable[[Mapping[str, tf.Tensor]], list[tf.Tensor]]:
    """Return a function from tensors by name to the values of `expressions`, for XLA or not.

    Inputs are [N] or []; outputs are [N] where any input among `names` is, constants too.
    Constants take the dtype of the inputs, rounded once from double precision. Gradients are
    finite in branches of `where` that are not taken. Relations give booleans.

    Raises ExpressionError when an expression uses a name outside `names`.
    """
    program = Program(expressions, names)

    def evaluate(inputs: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
        tf = import_tensorflow()
        present = [inputs[name] for name in program.names if name in inputs]
        dtype = next((x.dtype for x in present if tf.is_tensor(x)), tf.float64)
        given = {
            name: tf.convert_to_tensor(inputs[name], dtype)
            for name in program.names
            if name in inputs
        }
        constant = functools.partial(tf.constant, dtype=dtype)
        operations: Operations[Tensor] = {**tensorflow(), "constant": constant}
        results = program.run(operations, given)
        full = next((tensor for tensor in given.values() if tensor.shape.rank == 1), None)
        if full is None:
            return results
        return [r if r.shape.rank else tf.broadcast_to(r, tf.shape(full)) for r in results]

    return evaluate
