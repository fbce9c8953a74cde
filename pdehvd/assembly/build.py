"""From a config to the running parts; the same parts on every rank."""

from __future__ import annotations

import math
from typing import Any

from pdehvd.assembly.needs import check_buckets, check_chunks, check_needs, machine_memory
from pdehvd.comm.group import Group, Solo
from pdehvd.config.root import Config
from pdehvd.errors import ConfigError, counted
from pdehvd.models.grid_network import GridNetwork
from pdehvd.objectives.base import Objective
from pdehvd.objectives.exact_sums import ExactPointSums, ExactSampleSums
from pdehvd.objectives.generative import GenerativeObjective
from pdehvd.objectives.local_sums import LocalPointSums, LocalSampleSums
from pdehvd.objectives.objective import PDEObjective
from pdehvd.objectives.reducer import PointReducer, SampleReducer
from pdehvd.problems.family import ParametricProblem
from pdehvd.problems.levels import Schedule
from pdehvd.problems.pde import PDEProblem
from pdehvd.reference.on_grid import FiniteElementsSpec, GridReference
from pdehvd.spec import registered
from pdehvd.training.evaluator import Evaluator, PointEvaluator
from pdehvd.training.phases import Phase
from pdehvd.training.sample_evaluator import SampleEvaluator
from pdehvd.training.stepper import Parts

Problem = PDEProblem | ParametricProblem
# What a section of each kind is called where two of them do not fit together.
_KINDS = {"points": "networks of coordinates", "grid": "networks that map fields on a grid"}
# What ranks share in a step.
_ITEMS = {"points": "collocation points", "grid": "samples in a batch"}


def check_kinds(config: Config) -> None:
    """Raise `ConfigError` where sampling, model or reference are not for the kind of problem."""
    kind = config.problem.kind
    sections: dict[tuple[str, ...], Any] = {
        ("sampling",): config.sampling,
        ("model",): config.model,
        ("problem", "reference"): config.problem.reference,
    }
    for path, spec in sections.items():
        if spec is not None and spec.kind != kind:
            fitting = [n for n, s in registered(path[-1]).items() if s.kind == kind]
            raise ConfigError(
                f"{spec.name} is for {_KINDS[spec.kind]}, {config.problem.name} is not",
                (*path, "name"),
                "one of " + ", ".join(sorted(fitting)),
            )
    if kind == "grid" and config.weighting.every is not None:
        raise ConfigError(
            f"{config.weighting.name} balances several terms, and this loss has one",
            ("weighting", "name"),
            "fixed",
        )


def build_problem(config: Config, processes: int) -> Any:
    """Return the problem; under weak scaling every process adds its own points or samples.

    Raises `ConfigError` with the path in the config, also where processes would have none.
    """
    check_kinds(config)
    factor = processes if config.scaling.mode == "weak" else 1
    problem: Problem = config.problem.build(config.sampling, config.seed, factor)
    if processes > problem.items:
        key = "batch" if config.problem.kind == "grid" else "equations"
        raise ConfigError(
            f"{counted(processes, 'process')} for {problem.items} {_ITEMS[config.problem.kind]}",
            ("sampling", key),
            f"at least {processes}",
        )
    parts = config.training.micro_batches
    if parts * processes > problem.items:
        raise ConfigError(
            f"{problem.items} {_ITEMS[config.problem.kind]} cannot be cut into {parts} parts "
            f"on {counted(processes, 'process')}",
            ("training", "micro_batches"),
            f"at most {problem.items // processes}",
        )
    if config.processes.buckets > 1:
        check_buckets(config, problem)
    if config.aggregation.chunked:
        check_chunks(config, problem, processes)
    return problem


def build_objective(config: Config, problem: Any, group: Group) -> Any:
    """Return the objective of a problem with the config's model and aggregation."""
    config.aggregation.check(group)
    try:
        if isinstance(problem, ParametricProblem):
            network: Any = build_grid_network(config, problem)
        else:
            network = config.model.build(
                problem.domain.bounds, len(problem.fields), config.precision, problem.coordinates
            )
    except ConfigError as error:
        raise error.within("model") from error
    if isinstance(problem, ParametricProblem):
        return _sample_objective(config, problem, network, group)
    hook = config.aggregation
    reducer: PointReducer
    if hook.chunked:
        reducer = ExactPointSums(hook, group, problem.blocks[0].count, config.precision)
    else:
        reducer = LocalPointSums(hook, group)
    parts = config.training.micro_batches
    return PDEObjective(problem, network, reducer, config.precision, parts)


