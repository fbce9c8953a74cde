"""`compare`: several runs side by side."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path

import matplotlib.image
import pytest

from tests.support.commands import SAMPLES, Type


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs that the tests of this file share; the first test trains them."""
    return {"folder": tmp_path_factory.mktemp("runs")}


@pytest.fixture
def runs(stored: dict[str, Path], type_: Type, here: Path) -> Path:
    """A folder `runs` with two runs of one problem and one of a generative model."""
    folder = stored["folder"] / "runs"
    if not folder.exists():
        (here / "samples.yaml").write_text(SAMPLES + "training: {steps: 2}\n")
        more = ("--set", "model.width=6", "--set", "optimizer=lbfgs")
        for words in (["small.yaml"], ["small.yaml", *more], ["samples.yaml"]):
            answer = type_("train", *words)
            assert answer.code == 0, answer.err
        shutil.move("runs", folder)
    shutil.copytree(folder, "runs", symlinks=True)
    return Path("runs")


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


@pytest.mark.draws
def test_two_runs_in_a_table_and_a_picture(type_: Type, runs: Path) -> None:
    first, second = sorted((runs / "small").iterdir())
    summaries = [json.loads((run / "summary.json").read_text()) for run in (first, second)]
    answer = type_("compare", first, second, "--output", "curves.png")
    assert answer.code == 0, answer.err
    table, differ = answer.out.split("\n\n")
    for row, run, summary in zip(rows(table)[1:], (first, second), summaries, strict=False):
        assert row[0] == run.name and f"{summary['loss']:.3e}" in row
        assert f"{summary['relative_l2']['u']:.3e}" in row
    best = min(range(2), key=lambda index: summaries[index]["loss"])
    shown = rows(table)[1 + best]
    assert shown[shown.index(f"{summaries[best]['loss']:.3e}") + 1] == "*"
    other = rows(table)[2 - best]
    place = other.index(f"{summaries[1 - best]['loss']:.3e}") + 1
    assert other[place : place + 1] != ["*"]
    values = {row[0]: row for row in rows(differ) if "." in row[0]}
    assert values["model.width"] == ["model.width", "5", first.name]
    assert "optimizer.name" in values and "model.depth" not in values
    assert matplotlib.image.imread("curves.png").std() > 0
    again = type_("compare", first, second, "--output", "curves.png")
    assert again.code == 2 and "output: curves.png exists" in again.err
    assert type_("compare", first, second, "--output", "curves.png", "--force").code == 0


def test_a_folder_of_runs_of_different_problems(type_: Type, runs: Path) -> None:
    answer = type_("compare", runs)
    assert answer.code == 0, answer.err
    table = answer.out.split("\n\n")[0]
    assert len([row for row in rows(table) if row[0].startswith(("small/", "samples/"))]) == 3
    assert "different problems" in table
    losses = {
        f"{json.loads(file.read_text())['loss']:.3e}" for file in runs.glob("*/*/summary.json")
    }
    for row in rows(table):
        assert not any(one in losses and after == "*" for one, after in pairwise(row))


def test_other_weights_have_other_losses(type_: Type, runs: Path) -> None:
    first, second = sorted((runs / "small").iterdir())
    config = (second / "config.yaml").read_text()
    weighted = config.replace("terms: {}", "terms: {condition/walls: 2.0}")
    assert weighted != config
    (second / "config.yaml").write_text(weighted)
    answer = type_("compare", first, second)
    assert "different conditions or weights" in answer.out
    assert "weighting.terms" in answer.out


def test_other_sizes_have_other_losses_and_the_same_errors(type_: Type, runs: Path) -> None:
    first, second = sorted((runs / "small").iterdir())
    config = (second / "config.yaml").read_text()
    sized = config.replace("scale: none", "scale: {terms: {heat: 2.0}, fields: {}, unknowns: {}}")
    assert sized != config
    (second / "config.yaml").write_text(sized)
    answer = type_("compare", first, second)
    assert "different conditions or weights" in answer.out
    assert "different problems" not in answer.out


