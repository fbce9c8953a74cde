"""Bad input fields of a trained generative model: NPZ, HDF5 and PNG."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from random import Random

import matplotlib.image
import numpy as np

from scripts.fuzz.archives import hdf5, npz
from scripts.fuzz.configs import flipped
from scripts.fuzz.judge import Case
from scripts.fuzz.runs import prepared

_CONFIG = """\
name: tiny
problem:
  name: parametric
  coordinates: {x: [0, 1], y: [0, 1]}
  inputs:
    nu: {name: karhunen_loeve, modes: 2, range: [-1, 1]}
  energy: nu*(u_x**2 + u_y**2)/2
  boundary: {x = 0: 1, x = 1: 0}
  resolution: 8
sampling: {name: samples, samples: 20, batch: 4, held_out: 3}
model: {name: unet, depth: 1, width: 2}
training: {steps: 2}
"""


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _picture(rng: Random) -> tuple[str, bytes]:
    """Return what was done and the bytes of a PNG file."""
    what = rng.choice(["size", "bytes", "bytes", "cut", "claim", "depth", "other"])
    side = (8, 8) if what != "size" else rng.choice([(1, 1), (8, 4), (7, 7), (8, 8, 3), (8, 8, 4)])
    stream = io.BytesIO()
    values = np.array([rng.uniform(0.1, 1) for _ in range(int(np.prod(side)))]).reshape(side)
    matplotlib.image.imsave(stream, values, cmap="gray", format="png")
    raw = stream.getvalue()
    if what == "bytes":
        raw = flipped(rng, raw)
    elif what == "cut":
        raw = raw[: rng.randrange(len(raw))]
    elif what in ("claim", "depth"):
        width = rng.choice([0, 8, 30_000, 2**31 - 1]) if what == "claim" else 8
        depth, color = (8, 0) if what == "claim" else (rng.choice([1, 2, 3, 16]), rng.randrange(7))
        header = struct.pack(">IIBBBBB", width, width, depth, color, 0, 0, 0)
        packed = zlib.compress(b"\0" * rng.choice([72, 10**6]))
        chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")
        raw = b"\x89PNG\r\n\x1a\n" + chunks
    elif what == "other":
        raw = rng.choice([b"", b"GIF89a", b"\xff\xd8\xff", b"<svg/>", b"%!PS", b"BM" + b"\0" * 60])
    return what, raw


class Fields:
    """Field files that are given to `pdehvd predict`."""

    name = "field"

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "fields.yaml").write_text(_CONFIG)
        prepared(root / "fields.yaml", root / "trained", (2,))

    def case(self, rng: Random, number: int, folder: Path) -> Case:
        """Write a bad field and return the command that asks for its solution."""
        field = np.array([rng.uniform(0.5, 1) for _ in range(64)]).reshape(8, 8)
        ending = rng.choice(["npz", "npz", "h5", "h5", "png", "png"])
        file = folder / f"field.{ending}"
        if ending == "h5":
            what = hdf5(rng, {"nu": field}, file)
        else:
            what, raw = npz(rng, {"nu": field}) if ending == "npz" else _picture(rng)
            file.write_bytes(raw)
        if rng.random() < 0.1:
            file = file.rename(folder / f"field.{rng.choice(['npz', 'h5', 'png', 'jpg'])}")
        arguments = ["predict", "../trained", "--field", file.name]
        named, writes = (file.name,), ("field.solution.npz", "field.solution.png")
        return Case(self.name, number, f"{file.name}: {what}", arguments, named, writes)
