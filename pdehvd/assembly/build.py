"""From a config and its problem to the running parts; the same parts on every rank."""

from __future__ import annotations

from pathlib import Path

from pdehvd.assembly.kind import Kind, ObjectiveT, Problem, ProblemT, ReferenceT
from pdehvd.assembly.kind_registry import kind_of
from pdehvd.assembly.needs import check_needs
from pdehvd.assembly.problem import (
    build_problem,
    build_reference,
    check_stop,
    problem_of,
    reference_of,
)
from pdehvd.assembly.trained_run import StoredParts
from pdehvd.comm.group import Group, Solo
from pdehvd.config.root import Config
from pdehvd.errors import ConfigError, within
from pdehvd.objectives.base import AnyObjective, Batch, Objective
from pdehvd.training.checkpoint import blaming, open_checkpoint
from pdehvd.training.phases import Phase
from pdehvd.training.state import TrainState, check_network
from pdehvd.training.stepper import AnyParts, Parts


def build_objective(config: Config, problem: Problem, group: Group) -> AnyObjective:
    """Return the objective of a problem with the config's model and aggregation."""
    return _objective(kind_of(config), config, problem, group)


def _objective(
    kind: Kind[ProblemT, ObjectiveT, ReferenceT], config: Config, problem: ProblemT, group: Group
) -> ObjectiveT:
    config.aggregation.check(group)
    return kind.build_objective(config, problem, group)


def stored_parts(
    kind: Kind[ProblemT, ObjectiveT, ReferenceT], directory: Path, config: Config, which: str
) -> StoredParts[ProblemT, ObjectiveT, ReferenceT]:
    """Return the parts of a run in a directory, on one process, and its state at a checkpoint."""
    problem = problem_of(kind, config, 1)
    objective = _objective(kind, config, problem, Solo())
    stored = open_checkpoint(directory, which)
    with blaming(directory):
        check_network(stored, objective)
        state = TrainState.of(stored)
    return StoredParts(
        directory, config, problem, objective, state, lambda: reference_of(kind, config, problem)
    )


def check_weights(config: Config, objective: Objective[Batch]) -> None:
    """Raise `ConfigError` where the weights name a term that the loss has not."""
    with within("weighting"):
        config.weighting.initial(objective.terms)


def build_phases(config: Config, objective: Objective[Batch]) -> tuple[Phase, ...]:
    """Return the optimizers in turn. Raises `ConfigError` where the config cannot supply one."""
    listed = isinstance(config.optimizer, tuple)
    phases: list[Phase] = []
    start = 0
    for index, spec in enumerate(config.phases):
        path = ("optimizer", index) if listed else ("optimizer",)
        last = index == len(config.phases) - 1
        if spec.steps is not None and not listed:
            message = "a single optimizer runs for all steps"
            raise ConfigError(message, (*path, "steps"), "training.steps, or a list of phases")
        stop = None
        if not last:
            if spec.steps is None:
                message = "every phase but the last needs a number of steps"
                raise ConfigError(message, path, f"the key 'steps' for {spec.name}")
            stop = start + spec.steps
        with within(*path):
            spec = spec.suited(objective)
            check_needs(config, objective, spec)
            steps = max((stop or config.training.steps) - start, 0)
            spec = spec.resolved(objective.batch_size, steps)
            # A matrix divided over ranks would add its products in an order of its own.
            group = Solo() if config.aggregation.exact else objective.group
            phases.append(Phase(spec.build(group), stop))
        start = stop or start
    return tuple(phases)


def build_parts(config: Config, group: Group) -> AnyParts:
    """Return all that a trainer needs. Raises `ConfigError` with the path in the config."""
    kind = kind_of(config)
    problem = build_problem(config, group.size)
    objective = build_objective(config, problem, group)
    kind.check_memory(config, objective)
    check_stop(config)
    check_weights(config, objective)
    phases = build_phases(config, objective)
    reference = build_reference(config, problem)
    evaluator = None if reference is None else kind.evaluator(objective, reference)
    return Parts(
        *(objective, phases, config.weighting, evaluator, config.seed, problem.notes),
        monitors=kind.monitors(objective),
    )
