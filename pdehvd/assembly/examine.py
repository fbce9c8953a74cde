"""The cost of a run, estimated before it starts; building its parts finds the last mistakes."""

from __future__ import annotations

from dataclasses import replace

from pdehvd.assembly.cost import Cost
from pdehvd.assembly.kind import Problem
from pdehvd.assembly.kind_registry import kind_of
from pdehvd.assembly.problem import (
    build_problem,
    build_reference,
    check_stop,
    resolve,
    with_entries,
)
from pdehvd.comm.group import Solo
from pdehvd.config.root import Config
from pdehvd.config.yaml_source import YamlSource
from pdehvd.launch.tensorflow_import import import_tensorflow
from pdehvd.launch.threads import check_cores


class _Planned(Solo):
    """So many processes, as mpirun would start them."""

    def __init__(self, size: int) -> None:
        self.size = size


def examine_problem(config: Config, source: YamlSource, processes: int = 1) -> Problem:
    """Return the problem; raise what can be refused without a reference, a network and TensorFlow.

    Raises `ConfigError` with file, line and path: names in expressions, conditions outside the
    domain, data files, more processes than points.
    """
    with source.locating():
        problem = build_problem(config, processes)
        config.aggregation.check(_Planned(processes))
        check_stop(config)
    return problem


def examine(config: Config, source: YamlSource, processes: int = 1) -> tuple[Config, Cost]:
    """Build a run's parts without running anything; return the resolved config and its cost.

    Raises `ConfigError` with file, line and path for all that only shows when parts are built.
    """
    with source.locating():
        check_cores(config.processes, processes)
    kind, problem = kind_of(config), examine_problem(config, source, processes)
    with source.locating():
        reference = build_reference(config, problem)
        # What is refused without TensorFlow is refused at once.
        import_tensorflow()
        config = with_entries(config, resolve(config))
        problem = build_problem(config, processes)
        from pdehvd.assembly.build import build_objective, build_phases, check_weights

        objective = build_objective(config, problem, Solo())
        check_weights(config, objective)
        kind.check_memory(config, objective)
        build_phases(config, objective)
    warnings = tuple(one.text for one in kind.judge(config, objective, reference).before)
    cost = kind.cost(config, objective, processes)
    return config, replace(cost, notes=problem.notes, warnings=warnings)
