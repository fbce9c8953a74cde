"""Restarts: a program stands in for mpirun and dies as it is told."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pdehvd.errors import ConfigError, EnvironmentFault
from pdehvd.launch import job, mpirun, restarts
from pdehvd.launch.commands import TrainCommand
from pdehvd.launch.elastic import Discovery, slots
from pdehvd.launch.processes_spec import ElasticSpec, ProcessesSpec

MPIRUN = """#!{python}
import os, sys
folder = {folder!r}
with open(folder + "/calls", "a") as calls:
    np = sys.argv[sys.argv.index("-np") + 1]
    resumed = "--resume" in sys.argv
    print(np, resumed, os.environ["PDEHVD_RESTARTS"], file=calls)
count = len(open(folder + "/calls").readlines())
codes = {codes!r}
if {notes!r}:
    open(os.environ["PDEHVD_NOTE"], "w").write(folder)
code = codes[min(count, len(codes)) - 1]
if code < 0:
    os.kill(os.getpid(), -code)
sys.exit(code)
"""


@pytest.fixture
def calls(monkeypatch, tmp_path):
    """Launch with an mpirun that ends with these codes in turn; return code and its calls."""

    (tmp_path / "config.yaml").write_text("name: run")

    def launched(codes, np=3, notes=True, **processes):
        fake = tmp_path / "mpirun"
        fake.write_text(
            MPIRUN.format(python=sys.executable, folder=str(tmp_path), codes=codes, notes=notes)
        )
        fake.chmod(0o755)
        monkeypatch.setattr(mpirun, "find_mpirun", lambda: str(fake))
        code = job.launch(TrainCommand(Path("a.yaml")), ProcessesSpec(**processes), np)
        return code, (tmp_path / "calls").read_text().splitlines()

    return launched


def test_a_death_is_survived_from_the_last_checkpoint(calls, tmp_path, capfd):
    code, seen = calls([137, 1, 0], restarts=3)
    assert code == 0
    assert seen == ["3 False 0", "3 True 1", "3 True 2"]
    log = (tmp_path / "log.txt").read_text()
    assert "exit code 137" in log and "restart 2 of 3 on 3 processes" in log
    assert "restart 1 of 3" in capfd.readouterr().err


def test_a_run_may_go_on_with_those_that_are_left(calls):
    _, seen = calls([137, 137, 137, 0], restarts=5, np=2, shrink=True)
    assert [line.split()[0] for line in seen] == ["2", "1", "1", "1"]


def test_a_killed_launcher_of_the_ranks_is_a_death(calls):
    assert calls([-9, 0], restarts=1)[0] == 0


def test_restarts_are_counted(calls):
    code, seen = calls([137, 137, 137, 137], restarts=2)
    assert code == 137 and len(seen) == 3


@pytest.mark.parametrize("code", [0, 2, 3, 4, 130])
def test_what_another_start_would_not_change_is_final(calls, code):
    returned, seen = calls([code, 0], restarts=3)
    assert returned == code and len(seen) == 1


def test_a_death_before_there_is_a_run_starts_from_the_beginning(calls):
    code, seen = calls([137, 0], restarts=1, notes=False)
    assert code == 0 and seen == ["3 False 0", "3 False 1"]


def test_without_restarts_a_death_is_the_end(calls):
    code, seen = calls([137, 0])
    assert code == 137 and len(seen) == 1


def test_a_restart_goes_on_with_the_config_of_the_run():
    command = TrainCommand(Path("a.yaml"), settings=("seed=2",), resume=Path("runs/a"), quiet=True)
    expected = ["train", "runs/b/config.yaml", "--resume", "runs/b", "--quiet"]
    again = command.resuming(Path("runs/b"))
    assert again.argv() == expected
    assert again.resuming(Path("runs/b")) == again


def test_the_words_of_a_command_are_those_that_the_command_line_takes():
    command = TrainCommand(
        Path("a.yaml"), 2, ("seed=2", "name=b"), (Path("p.py"),), Path("runs/a"), Path("out"), True
    )
    words = "train a.yaml --np 2 --set seed=2 --set name=b --plugin p.py"
    assert command.argv() == f"{words} --resume runs/a --output out --quiet".split()


PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]])
print(child.pid, flush=True)
time.sleep(60)
"""
CHILD = """
import os, time
{before}
from pdehvd.launch.orphan import watch_launcher
watch_launcher()
print("watching", flush=True)
time.sleep(60)
"""


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


