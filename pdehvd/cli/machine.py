"""The commands about the machine and the program: `doctor`, `schema` and `list`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pdehvd.cli.options import Plugins, Settings
from pdehvd.errors import EnvironmentFault


def add_commands(app: typer.Typer) -> None:
    """Register these commands."""
    app.command()(doctor)
    app.command()(schema)
    app.command("list")(list_)


def doctor(
    np: Annotated[
        int | None, typer.Option("--np", metavar="N", min=1, help="number of processes; default: 2")
    ] = None,
    output: Annotated[Path, typer.Option(metavar="DIR", help="folder of the runs")] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, for programs")] = False,
) -> int:
    """Check this machine, run a test allreduce on N processes, and print remedies."""
    from pdehvd.doctor.examination import examine_machine
    from pdehvd.doctor.tables import show_findings
    from pdehvd.launch import ranks

    size = ranks.world_size() if ranks.was_launched() else np or 2
    findings = examine_machine(size, output)
    if ranks.world_rank() == 0:
        show_findings(findings, as_json)
    return EnvironmentFault.exit_code if any(f.status == "failed" for f in findings) else 0


def schema(plugin: Plugins = None) -> None:
    """Print the JSON Schema of configs, for editors."""
    import json

    from pdehvd.config.listing import schema as describe
    from pdehvd.config.root import prepare

    prepare(plugin or ())
    print(json.dumps(describe(), indent=2))


def list_(
    section: Annotated[
        str | None, typer.Argument(metavar="SECTION", help="one section only", show_default=False)
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--for", metavar="CONFIG", help="which names fit this config, and why not"),
    ] = None,
    settings: Settings = None,
    plugin: Plugins = None,
) -> None:
    """Print the names that the sections of a config accept."""
    from pdehvd.config.listing import check_section, names
    from pdehvd.config.root import prepare
    from pdehvd.results.tables import show_names, show_trials

    check_section(section)
    if config is not None:
        from pdehvd.assembly.combinations import check_tried, try_names

        show_trials(try_names(check_tried(section), config, settings or (), plugin or ()))
        return
    prepare(plugin or ())
    show_names(names(section))
