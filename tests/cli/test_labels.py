"""`labels`: what pictures and the report call the names of a problem."""

from __future__ import annotations

from pathlib import Path

import pytest

from pdehvd.config.yaml_source import parse_source
from tests.support.commands import CONFIG, SAMPLES, Type

REFERENCE = "  reference: {name: exact"
LABELLED = CONFIG.replace(
    REFERENCE, '  labels: {u: "velocity, m/s", x: "distance, m"}\n' + REFERENCE
)
SET = "problem.labels="


@pytest.mark.parametrize("text", [LABELLED, SAMPLES + '  labels: {u: "head, m", nu: "<K>"}\n'])
def test_labels_stay_out_of_what_programs_read(type_: Type, here: Path, text: str) -> None:
    lines = text.splitlines()
    # The labels belong to the problem.
    if lines[-1].startswith("  labels"):
        lines.insert(1, lines.pop())
    (here / "labelled.yaml").write_text("\n".join([*lines, ""]))
    words = [] if text is LABELLED else ["--set", "training.steps=2"]
    answer = type_("train", "labelled.yaml", *words)
    assert answer.code == 0, answer.err
    page = (here / "runs/latest/report.html").read_text()
    assert "relative L2 error of " + ("velocity, m/s" if text is LABELLED else "head, m") in page
    assert "relative L2 error of u" not in page and "<K>" not in page
    row = (here / "runs/latest/summary.json").read_text()
    assert '"u"' in row and "head" not in row and "velocity" not in row
    evaluated = type_("evaluate", "latest").out
    assert "\nu " in evaluated and "head" not in evaluated and "velocity" not in evaluated
    resolved = parse_source((here / "runs/latest/config.yaml").read_text(), "x").data["problem"]
    assert len(resolved["labels"]) == 2


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("{v: speed}", "problem.labels.v: this problem has no 'v'; expected one of x, t, u"),
        ("{U: speed}", "did you mean 'u'?"),
        ("{nu: viscosity}", "no 'nu'"),
        ("{u: velocity, m/s}", "text, in quotes if it contains a comma"),
        ('{u: ""}', "problem.labels.u: a label is one line of text"),
        ('{u: "two\\nlines"}', "a label is one line of text"),
        (f"{{u: {'x' * 61}}}", "text of at most 60 characters"),
        ("{u: 3}", "problem.labels.u: got 3; expected text"),
        ("speed", "problem.labels: got 'speed'"),
    ],
)
def test_bad_labels(type_: Type, here: Path, setting: str, told: str) -> None:
    answer = type_("check", "small.yaml", "--set", SET + setting)
    assert answer.code == 2 and told in answer.err, answer.err
    assert len(answer.err.splitlines()) == 1
