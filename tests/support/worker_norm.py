"""What each process of test_norm.py does: one normalisation of its shard, there and back."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from pdehvd.comm import backend
from pdehvd.launch import process_setup
from pdehvd.launch.processes_spec import ProcessesSpec

PROCESSES = ProcessesSpec(threads=1)
process_setup.configure_threads(PROCESSES)

import tensorflow as tf  # noqa: E402

from pdehvd.comm.group import Group  # noqa: E402
from pdehvd.models.norm import BatchNorm  # noqa: E402
from pdehvd.models.norm_layer import NormLayer  # noqa: E402

SAMPLES = 5


def normalised(group: Group, dtype: str, sync: str) -> dict[str, np.ndarray]:
    """Return this rank's part of a loss, h and dz, and its gradients of scale and shift."""
    random = np.random.default_rng(0)
    rows = slice(*group.shard(SAMPLES))
    # Every sample has a mean of its own, so that means of means are wrong.
    z = random.standard_normal((SAMPLES, 6, 4, 3)) + 3 * np.arange(SAMPLES)[:, None, None, None]
    g = random.standard_normal(z.shape)
    z, g, scale, shift = (
        tf.constant(part, dtype) for part in (z[rows], g[rows], *random.standard_normal((2, 3)))
    )
    layer = NormLayer(BatchNorm(sync=sync), f"{sync}.{dtype}", "gelu", dtype)

    @tf.function(autograph=False)
    def run() -> dict[str, tf.Tensor]:
        def reduce(sums: tf.Tensor, name: str) -> tf.Tensor:
            return group.sum([sums], name)[0]

        statistics = layer.statistics(z, dtype, reduce)
        known = layer.known(scale, shift, statistics)
        totals = layer.totals(z, g, known)
        dz = layer.pullback(z, g, known, layer.shares(totals, known, reduce))
        found = {"h": layer.activate(z, known), "dz": dz, "gradients": totals[:, 0]}
        return {**found, "mean": statistics.mean, "variance": statistics.variance}

    return {f"{sync}/{dtype}/{name}": part.numpy() for name, part in run().items()}


def main() -> None:
    group = backend.group(PROCESSES)
    arrays: dict[str, np.ndarray] = {}
    for dtype in ("float64", "float32"):
        for sync in ("global", "local"):
            arrays |= normalised(group, dtype, sync)
    np.savez(Path(sys.argv[2]) / f"rank{group.rank}.npz", **arrays)
    group.close()


if __name__ == "__main__":
    main()