def _sample_objective(
    config: Config, problem: ParametricProblem, network: GridNetwork, group: Group
) -> GenerativeObjective:
    hook, parts = config.aggregation, config.training.micro_batches
    if parts > 1 and network.moments:
        raise ConfigError(
            "batch normalisation of a part of the batch is another network",
            ("training", "micro_batches"),
            "1, or model.norm: instance, group or none",
        )
    schedule = build_schedule(config, problem)
    for resolution in dict.fromkeys(schedule.resolutions):
        _check_resolution(network, problem, resolution)
    reducer: SampleReducer
    if hook.chunked:
        reducer = ExactSampleSums(hook, group, problem.samples.batch)
    else:
        counts = problem.samples.batch, network.merged, parts, config.processes.buckets
        reducer = LocalSampleSums(hook, group, *counts)
    return GenerativeObjective(problem, network, reducer, config.precision, schedule)


def build_grid_network(config: Config, problem: ParametricProblem) -> GridNetwork:
    """Return the network of a parametric problem. Raises `ConfigError` within the model."""
    channels = len(problem.features)
    if getattr(type(config.model), "latent", False):
        channels = problem.latent
        if channels == 0:
            raise ConfigError(
                f"{config.model.name} needs latent numbers, and no input has any",
                ("name",),
                "an input such as karhunen_loeve",
            )
    network: GridNetwork = config.model.build_grid(
        len(problem.coordinates), channels, len(problem.fields), config.precision
    )
    return network


def build_schedule(config: Config, problem: ParametricProblem) -> Schedule:
    """Return the resolution of every step."""
    levels = config.training.levels
    if levels is None:
        return problem.schedule()
    try:
        return levels.build(config.training.steps, problem.resolution)
    except ConfigError as error:
        raise error.within("training", "levels") from error


def _check_resolution(network: GridNetwork, problem: ParametricProblem, resolution: int) -> None:
    try:
        network.check(problem.shape(resolution))
    except ConfigError as error:
        raise error.within("model") from error


def check_memory(config: Config, objective: Any) -> None:
    """Raise `ConfigError` where a step of all of a machine's processes needs more than it has."""
    if not isinstance(objective, GenerativeObjective):
        return
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


def build_reference(config: Config, problem: Any) -> Any:
    """Return the reference solution, or None where there is none."""
    spec = config.problem.reference
    try:
        if isinstance(problem, ParametricProblem):
            if spec is None and problem.loss != "residual":
                spec = FiniteElementsSpec()
            return None if spec is None or not problem.held_out else spec.build(problem)
        if spec is None:
            return None
        return spec.build(problem.coordinates, problem.fields, problem.language.constants)
    except ConfigError as error:
        raise error.within("problem", "reference") from error


def check_weights(config: Config, objective: Objective) -> None:
    """Raise `ConfigError` where the weights name a term that the loss has not."""
    try:
        config.weighting.initial(objective.terms)
    except ConfigError as error:
        raise error.within("weighting") from error


def build_phases(config: Config, objective: Objective) -> tuple[Phase, ...]:
    """Return the optimizers in turn. Raises `ConfigError` where the config cannot supply one."""
    listed = isinstance(config.optimizer, tuple)
    specs = config.optimizer if listed else (config.optimizer,)
    phases: list[Phase] = []
    start = 0
    for index, spec in enumerate(specs):
        path = ("optimizer", index) if listed else ("optimizer",)
        last = index == len(specs) - 1
        if spec.steps is None and not last:
            message = "the phase before others has no end"
            raise ConfigError(message, path, f"the key 'steps' for {spec.name}")
        if spec.steps is not None and not listed:
            message = "one optimizer alone does all steps"
            raise ConfigError(message, (*path, "steps"), "training.steps, or a list of phases")
        stop = None if last else start + spec.steps
        try:
            spec = spec.suited(objective)
            check_needs(config, objective, spec)
            steps = max((stop or config.training.steps) - start, 0)
            spec = spec.resolved(objective.batch_size, steps)
            # A matrix divided over ranks would add its products in an order of its own.
            group = Solo() if config.aggregation.chunked else objective.group
            phases.append(Phase(spec.build(group), stop))
        except ConfigError as error:
            raise error.within(*path) from error
        start = stop or start
    return tuple(phases)


def build_parts(config: Config, group: Group) -> Parts:
    """Return all that a trainer needs. Raises `ConfigError` with the path in the config."""
    problem = build_problem(config, group.size)
    objective = build_objective(config, problem, group)
    check_memory(config, objective)
    check_weights(config, objective)
    phases = build_phases(config, objective)
    reference = build_reference(config, problem)
    evaluator: Evaluator | None = None
    if isinstance(reference, GridReference):
        evaluator = SampleEvaluator(objective, reference)
    elif reference is not None:
        evaluator = PointEvaluator(objective, reference, reference.up_to_constant)
    return Parts(objective, phases, config.weighting, evaluator, config.seed)
