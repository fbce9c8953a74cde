"""The error of a run is one number: where it is printed, stored, shown and measured again."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest

from tests.support.commands import CONFIG, SAMPLES, Type
from tests.support.launcher import nightly, pdehvd

EXACT = "-sin(pi*x)*exp(-nu*pi^2*t)"
# Errors of a rounding, where it shows which program and which points an error was measured with.
SMALL = CONFIG.replace("  reference:", f"  hard: {{u: '{EXACT} + 1e-6*network'}}\n  reference:")
FREE = CONFIG.replace("*t)}\nsampling", "*t) + 7, up_to_constant: [u]}\nsampling")
MEASURED = f"name: small\n{SAMPLES}training: {{steps: 3, checkpoint_every: 2, evaluate_every: 2}}\n"
# With the number of processes; none of its own where rounding has no part in it.
CASES = {
    "single": (SMALL.replace("float64", "float32"), "1"),
    "two processes": (SMALL.replace("float64", "float32"), "2"),
    "up to a constant": (FREE, None),
    "samples": (MEASURED, None),
}


def digits(number: float) -> str:
    return f"{number:.3e}"


@pytest.mark.parametrize("case", [nightly("single"), *list(CASES)[1:]])
def test_the_error_of_a_run_is_one_number(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, type_: Type
) -> None:
    text, processes = CASES[case]
    (tmp_path / "small.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)

    def typed(*words: str) -> str:
        if processes is None:
            return type_(*words).out
        done = pdehvd(*words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    output = typed("train", "small.yaml", *(["--np", processes] if processes else []))
    printed = re.search(r"relative L2 error (\S+) of u", output)[1]
    run = tmp_path / "runs" / "latest"
    summary = json.loads((run / "summary.json").read_text())["relative_l2"]["u"]
    assert digits(summary) == printed
    evaluation = json.loads((run / "evaluation.json").read_text())["relative_l2"]["u"]
    assert evaluation == pytest.approx(summary, rel=1e-9 if case != "samples" else 1e-6)
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["relative_l2/u"] == summary
    page = html.unescape((run / "report.html").read_text())
    (headline,) = re.findall(r"([\d.e+-]+)</\w+>\s*<\w+[^>]*>relative L2 error of u<", page) or [""]
    assert headline and digits(float(headline)) == printed
    measured = re.search(r"^u +(\S+)", typed("evaluate", "latest"), re.M)[1]
    assert digits(float(measured)) == printed
