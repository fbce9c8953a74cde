"""The jobs of `make nightly`: commands that take long, and the expected outcome of each."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "docs" / "benchmarks.md"
CASES = ROOT / "tests" / "cases"
# The outputs of jobs that have failed.
OUTPUTS = ROOT / "build" / "nightly"
# A config has reached its stated error below so many times of it: machines round otherwise.
FACTOR = 2.0
# Of an unknown, against the value that is stated.
UNKNOWN = 0.02
_PATIENCE = 7200.0
_ROW = re.compile(r"^\| `(\w+)` \|(.*)\|$")
_ERROR = re.compile(r"(?:(\w+) )?(\d\.\d+e[+-]\d+)")
_WANTED = re.compile(r"^== (.*): exit code (\d+) \(wanted (.*)\)$", re.MULTILINE)
_UNKNOWN = re.compile(r"(\w+) = ([\d.e+-]+)")


@dataclass(frozen=True)
class Outcome:
    """The outcome of a job, in a few words, and whether it is right."""

    result: str
    good: bool


@dataclass(frozen=True)
class Job:
    """A command of one part; `judge` looks at its exit code, output and run folder."""

    part: str
    name: str
    command: tuple[str, ...]
    cores: int
    judge: Callable[[int, str, Path], Outcome]

    def _keep(self, output: str) -> None:
        """Write the output of a failed job to a file."""
        path = OUTPUTS / f"{self.part}_{re.sub('[^A-Za-z0-9_]+', '_', self.name)}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(output, encoding="utf-8")

    def run(self) -> tuple[Outcome, float]:
        """Run it in a folder of its own; return its outcome, and the seconds."""
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="nightly-") as folder:
            command = [word.replace("{folder}", folder) for word in self.command]
            try:
                done = subprocess.run(
                    command, cwd=ROOT, capture_output=True, text=True, timeout=_PATIENCE
                )
                output = done.stdout + done.stderr
                outcome = self.judge(done.returncode, output, Path(folder))
                if not outcome.good:
                    self._keep(output)
            except subprocess.TimeoutExpired:
                outcome = Outcome(f"no end within {_PATIENCE:g} s", False)
        return outcome, time.monotonic() - start


@dataclass(frozen=True)
class Stated:
    """What the benchmarks page says that a config reaches."""

    config: str
    processes: int
    steps: int
    errors: dict[str, float]
    unknowns: dict[str, float]

    def judge(self, code: int, output: str, folder: Path) -> Outcome:
        """Compare the errors and unknowns of the run with the stated ones."""
        summary = _summary(folder)
        if code or not summary:
            return failed(code, output)
        errors: dict[str, float] = summary["relative_l2"]
        # A table of one column of errors does not name its field.
        stated = {field or next(iter(errors)): value for field, value in self.errors.items()}
        good = all(errors[field] <= FACTOR * value for field, value in stated.items())
        texts = [f"{field} {errors[field]:.1e} ({value:.1e})" for field, value in stated.items()]
        for name, value in self.unknowns.items():
            found = summary["unknowns"][name]
            good = good and abs(found - value) <= UNKNOWN * abs(value)
            texts.append(f"{name} = {found:.5g} ({value:.5g})")
        # A warning about a result that is right would cry wolf.
        warnings = summary["warnings"]
        texts += [f"warning: {_short(warning)}" for warning in warnings]
        return Outcome(", ".join(texts), good and not warnings)


@dataclass(frozen=True)
class Expected:
    """What is right for a case: an error at most, words of a refusal, or words of a warning."""

    error: float | None = None
    refused: str | None = None
    warned: str | None = None
    set: tuple[str, ...] = ()

    def judge(self, code: int, output: str, folder: Path) -> Outcome:
        """Compare the run of a case with what is right."""
        if self.refused is not None:
            good = code == 2 and self.refused in output and not list(folder.iterdir())
            return Outcome(f"code {code}: {_last(output)}", good)
        summary = _summary(folder)
        if code or not summary:
            return failed(code, output)
        worst = max(summary["relative_l2"].values())
        warnings = " ".join(summary["warnings"])
        if self.error is not None:
            # A warning would cry wolf here.
            good = worst <= self.error and self.warned is None and not warnings
            return Outcome(f"relative L2 {worst:.1e}" + (f"; {warnings}" if warnings else ""), good)
        text = _short(f"relative L2 {worst:.1e}; {warnings}")
        return Outcome(text, str(self.warned) in warnings)


def failed(code: int, output: str) -> Outcome:
    return Outcome(f"code {code}: {_last(output)}", False)


def _last(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return _short(lines[-1].replace(f"{ROOT}/", "")) if lines else "no output"


def _short(text: str) -> str:
    """Return the beginning of a text, for a cell of a table."""
    return textwrap.shorten(text, 200, placeholder=" ...")


def _summary(folder: Path) -> dict[str, Any]:
    """Return the summary of the newest run below a folder; empty where there is none."""
    path = folder / "latest" / "summary.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def stated() -> Iterator[Stated]:
    """Read the tables of configs on the benchmarks page; a later row of a config is left out."""
    seen: set[str] = set()
    header: list[str] = []
    for line in BENCHMARKS.read_text(encoding="utf-8").splitlines():
        if line.startswith("| config |"):
            header = [cell.strip() for cell in line.strip("|").split("|")]
        row = _ROW.match(line)
        if not (row and header and row[1] not in seen):
            header = header if line.startswith("|") else []
            continue
        cells = dict(zip(header[1:], (cell.strip() for cell in row[2].split("|")), strict=False))
        errors = cells.get("relative L2", cells.get("mean L2", ""))
        if errors:
            seen.add(row[1])
            yield Stated(
                row[1],
                int(cells.get("processes", "1")),
                int(cells["steps"]),
                {name: float(value) for name, value in _ERROR.findall(errors)},
                {n: float(v) for n, v in _UNKNOWN.findall(cells.get("discovered", ""))},
            )


def expectations() -> dict[str, Expected]:
    """Return what is right for each case, by the name of its file."""
    data = yaml.safe_load((CASES / "expected.yaml").read_text(encoding="utf-8"))
    return {name: Expected(**values) for name, values in data.items()}


def training(config: Path, processes: int, *settings: str) -> tuple[str, ...]:
    """Return the command that trains a config below the job's folder."""
    words = [sys.executable, "-m", "pdehvd", "train", str(config), "--np", str(processes)]
    words += ["--output", "{folder}", "--quiet"]
    return (*words, *(word for setting in settings for word in ("--set", setting)))


