"""The command line. Heavy modules are imported by the commands that need them."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pdehvd import __version__
from pdehvd.cli_scaling import add_commands
from pdehvd.errors import ConfigError, EnvironmentFault

if TYPE_CHECKING:
    from pdehvd.experiment.config import Config
    from pdehvd.experiment.cost import Cost

app = typer.Typer(
    name="pdehvd",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Physics-informed networks from a YAML file, trained on any number of processes.",
)

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="a YAML file")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="a run directory, or latest")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=VALUE", help="a value that goes over the file; repeatable"),
]
Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugin", metavar="FILE.py", help="Python that registers more; repeatable"),
]
Processes = Annotated[
    int | None, typer.Option("--np", metavar="N", min=1, help="number of processes")
]
# Ranks but 0 wait so long before they tell of a bad config, for rank 0 has most likely told it.
_PATIENCE = 5.0


class Format(str, Enum):
    """What `export` can write."""

    vtk = "vtk"
    npz = "npz"
    savedmodel = "savedmodel"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code.

    0 done, 1 failure, 2 bad input, 3 environment, 4 diverged, 130 interrupted.
    """
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    debug = "--debug" in given
    try:
        result = app(
            [argument for argument in given if argument != "--debug"],
            prog_name="pdehvd",
            standalone_mode=False,
        )
        return int(result or 0)
    except KeyboardInterrupt:
        return 130
    except (Exception, SystemExit) as error:
        # A plug-in that leaves early must not look like a finished run.
        return _failed(error, debug)


def _failed(error: Exception | SystemExit, debug: bool) -> int:
    """Tell on stderr what went wrong, and return the exit code."""
    from pdehvd.comm.launch import world_rank
    from pdehvd.experiment.failures import told

    if debug:
        traceback.print_exception(error)
    text, code = told(error)
    rank = world_rank()
    if rank and code == ConfigError.exit_code:
        time.sleep(_PATIENCE)
    print(f"rank {rank}: {text}" if rank else text, file=sys.stderr, flush=True)
    return code


def _version(asked: bool) -> None:
    if asked:
        print(f"pdehvd {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="show tracebacks; anywhere")] = False,
) -> None:
    """Options that every command takes; `main` looks for --debug itself."""


@app.command()
def train(
    config: ConfigFile,
    np: Processes = None,
    settings: Settings = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="go on with this run, or latest")
    ] = None,
    plugin: Plugins = None,
    output: Annotated[Path | None, typer.Option(metavar="DIR", help="folder of the runs")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="print errors only")] = False,
    discovery: Annotated[
        Path | None,
        typer.Option(metavar="PROGRAM", help="prints host:slots for an elastic job"),
    ] = None,
) -> int:
    """Train on this machine's processes, or as one of those that a launcher started."""
    from pdehvd.comm import launch
    from pdehvd.experiment.directory import find
    from pdehvd.experiment.glance import processes_of, sums_exactly

    joined, size = launch.joined(), launch.world_size()
    if joined and np not in (None, size):
        raise ConfigError(
            f"--np {np}, but the launcher has started {size} processes",
            (),
            f"no --np, or --np {size}",
        )
    run = None if resume is None else find(resume)
    again = ["train", str(config), *_repeated("--set", settings), *_repeated("--plugin", plugin)]
    again += ["--resume", str(run)] if run else []
    again += ["--output", str(output)] if output else []
    again += ["--quiet"] if quiet else []
    if not joined:
        processes, most = processes_of(config, settings or (), np, discovery)
        count = processes.np or 1
        if count > most or not processes.oversubscribe:
            _examined(config, count, settings, plugin)
        if count > 1 or processes.survived:
            return launch.launch(again, processes, count)
    if sums_exactly(config, settings or ()):
        launch.settle_threads(again)
    from pdehvd.experiment.config import load_config

    loaded, source = load_config(config, settings or (), plugin or ())
    from pdehvd.experiment.run import train as train_here

    return train_here(loaded, source, run, output, quiet)


def _repeated(option: str, values: Sequence[object] | None) -> list[str]:
    return [text for value in values or () for text in (option, str(value))]


def _found(run: Path, plugin: Sequence[Path] | None) -> Path:
    """Return the run directory, ready to be opened: its config may name what plug-ins register."""
    from pdehvd.experiment.config import prepare
    from pdehvd.experiment.directory import find

    found = find(run)
    prepare(plugin or ())
    return found


