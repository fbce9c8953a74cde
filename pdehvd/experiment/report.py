"""One page that says what a run did and how to do it again."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from pdehvd.experiment.directory import CONFIG, ENVIRONMENT, read_json, write_text
from pdehvd.experiment.evaluate import evaluate
from pdehvd.experiment.opened import RunLike, Trained, opened, true_unknowns
from pdehvd.experiment.page import cards, code, folded, page, picture, section, table
from pdehvd.experiment.plots import plot
from pdehvd.experiment.tables import MEASURES

FILE = "report.html"
_CAPTIONS = {
    "loss": "Total loss and the terms it is made of.",
    "error": "Relative L2 error of each field against the reference.",
    "learning_rate": "Learning rate of the optimizer.",
    "method": "Damping, step length and effort of the optimizer.",
    "unknowns": "Unknowns of the inverse problem while they are discovered.",
    "weights": "Weights of the terms of the loss.",
    "solution": "Solution and reference.",
    "samples": "Held-out samples: inputs, network, reference and difference.",
    "sample_errors": "Relative L2 errors of all held-out samples.",
}


_HEADS = {
    "relative_l2": "relative L2",
    "worst_relative_l2": "worst sample",
    "relative_h1": "relative H1",
    "energy_gap": "energy gap",
    "maximum_error": "maximum",
    "rmse": "root mean square",
}


def report(run: RunLike, summary: Mapping[str, Any] | None = None) -> Path:
    """Write `report.html`, a page without outside parts, and return its path.

    Pictures are drawn (to `plots/`, as `plots.plot` does) and errors are measured anew. `summary`
    stands for the run's own where that has not been written yet.
    """
    trained = opened(run)
    directory = Path(trained.directory)
    summary = trained.summary if summary is None else summary
    environment = read_json(directory / ENVIRONMENT)
    errors = evaluate(trained) if trained.reference is not None else {}
    pictures = [picture(path.read_bytes(), _caption(path.stem)) for path in plot(trained)]
    body = [
        _title(trained, summary),
        cards(_key_numbers(summary, errors)),
        section("Errors against the reference", _error_table(errors)),
        section("Unknowns", _unknown_table(trained)),
        section("Pictures", "\n".join(pictures)),
        section("How to reproduce", code(_commands(directory, summary, environment))),
        section("Configuration", _configuration(directory)),
        section("Summary", table((), _rows(summary))),
        section("Environment", table((), _rows(environment))),
    ]
    path = directory / FILE
    write_text(path, page(f"{_name(trained)} - pdehvd", filter(None, body)))
    return path


def _name(trained: Trained) -> str:
    return str(getattr(trained.config, "name", "") or Path(trained.directory).name)


def _title(trained: Trained, summary: Mapping[str, Any]) -> str:
    status = str(summary.get("status", "unfinished"))
    kind = status if status in ("completed", "stalled", "diverged", "interrupted") else "unfinished"
    place = escape(Path(trained.directory).name)
    return (
        f'<h1>{escape(_name(trained))}<span class="status {kind}">{escape(status)}</span></h1>'
        f'<p class="place">run {place}</p>'
    )


def _key_numbers(summary: Mapping[str, Any], errors: Mapping[str, Any]) -> list[tuple[str, str]]:
    relative = errors.get("relative_l2") or summary.get("relative_l2") or {}
    facts = [(f"relative L2 error of {field}", _text(value)) for field, value in relative.items()]
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
            facts.append((label, _time(value) if name == "seconds" else _text(value)))
    return facts


def _error_table(errors: Mapping[str, Any]) -> str:
    if not errors:
        return ""
    measures = [name for name in MEASURES if name in errors]
    free = errors["up_to_constant"]
    rows = [
        (
            f"{field} (up to a constant)" if field in free else field,
            *(_text(errors[measure][field]) for measure in measures),
        )
        for field in errors["relative_l2"]
    ]
    note = f"<p class='place'>Measured at {errors['points']:,} points.</p>"
    if "seconds" in errors:
        network, solver = (errors["seconds"][name] for name in ("network", "reference"))
        note += (
            f"<p class='place'>One sample takes the network {network:.3g} s and the reference "
            f"{solver:.3g} s, {solver / network:.3g} times as long.</p>"
        )
    return note + table(("field", *(_HEADS[name] for name in measures)), rows)


def _unknown_table(trained: Trained) -> str:
    truths = true_unknowns(trained)
    rows = []
    for name, value in trained.unknowns.items():
        true = truths.get(name)
        error = abs(value - true) / abs(true) if true else math.nan
        known = ("", "") if true is None else (f"{true:.6g}", f"{error:.2e}")
        rows.append((name, f"{value:.6g}", *known))
    return table(("unknown", "found", "true", "relative error"), rows)


def _configuration(directory: Path) -> str:
    path = directory / CONFIG
    if not path.exists():
        return ""
    return folded("config.yaml, with every default", code(path.read_text(encoding="utf-8")))


def _commands(directory: Path, summary: Mapping[str, Any], environment: Mapping[str, Any]) -> str:
    """Return the command that made the run, and the one that repeats it from what it stored."""
    lines = []
    if environment.get("command"):
        lines += ["# as it was started", shlex.join(map(str, environment["command"])), ""]
    stored = shlex.quote(f"{directory.name}/{CONFIG}")
    count = summary.get("processes", 1)
    lines += ["# from this directory's own config", f"pdehvd train {stored} --np {count}"]
    return "\n".join(lines)


def _rows(facts: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested facts as rows of (dotted name, text)."""
    rows: list[tuple[str, str]] = []
    for name, value in facts.items():
        if isinstance(value, Mapping):
            rows += _rows(value, f"{prefix}{name}.")
        else:
            rows.append((f"{prefix}{name}", _text(value)))
    return rows


def _text(value: Any) -> str:
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


def _time(seconds: Any) -> str:
    if not isinstance(seconds, int | float) or not math.isfinite(seconds):
        return _text(seconds)
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _caption(name: str) -> str:
    kind, _, field = name.partition("_")
    if kind == "solution" and field:
        return f"{field}: solution, reference and their difference."
    if kind == "slices":
        return f"{field} at several times."
    return _CAPTIONS.get(name, name)
