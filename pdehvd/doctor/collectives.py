"""Each collective tried on the processes at hand: on tensors, on arrays, and its derivative."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pdehvd.spec.plain import Facts
from pdehvd.timing import median_seconds

if TYPE_CHECKING:
    import tensorflow as tf

    from pdehvd.comm.group import Group

_WIDTH = 4
_CALLS = 20


@dataclass(frozen=True)
class CollectiveTrial:
    """A collective, what this rank gives to it, and what must come of that.

    All numbers are whole, so results are compared bit for bit.
    """

    name: str
    own: np.ndarray
    right: np.ndarray
    on_tensors: Callable[[tf.Tensor], tf.Tensor]
    on_arrays: Callable[[np.ndarray], np.ndarray]
    linear: bool = True


def collective_trials(group: Group) -> list[CollectiveTrial]:
    """Return a trial of each collective but sums, which are tried by type and size."""
    rank, size = group.rank, group.size
    ones, counts = [1] * size, [place % 2 + 1 for place in range(size)]
    rows = np.arange((size + 1) * _WIDTH).reshape(-1, _WIDTH)
    given = [rows + 1000.0 * place for place in range(size)]
    own, last = given[rank], given[-1]
    beyond = np.zeros(_WIDTH)
    below = given[rank - 1][1] if rank else beyond
    above = given[rank + 1][0] if rank < size - 1 else beyond
    return [
        CollectiveTrial(
            "maximum",
            own,
            last,
            lambda x: group.maximum([x], "doctor.maximum")[0],
            lambda x: group.maximum_numpy(x, "doctor.maximum"),
            linear=False,
        ),
        CollectiveTrial(
            "gather",
            own[: counts[rank]],
            np.concatenate([each[:count] for each, count in zip(given, counts, strict=True)]),
            lambda x: group.gather(x, counts, "doctor.gather"),
            lambda x: group.gather_numpy(x, "doctor.gather"),
        ),
        CollectiveTrial(
            "reduce-scatter",
            own[:size],
            np.sum(given, axis=0)[rank : rank + 1],
            lambda x: group.reduce_scatter(x, ones, "doctor.scatter"),
            lambda x: group.reduce_scatter_numpy(
                x.reshape(-1), [_WIDTH] * size, "doctor.scatter"
            ).reshape(1, _WIDTH),
        ),
        CollectiveTrial(
            "alltoall",
            own[:size],
            np.stack([each[rank] for each in given]),
            lambda x: group.alltoall(x, ones, ones, "doctor.alltoall"),
            lambda x: group.alltoall_numpy(x, ones, ones, "doctor.alltoall"),
        ),
        CollectiveTrial(
            "exchange",
            own[:2],
            np.stack([below, above]),
            lambda x: group.exchange(x, "doctor.exchange"),
            lambda x: group.exchange_numpy(x, "doctor.exchange"),
        ),
        CollectiveTrial(
            "broadcast",
            own,
            last,
            lambda x: group.broadcast(x, size - 1, "doctor.broadcast"),
            lambda x: group.broadcast_numpy(x, size - 1, "doctor.broadcast"),
        ),
    ]


def try_all(group: Group) -> list[Facts]:
    """Return name, seconds, and what is wrong on any rank, of each collective; all ranks call it.

    `tensors` and `arrays` say whether results are wrong there, `derivative` whether that is.
    """
    return [_tried(group, trial) for trial in collective_trials(group)]


def _tried(group: Group, trial: CollectiveTrial) -> Facts:
    import tensorflow as tf

    def whole(own: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(own)
            result = trial.on_tensors(own)
            loss = tf.reduce_sum(result * trial.right)
        return result, tape.gradient(loss, own)

    compiled = tf.function(whole, jit_compile=group.compiles, autograph=False)
    alone = tf.function(trial.on_tensors, jit_compile=group.compiles, autograph=False)
    result, gradient = (tensor.numpy() for tensor in compiled(trial.own))
    # The adjoint moves a linear collective from one side of a product to the other.
    products = np.array([(result * trial.right).sum(), (trial.own * gradient).sum()])
    forward, backward = group.sum_numpy(products, f"doctor.{trial.name}")
    arrays = trial.on_arrays(trial.own)
    wrong = np.array(
        [
            not np.array_equal(result, trial.right),
            not np.array_equal(arrays, trial.right),
            trial.linear and forward != backward,
        ],
        np.float64,
    )
    faults = group.maximum_numpy(wrong, f"doctor.{trial.name}.wrong")
    kinds = ("tensors", "arrays", "derivative")
    return {
        "name": trial.name,
        "seconds": seconds_of(lambda: alone(trial.own).numpy()),
        "wrong": [kind for kind, fault in zip(kinds, faults, strict=True) if fault],
    }


def seconds_of(call: Callable[[], object]) -> float:
    """Return the median time of a collective, once it is compiled."""
    call()
    return median_seconds(call, _CALLS)
