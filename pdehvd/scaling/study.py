"""`pdehvd scale`: sweep, tables, pictures and prediction in one folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from pdehvd.assembly import run_directory as folder
from pdehvd.assembly.examine import examine
from pdehvd.assembly.needs import available_memory
from pdehvd.comm import backend
from pdehvd.config.root import Config, dump, load_config
from pdehvd.config.yaml_source import YamlSource
from pdehvd.errors import ConfigError, counted
from pdehvd.launch.processes_spec import ScalingSpec
from pdehvd.launch.threads import node_cores
from pdehvd.results.tables import print_table
from pdehvd.scaling import calibration, prediction, sweep
from pdehvd.scaling.calibration import Calibrations, Timed
from pdehvd.scaling.step_model import Curve, scaling_verdict
from pdehvd.scaling.sweep import Sweep
from pdehvd.scaling.sweep_results import DEFINITIONS, HEAD, Row, row_cells, rows
from pdehvd.scaling.tables_scaling import compared_table, markdown, predicted_table
from pdehvd.spec.plain import Facts
from pdehvd.training import durable

TABLE = "scaling.md"
CALIBRATION = "calibration.json"
Tables = list[tuple[str, Sequence[str], Sequence[Sequence[str]]]]


def scale(
    plan: Sweep,
    output: Path | None,
    predicted: Sequence[int],
    network: prediction.LinkPrediction | None,
) -> int:
    """Run a sweep, predict, and write scaling.json, scaling.md and pictures; return the exit code.

    Raises `ConfigError` before anything is started or written.
    """
    config, source = load_config(plan.config, plan.settings, plan.plugins)
    plan = _steps(plan, config)
    if network is not None:
        network = network.of(config, backend.reduction_backend(config.processes))
    _check(plan, config, source, predicted)
    place = output or Path(config.output or "runs", config.name, "scaling")
    # Runs do not depend on the cluster that a prediction assumes.
    resolved = dump(config.model_copy(update={"topology": None}))
    fingerprint = plan.fingerprint(resolved)
    sweep.stored(place, fingerprint)
    folder.make(place)
    counts = _predicted(plan, config, predicted) if network is not None else {}
    calibrations = Calibrations(place / CALIBRATION, f"{fingerprint} {counts}")

    def calibrated(repeat: int) -> None:
        if counts:
            calibrations.add(repeat, lambda: _measured(plan, counts))

    runs: list[Facts] = []
    if plan.counts:
        _warn(plan.counts)
        runs, code = sweep.run(plan, place, resolved, _say, calibrated)
        if code:
            return code
    else:
        calibrated(1)
    found = rows(runs, plan.modes, node_cores()) if runs else {}
    curves = []
    if network is not None:
        timed = calibrations.merged()
        ones = [run["step"] for run in runs if run["processes"] == 1]
        cores = node_cores()
        crowds = {n: n / cores for n in plan.counts if n > cores and network.flat}
        curves = prediction.prediction_curves(timed, ones, counts, network, config, crowds)
    _write(place, fingerprint, runs, found, curves)
    return 0


def _steps(plan: Sweep, config: Config) -> Sweep:
    """Return the plan with its number of steps: the config's, but not many by default."""
    return plan if plan.steps else replace(plan, steps=min(config.training.steps, sweep.STEPS))


def _check(plan: Sweep, config: Config, source: YamlSource, predicted: Sequence[int]) -> None:
    if plan.counts:
        sweep.check_counts(plan.counts, config.processes, available_memory())
    for mode in plan.modes:
        in_mode = config.model_copy(update={"scaling": ScalingSpec.model_validate({"mode": mode})})
        examine(in_mode, source, max(plan.counts, default=1))
    items = _items(config)
    if "strong" in plan.modes and predicted and min(predicted) > items:
        raise ConfigError(
            f"--predict {min(predicted)}: strong scaling of {counted(items, 'point')} or samples",
            (),
            f"numbers of processes up to {items}, or --mode weak",
        )


