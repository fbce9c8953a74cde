"""The solution of a generative model for the input fields in a user's own file."""

from __future__ import annotations

from pathlib import Path

from pdehvd.assembly.trained_run import FieldAnswer
from pdehvd.errors import ConfigError
from pdehvd.results.field_files import PICTURES, read_fields_file
from pdehvd.results.field_input import check_field, check_takes_fields
from pdehvd.results.plots_samples import samples
from pdehvd.results.trained_grid import TrainedOnGrid


def solve_field(
    trained: TrainedOnGrid, file: Path, key: str | None, range_: str | None
) -> FieldAnswer:
    """Return the solution of the inputs in a file, any resolution that the network takes.

    Raises ConfigError for a wrong shape, numbers that are not finite, or values of at most 0
    where the inputs of the training are positive.
    """
    check_takes_fields(trained)
    problem = trained.problem
    given = read_fields_file(file, problem.inputs, key, range_)
    try:
        for name, field in given.fields.items():
            check_field(trained, name, field, field.shape)
    except ConfigError as error:
        expected = error.expected
        if file.suffix.lower() in PICTURES and expected.startswith("values above"):
            expected += "; --range 0.1:10 gives black the value 0.1 and white 10"
        raise ConfigError(f"{file}: {error.message}", ("field",), expected) from error
    inputs = {name: field[None] for name, field in given.fields.items()}
    u = trained.predict(inputs)
    axes = dict(zip(problem.coordinates, problem.axes(u.shape[1]), strict=True))
    picture = samples(trained, inputs, u, None, numbered=False)
    return FieldAnswer({**axes, **given.fields, problem.field: u[0]}, picture, given.said)