def config_jobs() -> Iterator[Job]:
    """Train every config to its stated steps, however long that takes on this machine."""
    for claim in stated():
        limits = (f"training.steps={claim.steps}", "training.max_seconds=null")
        config = Path("configs") / f"{claim.config}.yaml"
        command = training(config, claim.processes, *limits)
        yield Job("configs", claim.config, command, claim.processes, claim.judge)


def case_jobs() -> Iterator[Job]:
    """Train every case on one and on two processes."""
    for name, expected in expectations().items():
        for processes in (1, 2):
            command = training(CASES / f"{name}.yaml", processes, *expected.set)
            title = f"{name}, np {processes}"
            yield Job("cases", title, command, processes, expected.judge)


def script_jobs() -> Iterator[Job]:
    """Run the cases that are scripts: each line says which exit codes are right."""
    for path in sorted(CASES.glob("*.sh")):
        yield Job("cases", path.stem, ("bash", str(path)), 2, by_lines)


def by_lines(code: int, output: str, folder: Path) -> Outcome:
    """Judge lines such as `== what: exit code 3 (wanted 1 or 3 within a minute)`."""
    lines = _WANTED.findall(output)
    bad = [what for what, given, wanted in lines if given not in re.findall(r"\b\d\b", wanted)]
    text = f"{len(lines) - len(bad)} of {len(lines)} exit codes"
    return Outcome(text + (": not " + ", ".join(bad) if bad else ""), bool(lines) and not bad)


def _by_code(code: int, output: str, folder: Path) -> Outcome:
    return Outcome(_last(output), code == 0)


def campaign_jobs() -> Iterator[Job]:
    """The campaigns; each prints what it found in its last line."""
    scripts = {
        "meaning": ("-m", "scripts.meaning", "--cases", "500", "--jobs", "2"),
        "fuzz": ("-m", "scripts.fuzz", "--cases", "10000", "--jobs", "2"),
        "torture": ("-m", "scripts.torture"),
    }
    for name, words in scripts.items():
        yield Job("campaigns", name, (sys.executable, *words), 2, _by_code)


def marked_jobs() -> Iterator[Job]:
    """The tests that are too long for `make test`: a job for each folder, and for what is typed."""
    for name, words in {
        "typed": ("tests/cli/test_typed.py",),
        "cli": ("tests/cli", "--ignore", "tests/cli/test_typed.py"),
        **{folder: (f"tests/{folder}",) for folder in ("parallel", "numerics", "unit")},
    }.items():
        command = (sys.executable, "-m", "pytest", "-q", "-m", "nightly", "-n", "2", *words)
        yield Job("tests", name, command, 2, _by_code)


def all_jobs() -> list[Job]:
    return [*config_jobs(), *case_jobs(), *script_jobs(), *campaign_jobs(), *marked_jobs()]
