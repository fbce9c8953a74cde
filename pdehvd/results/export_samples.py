"""Held-out samples and the network of a generative model, in the formats of other programs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from pdehvd.assembly.trained_run import Export
from pdehvd.errors import ConfigError
from pdehvd.results.evaluate_samples import truths
from pdehvd.results.export_formats import MODEL_NOTE
from pdehvd.results.regular_grid import grid_cells
from pdehvd.results.trained_grid import TrainedOnGrid
from pdehvd.spec.plain import Facts

MOST = 16


def sample_export(trained: TrainedOnGrid, format: str, resolution: int | None) -> Export:
    """Return what writes held-out samples, or the network.

    npz: axes, inputs and solutions [B, *n] of up to 16 held-out samples, with references where
    they are known. vtk: the same as point data of one grid, a field `u_3` for sample 3.
    savedmodel: `predict`, inputs [1, *n] by name -> the field [1, *n].
    Raises ConfigError for a resolution.
    """
    if resolution is not None:
        message = "a generative model has its own grid"
        raise ConfigError(message, ("resolution",), "no resolution")
    if format == "savedmodel":
        return Export("savedmodel", lambda path: _savedmodel(trained, path))
    if format == "npz":
        return Export("samples.npz", lambda path: _npz(trained, path))
    return Export("samples.vtu", lambda path: _vtu(trained, path))


def _samples(trained: TrainedOnGrid) -> dict[str, np.ndarray]:
    """Return inputs, solutions and references of held-out samples, each [B, *n]."""
    problem = trained.problem
    if not problem.held_out:
        raise ConfigError("there are no held-out samples", ("sampling", "held_out"), "at least 1")
    numbers = np.arange(min(MOST, problem.held_out))
    sample = trained.held_out(numbers)
    shape = (len(numbers), *problem.shape(problem.resolution))
    arrays = {name: np.broadcast_to(field, shape) for name, field in sample.fields.items()}
    arrays[problem.field] = trained.predict(sample)
    if trained.reference is not None:
        arrays[f"{problem.field}_reference"] = truths(trained, trained.reference, numbers)
    return arrays


def _npz(trained: TrainedOnGrid, path: Path) -> None:
    problem = trained.problem
    axes = dict(zip(problem.coordinates, problem.axes(problem.resolution), strict=True))
    arrays: Facts = {**axes, **_samples(trained)}
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)


def _vtu(trained: TrainedOnGrid, path: Path) -> None:
    import meshio

    problem = trained.problem
    shape = problem.shape(problem.resolution)
    kind, corners, _ = grid_cells(np.ones(shape, bool))
    points = np.zeros((int(np.prod(shape)), 3))
    mesh = np.meshgrid(*problem.axes(problem.resolution), indexing="ij")
    for index, column in enumerate(mesh):
        points[:, index] = column.ravel()
    values = {
        f"{name}_{number}": field[number].ravel()
        for name, field in _samples(trained).items()
        for number in range(len(field))
    }
    meshio.Mesh(points, [(kind, corners)], point_data=values).write(path, file_format="vtu")


def _savedmodel(trained: TrainedOnGrid, folder: Path) -> None:
    import tensorflow as tf

    # TensorFlow's own message for a folder that cannot be made is not an OSError.
    folder.mkdir()
    module = trained.module()
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.predict})
    problem = trained.problem
    bounds = dict(zip(problem.coordinates, problem.bounds.tolist(), strict=True))
    note = {
        "coordinates": list(problem.coordinates),
        "inputs": list(problem.inputs),
        "fields": list(problem.fields),
        "domain": {"bounds": bounds},
        "resolution": problem.resolution,
    }
    (folder / MODEL_NOTE).write_text(json.dumps(note, indent=2) + "\n", encoding="utf-8")
