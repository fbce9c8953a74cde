"""The commands about configs: `init`, `train` and `check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pdehvd.cli.options import ConfigFile, Force, Plugins, Processes, Settings
from pdehvd.errors import ConfigError

if TYPE_CHECKING:
    from pdehvd.assembly.cost import Cost
    from pdehvd.config.root import Config
    from pdehvd.launch.commands import TrainCommand
    from pdehvd.launch.processes_spec import ProcessesSpec


def add_commands(app: typer.Typer) -> None:
    """Register these commands."""
    app.command()(init)
    app.command()(train)
    app.command()(check)


def init(
    name: Annotated[str, typer.Argument(metavar="NAME", help="of the config: NAME.yaml")],
    kind: Annotated[
        str,
        typer.Option(metavar="KIND", help="steady, time, inverse, ode, shape or generative"),
    ] = "time",
) -> None:
    """Write a commented config to begin with, which trains in less than a minute."""
    from pdehvd.config.template import write_template

    files = write_template(name, kind)
    for file in files:
        print(file)
    print(f"next: pdehvd check {files[0]}; pdehvd train {files[0]}")


def train(
    config: ConfigFile,
    np: Processes = None,
    settings: Settings = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="resume this run, or latest")
    ] = None,
    plugin: Plugins = None,
    output: Annotated[Path | None, typer.Option(metavar="DIR", help="folder of the runs")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="print errors only")] = False,
    discovery: Annotated[
        Path | None,
        typer.Option(metavar="PROGRAM", help="prints host:slots, for an elastic job"),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(metavar="N", min=2, help="train N seeds in turn, and compare the results"),
    ] = None,
) -> int:
    """Train a config, on N processes of this machine or as a process of a launcher."""
    from pdehvd.assembly.examine import examine_problem
    from pdehvd.assembly.run_directory import find
    from pdehvd.config.launch_settings import LaunchSettings
    from pdehvd.config.root import load_config
    from pdehvd.launch import job, ranks
    from pdehvd.launch.commands import TrainCommand
    from pdehvd.launch.process_setup import settle_threads
    from pdehvd.launch.tensorflow_import import import_tensorflow

    joined = ranks.was_launched()
    if joined:
        _check_count(np)
    if seeds is not None and resume is not None:
        message = "--seeds resumes its runs itself"
        raise ConfigError(message, (), "the same command again, without --resume")
    given = tuple(settings or ()), tuple(plugin or ())
    launch = LaunchSettings.read(config, given[0])
    run = None if resume is None else find(resume, output or launch.output)
    command = TrainCommand(config, None, *given, run, output, quiet)
    if seeds is not None:
        return _train_seeds(command, launch.processes(np, discovery), seeds)
    if not joined:
        processes = launch.processes(np, discovery)
        count = processes.np or 1
        if count > launch.most:
            _examined(config, count, settings, plugin)
        if count > 1 or processes.survived:
            if not plugin:
                # What is refused anyway starts no processes; how many an elastic job has is open.
                examine_problem(*load_config(config, *given), 1 if processes.elastic else count)
            return job.launch(command, processes, count)
    if launch.exact:
        settle_threads(command)
    loaded, source = load_config(config, *given)
    if not joined:
        examine_problem(loaded, source)
    import_tensorflow()
    from pdehvd.experiment.run import train as train_here

    return train_here(loaded, source, run, output, quiet)


def _check_count(np: int | None) -> None:
    """Raise `ConfigError` where a launcher has started another number of processes."""
    from pdehvd.launch import ranks

    size = ranks.world_size()
    if np not in (None, size):
        raise ConfigError(
            f"--np {np}, but the launcher has started {size} processes",
            (),
            f"no --np, or --np {size}; where no launcher has, unset {ranks.announcing()}",
        )


def _train_seeds(command: TrainCommand, processes: ProcessesSpec, seeds: int) -> int:
    """Train a config with several seeds. Raises `ConfigError` for options that do not fit."""
    from pdehvd.assembly.examine import examine_problem
    from pdehvd.config.root import load_config

    if processes.elastic is not None:
        raise ConfigError("--seeds of an elastic job", (), "a fixed number of processes")
    loaded, source = load_config(command.config, command.settings, command.plugins)
    count = processes.np or 1
    examine_problem(loaded, source, count)
    from pdehvd.experiment.seeds import train_seeds
    from pdehvd.launch.tensorflow_import import import_tensorflow

    import_tensorflow()
    return train_seeds(command, loaded, processes, count, seeds)


def check(
    config: ConfigFile,
    np: Processes = None,
    settings: Settings = None,
    plugin: Plugins = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="draw the domain, the conditions and the data"),
    ] = None,
    force: Force = False,
) -> None:
    """Validate a config; print it with all defaults, and its cost."""
    from pdehvd.config.root import dump

    if plot is not None:
        from pdehvd.results.picture_file import check_picture

        check_picture(plot, force, "plot")
    loaded, cost = _examined(config, np, settings, plugin)
    if plot is not None:
        from pdehvd.results.domain_file import draw_domain

        draw_domain(loaded, plot)
    from pdehvd.results.tables import show_cost

    print(dump(loaded))
    show_cost(cost)


def _examined(
    config: Path, np: int | None, settings: Settings, plugin: Plugins
) -> tuple[Config, Cost]:
    """Return the resolved config and its cost; raise what only shows when parts are built."""
    from pdehvd.config.root import load_config

    loaded, source = load_config(config, settings or (), plugin or ())
    from pdehvd.assembly.examine import examine

    return examine(loaded, source, np or loaded.processes.np or 1)
