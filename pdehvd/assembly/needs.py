"""Whether a config can supply what an optimizer needs, and how its batch can be divided."""

from __future__ import annotations

import os
from typing import NoReturn

from pdehvd.assembly.kind import AnyKind
from pdehvd.comm.aggregation import ExactSum
from pdehvd.config.root import Config
from pdehvd.errors import ConfigError, counted
from pdehvd.objectives.base import Batch, Objective
from pdehvd.optimizers.base import OptimizerSpec


def check_needs(config: Config, objective: Objective[Batch], spec: OptimizerSpec) -> None:
    """Raise `ConfigError` with the reason where an optimizer cannot do its work in this run."""
    name, needs = getattr(spec, "name", ""), spec.needs
    checked = getattr(spec, "precision_checked", True)
    if needs.float64 and config.precision == "float32" and checked:
        raise ConfigError(
            f"{name} cannot run in float32: its matrices lose their small eigenvalues to rounding",
            (),
            "precision: float64, or precision_checked: false here",
        )
    if needs.whole and objective.vectors.divided:
        raise ConfigError(
            f"{name} needs all parameters on every process, but here each has a piece of them: "
            f"{needs.whole}",
            (),
            "an optimizer for pieces, such as adam or lbfgs",
        )
    if needs.least_squares and objective.squares is None:
        raise ConfigError(
            f"{name} minimises sums of squares, but this loss is not one",
            (),
            "an optimizer for any loss, such as adam or lbfgs",
        )
    if needs.least_squares and config.training.micro_batches > 1:
        raise ConfigError(
            f"{name} needs all rows of its sum of squares at once",
            (),
            "training.micro_batches: 1, or an optimizer such as adam or lbfgs",
        )
    if needs.layers and not (objective.squares and objective.squares.layered):
        raise ConfigError(
            f"{name} supports layers z = W a + b only, but this model has other parameters",
            (),
            "an mlp without adaptive slopes",
        )
    period = objective.period
    if period is not None and period < needs.fixed_batch:
        _refuse_new_points(config, name, period, needs.fixed_batch)
    _check_memory(objective, spec)


def _refuse_new_points(config: Config, name: str, period: int, least: int) -> NoReturn:
    """Raise `ConfigError` for a method whose points change too often."""
    often = "at every step" if period == 1 else f"every {period} steps"
    redrawn = "resample_every" in type(config.sampling).model_fields
    raise ConfigError(
        f"{name} needs several steps on the same points or samples, but they change {often}",
        (),
        f"sampling.resample_every of at least {least}, or null"
        if redrawn
        else "an optimizer that takes other samples at each step, such as adam or soap",
    )


def check_items(kind: AnyKind, config: Config, items: int, processes: int) -> None:
    """Raise `ConfigError` where a batch cannot be divided as the config asks for."""
    if processes > items:
        raise ConfigError(
            f"{counted(processes, 'process')} for {items} {kind.items}",
            ("sampling", kind.items_key),
            f"at least {processes}",
        )
    parts = config.training.micro_batches
    if parts > 1 and not kind.micro_batched:
        message = f"micro-batches are not supported for {kind.networks}"
        raise ConfigError(message, ("training", "micro_batches"), "1")
    if parts * processes > items:
        raise ConfigError(
            f"{items} {kind.items} cannot be cut into {parts} parts "
            f"on {counted(processes, 'process')}",
            ("training", "micro_batches"),
            f"at most {items // processes}",
        )
    if config.processes.buckets > 1:
        _check_buckets(kind, config)
    if config.aggregation.exact:
        _check_chunks(kind, config, config.aggregation.exact, items, processes)


def _check_buckets(kind: AnyKind, config: Config) -> None:
    """Raise `ConfigError` where a gradient cannot leave in several messages."""
    hook, where = config.aggregation, ("processes", "buckets")
    if not kind.bucketed:
        raise ConfigError(f"buckets are not supported for {kind.networks}", where, "1")
    if not hook.bucketed:
        raise ConfigError(
            f"'{hook.name}' sends the gradient as one message", where, "1, or global_mean"
        )


def _check_chunks(
    kind: AnyKind, config: Config, hook: ExactSum, items: int, processes: int
) -> None:
    """Raise `ConfigError` where a batch cannot be added in chunks, or a process would have none."""
    if config.training.micro_batches > 1:
        raise ConfigError(
            f"the chunks of '{hook.name}' are computed one after another anyway",
            ("training", "micro_batches"),
            "1, and a smaller aggregation.chunk for less memory",
        )
    count = kind.chunks(config, hook, items)
    if count < processes:
        raise ConfigError(
            f"{counted(processes, 'process')} for {counted(count, 'chunk')}; "
            "another chunk size would give other bits",
            ("aggregation", "chunk"),
            f"at most {items // processes}, or at most {counted(count, 'process')}",
        )


def _check_memory(objective: Objective[Batch], spec: OptimizerSpec) -> None:
    """Refuse matrices that this machine's memory does not hold, and say what would fit."""
    ranks, local = objective.group.size, objective.group.local_size
    rows = objective.squares.rows if objective.squares else 0
    need = spec.bytes_needed(objective.size, rows, ranks) * local
    have = machine_memory()
    if need > have:
        smaller = "solver: cg" if "solver" in type(spec).model_fields else "lbfgs"
        raise ConfigError(
            f"matrices of {need / 2**30:.1f} GiB for {counted(objective.size, 'parameter')} and "
            f"{rows} residuals; this machine has {have / 2**30:.1f} GiB",
            (),
            smaller,
        )


def machine_memory() -> float:
    """Return the bytes of memory of this machine."""
    return float(os.sysconf("SC_PAGE_SIZE")) * os.sysconf("SC_PHYS_PAGES")


def available_memory() -> float:
    """Return the bytes of memory that are free, with what the system would give up."""
    import psutil

    return float(psutil.virtual_memory().available)