@pytest.mark.parametrize("deep", [False, True], ids=["parent", "its parent"])
def test_a_process_ends_when_its_launcher_is_killed(deep):
    """A killed parent is enough; with our own launcher, a killed parent of the parent."""
    before = "os.environ['PDEHVD_LAUNCHER'] = os.environ['TOP']" if deep else ""
    inner = CHILD.format(before=before)
    program = [sys.executable, "-c", PARENT, inner]
    if deep:
        outer = "import os, subprocess, sys; os.environ['TOP'] = str(os.getpid()); " + (
            "subprocess.run(sys.argv[1:])"
        )
        program = [sys.executable, "-c", outer, *program]
    top = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    assert top.stdout is not None
    pid = int(top.stdout.readline())
    assert top.stdout.readline() == "watching\n" and alive(pid)
    parent = int(Path(f"/proc/{pid}/stat").read_text().split()[3])
    os.kill(top.pid, signal.SIGKILL)
    end = time.monotonic() + 20
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    survived = alive(pid)
    if deep:
        os.kill(parent, signal.SIGKILL)
    top.wait()
    assert not survived


ELASTIC_MPIRUN = """#!{python}
import json, os, signal, sys, time
folder = {folder!r}
with open(folder + "/started", "a") as started:
    print(json.dumps([sys.argv, dict(os.environ)]), file=started)
np = sys.argv[sys.argv.index("-np") + 1]
def stop(*_):
    sys.exit(130)
signal.signal(signal.SIGUSR1, stop)
with open(folder + "/calls", "a") as calls:
    print(np, "--resume" in sys.argv, os.environ["PDEHVD_RESTARTS"], file=calls)
open(os.environ["PDEHVD_NOTE"], "w").write(folder)
time.sleep(0.1)
open(folder + "/metrics.jsonl", "a").write("{{}}")
count = len(open(folder + "/calls").readlines())
grants = {grants!r}
if count < len(grants):
    open(folder + "/hosts", "w").write(grants[count])
if count == {dies}:
    os.kill(os.getpid(), 9)
if count == len(grants):
    sys.exit(0)
time.sleep(60)
"""