def _items(config: Config) -> int:
    """Return the number of points or samples that one process would divide."""
    from pdehvd.assembly.problem import build_problem

    return build_problem(config, 1).items


def _warn(counts: Sequence[int]) -> None:
    cores = node_cores()
    crowded = [n for n in counts if n > cores]
    if crowded:
        listed = ", ".join(map(str, crowded))
        _say(
            f"warning: {listed} processes share {cores} cores; speed-up has no meaning in such rows"
        )


def _say(text: str) -> None:
    print(text, flush=True)


def _predicted(plan: Sweep, config: Config, predicted: Sequence[int]) -> dict[str, list[int]]:
    """Return the numbers of processes of each mode's curve."""
    counts = {}
    items = _items(config)
    for mode in plan.modes:
        every = sorted({*plan.counts, *predicted, 1})
        counts[mode] = [n for n in every if mode == "weak" or n <= items]
        beyond = [n for n in predicted if n not in counts[mode]]
        if beyond:
            _say(f"note: {mode} scaling of {items} points or samples ends before {beyond[0]}")
    return counts


def _measured(plan: Sweep, counts: Mapping[str, Sequence[int]]) -> dict[str, list[Timed]]:
    return calibration.time_steps(plan.config, plan.settings, plan.plugins, counts, _say)


def _write(
    place: Path,
    fingerprint: str,
    runs: Sequence[Facts],
    found: Mapping[str, Sequence[Row]],
    curves: Sequence[Curve],
) -> None:
    """Print tables, and write them with the pictures."""
    tables = _tables(found, curves)
    text = []
    for title, head, body in tables:
        print(f"\n{title}")
        print_table(list(head), [list(row) for row in body])
        text.append(f"{title}\n\n{markdown(head, body)}")
    notes = [DEFINITIONS[mode] for mode in found]
    notes += [DEFINITIONS["split"], DEFINITIONS["memory"]] if found else []
    notes += [scaling_verdict(curve) for curve in curves]
    print("\n" + "\n".join(notes))
    durable.write_text(place / TABLE, "\n".join([*text, *(f"- {note}" for note in notes)]) + "\n")
    known = durable.read_json(place / sweep.FILE)
    known |= {
        "fingerprint": fingerprint,
        "definitions": DEFINITIONS,
        "rows": {mode: [asdict(row) for row in listed] for mode, listed in found.items()},
        "predictions": [_as_json(curve) for curve in curves],
    }
    durable.write_json(place / sweep.FILE, known)
    _draw(place, runs, found, curves)
    print(f"\nscaling: {place}")


def _tables(found: Mapping[str, Sequence[Row]], curves: Sequence[Curve]) -> Tables:
    tables: Tables = [
        (f"{mode} scaling", HEAD, [row_cells(row) for row in listed])
        for mode, listed in found.items()
    ]
    tables += [(f"predicted, {curve.mode}", *predicted_table(curve)) for curve in curves]
    if both := prediction.compare_with_measured(curves, found):
        tables.append(("predicted and measured", *compared_table(both)))
    return tables


def _as_json(curve: Curve) -> Facts:
    return {
        "mode": curve.mode,
        "alone": curve.alone,
        "steps": [
            {**step._asdict(), "total": step.total, "efficiency": value, "low": low, "high": high}
            for step, value, low, high in zip(
                curve.steps, curve.efficiency, curve.low, curve.high, strict=True
            )
        ],
        "verdict": scaling_verdict(curve),
    }


def _draw(
    place: Path,
    runs: Sequence[Facts],
    found: Mapping[str, Sequence[Row]],
    curves: Sequence[Curve],
) -> None:
    from pdehvd.results.picture_file import png
    from pdehvd.scaling import plots_scaling

    pictures: Facts = {}
    if found:
        pictures = {"speed": plots_scaling.speed(found), "split": plots_scaling.plot_split(found)}
        pictures["error"] = plots_scaling.errors(runs)
    if curves:
        pictures["prediction"] = plots_scaling.prediction(curves, found)
    for name, picture in pictures.items():
        if picture is not None:
            (place / f"{name}.png").write_bytes(png(picture))
