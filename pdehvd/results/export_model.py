"""The network of a run as a TensorFlow SavedModel that says where it was trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pdehvd.results.export_formats import MODEL_NOTE
from pdehvd.results.trained_points import TrainedAtPoints
from pdehvd.spec.plain import Facts

if TYPE_CHECKING:
    import tensorflow as tf


def save_model(trained: TrainedAtPoints, folder: Path) -> None:
    """Write a SavedModel and `pdehvd.json`, which says what its columns and its domain are.

    Its functions map x [N, D] to the fields [N] by name: `predict` (the signature
    `serving_default`) wherever the points are, `bounded` with NaN outside the bounds of the
    coordinates. Neither knows what a shape leaves out of its bounding box.
    """
    import tensorflow as tf

    # TensorFlow's own message for a folder that cannot be made is not an OSError.
    folder.mkdir()
    module = trained.module()
    module.bounded = _bounded(module.predict, np.asarray(trained.problem.domain.bounds, float))
    signatures = {"serving_default": module.predict, "bounded": module.bounded}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    (folder / MODEL_NOTE).write_text(json.dumps(_note(trained), indent=2) + "\n", encoding="utf-8")


def _bounded(
    predict: tf.types.experimental.PolymorphicFunction, bounds: np.ndarray
) -> tf.types.experimental.PolymorphicFunction:
    """Return `predict` with NaN outside bounds [D, 2], to the rounding of its numbers."""
    import tensorflow as tf

    (x_spec,) = predict.input_signature
    rounding = 4 * np.finfo(x_spec.dtype.as_numpy_dtype).eps * np.abs(bounds).max(axis=1)
    low, high = bounds[:, 0] - rounding, bounds[:, 1] + rounding

    def bounded(x: tf.Tensor) -> dict[str, tf.Tensor]:
        inside = tf.reduce_all((x >= low) & (x <= high), axis=1)
        nan = tf.constant(np.nan, x_spec.dtype)
        return {field: tf.where(inside, u, nan) for field, u in predict(x).items()}

    return tf.function(bounded, input_signature=[x_spec], autograph=False)


def _note(trained: TrainedAtPoints) -> Facts:
    """Return what a program needs to know that has the SavedModel alone."""
    problem, geometry = trained.problem, trained.config.problem.geometry
    bounds = dict(zip(problem.coordinates, problem.domain.bounds.tolist(), strict=True))
    hole = "" if geometry is None else ", and values where domain.geometry leaves parts of them out"
    return {
        "coordinates": list(problem.coordinates),
        "fields": list(problem.outputs),
        "domain": {"bounds": bounds, "geometry": None if geometry is None else geometry.plain()},
        "signatures": {
            "serving_default": "x [N, D], a column for each coordinate -> the fields [N]",
            "bounded": f"the same, with NaN outside domain.bounds{hole}",
        },
    }
