"""NPZ, HDF5 and NetCDF files that are broken, or lie, or would run code if unpickled."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np
from scipy.io import netcdf_file

from scripts.fuzz.configs import flipped

Arrays = Mapping[str, np.ndarray]


class Pwn:
    """Makes a file where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("pwned",)


def odd(rng: Random, values: np.ndarray) -> Any:
    """Return another array in place of one."""
    values = np.atleast_1d(values) if values.size else np.zeros(1, values.dtype)
    one = values.astype(np.float64)
    one.reshape(-1)[rng.randrange(one.size)] = rng.choice([np.nan, np.inf, -np.inf, 1e300, -5.0])
    pickled = np.empty(2, dtype=object)
    pickled[:] = Pwn()
    others = [one, pickled, values[:-1], values[None], values.reshape(-1, 1), values * 0]
    others += [values + 1j, values.astype(str), values.astype(bytes), values.astype(np.float16)]
    others += [np.array(3.0), np.zeros(0), np.zeros((0, 3)), np.zeros((2, 2, 2)), values > 0]
    others += [np.array(["now"], "datetime64[s]"), np.zeros(3, [("a", "f8"), ("b", "i4")])]
    others += [np.full(values.shape, 2**63, np.uint64), values.astype(">f4"), values[::-1].T]
    others += [np.full(values.shape, -1e308), np.full(values.shape, 1e-320), np.array([None])]
    return rng.choice(others)


def changed(rng: Random, arrays: Arrays) -> dict[str, Any]:
    """Return arrays of which one is missing, renamed, exchanged or odd."""
    result: dict[str, Any] = dict(arrays)
    name, other = rng.choice(list(result)), rng.choice(list(result))
    what = rng.randrange(6)
    if what == 0:
        del result[name]
    elif what == 1:
        result[rng.choice(["", "ü", "../up", "a/b", "x" * 200, name.upper(), "file"])] = result.pop(
            name
        )
    elif what == 2:
        result[name], result[other] = result[other], result[name]
    else:
        result[name] = odd(rng, result[name])
    return result


