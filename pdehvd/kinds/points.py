"""Problems at points: networks of coordinates that fulfil equations and conditions."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pdehvd.assembly.cost import BlockCost, Cost
from pdehvd.assembly.kind import Kind
from pdehvd.assembly.kind_registry import register_kind
from pdehvd.assembly.reference_modes import with_the_norm_of_modes
from pdehvd.comm.aggregation import ExactSum
from pdehvd.comm.group import Group
from pdehvd.config.root import Config
from pdehvd.errors import ConfigError, within
from pdehvd.numerics.plans import Plan
from pdehvd.problems.evaluation import EVALUATION_POINTS, evaluation_points
from pdehvd.problems.pde_problem import PDEProblem
from pdehvd.problems.scale import spec_of
from pdehvd.reference.base import Reference
from pdehvd.reference.restricted import Restricted
from pdehvd.spec import data_files
from pdehvd.spec.plain import Facts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pdehvd.assembly.trust.judge import PointJudge
    from pdehvd.kinds.points_run import PointRun
    from pdehvd.models.network import Network
    from pdehvd.objectives.objective import PDEObjective
    from pdehvd.objectives.reducer import PointReducer
    from pdehvd.training.monitors import Monitors
    from pdehvd.training.point_evaluator import PointEvaluator

_FEW_POINTS = 512


@register_kind("points")
class PointKind(Kind[PDEProblem, "PDEObjective", Reference]):
    """What owns problems at points."""

    networks = "networks of coordinates"
    items = "collocation points"
    items_key = "equations"
    micro_batched = True

    def resolved(self, config: Config, stored: Facts | None = None) -> Facts:
        from pdehvd.assembly.first_eigenvalues import check_determined, guessed, without_guesses
        from pdehvd.assembly.trust.automatic_scale import scaled

        if stored is None:
            check_determined(config)
        usual: Facts = {"unknowns": {}} if without_guesses(config) else {}
        if spec_of(config.problem.scale).open:
            usual["scale"] = "none"
        if not usual:
            return {}
        found = scaled(guessed(config)).problem.plain() if stored is None else stored
        return {key: found.get(key, value) for key, value in usual.items()}

    def build_problem(self, config: Config, factor: int) -> PDEProblem:
        problem: PDEProblem = config.problem.build(config.sampling, config.seed, factor)
        return problem

    def chunks(self, config: Config, hook: ExactSum, items: int) -> int:
        return hook.chunks(items)

    def build_objective(self, config: Config, problem: PDEProblem, group: Group) -> PDEObjective:
        from pdehvd.objectives.exact_sums import ExactPointSums
        from pdehvd.objectives.local_sums import LocalPointSums
        from pdehvd.objectives.objective import PDEObjective

        network = self._network(config, problem)
        hook = config.aggregation
        reducer: PointReducer
        if hook.exact:
            reducer = ExactPointSums(hook.exact, group, problem.blocks[0].count, config.precision)
        else:
            reducer = LocalPointSums(hook, group)
        parts = config.training.micro_batches
        return PDEObjective(problem, network, reducer, config.precision, parts)

    def _network(self, config: Config, problem: PDEProblem) -> Network:
        """Return the network of all fields: those that depend on the same coordinates share one."""
        from pdehvd.models.fields import FieldNetworks
        from pdehvd.models.seen_inputs import FewerInputs, LogInputs

        logs = [a for a, one in problem.domain.distributions.items() if one.logarithmic]
        bounds = problem.domain.bounds.copy()
        bounds[logs] = np.log(bounds[logs])
        middle = bounds.mean(axis=1)
        groups: dict[tuple[str, ...], list[int]] = {}
        for number, field in enumerate(problem.fields):
            groups.setdefault(problem.arguments(field), []).append(number)
        networks: list[Network] = []
        for names, members in groups.items():
            columns = [problem.coordinates.index(name) for name in names]
            own = np.repeat(middle[:, None], 2, axis=1)
            own[columns] = bounds[columns]
            with within("model"):
                network = config.model.build(
                    own, len(members), config.precision, problem.coordinates
                )
            whole = len(columns) == len(bounds)
            networks.append(network if whole else FewerInputs(network, columns, middle))
        order = np.argsort([number for members in groups.values() for number in members])
        joined = networks[0] if len(networks) == 1 else FieldNetworks(networks, order.tolist())
        return LogInputs(joined, logs) if logs else joined

    def build_reference(self, config: Config, problem: PDEProblem) -> Reference | None:
        spec = config.problem.reference
        if spec is None:
            return None
        constants = problem.language.constants
        spec = spec.inlined(problem.language.inlined)
        reference: Reference = spec.build(problem.coordinates, problem.outputs, constants)
        if any(problem.subdomains.partial(name) for name in reference.fields):
            reference = Restricted(reference, problem.subdomains.lives)
        reference = with_the_norm_of_modes(reference, problem)
        _check_known(problem, reference)
        return reference

    def evaluator(self, objective: PDEObjective, reference: Reference) -> PointEvaluator:
        from pdehvd.training.point_evaluator import PointEvaluator

        return PointEvaluator(objective, reference)

    def monitors(self, objective: PDEObjective) -> Monitors | None:
        from pdehvd.training.point_monitors import PointMonitors

        return PointMonitors(objective) if objective.problem.monitors else None

    def judge(
        self, config: Config, objective: PDEObjective, reference: Reference | None
    ) -> PointJudge:
        from pdehvd.assembly.trust.judge import PointJudge

        return PointJudge(config, objective.problem, reference)

    def domain_picture(self, problem: PDEProblem) -> Figure:
        from pdehvd.results.plots_domain import domain_picture

        return domain_picture(problem)

    def cost(self, config: Config, objective: PDEObjective, processes: int) -> Cost:
        """Estimate from the sizes alone.

        A point costs, for each channel, one multiplication and addition per weight forward and two
        backward, and keeps each layer's values before and after its activation, and an adjoint.
        """
        blocks = _blocks(objective.problem)
        matrices = [shape for _, shape in objective.network.layout if len(shape) > 1]
        rows = sum(block.points * block.channels for block in blocks)
        layers = sum(shape[-1] for shape in matrices)
        values = 3 * layers * math.ceil(rows / processes) + 5 * objective.size
        work = 6 * rows * sum(math.prod(shape) for shape in matrices)
        memory = values * objective.dtype.size / 2**20
        return Cost(processes, objective.size, blocks, memory, work / 1e9)

    def open(self, directory: Path, config: Config, which: str) -> PointRun:
        from pdehvd.assembly.build import stored_parts
        from pdehvd.kinds.points_run import PointRun

        return PointRun(stored_parts(self, directory, _without_missing_tables(config), which))


def _check_known(problem: PDEProblem, reference: Reference) -> None:
    """Raise `ConfigError` where a field of a reference is finite nowhere in the domain.

    Few points suffice, unless the reference is known on a small part of the domain only.
    """
    unknown: set[str] = set(reference.fields)
    for count in (_FEW_POINTS, EVALUATION_POINTS):
        if unknown:
            with np.errstate(all="ignore"):
                values = reference(evaluation_points(problem.domain, count))
            unknown = {field for field in unknown if not np.isfinite(values[field]).any()}
    for field in reference.fields:
        if field in unknown:
            raise ConfigError(
                f"it has no finite value of {field} in the domain",
                (),
                "values at points of the domain",
            )


def _blocks(problem: PDEProblem) -> tuple[BlockCost, ...]:
    return tuple(
        BlockCost(
            tuple(term.name for term in block.terms),
            block.count * block.source.points_per_item,
            _channels(block.formulas.plan(len(problem.coordinates))),
        )
        for block in problem.blocks
    )


def _channels(plan: Plan) -> int:
    return len(plan.partials) + len(plan.operators)


def _without_missing_tables(config: Config) -> Config:
    """Return a config without the conditions whose tables are missing: a solution has no need."""
    missing = {
        keys[2]
        for keys, file in data_files(config)
        if keys[:2] == ("problem", "conditions") and not Path(file).exists()
    }
    if not missing:
        return config
    there = {name: c for name, c in config.problem.conditions.items() if name not in missing}
    problem = config.problem.model_copy(update={"conditions": there})
    return config.model_copy(update={"problem": problem})
