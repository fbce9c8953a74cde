"""The report of a run: one page with its results and how to reproduce them."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from pdehvd.assembly.kind import AnyRun
from pdehvd.assembly.run_directory import ENVIRONMENT
from pdehvd.config.data_record import CONFIG
from pdehvd.errors import counted, inflected
from pdehvd.results.captions import caption
from pdehvd.results.evaluate import evaluate
from pdehvd.results.html_page import (
    cards,
    code,
    collapsible,
    html_section,
    html_table,
    listed,
    note,
    page,
    picture,
    slider,
)
from pdehvd.results.open_run import RunLike, opened
from pdehvd.results.picture_file import png
from pdehvd.results.plots import plot
from pdehvd.results.reproduce_commands import NOTE, commands
from pdehvd.results.tables import MEASURES
from pdehvd.spec.plain import Facts
from pdehvd.training.durable import read_json, write_text
from pdehvd.training.history import read

FILE = "report.html"

_HEADS = {
    "relative_l2": "relative L2",
    "worst_relative_l2": "relative L2, worst sample",
    "relative_h1": "relative H1",
    "energy_gap": "energy gap",
    "maximum_error": "maximum",
    "rmse": "root mean square",
}
# What the summary counts.
_COUNTED = {"processes": "process", "steps": "step"}


def report(run: RunLike, summary: Facts | None = None) -> Path:
    """Write `report.html`, a page without outside parts, and return its path.

    Pictures are drawn (to `plots/`, as `plots.plot` does) and errors are measured again. `summary`
    stands for the run's own where that has not been written yet.
    """
    trained = opened(run)
    directory = Path(trained.directory)
    summary = trained.summary if summary is None else summary
    environment = read_json(directory / ENVIRONMENT)
    errors = evaluate(trained)
    body = [
        _title(trained, summary),
        cards(_key_numbers(trained.labels, summary, errors)),
        html_section("Warnings", listed(summary.get("warnings", ()))),
        html_section("Errors against the reference", _error_table(trained.labels, errors)),
        html_section("Unknowns", _unknown_table(trained, summary.get("spread", {}))),
        html_section("Monitors", _monitor_table(trained.labels, errors)),
        html_section("Residuals", _residual_table(errors)),
        html_section("Pictures", _pictures(trained, errors)),
        html_section("Other values", _series(trained)),
        html_section(
            "How to reproduce", code(commands(directory, summary, environment)) + note(NOTE)
        ),
        html_section("Configuration", _configuration(directory)),
        html_section("Summary", html_table((), _rows(_numbers(summary)))),
        html_section("Environment", html_table((), _rows(_written(environment)))),
    ]
    path = directory / FILE
    write_text(path, page(f"{_name(trained)} - pdehvd", filter(None, body)))
    return path


def _name(trained: AnyRun) -> str:
    return str(getattr(trained.config, "name", "") or Path(trained.directory).name)


def _title(trained: AnyRun, summary: Facts) -> str:
    status = str(summary.get("status", "unfinished"))
    kind = status if status in ("completed", "stalled", "diverged", "interrupted") else "unfinished"
    place = escape(Path(trained.directory).name)
    return (
        f'<h1>{escape(_name(trained))}<span class="status {kind}">{escape(status)}</span></h1>'
        f'<p class="place">run {place}</p>'
    )


def _key_numbers(names: Mapping[str, str], summary: Facts, errors: Facts) -> list[tuple[str, str]]:
    relative = errors.get("relative_l2") or summary.get("relative_l2") or {}
    facts = [
        (f"relative L2 error of {names.get(field, field)}", _text(value))
        for field, value in relative.items()
    ]
    labels = {
        "loss": "final loss",
        "steps": "steps",
        "seconds": "training time",
        "points_per_second": "points per second",
        "processes": "processes",
    }
    for name, label in labels.items():
        value = summary.get(name)
        if value is not None:
            label = inflected(value, _COUNTED[name]) if name in _COUNTED else label
            facts.append((label, _time(value) if name == "seconds" else _text(value)))
    return facts


def _error_table(names: Mapping[str, str], errors: Facts) -> str:
    if "relative_l2" not in errors:
        return note("This run has no reference solution, so its errors are not known.")
    measures = [name for name in MEASURES if name in errors]
    remarks = {field: " (up to a constant)" for field in errors.get("up_to_constant", ())}
    remarks |= {field: " (up to its sign)" for field in errors.get("up_to_sign", ())}
    rows = [
        (
            names.get(field, field) + remarks.get(field, ""),
            *(_text(errors[measure].get(field)) for measure in measures),
        )
        for field in errors["relative_l2"]
    ]
    notes = ""
    if "points" in errors:
        where = f"Measured at {counted(errors['points'], 'point')}"
        if "samples" in errors:
            where += f", the nodes of {errors['samples']:,} held-out samples"
        notes = note(where + ".")
    if "seconds" in errors:
        network, solver = (errors["seconds"][name] for name in ("network", "reference"))
        notes += note(
            f"One sample takes {network:.3g} s by the network and {solver:.3g} s by the solver of "
            f"the reference, {solver / network:.3g} times as long."
        )
    table = html_table(("field", *(_HEADS[name] for name in measures)), rows)
    return notes + table + _table_of_places(names, errors.get("at_values", []))


def _table_of_places(names: Mapping[str, str], places: Sequence[Facts]) -> str:
    """Return the relative errors at single values of parameters."""
    if not places:
        return ""
    parameters, fields = list(places[0]["at"]), list(places[0]["relative_l2"])
    rows = [
        [*(f"{one['at'][name]:.4g}" for name in parameters)]
        + [_text(one["relative_l2"][field]) for field in fields]
        for one in places
    ]
    heads = [*parameters, *(f"relative L2 of {names.get(field, field)}" for field in fields)]
    return note("At single values of the parameters:") + html_table(heads, rows)


def _unknown_table(trained: AnyRun, spread: Facts) -> str:
    truths = trained.true_unknowns
    heads = ["unknown", "found"]
    heads += ["standard deviation"] if spread else []
    heads += ["true", "relative error"] if truths else []
    rows = []
    for name, value in trained.unknowns.items():
        row = [trained.labels.get(name, name), f"{value:.6g}"]
        row += [_deviation(name, spread)] if spread else []
        if truths:
            true = truths.get(name)
            error = abs(value - true) / abs(true) if true else math.nan
            row += ["", ""] if true is None else [f"{true:.6g}", f"{error:.2e}"]
        rows.append(row)
    return html_table(heads, rows)


def _deviation(name: str, spread: Facts) -> str:
    if name in spread["deviations"]:
        return f"{spread['deviations'][name]:.2g}"
    return "undetermined" if name in spread["undetermined"] else "not converged"


def _monitor_table(labels: Mapping[str, str], errors: Facts) -> str:
    monitors = errors.get("monitors", {})
    known = any("expected" in facts for facts in monitors.values())
    rows = [
        (
            labels.get(name, name),
            *(_measured(facts.get(key), ".6g") for key in ("value", "expected")),
            _measured(facts.get("error"), ".2e"),
        )
        for name, facts in monitors.items()
    ]
    columns = 4 if known else 2
    heads = ("monitor", "value", "expected", "relative error")
    return html_table(heads[:columns], [row[:columns] for row in rows])


def _measured(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _residual_table(errors: Facts) -> str:
    """Return the residual of every term on the trained points and on fresh ones."""
    residuals = errors.get("residuals", {})
    rows = [
        (name.replace("/", ": "), _text(at["trained"]), _text(at["fresh"]))
        for name, at in sorted(residuals.items(), key=lambda pair: -pair[1]["trained"])
    ]
    words = "Root mean square of each term, the worst first; of an energy, its mean."
    said = note(words) if rows else ""
    return said + html_table(("term", "on the trained points", "on as many fresh points"), rows)


def _pictures(trained: AnyRun, errors: Facts) -> str:
    known = errors.get("relative_l2", {})
    losses = [name for name in read(trained.directory).columns if name.startswith("loss/")]
    terms = len(set(losses) - {"loss/total"})
    return "\n".join(
        picture(
            path.read_bytes(),
            caption(path.stem, known, terms, trained.measured_fields, trained.labels),
        )
        for path in plot(trained)
    )


def _series(trained: AnyRun) -> str:
    """Return a slider for each parameter, and for the time where it is not an axis."""
    return "\n".join(
        slider(name, [(frame.label, png(frame.picture)) for frame in frames])
        for name, frames in trained.series().items()
    )


def _written(environment: Facts) -> Facts:
    """Return the environment with its command as it is typed."""
    command = environment.get("command")
    return {**environment, "command": shlex.join(map(str, command))} if command else {**environment}


def _configuration(directory: Path) -> str:
    path = directory / CONFIG
    if not path.exists():
        return ""
    return collapsible("config.yaml, with every default", code(path.read_text(encoding="utf-8")))


def _numbers(summary: Facts) -> Facts:
    """Return the summary without what stands in sections of its own."""
    return {name: value for name, value in summary.items() if name not in ("warnings", "spread")}


def _rows(facts: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested facts as rows of (dotted name, text)."""
    rows: list[tuple[str, str]] = []
    for name, value in facts.items():
        if isinstance(value, Mapping):
            rows += _rows(value, f"{prefix}{name}.")
        elif value != []:
            rows.append((f"{prefix}{name}", _text(value)))
    return rows


def _text(value: object) -> str:
    """Return a number or anything else as a person reads it."""
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if 1e4 <= abs(value) < 1e12 else f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(_text(item) for item in value)
    return str(value)


def _time(seconds: float) -> str:
    if not isinstance(seconds, int | float) or not math.isfinite(seconds):
        return _text(seconds)
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
