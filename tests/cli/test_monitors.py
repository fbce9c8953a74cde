"""What a user sees of monitors: lines, files, pictures, tables, the report, and mistakes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support.commands import CONFIG, Type, contents

MONITORS = """\
  monitors:
    heat: {integral: u^2, over: x, at: {t: 1}, expected: exp(-2*nu*pi^2)}
    flux: {integral: u_n, on: boundary}
    balance: {value: u, at: {x: 0, t: 1}, expected: 0}
    largest $: {maximum: u}
"""
NAMES = ["heat", "flux", "balance", "largest $"]


def followed(here: Path, monitors: str = MONITORS) -> None:
    (here / "small.yaml").write_text(CONFIG.replace("  reference:", f"{monitors}  reference:"))


@pytest.mark.draws
def test_monitors_are_logged_printed_drawn_and_measured_again(type_: Type, here: Path) -> None:
    followed(here)
    done = type_("train", "small.yaml")
    assert done.code == 0, done
    run = here / "runs/latest"
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "monitor/heat" in row] == [2, 4]
    stored = json.loads((run / "summary.json").read_text())["monitors"]
    assert list(stored) == NAMES
    assert {f"monitor/{name}": value for name, value in stored.items()}.items() <= rows[-1].items()
    number = r"[-+.e\d]+"
    line = rf"monitor heat = {number} \(expected 0.13891\d+, relative error {number}\)"
    assert re.search(line, done.out), done.out
    assert re.search(rf"monitor balance = {number} \(expected 0, error {number}\)", done.out)
    assert re.search(rf"monitor flux = {number}\n", done.out)
    assert re.search(rf"training 4/4 .*  heat {number}  flux {number}  ", done.out)
    assert f"monitor flux = {stored['flux']:.8g}" in (run / "log.txt").read_text()
    assert (run / "plots/monitors.png").stat().st_size > 10_000
    page = (run / "report.html").read_text()
    assert "Monitors during training." in page and ">heat<" in page and "largest $" in page
    again = type_("evaluate", "latest")
    assert again.code == 0 and re.search(rf"heat +{number} +0.13891\d+ +{number}\n", again.out)
    measured = json.loads((run / "evaluation.json").read_text())["monitors"]
    assert {name: facts["value"] for name, facts in measured.items()} == stored
    assert set(measured["flux"]) == {"value"}
    assert measured["balance"] == {
        "value": stored["balance"],
        "expected": 0.0,
        "error": abs(stored["balance"]),
    }


def test_a_run_without_a_reference_follows_monitors_too(type_: Type, here: Path) -> None:
    text = CONFIG.replace("  reference:", f"{MONITORS}  reference:")
    lines = [line for line in text.splitlines() if "reference:" not in line]
    (here / "small.yaml").write_text("\n".join(lines))
    assert type_("train", "small.yaml", "--quiet").code == 0
    rows = (here / "runs/latest/metrics.jsonl").read_text().splitlines()
    assert ["monitor/heat" in json.loads(row) for row in rows] == [False, True, False, True]


@pytest.mark.parametrize("command", ["check", "train"])
def test_a_mistake_is_one_message(type_: Type, here: Path, command: str) -> None:
    followed(here, "  monitors:\n    heat: {integral: u_n, on: t = 0}\n")
    before = contents(here)
    done = type_(command, "small.yaml")
    assert done.code == 2 and done.out == "" and "Traceback" not in done.err
    assert done.err.startswith(
        "small.yaml:15: problem.monitors.heat.integral: 'u_n' where there is no outward normal"
    )
    assert contents(here) == before
