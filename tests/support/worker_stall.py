"""Steps on a grid until one rank sleeps before the exchange with its neighbour in space."""

from __future__ import annotations

import os
import sys
import time

import numpy as np

from pdehvd.comm import backend
from pdehvd.comm.grid import Grid, Line
from pdehvd.comm.watchdog import Watchdog
from pdehvd.launch import process_setup
from pdehvd.launch.processes_spec import ProcessesSpec

PROCESSES = ProcessesSpec(
    threads=1, collectives=os.environ.get("COLLECTIVES", "mpi"), patience=4, patience_at_start=120
)
process_setup.configure_threads(PROCESSES)

import tensorflow as tf  # noqa: E402

STEPS = 3


def main() -> None:
    grid, sleeper = Grid(*map(int, sys.argv[1].split("x"))), int(sys.argv[2])
    with Watchdog(PROCESSES) as watchdog:
        group = backend.group(PROCESSES, grid)
        watchdog.introduce(group)
        space, data = group.within(Line.SPACE), group.within(Line.DATA)

        @tf.function(jit_compile=group.compiles, autograph=False)
        def step(slabs: tf.Tensor) -> tf.Tensor:
            total = data.sum([slabs], "total")[0] if data.size > 1 else slabs
            return space.exchange(total, "halo")

        slabs = tf.ones([2, 4])
        for number in range(10 * STEPS):
            if number == STEPS and group.rank == sleeper:
                time.sleep(10_000)
            slabs = step(slabs)
            np.asarray(slabs)
            watchdog.beat(number)


if __name__ == "__main__":
    main()
