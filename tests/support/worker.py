"""What each process of a parallel test does; saves its arrays as rank<r>.npz in a folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from pdehvd.comm import backend
from pdehvd.launch import process_setup
from pdehvd.launch.processes_spec import ProcessesSpec
from tests.support.launcher import CONFIGS
from tests.support.worker_names import (
    EXACT_METHODS,
    MORE_EXACT_METHODS,
    MORE_SECOND_ORDER,
    SECOND_ORDER,
)

PROCESSES = ProcessesSpec(threads=1, collectives=os.environ.get("COLLECTIVES", "mpi"))
process_setup.configure_threads(PROCESSES)

import tensorflow as tf  # noqa: E402

from pdehvd.assembly.build import build_parts, build_phases  # noqa: E402
from pdehvd.comm.aggregation import Aggregation  # noqa: E402
from pdehvd.comm.group import Group  # noqa: E402
from pdehvd.config.root import Config, load_config  # noqa: E402
from pdehvd.numerics.cholesky import BlockRows, Factor  # noqa: E402
from pdehvd.training import stepper  # noqa: E402
from pdehvd.training.checkpoint import Checkpoints, open_checkpoint  # noqa: E402
from pdehvd.training.history import History  # noqa: E402
from pdehvd.training.progress import Progress  # noqa: E402
from pdehvd.training.stepper import Parts  # noqa: E402
from pdehvd.training.stored import StoredState  # noqa: E402
from pdehvd.training.trainer import Outcome, Output, Trainer  # noqa: E402

PROBLEM = CONFIGS / "problem.yaml"
EXACT = CONFIGS / "exact.yaml"
FIELDS = CONFIGS / "fields.yaml"
FEW = ["training.steps=30"]
Arrays = dict[str, np.ndarray]


class NaiveMean(Aggregation):
    """Averages each rank's own mean: what the one rule forbids."""

    name: str = "naive"

    def combine(
        self, group: Group, gradient: tf.Tensor, losses: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        start, stop = group.shard(101)
        own = 101 / ((stop - start) * group.size)
        gradient, losses = group.sum([gradient * own, losses * own], "step")
        return gradient, losses


def trained(group: Group, settings: list[str], aggregation: Aggregation | None = None) -> Arrays:
    """Train the test problem; return what must not depend on the number of processes."""
    config, _ = load_config(PROBLEM, settings)
    if aggregation is not None:
        config = config.model_copy(update={"aggregation": aggregation})
    return _kept(fitted(config, group))


def _kept(outcome: Outcome) -> Arrays:
    return {
        "loss": np.array(outcome.loss),
        "theta": outcome.state.theta.numpy(),
        "weights": outcome.state.weights.numpy(),
        "moments": outcome.state.moments.numpy(),
        "errors": np.array(list(outcome.errors.values())),
        "monitors": np.array(list(outcome.monitors.values())),
        "selection": np.array([]) if outcome.state.selection is None else outcome.state.selection,
    }


def fitted(config: Config, group: Group) -> Outcome:
    """Train from a fresh state and write nothing."""
    return _fitted(build_parts(config, group), config)[1]


def _fitted(
    parts: Parts, config: Config, stored: StoredState | None = None
) -> tuple[Trainer, Outcome]:
    folder = Path(sys.argv[2]) / "unused"
    output = Output(History(folder, False), Progress(1, True), Checkpoints(folder, 1, False))
    trainer = Trainer(parts, config.training)
    state = trainer.fresh_state() if stored is None else trainer.restored(stored)
    return trainer, trainer.fit(state, output)


def prefixed(prefix: str, arrays: Arrays) -> Arrays:
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def start(group: Group) -> Arrays:
    """The loss and the gradient before the first step."""
    objective = build_parts(load_config(PROBLEM)[0], group).objective
    theta = tf.constant(objective.initial(3))
    weights = tf.ones([len(objective.terms)], tf.float64)
    at = tf.function(objective.evaluate, autograph=False)(theta, objective.batch(0), weights)
    return {"losses": at.losses.numpy(), "gradient": at.gradient.numpy()}


def without_xla() -> None:
    """Compile nothing: on more processes than cores that takes longer than all the rest."""
    whole = tf.function

    def plain(*arguments: object, jit_compile: bool = False, **options: object) -> object:
        return whole(*arguments, **options)

    tf.function = plain


def share_traces() -> None:
    """Let all methods call the traced functions of one objective: to trace takes longer."""
    stepper.HostCalls = cache(stepper.HostCalls)


def with_method(parts: Parts, config: Config) -> Arrays:
    """Train the objective of some parts with the optimizer of a config."""
    own = replace(parts, phases=build_phases(config, parts.objective))
    return _kept(_fitted(own, config)[1])


def invariance(group: Group) -> Arrays:
    """The same config, compiled on as many processes as there are cores."""
    if group.size > 2:
        without_xla()
    found = prefixed("float64", trained(group, []))
    without_xla()
    return {
        **prefixed("start", start(group)),
        **found,
        **prefixed("naive", trained(group, FEW, NaiveMean())),
        **prefixed("ntk", trained(group, [*FEW, "weighting={name: ntk, every: 20}"])),
    }


def invariance_more(group: Group) -> Arrays:
    """In single precision, and with points and weights that follow the training."""
    without_xla()
    rad = ["sampling={name: rad, equations: 101, conditions: 25, every: 20, candidates: 301}"]
    return {
        **prefixed("float32", trained(group, ["precision=float32"])),
        **prefixed("rad", trained(group, FEW + rad)),
        **prefixed("norm", trained(group, [*FEW, "weighting={name: gradient_norm, every: 20}"])),
    }


def second_order_more(group: Group) -> Arrays:
    """The methods of the nightly run."""
    return second_order(group, more=True)


def second_order(group: Group, more: bool = False) -> Arrays:
    """Thirty steps of every method that is not of first order."""
    few = ["training.steps=30", "sampling.resample_every=15", "model.depth=1"]
    found: Arrays = {}
    without_xla()
    share_traces()
    parts = build_parts(load_config(PROBLEM, few)[0], group)
    objective = parts.objective
    first = tf.ones([len(objective.terms)], tf.float64)
    theta = tf.constant(objective.initial(3))
    evaluate = tf.function(objective.evaluate, autograph=False)
    found["start"] = evaluate(theta, objective.batch(0), first).loss.numpy()
    for name, optimizer in SECOND_ORDER.items():
        if (name in MORE_SECOND_ORDER) != more:
            continue
        settings = [*few, f"optimizer={optimizer}"]
        found |= prefixed(name, with_method(parts, load_config(PROBLEM, settings)[0]))
        if name == "lamb":
            accumulated = [*settings, "training.micro_batches=4"]
            found |= prefixed("accumulated", trained(group, accumulated))
    return found


def generative(group: Group) -> Arrays:
    """Twenty steps of a U-Net with normalisation over the global batch, and over shards."""
    without_xla()
    exact = ["precision=float64"]
    alone = [*exact, "model.norm=instance"]
    return {
        **prefixed("global", field_trained(group, exact)),
        **prefixed("local", field_trained(group, [*exact, "model.norm.sync=local"])),
        **prefixed("whole", field_trained(group, alone)),
        **prefixed("buckets", field_trained(group, [*alone, "processes.buckets=3"])),
        **prefixed("accumulated", field_trained(group, [*alone, "training.micro_batches=2"])),
    }


def generative_more(group: Group) -> Arrays:
    """In single precision, with KFAC, and with moving averages that are not merged."""
    without_xla()
    exact = ["precision=float64"]
    return {
        **prefixed("float32", field_trained(group, [])),
        **prefixed("kfac", field_trained(group, [*exact, "optimizer=kfac", "training.steps=30"])),
        **prefixed("local", field_trained(group, [*exact, "model.norm.sync=local"])),
        **prefixed("none", field_trained(group, [*exact, "model.norm.sync=none"])),
    }


def field_trained(group: Group, settings: list[str]) -> Arrays:
    """Train the test problem on a grid; return parameters, moving averages and errors."""
    config, _ = load_config(FIELDS, settings)
    outcome = fitted(config, group)
    return {
        "theta": outcome.state.theta.numpy(),
        "moments": outcome.state.moments.numpy(),
        "errors": np.array(list(outcome.errors.values())),
    }


def exact_more(group: Group) -> Arrays:
    """The methods of the nightly run."""
    without_xla()
    return exact_methods(group, MORE_EXACT_METHODS)


def exact_methods(group: Group, names: Sequence[str]) -> Arrays:
    """A few steps of some methods, with sums that know no order."""
    share_traces()
    parts = build_parts(load_config(EXACT, ["training.steps=8"])[0], group)
    found: Arrays = {}
    for name in names:
        settings = ["training.steps=8", f"optimizer={SECOND_ORDER[name]}"]
        found |= prefixed(name, with_method(parts, load_config(EXACT, settings)[0]))
    return found


def exact(group: Group) -> Arrays:
    """Sums that know no order: Adam and SSBroyden, other methods, a generative model."""
    found = prefixed("phases", _kept(fitted(load_config(EXACT)[0], group)))
    without_xla()
    found |= exact_methods(group, EXACT_METHODS)
    fields = ["aggregation=exact", "model.depth=1", "training.steps=2"]
    found |= prefixed("fields", _kept(fitted(load_config(FIELDS, fields)[0], group)))
    for name, settings in {"exact": [], "plain": ["aggregation=global_mean"]}.items():
        objective = build_parts(load_config(EXACT, settings)[0], group).objective
        ones = tf.ones([len(objective.terms)], tf.float64)
        evaluate = tf.function(objective.evaluate, autograph=False)
        at = evaluate(tf.constant(objective.initial(5)), objective.batch(0), ones)
        found |= {f"start/{name}": at.gradient.numpy(), "start/loss": at.loss.numpy()}
    return found


def exact_first(group: Group) -> Arrays:
    """Train half of the way and write a checkpoint."""
    config, _ = load_config(EXACT, ["training.steps=130"])
    trainer, outcome = _fitted(build_parts(config, group), config)
    checkpoints = Checkpoints(Path(sys.argv[2]), 1, group.rank == 0)
    checkpoints.save(trainer.snapshot(outcome.state))
    return _kept(outcome)


def exact_rest(group: Group) -> Arrays:
    """Go on from there to the end."""
    stored = open_checkpoint(Path(sys.argv[3]), group=group)
    config, _ = load_config(EXACT)
    _, outcome = _fitted(build_parts(config, group), config, stored)
    return prefixed("phases", _kept(outcome))


def hooks(group: Group) -> Arrays:
    """Compression and adaptive summation on the same problem."""
    without_xla()
    few = ["training.steps=40"]
    return {
        **prefixed("fp16", trained(group, [*few, "aggregation=fp16"])),
        **prefixed("adasum", trained(group, [*few, "aggregation=adasum"])),
    }


def collectives(group: Group) -> Arrays:
    """Packed sums and maxima, and what is sent between steps."""
    rank, size = group.rank, group.size
    fixed = tf.constant([1.0 + rank, 10.0 * rank], tf.float64)

    @tf.function(autograph=False)
    def everything() -> dict[str, tf.Tensor]:
        total, total32 = group.sum([fixed, tf.ones([2, 3], tf.float32) * (rank + 1.0)], "s")
        (largest,) = group.maximum([fixed], "m")
        return {"total": total, "total32": total32, "largest": largest}

    result = {name: tensor.numpy() for name, tensor in everything().items()}
    result["looped"] = looped(group).numpy()
    result["library"] = np.array(group.library)
    result["bytes"] = np.frombuffer(
        group.broadcast_bytes(b"from rank 0" if rank == 0 else b"x"), np.uint8
    )
    rows = np.arange(4.0).reshape(2, 2) + 10 * rank
    result["last_rows"] = group.broadcast_numpy(rows, size - 1, "last")
    root = np.random.default_rng(rank).standard_normal((900, 40))
    gram = BlockRows.gram([root], group)
    result["solved"] = Factor(gram, 1.0).solve(np.ones(900))
    result["empty"] = np.array(len(group.broadcast_bytes(b"" if rank == 0 else b"x")))
    return result


def looped(group: Group) -> tf.Tensor:
    """Two sums a step, compiled where that can be; on all ranks but 0 no loop is needed for them.

    A compiler that takes them out of the loop there, or turns them round, leaves ranks waiting.
    """
    ones = tf.ones([3], tf.float64)

    def body(i: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        (second,) = group.sum([tf.ones([2, 2], tf.float64)], "second")
        (first,) = group.sum([x if group.rank == 0 else ones], "first")
        return i + 1, first * 0.5 + second[0, 0]

    @tf.function(jit_compile=group.compiles, autograph=False)
    def loop() -> tf.Tensor:
        start = tf.constant(0), 0 * ones
        return tf.while_loop(lambda i, _: i < 5, body, start, parallel_iterations=1)[1]

    return loop()


def main() -> None:
    scenario, folder = sys.argv[1], Path(sys.argv[2])
    group = backend.group(PROCESSES)
    scenarios = (invariance, invariance_more, second_order, second_order_more, generative)
    scenarios += (generative_more, hooks, collectives)
    scenarios += (exact, exact_more, exact_first, exact_rest)
    arrays = {f.__name__: f for f in scenarios}[scenario](group)
    np.savez(folder / f"rank{group.rank}.npz", **arrays)
    group.close()


if __name__ == "__main__":
    main()
