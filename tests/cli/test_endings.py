"""How commands end where there is little to do, nothing to compare with, or no number."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import CONFIG, Type, contents
from tests.support.launcher import ROOT


def write(here: Path, equation: str, optimizer: str, **problem: object) -> None:
    """Write small.yaml with another equation and optimizer."""
    text = CONFIG.replace("u_t - nu*u_xx", json.dumps(equation))
    text = text.replace("{name: adam, learning_rate: 1e-3}", json.dumps({"name": optimizer}))
    lines = "".join(f"  {name}: {json.dumps(value)}\n" for name, value in problem.items())
    (here / "small.yaml").write_text(text.replace("  reference:", f"{lines}  reference:"))


def without_reference(here: Path) -> None:
    lines = [line for line in CONFIG.splitlines() if "reference:" not in line]
    (here / "small.yaml").write_text("\n".join(lines))


def test_evaluate_without_a_reference(type_: Type, here: Path) -> None:
    without_reference(here)
    assert type_("train", "small.yaml", "--quiet").code == 0
    done = type_("evaluate", "latest")
    assert done.code == 0 and done.err == ""
    assert "no reference" in done.out
    for term in ("equation/heat", "condition/walls", "condition/initial"):
        assert re.search(rf"{term} +[\d.e+-]+ +[\d.e+-]+\n", done.out), done.out
    stored = json.loads((here / "runs/latest/evaluation.json").read_text())
    found = stored["residuals"]["equation/heat"]
    losses = json.loads((here / "runs/latest/metrics.jsonl").read_text().splitlines()[-1])
    # Losses of the history are those before the last of four small updates.
    assert abs(found["trained"] / losses["loss/equation/heat"] ** 0.5 - 1) < 0.05
    assert 0 < found["fresh"] != found["trained"]


NOT_FINITE = {
    "eikonal": (
        "sqrt(u_x^2 + u_t^2) - 1",
        "where(x + t > 0.5, network, 1)",
        "the gradient is not finite after 1 step: the gradient of equation/heat is not finite at "
        "x = NUMBER, t = NUMBER, where the term is -1",
    ),
    "logarithm": (
        "u_t - log(u - 1)",
        "0.1*network",
        "the loss is nan after 1 step: equation/heat is nan at x = NUMBER, t = NUMBER",
    ),
    "infinite": (
        "u_t - 1/max(u - 5, 0)",
        "0.1*network",
        "the loss is inf after 1 step: equation/heat is -inf at x = NUMBER, t = NUMBER",
    ),
    "large": (
        "1e300*(u_t - u)",
        "0.1*network",
        "the loss is inf after 1 step: equation/heat is NUMBER at x = NUMBER, t = NUMBER, and its "
        "square is too large",
    ),
}


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs", "gauss_newton", "soap"])
@pytest.mark.parametrize("case", NOT_FINITE)
def test_a_term_that_is_not_finite_is_named(
    type_: Type, here: Path, case: str, optimizer: str
) -> None:
    equation, hard, expected = NOT_FINITE[case]
    write(here, equation, optimizer, hard={"u": hard}, scale="none")
    done = type_("train", "small.yaml")
    assert done.code == 4
    summary = json.loads((here / "runs/latest/summary.json").read_text())
    pattern = re.escape(expected).replace("NUMBER", r"[-\d.e+]+")
    first = re.sub(r"after 0 steps", "after 1 step", summary["reason"])
    assert summary["status"] == "diverged" and re.fullmatch(pattern, first), summary["reason"]
    assert done.err.startswith(f"diverged: {summary['reason']}") and done.err.count("\n") == 1
    assert summary["reason"] in (here / "runs/latest/log.txt").read_text()


def test_a_term_that_stops_to_be_finite_is_named(type_: Type, here: Path) -> None:
    write(here, "u + log(k - 0.4) + 10", "sgd", unknowns={"k": 0.5})
    done = type_("train", "small.yaml")
    summary = json.loads((here / "runs/latest/summary.json").read_text())
    assert done.code == 4 and "equation/heat is" in summary["reason"], summary["reason"]
    assert 1 < summary["steps"] <= 4


def test_resuming_below_the_stored_step_leaves_the_run_alone(type_: Type, here: Path) -> None:
    assert type_("train", "small.yaml", "--quiet").code == 0
    before = contents(here / "runs")
    for asked in ("1", "4"):
        again = ("train", "small.yaml", "--resume", "latest", "--set", f"training.steps={asked}")
        done = type_(*again)
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith(
            f"nothing to do: the run has 4 steps, and training.steps is {asked}; "
            "to continue: --set training.steps=N with N above 4; "
        )
        assert contents(here / "runs") == before
        assert type_(*again, "--quiet").out == ""
    done = type_("train", "small.yaml", "--resume", "latest", "--set", "training.steps=6")
    assert done.code == 0 and "resumed at step 4" in done.out
    assert json.loads((here / "runs/latest/summary.json").read_text())["steps"] == 6


def residual_line(out: str) -> list[tuple[str, float]]:
    """Return the terms and the residuals of the line that a run ends with."""
    (line,) = re.findall(r"^root-mean-square residuals: (.*)$", out, re.MULTILINE)
    pairs = (each.split(" of ") for each in line.split(", "))
    return [(name, float(value)) for value, name in pairs]


def test_the_end_of_a_run_tells_the_residual_of_each_term_the_worst_first(
    type_: Type, here: Path
) -> None:
    (here / "small.yaml").write_text(CONFIG + "weighting: {name: fixed, terms: {walls: 1.0e-4}}\n")
    shown = residual_line(type_("train", "small.yaml").out)
    values = [value for _, value in shown]
    assert len(shown) == 3 and values == sorted(values, reverse=True)
    last = json.loads((here / "runs/latest/metrics.jsonl").read_text().splitlines()[-1])
    stored = json.loads((here / "runs/latest/summary.json").read_text())["residuals"]
    for name, value in shown:
        # Without its weight: what a small one hides is shown.
        assert stored[name] == pytest.approx(last[f"loss/{name}"] ** 0.5, rel=1e-12)
        assert value == pytest.approx(stored[name], rel=1e-3)


def test_a_run_that_died_while_it_drew_is_finished(type_: Type, here: Path) -> None:
    assert type_("train", "small.yaml", "--quiet").code == 0
    (here / "runs/latest/summary.json").unlink()
    done = type_("train", "small.yaml", "--resume", "latest")
    assert done.code == 0 and "completed: 4 steps done" in done.out
    summary = json.loads((here / "runs/latest/summary.json").read_text())
    assert summary["status"] == "completed"
    assert dict(residual_line(done.out)).keys() == summary["residuals"].keys()
    assert summary["loss"] == pytest.approx(sum(r**2 for r in summary["residuals"].values()))


VANISHING = {
    "zero by a hard condition": ("u_x", {"hard": {"u": "where(x < 9, 1, network)"}}),
    "constant": ("where(u > 9, u, 2)", {}),
    "tiny": ("1e-300*(u_t - nu*u_xx)", {}),
    "huge": ("1e150*(u_t - nu*u_xx)", {}),
}


@pytest.mark.parametrize("optimizer", ["adam", "ssbroyden", "lbfgs", "gauss_newton", "kfac"])
@pytest.mark.parametrize("case", VANISHING)
def test_losses_at_the_ends_of_the_numbers(
    type_: Type, here: Path, case: str, optimizer: str
) -> None:
    equation, more = VANISHING[case]
    write(here, equation, optimizer, **more)
    text = (here / "small.yaml").read_text()
    conditions = text[text.index("  conditions:") : text.index("  reference:")]
    kept = "".join(line for line in conditions.splitlines(True) if "hard" in line)
    text = text.replace(conditions, kept).replace(", conditions: 16", "")
    (here / "small.yaml").write_text(text)
    done = type_("train", "small.yaml")
    summary = json.loads((here / "runs/latest/summary.json").read_text())
    assert (done.code, done.err) == (0, ""), done.err
    assert summary["status"] in ("completed", "stalled"), summary["reason"]
    assert summary["loss"] is not None and math.isfinite(summary["loss"])


def test_closed_streams_and_a_deleted_folder(tmp_path: Path) -> None:
    """Each is a shell's line; nothing here needs a config."""
    version = f"{sys.executable} -m pdehvd --version"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    expected = {
        f"{version} >&-": (0, ""),
        f"{version} <&- 2>&-": (0, ""),
        f"mkdir gone; cd gone; rmdir ../gone; {version}": (3, "the current folder cannot be used"),
    }
    for line, (code, said) in expected.items():
        done = subprocess.run(
            line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == code and done.stderr.startswith(said), line
        assert done.stderr.count("\n") == bool(said)


def test_a_relative_cache_folder_is_ignored(
    type_: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "rel")
    monkeypatch.chdir(tmp_path)
    assert type_("--version").code == 0
    assert "XDG_CACHE_HOME" not in os.environ


def test_it_says_how_sure_a_discovered_number_is(type_: Type, here: Path) -> None:
    """u = exp(-k t) from ten values; after a hundred steps of Gauss-Newton k has converged."""
    rows = [f"{t},{math.exp(-t) + 0.02 * math.sin(97 * t)}" for t in (k / 5 for k in range(1, 11))]
    (here / "u.csv").write_text("\n".join(["t,u", *rows]))
    (here / "decay.yaml").write_text(DECAY)
    done = type_("train", "decay.yaml")
    assert done.code == 0, done.err
    (line,) = (one for one in done.out.splitlines() if one.startswith("discovered k"))
    summary = json.loads((here / "runs/latest/summary.json").read_text())
    deviation = summary["spread"]["deviations"]["k"]
    assert line.endswith(f" +- {deviation:.2g} (standard deviation)")
    assert abs(summary["unknowns"]["k"] - 1) < 4 * deviation < 0.3
    report = (here / "runs/latest/report.html").read_text()
    assert "<th>standard deviation</th>" in report


def test_it_says_what_has_not_converged_or_is_undetermined(type_: Type, here: Path) -> None:
    """After three steps k has not; of l and m, which stand in a sum, no value is known."""
    (here / "u.csv").write_text("\n".join(["t,u", *(f"{t},{math.exp(-t)}" for t in (0.5, 1, 2))]))
    text = DECAY.replace("steps: 60", "steps: 3").replace("{k: 0.5}", "{k: 0.5, l: 0.1, m: 0.2}")
    text = text.replace("decay: u_t + k*u", "decay: u_t + k*u, rest: v_t + (l + m)*v")
    text = text.replace("fields: [u]", "fields: [u, v]").replace(
        "equal: {u: 1}", "equal: {u: 1, v: 1}"
    )
    rows = (f"{t},{math.exp(-t) + 0.01 * math.sin(40 * t)}" for t in (k / 10 for k in range(1, 20)))
    (here / "v.csv").write_text("\n".join(["t,v", *rows]))
    (here / "decay.yaml").write_text(
        text.replace("{data: u.csv}", "{data: u.csv}\n    more: {data: v.csv}")
    )
    done = type_("train", "decay.yaml")
    assert done.code == 0, done.err
    spread = json.loads((here / "runs/latest/summary.json").read_text())["spread"]
    assert spread["undetermined"] == ["l", "m"]
    assert "the data do not determine l and m: they can change together" in done.out
    report = (here / "runs/latest/report.html").read_text()
    assert "<td>undetermined</td>" in report and "could not be drawn" not in done.out


DECAY = """
precision: float64
problem:
  name: pde
  coordinates: {t: [0, 2]}
  fields: [u]
  unknowns: {k: 0.5}
  equations: {decay: u_t + k*u}
  conditions:
    start: {at: {t: 0}, equal: {u: 1}}
    measured: {data: u.csv}
sampling: {name: sobol, equations: 32}
model: {name: mlp, width: 8, depth: 1}
optimizer: gauss_newton
weighting: {name: fixed, terms: {decay: 100.0, start: 100.0}}
training: {steps: 60}
"""
