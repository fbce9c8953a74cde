"""From a config to the running parts; the same parts on every rank."""

from __future__ import annotations

from typing import Any

from pdehvd.comm.group import Group
from pdehvd.errors import ConfigError
from pdehvd.experiment.config import Config
from pdehvd.objectives.objective import PDEObjective
from pdehvd.problems.pde import PDEProblem
from pdehvd.training.evaluator import Evaluator
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


def build_parts(config: Config, group: Group) -> Parts:
    """Return all that a trainer needs. Raises `ConfigError` with the path in the config."""
    problem = build_problem(config, group.size)
    objective = build_objective(config, problem, group)
    check_weights(config, objective)
    optimizer = config.optimizer.build()
    reference = build_reference(config, problem)
    evaluator = (
        None if reference is None else Evaluator(objective, reference, reference.up_to_constant)
    )
    return Parts(objective, optimizer, config.weighting, evaluator, config.seed)
