"""What a run will cost, told before it starts; building its parts also finds the last mistakes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from pdehvd.assembly.build import (
    build_objective,
    build_phases,
    build_problem,
    build_reference,
    check_memory,
    check_weights,
)
from pdehvd.assembly.trust.judge import Judge
from pdehvd.comm.group import Solo
from pdehvd.config.root import Config
from pdehvd.config.yaml_source import Source
from pdehvd.errors import ConfigError
from pdehvd.launch.threads import check_cores
from pdehvd.numerics import jets
from pdehvd.objectives.generative import GenerativeObjective
from pdehvd.objectives.objective import PDEObjective


@dataclass(frozen=True)
class BlockCost:
    """A set of points: its loss terms, its global size, and the channels of its derivatives."""

    terms: tuple[str, ...]
    points: int
    channels: int


class _Planned(Solo):
    """So many processes, as mpirun would start them."""

    def __init__(self, size: int) -> None:
        self.size = size


@dataclass(frozen=True)
class Cost:
    """Estimates for `processes`; memory in MiB a process, work in GFLOP a step of all together.

    `notes` are sentences about the problem that a user must read before the training.
    `warnings` are those that a run would begin with.
    """

    processes: int
    parameters: int
    blocks: tuple[BlockCost, ...]
    memory: float
    work: float
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def points(self) -> int:
        """Global number of points at which the network is evaluated in a step."""
        return sum(block.points for block in self.blocks)


def examine(config: Config, source: Source, processes: int = 1) -> Cost:
    """Build a run's parts without running anything, and estimate what it will cost.

    Raises `ConfigError` with file, line and path for all that only shows when parts are built:
    names in expressions, conditions outside the domain, data files, more processes than points.
    """
    try:
        check_cores(config.processes, processes)
        problem = build_problem(config, processes)
        config.aggregation.check(_Planned(processes))
        objective = build_objective(config, problem, Solo())
        reference = build_reference(config, problem)
        check_weights(config, objective)
        check_memory(config, objective)
        build_phases(config, objective)
    except ConfigError as error:
        raise source.located(error) from error
    if isinstance(objective, GenerativeObjective):
        return _grid_cost(objective, processes)
    warnings = tuple(caution.text for caution in Judge(config, problem, reference).before)
    return replace(_cost(config, objective, processes), warnings=warnings)


def _cost(config: Config, objective: PDEObjective, processes: int) -> Cost:
    """Estimate from the sizes alone.

    A point costs, for each channel, one multiplication and addition per weight forward and two
    backward, and keeps each layer's values before and after its activation, and an adjoint.
    """
    problem, layout = objective.problem, objective.network.layout
    blocks = tuple(
        BlockCost(
            tuple(term.name for term in block.terms),
            block.count * block.source.points_per_item,
            _channels(jets.plan(len(problem.coordinates), block.requested, block.operators)),
        )
        for block in problem.blocks
    )
    matrices = [shape for _, shape in layout if len(shape) > 1]
    rows = sum(block.points * block.channels for block in blocks)
    size = 8 if config.precision == "float64" else 4
    layers = sum(shape[-1] for shape in matrices)
    values = 3 * layers * math.ceil(rows / processes) + 5 * objective.size
    work = 6 * rows * sum(math.prod(shape) for shape in matrices)
    memory = values * size / 2**20
    return Cost(processes, objective.size, blocks, memory, work / 1e9, problem.notes)


def _grid_cost(objective: GenerativeObjective, processes: int) -> Cost:
    """Estimate from what the network says of itself; a step does its work three times."""
    problem, network = objective.problem, objective.network
    shape = problem.shape(max(objective.schedule.resolutions))
    block = BlockCost(problem.terms, objective.points, len(problem.features))
    shard = math.ceil(problem.samples.batch / processes / objective.micro_batches)
    work = 3 * network.work(shape) * problem.samples.batch
    memory = network.memory(shape, shard)
    return Cost(processes, objective.size, (block,), memory / 2**20, work / 1e9)


def _channels(plan: jets.Plan) -> int:
    return len(plan.partials) + len(plan.operators)
