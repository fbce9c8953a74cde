"""Runs that were moved away from the files they were trained with, or with them."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest
import trimesh
import yaml

from pdehvd.config import data_record
from pdehvd.config.root import load_config
from pdehvd.spec import data_files
from tests.support.commands import CONFIG, Answer, Type
from tests.support.run_files import write_tables

LOOKS = (
    ("export", "--format", "npz"),
    ("report",),
    ("plot",),
    ("export", "--format", "savedmodel"),
)
INITIAL = "    initial: {on: t = 0, equal: {u: -sin(pi*x)}}\n"
MEASURED = CONFIG.replace(INITIAL, INITIAL + "    measured: {data: tables/probes.csv}\n")
KEY = "problem.conditions.measured.data"
COMPARED = CONFIG.replace(
    "{name: exact, u: -sin(pi*x)*exp(-nu*pi^2*t)}", "{name: file, path: u.npz}"
)
SOLID = """\
name: solid
precision: float64
problem:
  name: pde
  coordinates: {x: null, y: null, z: null}
  geometry: {difference: [{ball: {radius: 1}}, {stl: part.stl, name: part}]}
  fields: [u]
  equations: {poisson: u_xx + u_yy + u_zz + 1}
  conditions:
    walls: {on: boundary, equal: {u: 0}}
sampling: {name: sobol, equations: 16, conditions: 16}
model: {name: mlp, width: 4, depth: 1}
training: {steps: 2}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lone: None) -> Path:
    """A folder with configs and all the files that they name."""
    folder = tmp_path / "project"
    write_tables(folder)
    trimesh.creation.box((0.5, 0.5, 0.5)).export(folder / "part.stl")
    for name, text in {"measured": MEASURED, "compared": COMPARED, "solid": SOLID}.items():
        (folder / f"{name}.yaml").write_text(text)
    monkeypatch.chdir(folder)
    return folder


def trained(type_: Type, name: str) -> Path:
    done = type_("train", f"{name}.yaml")
    assert done.code == 0, done.err
    return Path("runs/latest").resolve()


def moved(run: Path, project: Path) -> Path:
    """Copy a run elsewhere, and take away all that it was trained with."""
    there = project.parent / "there" / "run"
    shutil.copytree(run, there, symlinks=False)
    project.rename(project.parent / "gone")
    return there


def ends(done: Answer, code: int, *parts: str) -> None:
    assert done.code == code, done.out + done.err
    for part in parts:
        assert part in done.err, done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("name", ["measured", "compared", "solid"])
def test_a_moved_run_can_be_looked_at(project: Path, type_: Type, name: str) -> None:
    run = trained(type_, name)
    before = type_("evaluate", str(run)).out
    there = moved(run, project)
    done = type_("evaluate", str(there))
    ends(done, 0)
    assert done.out == before and "warning" not in done.err
    for command, *options in LOOKS if name == "measured" else LOOKS[:1]:
        ends(type_(command, str(there), *options), 0)


def test_training_asks_for_the_table(project: Path, type_: Type) -> None:
    run = trained(type_, "measured")
    there = moved(run, project)
    config, more = str(there / "config.yaml"), ("--set", "training.steps=6")
    copy = there / "data" / "probes.csv"
    before = sorted(there.rglob("*"))
    for options in ((), ("--resume", str(there))):
        done = type_("train", config, *options, *more)
        ends(done, 2, f": {KEY}: there is no file ", f"--set {KEY}={copy}")
        assert str(project / "tables" / "probes.csv") in done.err
    ends(type_("check", config), 2, "there is no file ")
    assert sorted(there.rglob("*")) == before
    # The copy serves when it is asked for, and from then on.
    ends(type_("train", config, "--resume", str(there), *more, "--set", f"{KEY}={copy}"), 0)
    assert json.loads((there / "summary.json").read_text())["steps"] == 6
    assert yaml.safe_load((there / "config.yaml").read_text())["problem"]["conditions"]["measured"][
        "data"
    ] == ("data/probes.csv")
    ends(type_("train", config, "--resume", str(there), "--set", "training.steps=8"), 0)


