"""A problem's equations and conditions at points: residuals, and the solution itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

import tensorflow as tf

from pdehvd.models.network import Network
from pdehvd.numerics import jets
from pdehvd.numerics.expressions import compile_tf
from pdehvd.objectives.batches import BlockPoints, ItemPoints, PointBatch
from pdehvd.objectives.passes import group_passes
from pdehvd.problems.block import Formulas
from pdehvd.problems.pde_problem import PDEProblem


class PointLaw:
    """What a problem's texts mean for a network at points.

    Pure functions of theta [P], the network's parameters and then the unknowns, and of tensors;
    nothing here knows of losses or ranks.
    """

    def __init__(self, problem: PDEProblem, network: Network) -> None:
        self.problem = problem
        self.network = network
        self._residuals_of = [self._compiled(block.formulas) for block in problem.blocks]
        self._passes = group_passes(problem)

    def unknowns(self, theta: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the numbers to be discovered, by name."""
        raw = theta[self.network.size :]
        return {
            u.name: u.value(raw[i], tf.exp, tf.sin) for i, u in enumerate(self.problem.unknowns)
        }

    def residuals(self, theta: tf.Tensor, batch: PointBatch) -> list[tf.Tensor | None]:
        """Return this rank's residuals of each term, [n, R]; None where it has no item."""
        parameters = self.network.split(theta[: self.network.size])
        unknowns = self.unknowns(theta)
        values: list[tf.Tensor | None] = [None] * len(self.problem.blocks)
        for work in self._passes:
            members = [i for i in work.members if batch[i].x.shape[0] > 0]
            if not members:
                continue
            points = tf.concat([batch[i].x for i in members], 0)
            channels = self.network.jet(parameters, points, work.plan)
            start = 0
            for i in members:
                stop = start + batch[i].x.shape[0]
                part = [channel[start:stop] for channel in channels]
                values[i] = self.block_residuals(i, work.plan, part, batch[i], unknowns)
                start = stop
        return self._by_term(values)

    @property
    def channels(self) -> int:
        """Number of derivatives that the equations need of each field."""
        return self._passes[0].plan.channels

    def plan_of(self, index: int) -> jets.Plan:
        """Return the derivatives that a block needs."""
        return next(work.plan for work in self._passes if index in work.members)

    def block_residuals(
        self,
        index: int,
        plan: jets.Plan,
        channels: list[tf.Tensor],
        data: BlockPoints,
        unknowns: Mapping[str, tf.Tensor],
    ) -> tf.Tensor:
        """Return the residuals [n, R] of all expressions of a block from the network's channels."""
        block = self.problem.blocks[index]
        names = self._names_at(data.x, block.formulas, plan, channels)
        names |= {**unknowns, **data.columns}
        columns = tf.stack(self._residuals_of[index](names), 1)
        k = block.source.points_per_item
        if k > 1:
            columns = tf.reduce_sum(tf.reshape(columns, [-1, k, columns.shape[1]]), 1)
        return data.masked(columns, 0)

    def equation_residuals(self, theta: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        """Return the residual of each equation at points [N, D], [N, E]."""
        plan = self.plan_of(0)
        channels = self.network.jet(self.network.split(theta[: self.network.size]), x, plan)
        columns = self.block_residuals(0, plan, channels, ItemPoints(x, {}), self.unknowns(theta))
        sizes = [len(term.expressions) for term in self.problem.blocks[0].terms]
        # Of the residuals of an equation in several subdomains, one is not zero at a point.
        return tf.stack([tf.reduce_sum(own, 1) for own in tf.split(columns, sizes, 1)], 1)

    def _names_at(
        self, x: tf.Tensor, formulas: Formulas, plan: jets.Plan, channels: list[tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """Return coordinates and derivatives [N] at points [N, D], by name."""
        names = {name: x[:, d] for d, name in enumerate(self.problem.coordinates)}
        for name, (field, channel) in formulas.derivatives.items():
            names[name] = channels[plan.channel(channel, formulas.operators)][:, field]
        return names

    def _by_term(self, values: list[tf.Tensor | None]) -> list[tf.Tensor | None]:
        result: list[tf.Tensor | None] = []
        for block, value in zip(self.problem.blocks, values, strict=True):
            start = 0
            for term in block.terms:
                stop = start + len(term.expressions)
                result.append(None if value is None else value[:, start:stop])
                start = stop
        return result

    def solution(self, theta: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        """Return the fields [N, F] at points [N, D], hard conditions included."""
        raw = self.network.apply(self.network.split(theta[: self.network.size]), x)
        if not self.problem.hard:
            return raw
        names = {name: x[:, d] for d, name in enumerate(self.problem.coordinates)} | self.unknowns(
            theta
        )
        columns = []
        for f, field in enumerate(self.problem.fields):
            known = names | {"network": raw[:, f]}
            transform = self._transforms.get(field)
            column = raw[:, f] if transform is None else transform(known)[0]
            columns.append(_column(column, x))
        return tf.stack(columns, 1)

    def outputs(self, theta: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        """Return the problem's outputs [N, O] at points [N, D]: fields, then definitions."""
        defined = self.problem.defined
        if not defined.expressions:
            return self.solution(theta, x)
        plan = defined.plan(len(self.problem.coordinates))
        channels = self.network.jet(self.network.split(theta[: self.network.size]), x, plan)
        names = self._names_at(x, defined, plan, channels) | self.unknowns(theta)
        columns = [_column(value, x) for value in self._defined(names)]
        outputs = self.problem.outputs
        shown = [n for n, field in enumerate(self.problem.fields) if field in outputs]
        fields = tf.gather(self.solution(theta, x), shown, axis=1) if shown else x[:, :0]
        return tf.concat([fields, tf.stack(columns, 1)], 1)

    @cached_property
    def _defined(self) -> Callable[[Mapping[str, tf.Tensor]], list[tf.Tensor]]:
        return self._compiled(self.problem.defined)

    def _compiled(self, formulas: Formulas) -> Callable[[Mapping[str, tf.Tensor]], list[tf.Tensor]]:
        # Coordinates give constants the length of a column.
        names = sorted(formulas.names | set(self.problem.coordinates))
        return compile_tf(formulas.expressions, names)

    @cached_property
    def _transforms(self) -> dict[str, Callable[[Mapping[str, tf.Tensor]], list[tf.Tensor]]]:
        return {
            # The raw output gives constants the length of a column.
            field: compile_tf([expression], sorted({"network", *map(str, expression.free_symbols)}))
            for field, expression in self.problem.hard.items()
        }


def _column(value: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Return values at points as a column [N]; an expression may be one number for all points."""
    return tf.broadcast_to(tf.cast(value, x.dtype), tf.shape(x)[:1])
