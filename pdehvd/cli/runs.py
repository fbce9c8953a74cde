"""The commands about runs, from `evaluate` to `pack`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from pdehvd.cli.options import At, Force, Plugins, RunFolder, chosen_values
from pdehvd.errors import ConfigError


def add_commands(app: typer.Typer) -> None:
    """Register these commands."""
    app.command()(evaluate)
    app.command()(plot)
    app.command()(report)
    app.command()(export)
    app.command()(predict)
    app.command()(compare)
    app.command()(pack)


def _found(run: Path, plugin: Sequence[Path] | None) -> Path:
    """Return the run directory, ready to be opened: its config may name what plug-ins register."""
    from pdehvd.assembly.run_directory import find
    from pdehvd.config.root import prepare
    from pdehvd.launch.tensorflow_import import import_tensorflow

    found = find(run)
    prepare(plugin or ())
    import_tensorflow()
    return found


def evaluate(run: RunFolder, at: At = None, plugin: Plugins = None) -> None:
    """Print a run's errors against its reference solution, and its residuals on fresh points."""
    places = chosen_values(at)
    found = _found(run, plugin)
    from pdehvd.results.evaluate import evaluate as measure
    from pdehvd.results.tables import show_errors

    show_errors(measure(found, at=places))


def plot(run: RunFolder, at: At = None, plugin: Plugins = None) -> None:
    """Plot a run's solution, reference, error and losses; replaces its earlier plots."""
    places = chosen_values(at)
    found = _found(run, plugin)
    from pdehvd.results.plots import plot as draw

    for path in draw(found, places):
        print(path)


def report(run: RunFolder, plugin: Plugins = None) -> None:
    """Write a run's report, a self-contained HTML page; replaces the earlier one."""
    found = _found(run, plugin)
    from pdehvd.results.report import report as write

    print(write(found))


def export(
    run: RunFolder,
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help="vtk, npz or savedmodel")],
    resolution: Annotated[
        int | None, typer.Option(min=2, help="grid points along each coordinate")
    ] = None,
    at: At = None,
    output: Annotated[
        Path | None, typer.Option(metavar="PATH", help="where to write, instead of RUN/exports")
    ] = None,
    force: Force = False,
    plugin: Plugins = None,
) -> None:
    """Export a run's solution for other programs; replaces its earlier export."""
    from pdehvd.results.export_formats import check_format

    check_format(form)
    places = chosen_values(at)
    found = _found(run, plugin)
    from pdehvd.results.export import export as write

    print(write(found, form, output, resolution, places, force))


def predict(
    run: RunFolder,
    field: Annotated[
        Path | None,
        typer.Option("--field", metavar="FILE", help="input fields: .npz, .h5 or .png"),
    ] = None,
    points: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="a table with the coordinates of points")
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="NAME", help="name of the array, if not the input's")
    ] = None,
    range_: Annotated[
        str | None,
        typer.Option("--range", metavar="LOW:HIGH", help="values of black and white in an image"),
    ] = None,
    outside: Annotated[
        str | None,
        typer.Option(metavar="warn|nan|error", help="points outside the domain; default: warn"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="where to write, instead of NAME.solution.npz or .csv"),
    ] = None,
    force: Force = False,
    plugin: Plugins = None,
) -> None:
    """Evaluate a run at the points of a table, or solve for your own input field."""
    _check_one_input(field, points, {"key": key, "range": range_}, {"outside": outside})
    found = _found(run, plugin)
    if points is not None:
        from pdehvd.results.fields_at_points import check_outside
        from pdehvd.results.predict_table import predict_table

        done = predict_table(found, points, output, check_outside(outside or "warn"), force)
        for line in done.said:
            print(line, file=sys.stderr)
        print(done.table)
    elif field is not None:
        from pdehvd.results.predict import predict_field

        answer = predict_field(found, field, output, key, range_, force)
        if answer.said:
            print(answer.said, file=sys.stderr)
        print(answer.solution, answer.picture, sep="\n")


def _check_one_input(
    field: Path | None,
    points: Path | None,
    of_fields: Mapping[str, str | None],
    of_points: Mapping[str, str | None],
) -> None:
    """Raise `ConfigError` unless there is one input, with no options but its own."""
    if (field is None) == (points is None):
        raise ConfigError(
            "predict has no input" if field is None else "--field and --points are both given",
            (),
            "--points FILE.csv for a network of coordinates, or --field FILE for one of fields",
        )
    of_other, own = (of_points, "--points") if points is None else (of_fields, "--field")
    for name, value in of_other.items():
        if value is not None:
            raise ConfigError(f"--{name} goes with {own} only", (name,), f"no --{name}")


def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="run directories, or folders of runs")
    ],
    output: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="draw losses and errors")
    ] = None,
    force: Force = False,
) -> None:
    """Print a table of several runs and where their configs differ, and draw their curves."""
    from pdehvd.results.comparison import compared_runs
    from pdehvd.results.picture_file import check_picture, write_picture
    from pdehvd.results.tables_compare import show_comparison

    if output is not None:
        check_picture(output, force, "output")
    found = compared_runs(runs)
    if output is not None:
        from pdehvd.results.plots_compare import plot_comparison

        write_picture(plot_comparison(found), output, "output")
    show_comparison(found)


def pack(
    run: RunFolder,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE.zip", help="where to write; default: NAME-TIME.zip")
    ] = None,
    force: Force = False,
) -> None:
    """Write a run as one file that can be unpacked and used anywhere."""
    from pdehvd.assembly.run_directory import find
    from pdehvd.errors import counted
    from pdehvd.results.pack import pack as write

    packed = write(find(run), output, force)
    for line in packed.said:
        print(f"warning: {line}", file=sys.stderr)
    print(f"{packed.file}: {packed.size / 2**20:.1f} MiB, {counted(packed.files, 'file')}")