@app.command()
def evaluate(run: RunFolder, plugin: Plugins = None) -> None:
    """Print a run's errors against its reference solution."""
    found = _found(run, plugin)
    from pdehvd.experiment.evaluate import evaluate as measure
    from pdehvd.experiment.tables import show_errors

    show_errors(measure(found))


@app.command()
def plot(run: RunFolder, plugin: Plugins = None) -> None:
    """Draw a run's solution, reference, error and loss curves."""
    found = _found(run, plugin)
    from pdehvd.experiment.plots import plot as draw

    for path in draw(found):
        print(path)


@app.command()
def report(run: RunFolder, plugin: Plugins = None) -> None:
    """Write a run's report, one self-contained HTML page."""
    found = _found(run, plugin)
    from pdehvd.experiment.report import report as write

    print(write(found))


@app.command()
def export(
    run: RunFolder,
    form: Annotated[Format, typer.Option("--format", help="what to write")],
    resolution: Annotated[
        int | None, typer.Option(min=2, help="grid points along each coordinate")
    ] = None,
    time: Annotated[float | None, typer.Option(help="one time instead of all")] = None,
    output: Annotated[Path | None, typer.Option(metavar="PATH", help="where to write")] = None,
    plugin: Plugins = None,
) -> None:
    """Write a run's solution for other programs."""
    found = _found(run, plugin)
    from pdehvd.experiment.export import export as write

    print(write(found, form.value, output, resolution, time))


@app.command()
def predict(
    run: RunFolder,
    field: Annotated[
        Path, typer.Option("--field", metavar="FILE", help="inputs: .npz, .h5 or .png")
    ],
    output: Annotated[
        Path | None, typer.Option(metavar="FILE.npz", help="where the solution goes")
    ] = None,
    plugin: Plugins = None,
) -> None:
    """Solve for your own input field with a trained generative model."""
    found = _found(run, plugin)
    from pdehvd.experiment.predict import predict_field

    for path in predict_field(found, field, output):
        print(path)


@app.command()
def check(
    config: ConfigFile, np: Processes = None, settings: Settings = None, plugin: Plugins = None
) -> None:
    """Validate a config, print it with all defaults, and what it will cost."""
    from pdehvd.experiment.config import dump

    loaded, cost = _examined(config, np, settings, plugin)
    from pdehvd.experiment.tables import show_cost

    print(dump(loaded))
    show_cost(cost)


def _examined(
    config: Path, np: int | None, settings: Settings, plugin: Plugins
) -> tuple[Config, Cost]:
    """Return the config and what it will cost; raise all that only shows when parts are built."""
    from pdehvd.experiment.config import load_config

    loaded, source = load_config(config, settings or (), plugin or ())
    from pdehvd.experiment.cost import examine

    return loaded, examine(loaded, source, np or loaded.processes.np or 1)


@app.command()
def doctor(
    np: Annotated[
        int | None, typer.Option("--np", metavar="N", min=1, help="number of processes; 2")
    ] = None,
    output: Annotated[Path, typer.Option(metavar="DIR", help="folder of the runs")] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, for programs")] = False,
) -> int:
    """Examine this machine, add numbers on N processes, and say what to do about each failure."""
    from pdehvd.comm import launch
    from pdehvd.experiment.doctor import examine
    from pdehvd.experiment.tables import show_findings

    size = launch.world_size() if launch.joined() else np or 2
    findings = examine(size, output)
    if launch.world_rank() == 0:
        show_findings(findings, as_json)
    return EnvironmentFault.exit_code if any(f.status == "failed" for f in findings) else 0


@app.command()
def schema(plugin: Plugins = None) -> None:
    """Print the JSON Schema of configs, for editors."""
    import json

    from pdehvd.experiment.config import prepare
    from pdehvd.experiment.listing import schema as describe

    prepare(plugin or ())
    print(json.dumps(describe(), indent=2))


@app.command(name="list")
def list_(
    section: Annotated[
        str | None, typer.Argument(metavar="SECTION", help="one section only", show_default=False)
    ] = None,
    plugin: Plugins = None,
) -> None:
    """Print the names that the sections of a config may hold."""
    from pdehvd.experiment.config import prepare
    from pdehvd.experiment.listing import check_section, names
    from pdehvd.experiment.tables import show_names

    check_section(section)
    prepare(plugin or ())
    show_names(names(section))


add_commands(app)
