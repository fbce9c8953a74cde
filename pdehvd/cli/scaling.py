"""The commands about many processes: `scale` and `net`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pdehvd.cli.options import Plugins, Settings
from pdehvd.errors import ConfigError, nearest

if TYPE_CHECKING:
    from pdehvd.scaling.network_measurement import NetworkMeasurement

_UNITS = {"": 1, "b": 1, "k": 2**10, "kb": 2**10, "m": 2**20, "mb": 2**20, "g": 2**30, "gb": 2**30}
_LEAST = 1024

Counts = Annotated[
    str | None, typer.Option("--np", metavar="N,N,...", help="numbers of processes, such as 1,2,4")
]


def add_commands(app: typer.Typer) -> None:
    """Register these commands."""
    app.command()(scale)
    app.command()(net)
    app.command("shard-times", hidden=True)(shard_times)


def number_list(text: str, option: str, least: int = 1) -> list[int]:
    """Return the different numbers of a list such as `1,2,4`, in order.

    Raises `ConfigError` for anything else.
    """
    found = []
    for part in text.split(","):
        word = part.strip()
        if not word.isdecimal() or not least <= int(word) <= 10**7:
            raise ConfigError(
                f"{option}: got '{word}'", (), f"whole numbers from {least} with commas, as 1,2,4"
            )
        found.append(int(word))
    return sorted(set(found))


def words(text: str, option: str, known: tuple[str, ...]) -> list[str]:
    """Return the different words of a list such as `weak,strong`; each must be known."""
    found = [part.strip() for part in text.split(",")]
    for word in found:
        if word not in known:
            expected = " or ".join(known)
            raise ConfigError(f"{option}: got '{word}'", (), expected, nearest(word, known))
    return list(dict.fromkeys(found))


def size(text: str, option: str) -> int:
    """Return the bytes of a text such as `64MB`. Raises `ConfigError` for anything else."""
    match = re.fullmatch(r"\s*(\d+)\s*([a-zA-Z]*)\s*", text)
    unit = match and _UNITS.get(match[2].lower().replace("ib", "b"))
    if not match or not unit or not 4 * _LEAST <= int(match[1]) * unit <= 2**34:
        raise ConfigError(f"{option}: got '{text}'", (), "a size from 4KB to 16GB, such as 64MB")
    return int(match[1]) * unit // 8 * 8


def scale(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="a YAML file")],
    np: Counts = None,
    mode: Annotated[
        str,
        typer.Option(
            metavar="weak,strong", help="weak: fixed batch per process; strong: fixed global batch"
        ),
    ] = "weak,strong",
    repeats: Annotated[int, typer.Option(min=1, max=1000, help="runs of each kind")] = 3,
    steps: Annotated[
        int | None,
        typer.Option(min=3, help="steps per run; default: those of the config, at most 200"),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="folder of scaling.json and pictures")
    ] = None,
    settings: Settings = None,
    plugin: Plugins = None,
    predict: Annotated[
        str | None, typer.Option(metavar="N,N,...", help="numbers of processes to predict")
    ] = None,
    network: Annotated[
        Path | None, typer.Option(metavar="NET.json", help="network measured on this machine")
    ] = None,
    between: Annotated[
        Path | None, typer.Option(metavar="NET.json", help="network measured across hosts")
    ] = None,
) -> int:
    """Measure weak and strong scaling of a config, and predict it for more processes.

    The config's section `topology` says how the processes of a prediction are connected.
    """
    modes = words(mode, "--mode", ("weak", "strong"))
    predicted = number_list(predict, "--predict", least=2) if predict is not None else []
    counts = number_list(np, "--np") if np is not None else ([] if predicted else [1, 2])
    # The one process that all ratios refer to.
    counts = sorted({1, *counts}) if counts else []
    from pdehvd.launch.tensorflow_import import import_tensorflow

    import_tensorflow()
    from pdehvd.scaling import prediction

    links = prediction.read_links(network, between) if predicted else None
    from pdehvd.scaling.study import scale as run
    from pdehvd.scaling.sweep import Sweep

    given = tuple(settings or ()), tuple(plugin or ())
    plan = Sweep(config, *given, tuple(counts), tuple(modes), repeats, steps or 0)
    return run(plan, output, predicted, links)


def shard_times(
    config: Path,
    np: Annotated[str, typer.Option("--np")],
    into: Annotated[Path, typer.Option()],
    settings: Settings = None,
    plugin: Plugins = None,
) -> None:
    """Time a step on one of N shards in this process; `scale --predict` starts some of them."""
    from pdehvd.config.root import load_config
    from pdehvd.launch import ranks
    from pdehvd.launch.tensorflow_import import import_tensorflow

    loaded, source = load_config(config, settings or (), plugin or ())
    import_tensorflow()
    from pdehvd.scaling.calibration import time_steps_here
    from pdehvd.training.durable import write_json

    found = time_steps_here(loaded, source, number_list(np, "--np"))
    if ranks.world_rank() == 0:
        write_json(into, {"shards": [one._asdict() for one in found]})


def net(
    np: Counts = None,
    largest: Annotated[
        str, typer.Option("--largest", metavar="SIZE", help="the largest message")
    ] = "256MB",
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="folder of net.json and its picture")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print JSON instead of tables")] = False,
    into: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> int:
    """Measure allreduces over N processes: latency, bandwidth and reduction cost."""
    most = size(largest, "--largest")
    counts = number_list(np, "--np") if np is not None else None
    from pdehvd.launch.tensorflow_import import import_tensorflow

    import_tensorflow()
    from pdehvd.assembly.needs import available_memory
    from pdehvd.launch import ranks
    from pdehvd.scaling import network_measurement as network
    from pdehvd.scaling import network_study
    from pdehvd.training.durable import write_json

    if counts or not ranks.was_launched():
        counts = counts or [2]
        network_study.check_network_counts(counts, most, available_memory())
        output = network_study.folder_for(output)
        found = network_study.measure_network(counts, most)
    else:
        here = network_study.measure_network_here(most)
        if here is None:
            return 0
        if into is not None:
            write_json(into, here)
            return 0
        found = network.merge([here])
    found = network.with_fits(found)
    place = network_study.write_measurement(found, output)
    _show_network(found, place, json)
    return 0


def _show_network(found: dict[str, object], place: Path, as_json: bool) -> None:
    if as_json:
        import json

        print(json.dumps({**found, "folder": str(place)}, indent=2))
        return
    from pdehvd.scaling.network_measurement import NetworkMeasurement
    from pdehvd.scaling.tables_scaling import show_network

    measured: NetworkMeasurement = NetworkMeasurement.model_validate(found)
    show_network(measured, found["fits"])  # type: ignore[arg-type]
    print(f"measured: {place}")
