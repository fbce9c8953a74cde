"""A parametric problem on a grid: conditions imposed, energy or residual of every sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
import sympy
import tensorflow as tf

from pdehvd.numerics import stencils
from pdehvd.numerics.derivatives import NETWORK, partial_of
from pdehvd.numerics.expressions import compile_tf
from pdehvd.problems.family import ParametricProblem

Tensor: TypeAlias = tf.Tensor
Fields = Mapping[str, Tensor]
# An energy [B] as a function of fields, the fields [B, *n], free nodes and spacings.
_Weak = tuple[Callable[[Tensor], Tensor], Tensor, Tensor, list[float]]


class DiscreteLaw:
    """What a problem's texts mean on a grid of nodes; fields are [B, *n], any n.

    Pure functions of tensors that XLA can compile; nothing here knows of networks or ranks.
    """

    def __init__(self, problem: ParametricProblem, dtype: tf.DType) -> None:
        self.problem = problem
        self.dtype = dtype
        self._law = compile_expression(problem.expression)
        self._hard = None if problem.hard is None else compile_expression(problem.hard)
        self._scale = None if problem.scale is None else compile_expression(problem.scale)
        self._features = [compile_expression(feature) for feature in problem.features]
        self._faces = [(face, compile_expression(face.value)) for face in problem.faces]
        self._fluxes = {
            f"{name}_{problem.coordinates[flux.axis]}": (
                flux.axis,
                compile_expression(flux.value),
                compile_expression(flux.speed),
            )
            for name, flux in problem.fluxes.items()
        }

    def images(self, inputs: Fields, resolution: int) -> Tensor:
        """Return what the network sees, [B, *n, C]."""
        names, shape = self._nodal(inputs, resolution), self.problem.shape(resolution)
        channels = []
        for feature in self._features:
            value = self._full(feature(names), inputs, shape)
            if self.problem.centre:
                axes = list(range(1, len(shape) + 1))
                value -= tf.reduce_mean(value, axes, keepdims=True)
            channels.append(value)
        return tf.stack(channels, -1)

    def imposed(self, raw: Tensor, inputs: Fields) -> Tensor:
        """Return the fields [B, *n] of the network's values, conditions in place of theirs."""
        resolution = raw.shape[1]
        names = self._nodal(inputs, resolution)
        if self._hard is not None:
            raw = tf.broadcast_to(self._hard(names | {NETWORK: raw}), raw.shape)
        for face, value in self._faces:
            side = self._side(face.axis, face.end, resolution)
            raw = tf.where(side, tf.cast(value(names), self.dtype), raw)
        return raw

    def free(self, resolution: int) -> np.ndarray:
        """Return which nodes no condition fixes, [1, *n]."""
        known = np.zeros((1, *self.problem.shape(resolution)), bool)
        for face in self.problem.faces:
            known = known | self._side(face.axis, face.end, resolution)
        return ~known

    def losses(self, fields: Tensor, inputs: Fields) -> Tensor:
        """Return each sample's loss, [B]: the energy, or a mean square over the free nodes."""
        kind = self.problem.loss
        if kind == "residual":
            result = self._mean_square(self.residual(fields, inputs))
        elif kind == "galerkin":
            result = stencils.galerkin(*self._weak(fields, inputs))
        else:
            result = self.energy(fields, inputs)
        return result if self._scale is None else result / self.sizes(inputs, fields.shape[1])

    def energy(self, fields: Tensor, inputs: Fields) -> Tensor:
        """Return each sample's energy, [B]: the integral of the density over finite elements."""
        problem = self.problem
        return stencils.integrate(
            self._law,
            {problem.field: fields, **inputs},
            problem.coordinates,
            problem.bounds,
        )

    def losses_and_slopes(self, raw: Tensor, inputs: Fields) -> tuple[Tensor, Tensor]:
        """Return each sample's loss [B] and its derivatives by the network's values [B, *n]."""
        with tf.GradientTape() as tape:
            tape.watch(raw)
            losses = self.losses(self.imposed(raw, inputs), inputs)
            total = tf.reduce_sum(losses)
        return losses, tape.gradient(total, raw)

    def _residual(self, u: Tensor, inputs: Fields) -> Tensor:
        """Return the residual at all nodes, [B, *n]."""
        problem, resolution = self.problem, u.shape[1]
        names = self._nodal(inputs, resolution)
        spacing = self._spacing(resolution)
        for free in problem.expression.free_symbols:
            partial = partial_of(free.name, [problem.field], problem.coordinates)
            if partial is not None:
                names[free.name] = stencils.difference(u, spacing, partial.orders, problem.kinds)
        for name, (axis, value, speed) in self._fluxes.items():
            known = names | {problem.field: u}
            flux, fast = value(known), tf.broadcast_to(speed(known), tf.shape(u))
            names[name] = stencils.flux_divergence(flux, fast, u, axis, spacing[axis])
        return self._law(names)

    def residual(self, fields: Tensor, inputs: Fields) -> Tensor:
        """Return the residual of a loss that is a mean square, [B, *n]; 0 at fixed nodes."""
        if self.problem.loss == "galerkin":
            return stencils.weak_residual(*self._weak(fields, inputs))
        residual = self._residual(fields, inputs)
        return tf.where(self.free(fields.shape[1]), residual, tf.zeros_like(residual))

    def _weak(self, fields: Tensor, inputs: Fields) -> _Weak:
        """Return what makes the weak residual: energy, fields, free nodes and spacings."""
        resolution = fields.shape[1]
        free = tf.constant(self.free(resolution), self.dtype)
        return lambda u: self.energy(u, inputs), fields, free, self._spacing(resolution)

    def _mean_square(self, residual: Tensor) -> Tensor:
        """Return the mean over the free nodes, [B]; the others are 0."""
        total = tf.reduce_sum(tf.square(residual), list(range(1, residual.shape.rank)))
        return total / tf.constant(float(self.free(residual.shape[1]).sum()), self.dtype)

    def sizes(self, inputs: Fields, resolution: int) -> Tensor:
        """Return the mean over the grid of what the losses are divided by, [B]; one without it."""
        if self._scale is None:
            return tf.ones([next(iter(inputs.values())).shape[0]], self.dtype)
        shape = self.problem.shape(resolution)
        value = self._full(self._scale(self._nodal(inputs, resolution)), inputs, shape)
        return tf.reduce_mean(value, list(range(1, len(shape) + 1)))

    def _spacing(self, resolution: int) -> list[float]:
        return stencils.spacings(self.problem.bounds, self.problem.shape(resolution))

    def _nodal(self, inputs: Fields, resolution: int) -> dict[str, Tensor]:
        """Return the inputs and the coordinates at the nodes; they broadcast to [B, *n]."""
        names = dict(inputs)
        for axis, nodes in enumerate(self.problem.axes(resolution)):
            shape = [1] * (len(self.problem.coordinates) + 1)
            shape[axis + 1] = resolution
            names[self.problem.coordinates[axis]] = tf.constant(nodes.reshape(shape), self.dtype)
        return names

    def _full(self, value: Tensor, inputs: Fields, shape: tuple[int, ...]) -> Tensor:
        first = next(iter(inputs.values()))
        return tf.broadcast_to(tf.cast(value, self.dtype), (first.shape[0], *shape))

    def _side(self, axis: int, end: int, resolution: int) -> np.ndarray:
        """Return which nodes lie on a face, with size 1 along the other axes."""
        shape = [1] * (len(self.problem.coordinates) + 1)
        shape[axis + 1] = resolution
        nodes = np.arange(resolution) == (resolution - 1 if end else 0)
        side: np.ndarray = nodes.reshape(shape)
        return side


def compile_expression(expression: sympy.Expr) -> Callable[[Fields], Tensor]:
    """Return an expression as a function of tensors by name."""
    function = compile_tf([expression], sorted(symbol.name for symbol in expression.free_symbols))
    return lambda names: function(names)[0]