def test_training_asks_for_all_that_is_missing_at_once(project: Path, type_: Type) -> None:
    text = (project / "measured.yaml").read_text()
    exact = "{name: exact, u: -sin(pi*x)*exp(-nu*pi^2*t)}"
    (project / "both.yaml").write_text(text.replace(exact, "{name: file, path: u.npz}"))
    run = trained(type_, "both")
    there = moved(run, project).rename(project.parent / "with blanks")
    again = ("train", str(there / "config.yaml"), "--resume", str(there))
    done = type_(*again, "--set", "training.steps=6")
    ends(done, 2, KEY, "(nor ", "or the copies that the run holds: --set ")
    # The line is typed as it stands, blanks in paths included.
    settings = shlex.split(done.err.strip().split("that the run holds: ")[1])
    ends(type_(*again, "--set", "training.steps=6", *settings), 0)


def test_a_project_moves_with_its_runs(
    project: Path, type_: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trained(type_, "measured")
    assert "data: ../../../tables/probes.csv" in (run / "config.yaml").read_text()
    new = project.parent / "new"
    project.rename(new)
    monkeypatch.chdir(new)
    done = type_(
        "train", "runs/latest/config.yaml", "--resume", "latest", "--set", "training.steps=6"
    )
    ends(done, 0)
    assert "warning" not in done.out + done.err
    config, _ = load_config(new / "runs" / "latest" / "config.yaml")
    assert [file for _, file in data_files(config)] == [str(new / "tables" / "probes.csv")]


def test_files_elsewhere_keep_their_path(project: Path, type_: Type, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "probes.csv"
    elsewhere.parent.mkdir()
    shutil.copy(project / "tables" / "probes.csv", elsewhere)
    done = type_("train", "measured.yaml", "--set", f"{KEY}={elsewhere}")
    ends(done, 0)
    assert f"data: {elsewhere}\n" in Path("runs/latest/config.yaml").read_text()


@pytest.mark.parametrize("name", ["measured", "compared", "solid"])
def test_large_files_are_not_kept(
    project: Path, type_: Type, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_record, "LARGEST_COPY", 10)
    run = trained(type_, name)
    there = moved(run, project)
    assert not (there / "data").exists()
    (known,) = data_record.read_record(there).files
    assert known.kept is None and len(known.sha256) == 64 and Path(known.original).is_absolute()
    gone = Path(known.original).name
    done = type_("evaluate", str(there))
    if name == "solid":
        # Where the domain is, nothing else can say.
        ends(done, 2, gone)
    else:
        ends(done, 0)
        assert ("no reference, because there is no file" in done.err) == (name == "compared")
        ends(type_("plot", str(there)), 0)
    done = type_("train", str(there / "config.yaml"), "--resume", str(there))
    ends(done, 2, "there is no file ", gone, known.sha256[:16])
    assert "--set" not in done.err


def test_a_table_that_has_changed(project: Path, type_: Type) -> None:
    run = trained(type_, "measured")
    old = data_record.read_record(run).files[0]
    table = project / "tables" / "probes.csv"
    table.write_text("x,t,u\n0.5,0.1,-0.7\n")
    again = ("train", "measured.yaml", "--resume", str(run), "--set", "training.steps=6")
    done = type_(*again)
    ends(done, 0)
    warning = f"warning: {table} has changed since this run was trained with it"
    assert warning in done.out and warning in (run / "log.txt").read_text()
    new = data_record.read_record(run).files[0]
    assert new.sha256 != old.sha256 and (run / str(new.kept)).read_text() == table.read_text()
    assert "-0.9" in (run / str(old.kept)).read_text()
    assert warning not in type_(*again[:-1], "training.steps=8").out


def test_two_tables_of_one_name(project: Path, type_: Type) -> None:
    (project / "probes.csv").write_text("x,t,u\n0,0,0\n")
    more = "    measured: {data: tables/probes.csv}\n    others: {data: probes.csv}\n"
    (project / "two.yaml").write_text(CONFIG.replace(INITIAL, INITIAL + more))
    run = trained(type_, "two")
    first, second = data_record.read_record(run).files
    assert (run / str(first.kept)).read_text() == (project / "tables" / "probes.csv").read_text()
    assert (run / str(second.kept)).read_text() == (project / "probes.csv").read_text()
    ends(type_("evaluate", str(moved(run, project))), 0)


def test_a_run_names_its_plugin(project: Path, type_: Type) -> None:
    """The digest is kept, never the code."""
    plugin = project / "narrow.py"
    plugin.write_text(
        "from typing import Literal\n"
        "from pdehvd.models.mlp import MLP\n"
        "from pdehvd.spec import register\n\n\n"
        "@register('model')\n"
        "class Narrow(MLP):\n"
        "    name: Literal['narrow'] = 'narrow'\n"
    )
    (project / "own.yaml").write_text(CONFIG.replace("name: mlp", "name: narrow"))
    ends(type_("train", "own.yaml", "--plugin", str(plugin)), 0)
    run = Path("runs/latest").resolve()
    named = [known.file for known in data_record.read_record(run).plugins]
    assert str(plugin) in named
    assert not list(run.rglob("*.py"))
    record = json.loads((run / data_record.RECORD).read_text())
    record["plugins"].append({"file": "other.py", "sha256": "0" * 64})
    (run / data_record.RECORD).write_text(json.dumps(record))
    (run / "config.yaml").write_text((run / "config.yaml").read_text().replace("narrow", "wide"))
    ends(type_("evaluate", str(run)), 2, "unknown model 'wide'", "trained with --plugin other.py")


def test_a_record_that_somebody_else_wrote(project: Path, type_: Type, tmp_path: Path) -> None:
    """What it names outside of the run is not read, and damage is told."""
    run = trained(type_, "measured")
    secret = tmp_path / "secret.csv"
    secret.write_text("x,t,u\n0,0,0\n")
    record = json.loads((run / data_record.RECORD).read_text())
    record["files"][0]["kept"] = "../../../../secret.csv"
    (run / data_record.RECORD).write_text(json.dumps(record))
    there = moved(run, project)
    assert data_record.copies(there) == {}
    ends(type_("evaluate", str(there)), 0)
    (there / data_record.RECORD).write_text('{"files": [{"key": 1}]}')
    ends(type_("evaluate", str(there)), 2, f"{data_record.RECORD} is damaged")


def test_ranks_compare_the_digests_of_their_files(project: Path) -> None:
    config, _ = load_config("measured.yaml")
    before = data_record.digests(config)
    assert before.startswith(f"{KEY} ") and len(before.split()[1]) == 64
    (project / "tables" / "probes.csv").write_text("x,t,u\n0,0,0\n")
    assert data_record.digests(config) != before


def test_another_file_at_the_relative_path_of_a_moved_run(
    project: Path, type_: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was never the file of this run: the copy is taken, whatever the other holds."""
    run = trained(type_, "measured")
    there = project.parent / "there"
    shutil.copytree(project / "runs", there / "runs", symlinks=True)
    (there / "tables").mkdir()
    table = there / "tables" / "probes.csv"
    table.write_text("garbage\n")
    monkeypatch.chdir(there)
    done = type_("evaluate", "latest")
    ends(done, 0)
    assert f"warning: {table} is not the file that this run was trained with" in done.err
    assert str(there / "runs" / run.parent.name / run.name / "data" / "probes.csv") in done.err
    shutil.copy(project / "tables" / "probes.csv", table)
    done = type_("evaluate", "latest")
    ends(done, 0)
    assert "warning" not in done.err


def test_a_damaged_run_is_named_once(type_: Type, here: Path) -> None:
    assert type_("train", "small.yaml").code == 0
    run = (here / "runs/latest").resolve()
    for file in run.glob("checkpoints/step-*/index.json"):
        file.write_text("{")
    answer = type_("evaluate", run)
    assert answer.code == 2 and "is damaged" in answer.err
    assert answer.err.startswith(f"{run} has no checkpoint") and f"{run}:" not in answer.err
