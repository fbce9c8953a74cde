"""Each check of the doctor, in surroundings that lack something."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from pdehvd.comm.group import Solo
from pdehvd.doctor import collectives, examination, machine_checks
from pdehvd.doctor.findings import FAILED, OK, WARNING
from pdehvd.doctor.tables import show_findings

MEASURED = {
    "size": 2,
    "library": "mpi",
    "ranks": [
        {"host": "a", "local_rank": 0, "cores": 1, "gpu": "GPU:0", "gpus": 1},
        {"host": "a", "local_rank": 1, "cores": 1, "gpu": "GPU:0", "gpus": 1},
    ],
    "wrong": [],
    "seconds": {"1000": 1e-4, "4000000": 2e-3},
    "collectives": [{"name": "gather", "seconds": 4e-5, "wrong": []}],
    "clock_offsets": [0.0, 1e-4],
}


def test_too_little_room_says_how_much_is_needed(tmp_path):
    disk = machine_checks.space(tmp_path / "runs", needed=1e9)
    assert disk.status == FAILED
    assert "1e+09 GiB" in disk.advice and "--output" in disk.advice
    assert machine_checks.space(tmp_path, 0.0).status == OK


def test_small_shared_memory_says_how_much_is_needed(tmp_path, monkeypatch):
    usage = machine_checks.shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage._replace(free=4 * 2**20))
    found = machine_checks.shared(2, tmp_path)
    assert found.status == WARNING and f"4 MiB free in {tmp_path}" in found.found
    assert "2 processes need 9 MiB" in found.advice and "--shm-size=18m" in found.advice
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage._replace(free=64 * 2**20))
    assert machine_checks.shared(2, tmp_path).status == OK
    monkeypatch.undo()
    assert machine_checks.shared(2, tmp_path / "none").status == OK


def test_too_little_memory_and_too_few_cores(monkeypatch):
    assert machine_checks.memory(2, each=1e6).status == FAILED
    assert machine_checks.memory(2, each=0.0).status == OK
    monkeypatch.setattr(machine_checks.ranks, "was_launched", lambda: False)
    monkeypatch.setattr(machine_checks, "node_cores", lambda: 4)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    monkeypatch.setattr("os.getloadavg", lambda: (3.0, 3.0, 3.0))
    crowded = machine_checks.cores(5)
    assert crowded.status == WARNING and "--np 4" in crowded.advice
    assert machine_checks.cores(4).status == OK
    monkeypatch.setattr("os.getloadavg", lambda: (27.1, 3.0, 3.0))
    busy = machine_checks.cores(4)
    assert busy.status == WARNING and "load 27.1" in busy.found and "other programs" in busy.advice


def test_a_machine_without_a_compiler_is_told_of_open_ports(monkeypatch):
    assert machine_checks.ports().status == OK
    monkeypatch.setattr(machine_checks, "loopback_library", lambda: None)
    assert machine_checks.ports().status == WARNING and "compiler" in machine_checks.ports().advice


def test_wrong_packages_are_named():
    found = machine_checks.packages(["numpy >=99", "no-such-package", "pytest; extra == 'dev'"])
    assert found.status == FAILED
    assert "numpy>=99" in found.advice and "no-such-package (missing)" in found.advice
    assert "pytest" not in found.advice
    assert machine_checks.packages(["numpy >=1"]).status == OK


def test_a_folder_that_is_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    found = machine_checks.folder(tmp_path / "file" / "runs")
    assert found.status == FAILED and "--output" in found.advice
    assert machine_checks.folder(tmp_path / "new" / "runs").status == OK
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import os; os.kill(os.getpid(), 11)", "SIGSEGV"),
        ("import time; time.sleep(60)", "no answer within 3 s"),
        ("raise SystemExit('the reason')", "code 1: the reason"),
        ("print('nothing')", "code 0: no message"),
    ],
)
def test_a_probe_that_crashes_or_hangs_is_told(program, said, monkeypatch):
    monkeypatch.setattr(examination, "_SECONDS", 3.0)
    with pytest.raises(examination._ProbeError, match=said):
        examination._answer([sys.executable, "-c", program])


def test_each_collective_has_a_line_that_says_what_is_wrong():
    (tried,) = MEASURED["collectives"]
    good = examination._collective(tried)
    assert (good.name, good.status) == ("test gather", OK) and good.found.endswith("; 40 µs")
    bad = examination._collective({**tried, "wrong": ["arrays", "derivative"]})
    assert bad.status == FAILED and bad.found == "wrong: arrays and derivative" and bad.advice


def test_a_collective_that_is_wrong_is_found_out(monkeypatch):
    assert [tried["wrong"] for tried in collectives.try_all(Solo())] == [[]] * 6
    monkeypatch.setattr(Solo, "_broadcast", lambda self, tensor, root, name: 2 * tensor)
    monkeypatch.setattr(Solo, "_all_sum", lambda self, flat, name: flat)
    monkeypatch.setattr(Solo, "gather_numpy", lambda self, rows, name: rows + 1)
    wrong = {tried["name"]: tried["wrong"] for tried in collectives.try_all(Solo())}
    assert wrong["broadcast"] == ["tensors", "derivative"] and wrong["gather"] == ["arrays"]


def test_wrong_sums_odd_clocks_and_shared_gpus():
    wrong = examination._sum({**MEASURED, "wrong": ["float64"]})
    assert wrong.status == FAILED and "float64" in wrong.advice
    assert examination._sum(MEASURED).status == OK
    odd = examination._clocks({**MEASURED, "clock_offsets": [0.0, -3.0]})
    assert odd.status == WARNING and "Rank 1" in odd.advice
    assert examination._clocks(MEASURED).status == OK
    assert examination._places(MEASURED).status == WARNING
    assert "rank 1: GPU:0" in examination._places(MEASURED).found
    assert "4 MB 2,000 µs" in examination._pace(MEASURED).found


def test_horovod_needs_a_controller():
    broken = examination._horovod({"horovod_error": "ImportError: libmpi.so.40"})
    assert broken.status == FAILED and "scripts.setup.horovod" in broken.advice
    facts = {"version": "0.28.1", "controllers": ["Gloo"], "operations": ["Gloo"]}
    assert examination._horovod({"horovod": facts}).status == WARNING
    assert examination._horovod({"horovod": {**facts, "controllers": []}}).status == FAILED
    assert examination._horovod({"horovod": {**facts, "controllers": ["MPI"]}}).status == OK
    assert examination._gpus({"gpus": ["GPU:0"], "horovod": facts}).status == WARNING
    assert examination._gpus({"gpus": [], "horovod": facts}).status == OK


def test_findings_are_printed_for_people_and_for_programs(capsys):
    findings = [machine_checks.python(), machine_checks.memory(2, each=1e6)]
    show_findings(findings, as_json=False)
    table = capsys.readouterr().out
    assert "failed: memory: End other programs" in table
    show_findings(findings, as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] is False
    assert [check["status"] for check in said["checks"]] == [OK, FAILED]
    assert Path(sys.executable).name in said["checks"][0]["found"]
