"""What became of a case of `make torture`, and whether that is what was promised."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from scripts.torture.cases import Case

EVERY = 10
STEPS = 40
# The step of each death; the others die when the checkpoint of step 30 is written.
_AT = {"join": 0, "start": 0, "evaluation": 20, "summary": STEPS}
_AT |= {moment: 27 for moment in ("step", "collective", "metrics")}
_UNREADABLE = ("torn", "bit", "zeros")


@dataclass
class Result:
    """What became of a case; `problems` is empty where it survived as promised."""

    case: Case
    code: int | None = None
    ended: float = 0.0
    resumed: int = -1
    lost: int = 0
    same_bits: bool = False
    problems: list[str] = field(default_factory=list)


def damage(run: Path, how: str) -> None:
    """Do to the newest checkpoint what a disk does that lied about what it had written."""
    newest = max((run / "checkpoints").glob("step-*"))
    state = newest / "trainer-0.theta.npy"
    data = bytearray(state.read_bytes())
    if how == "link":
        (run / "checkpoints" / "latest").unlink()
    elif how == "torn":
        state.write_bytes(data[: len(data) // 2])
    elif how == "bit":
        data[len(data) // 2] ^= 16
        state.write_bytes(data)
    elif how == "zeros":
        state.write_bytes(bytes(len(data)))


def judge(result: Result, run: Path, expected: str) -> None:
    """Compare the run directory with what an undisturbed run writes."""
    case, problems = result.case, result.problems
    summary = json.loads((run / "summary.json").read_text())
    log = (run / "log.txt").read_text()
    starts = re.findall(r" resumed at step (\d+)", log)
    result.resumed = int(starts[-1]) if starts else 0
    result.lost = max(0, _AT.get(case.moment, 30) - result.resumed)
    # Where the disk spoiled the newest checkpoint, the one before it is the best that there is.
    if result.lost > EVERY * (2 if case.damage in _UNREADABLE else 1):
        problems.append(f"{result.lost} steps are lost")
    result.same_bits = summary["parameters_sha256"] == expected
    if not result.same_bits:
        problems.append("other bits")
    if case.damage in _UNREADABLE and "is damaged" not in log:
        problems.append("the damage was not reported")
    if case.restarts and summary["restarts"] != 1:
        problems.append(f"{summary['restarts']} restarts are counted")
    # horovodrun ends with 1, whatever its processes ended with.
    if case.moment == "disk" and result.code != (1 if case.launcher == "gloo" else 3):
        problems.append(f"a full disk ended with code {result.code}")
    if summary["loss"] is None:
        problems.append("the summary has no loss")
    problems += _untidy(run)


def _untidy(run: Path) -> list[str]:
    """Return what is not as after an undisturbed run."""
    found = []
    rows = [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    if rows != list(range(1, STEPS + 1)):
        found.append("rows of metrics are missing, torn or twice there")
    if leftovers := [path.name for path in run.rglob(".*")]:
        found.append(f"leftovers: {', '.join(leftovers)}")
    return found
