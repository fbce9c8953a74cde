"""From a config to its problem and its reference, which need no TensorFlow."""

from __future__ import annotations

from pdehvd.assembly.kind import Kind, ObjectiveT, Problem, ProblemT, ReferenceT
from pdehvd.assembly.kind_registry import kind_named, kind_of
from pdehvd.assembly.needs import check_items
from pdehvd.config.root import Config
from pdehvd.errors import ConfigError, within
from pdehvd.spec import Spec, registered
from pdehvd.spec.plain import Facts


def check_kinds(config: Config) -> None:
    """Raise `ConfigError` where sampling, model or reference are not for the kind of problem."""
    kind = kind_of(config)
    sections: dict[tuple[str, ...], Spec | None] = {
        ("sampling",): config.sampling,
        ("model",): config.model,
        ("problem", "reference"): config.reference,
    }
    for path, spec in sections.items():
        section = path[-1]
        if spec is not None and not kind.fits(section, type(spec)):
            named = registered(section)
            fitting = sorted(name for name, one in named.items() if kind.fits(section, one))
            name, own = getattr(spec, "name", ""), kind_named(spec.kind).networks
            raise ConfigError(
                f"{name} is for {own}, but {config.problem.name} is not",
                (*path, "name"),
                "one of " + ", ".join(fitting),
            )
    kind.check(config)


def build_problem(config: Config, processes: int) -> Problem:
    """Return the problem; under weak scaling every process adds its own points or samples.

    Raises `ConfigError` with the path in the config, also where processes would have none.
    """
    result: Problem = problem_of(kind_of(config), config, processes)
    return result


def resolve(config: Config, stored: Facts | None = None) -> Facts:
    """Return entries of the section `problem` that are found before training.

    `stored` is that section of the run that is resumed.
    """
    return kind_of(config).resolved(config, stored)


def with_entries(config: Config, entries: Facts) -> Config:
    """Return a config with these entries of the section `problem`."""
    if not entries:
        return config
    problem = type(config.problem).model_validate({**config.problem.plain(), **entries})
    return config.model_copy(update={"problem": problem})


def problem_of(
    kind: Kind[ProblemT, ObjectiveT, ReferenceT], config: Config, processes: int
) -> ProblemT:
    """Return the problem of a config of this kind."""
    check_kinds(config)
    factor = processes if config.scaling.mode == "weak" else 1
    problem = kind.build_problem(config, factor)
    check_items(kind, config, problem.items, processes)
    return problem


def build_reference(config: Config, problem: Problem) -> object | None:
    """Return the reference solution, or None where there is none."""
    return reference_of(kind_of(config), config, problem)


def reference_of(
    kind: Kind[ProblemT, ObjectiveT, ReferenceT], config: Config, problem: ProblemT
) -> ReferenceT | None:
    """Return the reference of a config of this kind, or None."""
    with within("problem", "reference"):
        return kind.build_reference(config, problem)


def check_stop(config: Config) -> None:
    """Raise `ConfigError` where a run shall stop at an error that nothing tells."""
    target = config.training.stop_at
    if target is not None and target.relative_l2 is not None and config.reference is None:
        raise ConfigError(
            "the error is not known without a reference",
            ("training", "stop_at", "relative_l2"),
            "a section problem.reference, or stop_at: {loss: ...}",
        )
