"""A new kind of problem: a network learns the rows of a table, and some rows are held out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import pandas as pd
import tensorflow as tf
from pydantic import Field

from pdehvd.assembly.build import stored_parts
from pdehvd.assembly.cost import BlockCost, Cost
from pdehvd.assembly.kind import Kind
from pdehvd.assembly.kind_registry import register_kind
from pdehvd.assembly.trained_run import Outside, TrainedRun
from pdehvd.comm.group import Group
from pdehvd.config.root import Config
from pdehvd.errors import ConfigError
from pdehvd.models.network import Layout, Network
from pdehvd.objectives.base import Objective, Whole
from pdehvd.objectives.evaluation import Evaluation
from pdehvd.results.plot_style import figure
from pdehvd.results.point_input import read_points
from pdehvd.spec import DataFile, Spec, register
from pdehvd.training.evaluator import ErrorMeasures, Evaluator
from pdehvd.training.state import TrainState


class Rows(NamedTuple):
    """Rows of a table: inputs x [n, D] and outputs y [n, F]."""

    x: np.ndarray | tf.Tensor
    y: np.ndarray | tf.Tensor


@dataclass(frozen=True)
class TableProblem:
    """y = f(x) in the rows of a table; `held_out` measure how well the others were learnt."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    trained: Rows
    held_out: Rows
    notes: tuple[str, ...] = ()

    @property
    def items(self) -> int:
        return len(self.trained.x)

    @property
    def bounds(self) -> np.ndarray:
        """The range of each input, [D, 2]."""
        return np.stack([self.trained.x.min(axis=0), self.trained.x.max(axis=0)], axis=1)


@register("sampling")
class RowsSpec(Spec):
    """All rows in every step, but for those that are held out."""

    kind: ClassVar[str] = "table"
    name: Literal["rows"] = "rows"
    held_out: float = Field(0.1, gt=0, lt=1, description="share of the rows")


@register("problem")
class TableSpec(Spec):
    """Outputs as a function of inputs, learnt from the columns of a CSV file."""

    kind: ClassVar[str] = "table"
    name: Literal["table"] = "table"
    file: DataFile
    inputs: tuple[str, ...] = Field(min_length=1)
    outputs: tuple[str, ...] = Field(min_length=1)

    def build(self, sampling: RowsSpec, seed: int) -> TableProblem:
        """Return the problem; which rows are held out depends on the seed alone."""
        try:
            table = pd.read_csv(self.file)[[*self.inputs, *self.outputs]].to_numpy(np.float64)
        except (OSError, ValueError, KeyError) as error:
            columns = ", ".join([*self.inputs, *self.outputs])
            raise ConfigError(
                f"{self.file}: {error}", ("problem", "file"), f"numbers in the columns {columns}"
            ) from error
        count = math.ceil(sampling.held_out * len(table))
        if count >= len(table):
            message = f"no row of {len(table)} is left to train with"
            raise ConfigError(message, ("sampling", "held_out"), "a smaller share")
        table = table[np.random.default_rng(seed).permutation(len(table))]
        x, y = np.split(table, [len(self.inputs)], axis=1)
        return TableProblem(
            self.inputs, self.outputs, Rows(x[count:], y[count:]), Rows(x[:count], y[:count])
        )


