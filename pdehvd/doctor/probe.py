"""What `pdehvd doctor` asks of Horovod and MPI, in processes of its own: either may crash.

`python -m pdehvd.doctor.probe build` prints what was built; `... job` joins the processes that a
launcher has started, computes with them, and rank 0 prints what they found. One line of JSON each.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from typing import TYPE_CHECKING

import numpy as np

from pdehvd.comm import installation
from pdehvd.comm.agreement import gather_texts
from pdehvd.doctor import collectives
from pdehvd.launch.tensorflow_import import import_tensorflow
from pdehvd.spec.plain import Facts

if TYPE_CHECKING:
    from pdehvd.comm.group import Group

MARK = "pdehvd-probe "
"""Begins the line of the answer: libraries print lines of their own."""
_SIZES = (1_000, 100_000, 4_000_000)
_ROUNDS = 9


def build() -> Facts:
    """Return the versions and abilities of TensorFlow, Horovod and MPI as they are installed."""
    import_tensorflow()
    import tensorflow as tf

    facts: Facts = {"tensorflow": tf.__version__}
    facts["gpus"] = [device.name for device in tf.config.list_physical_devices("GPU")]
    return facts | installation.horovod() | installation.mpi()


def probe_job(group: Group) -> Facts:
    """Return what the processes of a job find out together; every rank calls it."""
    return {
        "size": group.size,
        "library": group.library,
        "ranks": [json.loads(text) for text in gather_texts(group, json.dumps(_rank(group)), "r")],
        "wrong": _wrong(group),
        "seconds": {size: _seconds(group, size) for size in _SIZES},
        "collectives": collectives.try_all(group),
        "clock_offsets": _clock_offsets(group),
    }


def _rank(group: Group) -> Facts:
    """Return where this rank runs."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    seen = [device.name for device in tf.config.get_visible_devices("GPU")]
    return {
        "host": socket.gethostname(),
        "local_rank": group.local_rank,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0,
        "gpu": seen[0].removeprefix("/physical_device:") if seen else None,
        "gpus": len(gpus),
    }


def _wrong(group: Group) -> list[str]:
    """Return the types in which a sum of unequal numbers over the ranks is wrong on any rank.

    On arrays as between steps, and on tensors as within them.
    """
    import tensorflow as tf

    count = 1001
    index = np.arange(1, count + 1)
    expected = index * (group.size * (group.size + 1) // 2)
    faults = []
    for dtype in ("float32", "float64", "int64"):
        own = (index * (group.rank + 1)).astype(dtype)
        summed = tf.function(
            lambda t, n=f"doctor.in.{dtype}": group.sum([t], n)[0], autograph=False
        )
        totals = [group.sum_numpy(own, f"doctor.{dtype}"), summed(own).numpy()]
        right = all(np.array_equal(total, expected.astype(dtype)) for total in totals)
        bad = np.array([float(not right)])
        if group.gather_numpy(bad, f"doctor.bad.{dtype}").any():
            faults.append(dtype)
    return faults


def _seconds(group: Group, size: int) -> float:
    """Return the median time of a sum of `size` bytes over the ranks."""
    import tensorflow as tf

    tensor = tf.ones([size // 4])
    summed = tf.function(lambda t: group.sum([t], f"doctor.{size}")[0], autograph=False)
    return collectives.seconds_of(lambda: summed(tensor).numpy())


def _clock_offsets(group: Group) -> list[float]:
    """Return how far each rank's clock is ahead of rank 0's, in seconds, as far as can be seen."""
    rounds = []
    for _ in range(_ROUNDS):
        group.barrier()
        rounds.append(group.gather_numpy(np.array([time.time()]), "doctor.clock"))
    return [float(offset) for offset in np.median([r - r[0] for r in rounds], axis=0)]


def main(what: str) -> None:
    """Print the answer to `build` or `job`."""
    if what == "build":
        answer = build()
        print(MARK + json.dumps(answer), flush=True)
        return
    from pdehvd.comm import backend
    from pdehvd.launch.process_setup import configure_threads
    from pdehvd.launch.processes_spec import ProcessesSpec

    configure_threads(spec := ProcessesSpec(threads=1))
    group = backend.group(spec)
    answer = probe_job(group)
    if group.rank == 0:
        print(MARK + json.dumps(answer), flush=True)
    group.close()


if __name__ == "__main__":
    main(sys.argv[1])