def npy(values: Any) -> bytes:
    """Return an array as the bytes of an NPY file, pickled where nothing else is possible."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(values), allow_pickle=True)
    return stream.getvalue()


def _lying(rng: Random) -> bytes:
    """Return an NPY file whose header is not true, or no header."""
    shape = rng.choice(
        ["(10**12,)", "(1000000000000,)", "(-3,)", "(3", "3", "(3.5,)", "None", "(4,)"]
    )
    descr = rng.choice(
        ["'<f8'", "'|O'", "'<U999999999'", "[('a','<f8')]", "'nonsense'", "1", "'<M8'"]
    )
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"
    text = rng.choice([text, text, "{" * 500, "__import__('os').mkdir('pwned')", "\0", ""])
    raw = text.encode() + b"\n"
    version = rng.choice([b"\1\0", b"\2\0", b"\3\0", b"\x63\0"])
    size = len(raw).to_bytes(2 if version == b"\1\0" else 4, "little")
    return b"\x93NUMPY" + version + size + raw + b"\0" * 32


def npz(rng: Random, arrays: Arrays) -> tuple[str, bytes]:
    """Return what was done and the bytes of an NPZ file."""
    what = rng.choice(
        ["arrays", "arrays", "header", "bytes", "cut", "method", "other", "bomb", "twice"]
    )
    entries = {f"{name}.npy": npy(value) for name, value in arrays.items()}
    first = rng.choice(list(entries))
    method = rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    if what == "arrays":
        entries = {f"{name}.npy": npy(value) for name, value in changed(rng, arrays).items()}
    elif what == "header":
        entries[first] = _lying(rng)
    elif what == "bomb":
        entries[first], method = npy(np.zeros(rng.choice([10**6, 2 * 10**7]))), zipfile.ZIP_DEFLATED
    elif what == "other":
        raws = [b"", b"PK", b"PK\5\6" + b"\0" * 18, npy(arrays[first[:-4]]), npy(Pwn()), b"\x80\4."]
        return what, rng.choice(raws)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, raw in entries.items():
            archive.writestr(name, raw)
        if what == "twice":
            archive.writestr(
                zipfile.ZipInfo(rng.choice(["../x.npy", "/x.npy", "x", "u", "d/"])), b"x"
            )
    raw = stream.getvalue()
    if what == "bytes":
        raw = flipped(rng, raw)
    elif what == "cut":
        raw = raw[: rng.randrange(len(raw))]
    elif what == "method":
        raw = _claims(rng, raw)
    return what, raw


def _claims(rng: Random, raw: bytes) -> bytes:
    """Return a ZIP file that says to be encrypted, or packed in another way, or larger."""
    result = bytearray(raw)
    place, value = rng.choice([(8, 1), (10, 8), (10, 12), (10, 14), (10, 99), (24, 255), (42, 255)])
    start = raw.rfind(b"PK\1\2")
    result[start + place] = value
    start = raw.find(b"PK\3\4")
    if place < 20 and rng.random() < 0.8:
        result[start + place - 2] = value
    return bytes(result)


def hdf5(rng: Random, arrays: Arrays, file: Path) -> str:
    """Write an HDF5 file and return what was done."""
    what = rng.choice(
        ["arrays", "arrays", "bytes", "bytes", "cut", "group", "claim", "link", "empty"]
    )
    held = changed(rng, arrays) if what == "arrays" else dict(arrays)
    with h5py.File(file, "w") as archive:
        for name, value in held.items():
            _put(archive, name, value)
        first = next(iter(arrays))
        if what in ("group", "claim", "link", "empty"):
            del archive[first]
        if what == "group":
            archive.create_group(first)["inner"] = 1.0
        elif what == "claim":
            archive.create_dataset(first, (rng.choice([10**9, 10**13]),), "f8", chunks=(1024,))
        elif what == "link":
            links = [h5py.SoftLink("/nowhere"), h5py.SoftLink(f"/{first}")]
            links += [h5py.ExternalLink("/etc/passwd", "x"), h5py.ExternalLink(str(file), first)]
            archive[first] = rng.choice(links)
        elif what == "empty":
            archive[first] = rng.choice([h5py.Empty("f8"), "text", b"raw", 3, [b"a", b"b"]])
    _damage(rng, file, what)
    return what


def _damage(rng: Random, file: Path, what: str) -> None:
    """Change some bytes of a file, or cut it off."""
    raw = file.read_bytes()
    if what == "bytes":
        file.write_bytes(flipped(rng, raw))
    elif what == "cut":
        file.write_bytes(raw[: rng.randrange(len(raw))])


def netcdf(rng: Random, arrays: Arrays, file: Path) -> str:
    """Write a NetCDF file, classic or on HDF5, and return what was done."""
    if rng.random() < 0.4:
        return hdf5(rng, arrays, file)
    what = rng.choice(["arrays", "attributes", "bytes", "bytes", "cut"])
    with netcdf_file(file, "w") as archive:
        for name, given in arrays.items():
            values = np.asarray(given, dtype=rng.choice(["f8", "f8", "f4", "i4", "i2"]))
            # What has one length lies on one dimension.
            prefix = rng.choice("ab") if what == "arrays" else ""
            names = [f"{prefix}length_{length}" for length in values.shape]
            for axis, length in zip(names, values.shape, strict=True):
                if axis not in archive.dimensions:
                    archive.createDimension(axis, length)
            held = archive.createVariable(name, values.dtype.char, tuple(names))
            held[:] = values
            if what == "attributes":
                key = rng.choice(["scale_factor", "add_offset", "missing_value", "units"])
                setattr(held, key, rng.choice([0.0, 1e300, -5, "text", float("nan")]))
    _damage(rng, file, what)
    return what


def _put(archive: Any, name: str, value: Any) -> None:
    """Put an array into an HDF5 file, as text where that knows no such type."""
    try:
        archive[name or "empty"] = value
    except (TypeError, ValueError):
        archive[name or "empty"] = np.asarray(value).astype("S")