class TableObjective(Objective[Rows]):
    """L = sum of |f(x) - y|^2 over the rows of all ranks / their number."""

    terms = ("data/table",)
    period = None

    def __init__(
        self, config: Config, problem: TableProblem, network: Network, group: Group
    ) -> None:
        self.problem, self.network, self.group = problem, network, group
        self.dtype = tf.as_dtype(config.precision)
        self.points = self.batch_size = problem.items
        self._aggregation = config.aggregation

    @property
    def size(self) -> int:
        return self.network.size

    @property
    def layout(self) -> Layout:
        return self.network.layout

    def initial(self, seed: int) -> np.ndarray:
        parts = [part.reshape(-1) for part in self.network.initial(seed)]
        return np.concatenate(parts).astype(self.dtype.as_numpy_dtype)

    def tensors(self, rows: Rows) -> Rows:
        """Return rows in the run's precision."""
        return Rows(tf.constant(rows.x, self.dtype), tf.constant(rows.y, self.dtype))

    def batch(self, round_: int, selection: np.ndarray | None = None) -> Rows:
        start, stop = self.group.shard(self.problem.items)
        rows = self.problem.trained
        return self.tensors(Rows(rows.x[start:stop], rows.y[start:stop]))

    def solution(self, theta: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        """Return the outputs [N, F] at inputs [N, D]."""
        return self.network.apply(self.network.split(theta), x)

    def sums(self, theta: tf.Tensor, rows: Rows) -> tf.Tensor:
        """Return the sum of squares over some rows, over the number of all of them."""
        squares = tf.reduce_sum(tf.square(self.solution(theta, rows.x) - rows.y))
        return squares / tf.constant(float(self.problem.items), self.dtype)

    def evaluate(self, theta: tf.Tensor, batch: Rows, weights: tf.Tensor) -> Evaluation:
        with tf.GradientTape() as tape:
            tape.watch(theta)
            losses = self.sums(theta, batch)[None]
            loss = tf.reduce_sum(weights * losses)
        gradient = tape.gradient(loss, theta)
        gradient, losses = self._aggregation.combine(self.group, gradient, losses)
        return Evaluation(tf.reduce_sum(weights * losses), losses, gradient)

    def losses_at(self, thetas: tf.Tensor, batch: Rows, weights: tf.Tensor) -> tf.Tensor:
        own = tf.map_fn(lambda theta: self.sums(theta, batch), thetas)
        return self.group.sum([own], "losses_at")[0] * tf.reduce_sum(weights)

    def whole(self, round_: int | None, selection: np.ndarray | None = None) -> WholeTable:
        return WholeTable(self, self.problem.held_out if round_ is None else self.problem.trained)


class WholeTable(Whole):
    """All rows that a run is trained with, or those that it is not."""

    def __init__(self, objective: TableObjective, rows: Rows) -> None:
        self._objective, self._rows = objective, rows

    def _squares(self, theta: tf.Tensor) -> np.ndarray:
        values = self._objective.solution(theta, self._objective.tensors(self._rows).x)
        return np.square(values.numpy() - self._rows.y).sum(axis=1)

    def losses(self, theta: tf.Tensor, moments: tf.Tensor) -> np.ndarray:
        return self._squares(theta).mean(keepdims=True)

    def where_not_finite(self, theta: tf.Tensor, moments: tf.Tensor) -> str:
        (bad,) = np.nonzero(~np.isfinite(self._squares(theta)))
        return f"data/table at the inputs {self._rows.x[bad[0]]}" if len(bad) else ""


class HeldOutError(Evaluator[Rows]):
    """The relative L2 error on the rows that are held out; every rank computes all of it."""

    def __init__(self, objective: TableObjective, reference: Rows) -> None:
        self.reference, self._objective = reference, objective

    def __call__(self, state: TrainState) -> ErrorMeasures:
        return ErrorMeasures(errors(self._objective, state.theta, self.reference), {})


def errors(objective: TableObjective, theta: tf.Tensor, rows: Rows) -> dict[str, float]:
    """Return |f(x) - y| / |y| of each output over some rows."""
    values = objective.solution(theta, objective.tensors(rows).x).numpy()
    relative = np.linalg.norm(values - rows.y, axis=0) / np.linalg.norm(rows.y, axis=0)
    return dict(zip(objective.problem.outputs, relative.tolist(), strict=True))


class TableRun(TrainedRun[TableProblem, TableObjective, Rows]):
    """What is measured and drawn of a network that has learnt a table."""

    def fields_at(self, given: object, outside: Outside) -> tuple[dict[str, np.ndarray], str]:
        points = read_points(given, self.problem.inputs)
        x = tf.constant(points.x, self.objective.dtype)
        values = self.objective.solution(self._state.theta, x).numpy()
        names = enumerate(self.problem.outputs)
        return {name: values[:, column].reshape(points.shape) for column, name in names}, ""

    def evaluate(self, count: int) -> dict[str, Any]:
        rows = self.problem.held_out
        relative = errors(self.objective, self._state.theta, rows)
        return {**super().evaluate(count), "points": len(rows.x), "relative_l2": relative}

    def figures(self) -> dict[str, Any]:
        picture = figure(4.0, 4.0)
        axes = picture.subplots()
        for label, rows in (("trained", self.problem.trained), ("held out", self.problem.held_out)):
            values, _ = self.fields_at(rows.x, "warn")
            axes.plot(rows.y[:, 0], values[self.problem.outputs[0]], ".", label=label)
        axes.set(xlabel=f"{self.problem.outputs[0]} of the table", ylabel="network")
        axes.legend()
        return {"table": picture}


@register_kind("table")
class TableKind(Kind[TableProblem, TableObjective, Rows]):
    """What owns problems that are tables."""

    networks = "networks that learn a table"
    items = "rows"
    items_key = "held_out"

    def fits(self, section: str, spec: type[Spec]) -> bool:
        """Take the networks of coordinates as they are."""
        return spec.kind == ("points" if section == "model" else self.name)

    def check(self, config: Config) -> None:
        if config.scaling.mode == "weak":
            message = "a table has the same rows on any number of processes"
            raise ConfigError(message, ("scaling", "mode"), "strong")

    def build_problem(self, config: Config, factor: int) -> TableProblem:
        return config.problem.build(config.sampling, config.seed)

    def build_objective(
        self, config: Config, problem: TableProblem, group: Group
    ) -> TableObjective:
        outputs = len(problem.outputs)
        try:
            network = config.model.build(problem.bounds, outputs, config.precision, problem.inputs)
        except ConfigError as error:
            raise error.within("model") from error
        return TableObjective(config, problem, network, group)

    def build_reference(self, config: Config, problem: TableProblem) -> Rows:
        return problem.held_out

    def evaluator(self, objective: TableObjective, reference: Rows) -> HeldOutError:
        return HeldOutError(objective, reference)

    def cost(self, config: Config, objective: TableObjective, processes: int) -> Cost:
        block = BlockCost(objective.terms, objective.points, 1)
        widths = sum(shape[-1] for _, shape in objective.layout if len(shape) > 1)
        rows = math.ceil(objective.points / processes)
        memory = (3 * widths * rows + 5 * objective.size) * objective.dtype.size
        work = 6 * objective.points * objective.size
        return Cost(processes, objective.size, (block,), memory / 2**20, work / 1e9)

    def open(self, directory: Path, config: Config, which: str) -> TableRun:
        return TableRun(stored_parts(self, directory, config, which))
