"""The watchdog in a process of its own, for it ends that."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

PROGRAM = """
import time
from pdehvd.launch.processes_spec import ProcessesSpec
from pdehvd.comm.watchdog import Watchdog

def stands_still():
    print("ready", flush=True)
    time.sleep({seconds})

with Watchdog(ProcessesSpec(patience={patience}, patience_at_start={at_start})) as watchdog:
    {first}
    stands_still()
print("done")
"""


def started(first="watchdog.beat(3)", patience=1.0, at_start=1.0, seconds=60):
    text = PROGRAM.format(first=first, patience=patience, at_start=at_start, seconds=seconds)
    child = subprocess.Popen(
        [sys.executable, "-c", text],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert child.stdout.readline() == "ready\n"
    return child


def test_standing_still_ends_the_process_with_its_stack():
    children = [started(), started("pass"), started("watchdog.beat(3); watchdog.relax()")]
    for child, where in zip(
        children, ("after step 3", "before the first", "after st"), strict=True
    ):
        _, said = child.communicate(timeout=60)
        assert child.returncode == 1
        assert f"no progress for 1 s {where}" in said
        assert "in stands_still" in said


def test_time_in_which_it_was_stopped_does_not_count_and_a_signal_shows_the_stack():
    asleep = started(patience=None, seconds=4)
    child = started(patience=3.0, seconds=2.5)
    child.send_signal(signal.SIGSTOP)
    time.sleep(5)
    child.send_signal(signal.SIGUSR2)
    child.send_signal(signal.SIGCONT)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 0 and "in stands_still" in said
    assert "no progress" not in said
    assert asleep.communicate(timeout=60)[0] == "done\n" and asleep.returncode == 0


def test_the_start_may_take_longer():
    child = started("pass", patience=0.5, at_start=60.0, seconds=3)
    assert child.communicate(timeout=60)[0] == "done\n"
