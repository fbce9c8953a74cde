"""Problems on a grid: networks that map the input fields of a sample to its solution."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from pdehvd.assembly.cost import BlockCost, Cost
from pdehvd.assembly.kind import Kind
from pdehvd.assembly.kind_registry import register_kind
from pdehvd.assembly.needs import machine_memory
from pdehvd.comm.aggregation import ExactSum
from pdehvd.comm.group import Group
from pdehvd.config.root import Config
from pdehvd.errors import ConfigError, within
from pdehvd.models.grid_network import GridNetwork
from pdehvd.problems.family import ParametricProblem
from pdehvd.problems.levels import ResolutionSchedule
from pdehvd.reference.on_grid import FiniteElementsSpec, GridReference

if TYPE_CHECKING:
    from pdehvd.kinds.grid_run import GridRun
    from pdehvd.objectives.generative import GenerativeObjective
    from pdehvd.objectives.reducer import SampleReducer
    from pdehvd.training.sample_evaluator import SampleEvaluator


@register_kind("grid")
class GridKind(Kind[ParametricProblem, "GenerativeObjective", GridReference]):
    """What owns families of problems on a grid."""

    networks = "networks that map fields on a grid"
    items = "samples in a batch"
    items_key = "batch"
    images = True
    micro_batched = True
    bucketed = True

    def check(self, config: Config) -> None:
        if config.weighting.every is not None:
            raise ConfigError(
                f"{config.weighting.name} balances several terms, but this loss has one",
                ("weighting", "name"),
                "fixed",
            )

    def build_problem(self, config: Config, factor: int) -> ParametricProblem:
        problem: ParametricProblem = config.problem.build(config.sampling, config.seed, factor)
        return problem

    def chunks(self, config: Config, hook: ExactSum, items: int) -> int:
        sync = getattr(getattr(config.model, "norm", None), "sync", "global")
        if sync != "global":
            raise ConfigError(
                f"'{hook.name}' needs statistics that do not depend on the number of processes",
                ("model", "norm", "sync"),
                "global",
            )
        with within("aggregation"):
            return hook.even_chunks(items)

    def build_objective(
        self, config: Config, problem: ParametricProblem, group: Group
    ) -> GenerativeObjective:
        from pdehvd.objectives.exact_sums import ExactSampleSums
        from pdehvd.objectives.generative import GenerativeObjective
        from pdehvd.objectives.local_sums import LocalSampleSums

        with within("model"):
            network = build_grid_network(config, problem)
        hook, parts = config.aggregation, config.training.micro_batches
        if parts > 1 and network.moments:
            raise ConfigError(
                "micro-batches change the statistics of batch normalisation",
                ("training", "micro_batches"),
                "1, or model.norm: instance, group or none",
            )
        schedule = _schedule(config, problem)
        for resolution in dict.fromkeys(schedule.resolutions):
            _check_resolution(network, problem, resolution)
        reducer: SampleReducer
        if hook.exact:
            reducer = ExactSampleSums(hook.exact, group, problem.samples.batch)
        else:
            counts = problem.samples.batch, network.merged, parts, config.processes.buckets
            reducer = LocalSampleSums(hook, group, *counts)
        return GenerativeObjective(problem, network, reducer, config.precision, schedule)

    def check_memory(self, config: Config, objective: GenerativeObjective) -> None:
        group, problem = objective.group, objective.problem
        start, stop = group.shard(problem.samples.batch)
        samples = math.ceil((stop - start) / objective.micro_batches)
        shape = problem.shape(max(objective.schedule.resolutions))
        need = objective.network.memory(shape, samples) * group.local_size
        have = machine_memory()
        if need > have:
            remat = "" if getattr(config.model, "remat", True) else ", or model.remat: true"
            raise ConfigError(
                f"a step needs about {need / 2**30:.1f} GiB for {samples} samples of "
                f"{' x '.join(map(str, shape))} a process; this machine has {have / 2**30:.1f} GiB",
                ("sampling", "batch"),
                f"a smaller batch, width or resolution{remat}",
            )

    def build_reference(self, config: Config, problem: ParametricProblem) -> GridReference | None:
        """Return the reference of held-out samples; finite elements where an energy has no other.

        None where there are no such samples, or a residual has no reference.
        """
        spec = config.problem.reference
        if spec is None and problem.loss != "residual":
            spec = FiniteElementsSpec()
        if spec is None or not problem.held_out:
            return None
        reference: GridReference = spec.build(problem)
        return reference

    def evaluator(
        self, objective: GenerativeObjective, reference: GridReference
    ) -> SampleEvaluator:
        from pdehvd.training.sample_evaluator import SampleEvaluator

        return SampleEvaluator(objective, reference)

    def cost(self, config: Config, objective: GenerativeObjective, processes: int) -> Cost:
        """Estimate from what the network says of itself; a step does its work three times."""
        problem, network = objective.problem, objective.network
        shape = problem.shape(max(objective.schedule.resolutions))
        block = BlockCost(problem.terms, objective.points, len(problem.features))
        shard = math.ceil(problem.samples.batch / processes / objective.micro_batches)
        work = 3 * network.work(shape) * problem.samples.batch
        memory = network.memory(shape, shard)
        return Cost(processes, objective.size, (block,), memory / 2**20, work / 1e9)

    def open(self, directory: Path, config: Config, which: str) -> GridRun:
        from pdehvd.assembly.build import stored_parts
        from pdehvd.kinds.grid_run import GridRun

        return GridRun(stored_parts(self, directory, config, which))


def build_grid_network(config: Config, problem: ParametricProblem) -> GridNetwork:
    """Return the network of a parametric problem. Raises `ConfigError` within the model."""
    channels = len(problem.features)
    if getattr(type(config.model), "latent", False):
        channels = problem.latent
        if channels == 0:
            raise ConfigError(
                f"{config.model.name} needs a latent vector, and no input has one",
                ("name",),
                "an input such as karhunen_loeve",
            )
    network: GridNetwork = config.model.build_grid(
        len(problem.coordinates), channels, len(problem.fields), config.precision
    )
    return network


def _schedule(config: Config, problem: ParametricProblem) -> ResolutionSchedule:
    """Return the resolution of every step."""
    levels = config.training.levels
    if levels is None:
        return problem.schedule()
    with within("training", "levels"):
        return levels.build(config.training.steps, problem.resolution)


def _check_resolution(network: GridNetwork, problem: ParametricProblem, resolution: int) -> None:
    with within("model"):
        network.check(problem.shape(resolution))
