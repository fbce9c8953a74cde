"""From a config to the running parts; the same parts on every rank."""

from __future__ import annotations

from typing import Any

from pdehvd.comm.group import Group
from pdehvd.errors import ConfigError
from pdehvd.experiment.config import Config
from pdehvd.experiment.needs import check_needs
from pdehvd.objectives.objective import PDEObjective
from pdehvd.problems.pde import PDEProblem
from pdehvd.training.evaluator import Evaluator
from pdehvd.training.phases import Phase
from pdehvd.training.stepper import Parts


def build_problem(config: Config, processes: int) -> PDEProblem:
    """Return the problem; under weak scaling every process adds its own numbers of points.

    Raises `ConfigError` with the path in the config, also where processes would have no point.
    """
    factor = processes if config.scaling.mode == "weak" else 1
    problem: PDEProblem = config.problem.build(config.sampling, config.seed, factor)
    count = problem.blocks[0].count
    if processes > count:
        raise ConfigError(
            f"{processes} processes for {count} collocation points",
            ("sampling", "equations"),
            f"at least {processes}",
        )
    return problem


def build_objective(config: Config, problem: PDEProblem, group: Group) -> PDEObjective:
    """Return the objective of a problem with the config's model and aggregation."""
    try:
        network = config.model.build(
            problem.domain.bounds, len(problem.fields), config.precision, problem.coordinates
        )
    except ConfigError as error:
        raise error.within("model") from error
    config.aggregation.check(group)
    return PDEObjective(problem, network, group, config.aggregation, config.precision)


def build_reference(config: Config, problem: PDEProblem) -> Any:
    """Return the reference solution, or None where the config names none."""
    spec = config.problem.reference
    if spec is None:
        return None
    try:
        return spec.build(problem.coordinates, problem.fields, problem.language.constants)
    except ConfigError as error:
        raise error.within("problem", "reference") from error


def check_weights(config: Config, objective: PDEObjective) -> None:
    """Raise `ConfigError` where the weights name a term that the loss has not."""
    try:
        config.weighting.initial(objective.terms)
    except ConfigError as error:
        raise error.within("weighting") from error


def build_phases(config: Config, objective: PDEObjective) -> tuple[Phase, ...]:
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
            check_needs(config, objective, spec)
            phases.append(Phase(spec.build(objective.group), stop))
        except ConfigError as error:
            raise error.within(*path) from error
        start = stop or start
    return tuple(phases)


def build_parts(config: Config, group: Group) -> Parts:
    """Return all that a trainer needs. Raises `ConfigError` with the path in the config."""
    problem = build_problem(config, group.size)
    objective = build_objective(config, problem, group)
    check_weights(config, objective)
    phases = build_phases(config, objective)
    reference = build_reference(config, problem)
    evaluator = (
        None if reference is None else Evaluator(objective, reference, reference.up_to_constant)
    )
    return Parts(objective, phases, config.weighting, evaluator, config.seed)