def elastic(monkeypatch, tmp_path, grants, dies=0, **section):
    """Launch an elastic job whose n-th start changes what is granted to the n-th text."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hosts").write_text(grants[0])
    (tmp_path / "config.yaml").write_text("name: run")
    fake = tmp_path / "mpirun"
    fake.write_text(
        ELASTIC_MPIRUN.format(python=sys.executable, folder=str(tmp_path), grants=grants, dies=dies)
    )
    fake.chmod(0o755)
    monkeypatch.setattr(mpirun, "find_mpirun", lambda: str(fake))
    section = {"discovery": str(tmp_path / "hosts"), "every": 0.2, "max": 4, **section}
    processes = ProcessesSpec(elastic=ElasticSpec(**section).asking(Path(), None))
    code = job.launch(TrainCommand(Path("a.yaml")), processes, 1)
    return code, (tmp_path / "calls").read_text().splitlines()


def test_an_elastic_job_moves_to_what_it_is_granted(monkeypatch, tmp_path, capfd):
    grants = ["localhost:2", "localhost:1\n127.0.0.1:2 # more", "localhost", "localhost:9"]
    code, seen = elastic(monkeypatch, tmp_path, grants)
    assert code == 0
    assert seen == ["2 False 0", "3 True 0", "1 True 0", "4 True 0"]
    assert "moving from 2 to 3 processes" in capfd.readouterr().err


def test_an_elastic_job_survives_a_death_on_what_is_left(monkeypatch, tmp_path):
    code, seen = elastic(monkeypatch, tmp_path, ["localhost:2", "localhost:1"], dies=1)
    assert code == 0 and seen == ["2 False 0", "1 True 1"]


def test_too_few_are_waited_for_and_ctrl_c_ends_the_waiting(tmp_path):
    program = (
        "import sys; from pdehvd.launch.job import Job; from pathlib import Path; "
        "from pdehvd.launch.processes_spec import ElasticSpec, ProcessesSpec; "
        f"e = ElasticSpec(min=2, max=3, discovery={str(tmp_path / 'hosts')!r}); "
        "e = e.asking(Path(), None); "
        "from pdehvd.launch.commands import MeasureCommand; "
        "sys.exit(Job(MeasureCommand(()), ProcessesSpec(elastic=e), 3).run())"
    )
    (tmp_path / "hosts").write_text("localhost:1")
    command = [sys.executable, "-c", program]
    waiting = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    assert waiting.stderr is not None
    assert "waiting for 2 processes" in waiting.stderr.readline()
    waiting.send_signal(signal.SIGINT)
    assert waiting.wait(timeout=30) == 130


def test_a_program_is_asked_where_the_command_line_names_it(tmp_path):
    program = tmp_path / "discover"
    program.write_text("#!/bin/sh\necho localhost:2\n")
    program.chmod(0o755)
    discovery = Discovery(ElasticSpec(max=3).asking(tmp_path, program))
    assert discovery.hosts() == {"localhost": 2}
    program.write_text("#!/bin/sh\nexit 1\n")
    assert discovery.hosts() == {"localhost": 2} and "cannot be read" in discovery.problem


def test_a_config_runs_no_program():
    assert "_program" not in ElasticSpec.model_json_schema()["properties"]
    with pytest.raises(ValueError, match="program"):
        ElasticSpec.model_validate({"max": 2, "discovery": "hosts", "_program": "/bin/true"})
    with pytest.raises(ConfigError, match="elastic job without a discovery source"):
        ElasticSpec(max=2).asking(Path(), None)


@pytest.mark.parametrize(
    "text", ["localhost:two", "localhost:-1", "-oProxyCommand=ls:2", "a b c", "node7,node8:2"]
)
def test_bad_grants_are_refused(text):
    with pytest.raises(ConfigError):
        slots(text, "hosts.txt")


def test_grants_are_counted_by_machine(tmp_path):
    text = f"node7:2\n{socket.gethostname()}:1 # here\nlocalhost:3\n\nnode8\n"
    assert slots(text, "hosts.txt") == {"node7": 2, "localhost": 4, "node8": 1}
    (tmp_path / "hosts").write_text(text)
    for most, kept in ((4, {"node7": 2, "localhost": 2}), (9, slots(text, "hosts"))):
        spec = ElasticSpec(max=most, discovery="hosts").asking(tmp_path, None)
        assert Discovery(spec).hosts() == kept


def test_a_job_on_several_machines(monkeypatch, tmp_path, capfd):
    """It moves when a machine is replaced by another, too, and tells mpirun where to start."""
    code, _ = elastic(monkeypatch, tmp_path, ["node1:2\nnode2:1", "node1:2\nnode3:1"])
    assert code == 0 and "from 3 to 3 processes on node1, node3" in capfd.readouterr().err
    started = [json.loads(line) for line in (tmp_path / "started").read_text().splitlines()]
    for (arguments, environment), other in zip(started, ("node2:1", "node3:1"), strict=True):
        assert arguments[arguments.index("--host") + 1] == f"node1:2,{other}"
        assert "tcp" in environment["OMPI_MCA_btl"] and "LD_PRELOAD" not in environment
        # The process id of this launcher says nothing on another machine.
        assert "PDEHVD_LAUNCHER" not in environment
        handed_on = environment["OMPI_MCA_mca_base_env_list"].split(";")
        assert {"PDEHVD_NOTE", "PDEHVD_RESTARTS", "OMP_NUM_THREADS", "PATH"} <= set(handed_on)


def test_the_first_rank_must_see_the_folder_of_the_launcher(monkeypatch, tmp_path):
    monkeypatch.setenv("PDEHVD_NOTE", str(tmp_path / "here" / ".pdehvd-x" / "run"))
    with pytest.raises(EnvironmentFault, match="all machines share"):
        restarts.note_run(tmp_path)


@pytest.mark.parametrize(
    ("section", "told"), [({}, "TMPDIR"), ({"elastic": ElasticSpec(max=2, discovery="f")}, "elast")]
)
def test_a_launch_that_can_write_nowhere_says_so(monkeypatch, section, told):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(job.tempfile, "TemporaryDirectory", refuse)
    with pytest.raises(EnvironmentFault, match=f"Permission denied.*{told}|{told}.*Permission"):
        job.launch(TrainCommand(Path("a.yaml")), ProcessesSpec(**section), 2)
