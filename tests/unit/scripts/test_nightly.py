"""What `make nightly` runs, and how it judges."""

from __future__ import annotations

import json
import threading
from importlib.util import find_spec
from pathlib import Path

import pytest

from scripts.nightly import __main__ as nightly
from scripts.nightly.jobs import CASES, Expected, Job, Outcome, Stated, all_jobs, by_lines

CONFIGS = {path.stem for path in (Path(__file__).parents[3] / "configs").glob("*.yaml")}


def run_folder(folder: Path, **summary: object) -> Path:
    (folder / "latest").mkdir(parents=True)
    (folder / "latest" / "summary.json").write_text(json.dumps({"warnings": [], **summary}))
    return folder


def test_every_config_case_and_campaign_has_a_job() -> None:
    names: dict[str, set[str]] = {}
    for job in all_jobs():
        names.setdefault(job.part, set()).add(job.name.split(",")[0])
    assert names["configs"] == CONFIGS
    assert names["cases"] == {
        path.stem for path in CASES.iterdir() if path.suffix in (".yaml", ".sh")
    } - {"expected"}
    assert names["campaigns"] == {"meaning", "fuzz", "torture"}
    assert names["tests"] == {"typed", "cli", "parallel", "numerics", "unit"}
    for job in all_jobs():
        for word in job.command:
            if word.startswith("configs/"):
                assert Path(word).is_file()
            if word.startswith("scripts."):
                assert find_spec(f"{word}.__main__")


def test_a_config_must_reach_twice_its_stated_error_without_a_warning(tmp_path: Path) -> None:
    claim = Stated("x", 1, 10, {"u": 1e-3, "v": 1e-2}, {"nu": 0.05})
    reached = {"relative_l2": {"u": 1.9e-3, "v": 1e-2}, "unknowns": {"nu": 0.0505}, "warnings": []}
    assert claim.judge(0, "", run_folder(tmp_path / "good", **reached)).good
    assert not claim.judge(4, "", tmp_path / "good").good
    assert not claim.judge(0, "", tmp_path / "nothing").good
    worse = {**reached, "relative_l2": {"u": 2.1e-3, "v": 1e-2}}
    assert not claim.judge(0, "", run_folder(tmp_path / "worse", **worse)).good
    wrong = {**reached, "unknowns": {"nu": 0.06}}
    assert not claim.judge(0, "", run_folder(tmp_path / "wrong", **wrong)).good
    warned = {**reached, "warnings": ["u is constant"]}
    outcome = claim.judge(0, "", run_folder(tmp_path / "warned", **warned))
    assert not outcome.good and "warning: u is constant" in outcome.result


def test_a_case_is_right_refused_or_warned_of(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    refused = Expected(refused="no partner")
    assert refused.judge(2, "50 % have no partner", empty).good
    assert not refused.judge(1, "50 % have no partner", empty).good
    assert not refused.judge(2, "something else", empty).good
    folder = run_folder(tmp_path / "run", relative_l2={"u": 0.5}, warnings=["u is constant"])
    assert not refused.judge(2, "50 % have no partner", folder).good
    assert Expected(warned="constant").judge(0, "", folder).good
    assert not Expected(warned="units").judge(0, "", folder).good
    assert not Expected(error=1.0).judge(0, "", folder).good, "a warning where all is well"
    fine = run_folder(tmp_path / "fine", relative_l2={"u": 0.5})
    assert Expected(error=1.0).judge(0, "", fine).good
    assert not Expected(error=0.1).judge(0, "", fine).good


def test_lines_of_a_script_say_which_codes_are_right() -> None:
    good = "== a: exit code 0 (wanted 0)\n== b: exit code 3 (wanted 1 or 3 within a minute)\n"
    assert by_lines(0, good, CASES).good
    assert not by_lines(0, good + "== c: exit code 1 (wanted 0)\n", CASES).good
    assert not by_lines(0, "", CASES).good


def test_what_this_version_has_done_is_not_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def judge(code: int, output: str, folder: Path) -> Outcome:
        return Outcome(output.strip(), code == 0)

    jobs = [
        Job("part", name, ("sh", "-c", f"echo {name}; exit {code}"), 1, judge)
        for name, code in (("one", 0), ("two", 3))
    ]
    monkeypatch.setattr(nightly, "STORE", tmp_path / "results" / "nightly.json")
    monkeypatch.setattr(nightly, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr("scripts.nightly.jobs.OUTPUTS", tmp_path / "outputs")
    monkeypatch.setattr(nightly, "all_jobs", lambda: jobs)
    page = "a\n<!-- nightly: begin -->\nold\n<!-- nightly: end -->\nb\n"
    (tmp_path / "page.md").write_text(page)
    monkeypatch.setattr("sys.argv", ["nightly"])
    assert nightly.main() == 1
    assert "FAILED: two" in capsys.readouterr().out
    (kept,) = (tmp_path / "outputs").iterdir()
    assert kept.name == "part_two.txt" and kept.read_text() == "two\n"
    rows = (tmp_path / "page.md").read_text().splitlines()
    assert rows[0] == "a" and rows[-1] == "b" and "old" not in rows
    assert [row.split(" | ")[:4] for row in rows if row.startswith("| part |")][1:] == [
        ["| part", "one", "one", "yes"],
        ["| part", "two", "two", "**no**"],
    ]
    assert nightly.main() == 1
    assert "1/" not in capsys.readouterr().out
    jobs.append(Job("more", "three", ("sh", "-c", "echo three"), 1, judge))
    monkeypatch.setattr("sys.argv", ["nightly", "--only", "more"])
    assert nightly.main() == 0
    assert "1/1 more/three: three" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["nightly", "--again", "--only", "part/one"])
    assert nightly.main() == 0
    assert "1/1 part/one: one" in capsys.readouterr().out


def test_jobs_share_the_cores() -> None:
    cores, most, now, lock = nightly.Cores(2), [0], [0], threading.Lock()

    def work(wanted: int) -> None:
        with cores.held(wanted):
            with lock:
                now[0] += min(wanted, 2)
                most[0] = max(most[0], now[0])
            threading.Event().wait(0.01)
            with lock:
                now[0] -= min(wanted, 2)

    threads = [threading.Thread(target=work, args=(1 + index % 3,)) for index in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert most[0] == 2 and now[0] == 0