def test_monitors_are_columns_and_make_no_other_problem(type_: Type, runs: Path) -> None:
    first, second = sorted((runs / "small").iterdir())
    config = (second / "config.yaml").read_text()
    assert "monitors: {}" in config
    more = config.replace("monitors: {}", "monitors: {drag: {integral: u, expected: 3}}")
    (second / "config.yaml").write_text(more)
    for run, drag in ((first, 3.5), (second, 2.9)):
        for name, facts in (("summary", drag), ("evaluation", {"error": abs(drag - 3) / 3})):
            stored = json.loads((run / f"{name}.json").read_text())
            stored["monitors"] = {"drag": facts}
            (run / f"{name}.json").write_text(json.dumps(stored))
    answer = type_("compare", first, second)
    head, one, two, *_ = answer.out.splitlines()
    assert head.endswith("monitor drag") and one.split()[-1] == "3.5"
    assert two.split()[-2:] == ["2.9", "*"] and "different" not in answer.out


def test_a_run_that_has_not_ended(type_: Type, runs: Path) -> None:
    first, second = sorted((runs / "small").iterdir())
    (second / "summary.json").unlink()
    last = json.loads((second / "metrics.jsonl").read_text().splitlines()[-1])
    row = rows(type_("compare", first, second).out)[2]
    assert row[1] == "unfinished" and f"{last['loss/total']:.3e}" in row
    (second / "metrics.jsonl").unlink()
    answer = type_("compare", first, second)
    assert answer.code == 0 and rows(answer.out)[2].count("-") == 4
    (first / "metrics.jsonl").unlink()
    answer = type_("compare", first, second, "--output", "curves.png")
    assert (answer.code, answer.out) == (2, "") and "no run has logged a loss" in answer.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["runs/samples"], "only one run to compare"),
        (["latest", "latest"], "only one run to compare"),
        (["latest", "runs/none"], "there is no run runs/none"),
        (["latest", "small.yaml"], "small.yaml is not a run directory"),
        (["latest", "empty"], "empty holds no run"),
        (["latest", "runs/small", "--output", "curves.pdf"], "a PNG file"),
        (["latest", "runs/small", "--output", "no/curves.png"], "cannot write no/curves.png"),
    ],
)
def test_bad_input(type_: Type, runs: Path, words: list[str], message: str) -> None:
    Path("empty").mkdir()
    answer = type_("compare", *words)
    assert answer.code == 2 and message in answer.err, answer.err
    assert len(answer.err.splitlines()) == 1 and not Path("curves.pdf").exists()


def test_a_damaged_config_is_named(type_: Type, runs: Path) -> None:
    first, second = sorted((runs / "small").iterdir())
    (second / "config.yaml").write_text("a: [")
    answer = type_("compare", first, second)
    assert answer.code == 2 and f"{second.name}/config.yaml" in answer.err


def test_tables_are_the_same_wherever_they_lie(type_: Type, runs: Path) -> None:
    """A path that is relative to the run differs; the file does not."""
    first, second = sorted((runs / "small").iterdir())
    for run, digest in ((first, "a" * 64), (second, "a" * 64)):
        (run / "trained_with.json").write_text(
            json.dumps(
                {
                    "files": [
                        {
                            "key": "problem.conditions.walls.data",
                            "path": f"{run.name}/t.csv",
                            "original": "t.csv",
                            "sha256": digest,
                            "bytes": 1,
                        }
                    ]
                }
            )
        )
        config = (run / "config.yaml").read_text()
        (run / "config.yaml").write_text(
            config.replace("    walls:\n", f"    walls:\n      data: {run.name}/t.csv\n")
        )
    assert "walls.data" not in type_("compare", first, second).out
    record = (second / "trained_with.json").read_text()
    (second / "trained_with.json").write_text(record.replace("a" * 64, "b" * 64))
    assert "problem.conditions.walls.data" in type_("compare", first, second).out
