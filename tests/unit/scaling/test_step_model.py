"""Definitions of scaling, the predictor against its formula, and what a sweep starts."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pdehvd.comm.one_shard import OneShard
from pdehvd.errors import ConfigError
from pdehvd.launch import mpirun, ranks
from pdehvd.launch.processes_spec import ProcessesSpec
from pdehvd.scaling import calibration, sweep
from pdehvd.scaling.network_model import ALGORITHMS, Link
from pdehvd.scaling.step_model import (
    BACKWARD,
    Work,
    fit_work,
    lost_seconds,
    predict_curve,
    predict_step,
    scaling_verdict,
    straggler,
)
from pdehvd.scaling.sweep_results import efficiency, row_cells, rows, speed_up
from pdehvd.scaling.topology import Crowd, Topology

PACE = tuple(np.linspace(0.9, 1.1, 50))
WORK = Work(fixed=1e-3, whole=9e-3, pace=PACE, messages=1, size=1e6, alone=10e-3)
NETWORK = Topology(tuple(Link(name, 50e-6, 1e-9, 1e-10) for name in ALGORITHMS))


def test_definitions():
    assert speed_up("strong", 4, 1.0, 0.3) == pytest.approx(1 / 0.3)
    assert efficiency("strong", 4, 1.0, 0.3) == pytest.approx(1 / 1.2)
    assert speed_up("weak", 4, 1.0, 1.25) == pytest.approx(3.2)
    assert efficiency("weak", 4, 1.0, 1.25) == pytest.approx(0.8)


def run(mode, processes, step, repeat=1):
    split = {"computing": step / 2, "communication": step / 4, "waiting": step / 4}
    return {
        "mode": mode,
        "processes": processes,
        "repeat": repeat,
        "step": step,
        "points": 100 * processes if mode == "weak" else 100,
        "memory_mib": 500.0,
        **split,
    }


def test_rows_are_medians_and_one_process_belongs_to_both_modes():
    runs = [run("strong", 1, step, i) for i, step in enumerate((1.0, 9.0, 1.2))]
    runs += [run("strong", 2, step, i) for i, step in enumerate((0.8, 0.7, 0.75))]
    runs += [run("weak", 4, 1.5)]
    found = rows(runs, ["strong", "weak"], cores=2)
    one, two = found["strong"]
    assert (one.step, one.least, one.most, one.efficiency) == (1.2, 1.0, 9.0, 1.0)
    assert two.speed_up == pytest.approx(1.2 / 0.75) and two.throughput == pytest.approx(100 / 0.75)
    four = found["weak"][1]
    assert four.efficiency == pytest.approx(0.8) and four.points == 400
    assert row_cells(four)[0] == "4*" and row_cells(two)[0] == "2"


def test_the_prediction_is_its_formula():
    step = predict_step("strong", 8, WORK, NETWORK)
    computing = 1e-3 + 9e-3 / 8
    assert step.computing == pytest.approx(computing)
    assert step.straggling == pytest.approx(computing * (straggler(8, PACE) - 1))
    assert step.latency + step.moving == pytest.approx(NETWORK.allreduce(8, 1e6).total)
    assert predict_step("weak", 8, WORK, NETWORK).computing == pytest.approx(10e-3)
    assert predict_step("strong", 1, WORK, NETWORK).total == WORK.alone


def test_processes_on_shared_cores_take_turns_and_have_links_of_their_own():
    slow = tuple(Link(name, 1e-3, 1e-9, 1e-10) for name in ALGORITHMS)
    crowded = Topology(NETWORK.between, crowds={4: Crowd(2.0, slow)})
    step, own = predict_step("strong", 4, WORK, crowded), predict_step("strong", 4, WORK, NETWORK)
    assert step.computing == pytest.approx(2 * own.computing)
    sums = min(link.seconds(4, WORK.size) for link in slow)
    assert step.latency + step.moving == pytest.approx(sums)
    assert predict_step("strong", 2, WORK, crowded) == predict_step("strong", 2, WORK, NETWORK)


def test_several_messages_pay_latency_each():
    three = Work(**{**vars(WORK), "messages": 3})
    one, many = (predict_step("strong", 8, work, NETWORK) for work in (WORK, three))
    assert many.latency == pytest.approx(3 * one.latency)
    assert many.moving == pytest.approx(3 * one.moving)


def test_buckets_hide_what_runs_beside_the_backward_pass():
    cost = 4 * NETWORK.allreduce(8, 1e6 / 4).total
    hidden = BACKWARD * straggler(8, PACE) * WORK.computing(1 / 8)
    assert cost > hidden
    step = predict_step("strong", 8, WORK, NETWORK, buckets=4)
    assert step.latency + step.moving == pytest.approx(max(cost / 4, cost - hidden))


def test_the_slowest_of_many():
    generator = np.random.default_rng(0)
    pace = np.quantile(generator.exponential(size=100_000), (np.arange(200) + 0.5) / 200)
    pace /= pace.mean()
    for processes in (2, 16, 64):
        slowest = generator.exponential(size=(4000, processes)).max(axis=1).mean()
        assert straggler(processes, pace) == pytest.approx(slowest, rel=0.05)
    assert straggler(1, pace) == pytest.approx(1)
    assert straggler(10**6, pace) == pytest.approx(pace[-1], rel=1e-3)


def test_fixed_and_shrinking_work_are_told_apart():
    shares = np.array([0.5, 0.25, 0.125])
    assert fit_work(shares, 2e-3 + 8e-3 * shares) == (pytest.approx(2e-3), pytest.approx(8e-3))
    assert fit_work([1.0], [5e-3]) == (0.0, 5e-3)
    # Less time on a whole batch than on a part of it is noise, not a negative cost.
    assert min(fit_work([0.5, 0.25], [1e-3, 3e-3])) == 0


def test_the_curve_has_a_range_and_says_who_owns_the_loss():
    def draw(generator):
        if generator is None:
            return WORK, NETWORK
        return Work(**{**vars(WORK), "whole": 9e-3 * generator.uniform(0.9, 1.1)}), NETWORK

    curve = predict_curve("strong", [1, 2, 8, 64], draw)
    assert curve.low[2] < curve.efficiency[2] < curve.high[2]
    assert curve.efficiency[0] == 1 and list(curve.efficiency) == sorted(curve.efficiency)[::-1]
    last = curve.steps[-1]
    assert sum(lost_seconds("strong", WORK.alone, last).values()) == pytest.approx(
        last.total - WORK.alone / 64
    )
    assert scaling_verdict(curve).startswith("strong: below 80 % from 2 processes on")
    assert "moving and adding bytes" in scaling_verdict(curve)


def test_an_efficient_curve_says_so():
    cheap = Topology(tuple(Link(name, 1e-9, 1e-14, 0) for name in ALGORITHMS))
    still = Work(0.0, 10e-3, (1.0,), 1, 1e6, 10e-3)
    curve = predict_curve("weak", [2, 1024], lambda generator: (still, cheap))
    assert scaling_verdict(curve) == "weak: not below 80 % up to 1,024 processes"


def test_work_from_timed_shards():
    timed = [
        calibration.Timed(1, [7e-3] * 4, [1.0], 0, 0),
        calibration.Timed(2, [5e-3, 5.1e-3, 4.9e-3], [0.8, 1.2], 2.0, 8e3),
        calibration.Timed(4, [3e-3, 3e-3, 3e-3], [0.9, 1.1], 2.0, 8e3),
    ]
    found = calibration.work(timed, 7e-3, False, np.median)
    assert (found.fixed, found.whole) == (pytest.approx(1e-3), pytest.approx(8e-3))
    assert (found.messages, found.size, found.alone) == (2.0, 4e3, 7e-3)
    assert found.pace == pytest.approx((0.85, 1.15))
    assert calibration.shards("weak", [512]) == [2]
    assert calibration.shards("strong", [1, 8]) == [2, 4, 8]
    assert calibration.shards("strong", [4096])[-1] == 4096


def test_calibrations_of_all_repeats_are_kept_and_taken_together(tmp_path):
    measured = []

    def measure():
        measured.append(len(measured))
        pace = [0.9 - 0.1 * len(measured), 1.1 + 0.1 * len(measured)]
        return {"weak": [calibration.Timed(2, [1.0 * len(measured)] * 2, pace, 1.0, 8.0)]}

    kept = calibration.Calibrations(tmp_path / "calibration.json", "a")
    for repeat in (1, 2):
        kept.add(repeat, measure)
    again = calibration.Calibrations(tmp_path / "calibration.json", "a")
    again.add(2, measure)
    (merged,) = again.merged()["weak"]
    assert merged.seconds == [1.0, 1.0, 2.0, 2.0] and len(measured) == 2
    assert merged.pace == pytest.approx([0.75, 1.25])
    assert calibration.Calibrations(tmp_path / "calibration.json", "b").merged() == {}


def test_a_lone_shard_notes_when_its_steps_are_ready():
    shard = OneShard(3)

    @tf.function(autograph=False)
    def steps():
        for _ in range(4):
            shard.sum([tf.ones([2])], "step")
            shard.sum([tf.ones([2])], "moments")

    steps()
    found = shard.single_steps()
    assert len(found) == 3 and np.all(found >= 0) and found.sum() < 60
    assert len(shard.single_steps()) == 0 and shard.counted() == (8, 64)


def planned(**changes):
    plan = {
        "config": Path("a.yaml"),
        "settings": ("seed=3",),
        "plugins": (),
        "counts": (1, 2),
        "modes": ("weak", "strong"),
        "repeats": 2,
        "steps": 80,
    }
    return sweep.Sweep(**{**plan, **changes})


def test_a_sweep_interleaves_repeats_and_runs_one_process_once():
    names = [case.name for case in planned().cases()]
    once = ["strong-1-{}", "weak-2-{}", "strong-2-{}"]
    assert names == [one.format(repeat) for repeat in (1, 2) for one in once]


def test_the_settings_of_a_run():
    settings = planned().command(sweep.Case("weak", 2, 1), Path("out")).settings
    assert settings[0] == "seed=3" and "scaling.mode=weak" in settings
    assert "processes.threads=1" in settings and "training.steps=80" in settings


def test_runs_of_another_config_are_not_taken_over(tmp_path):
    plan = planned()
    fingerprint = plan.fingerprint("x: 1")
    assert sweep.stored(tmp_path, fingerprint) == []
    content = f'{{"fingerprint": "{fingerprint}", "runs": [{{"repeat": 1}}]}}'
    (tmp_path / sweep.FILE).write_text(content)
    assert sweep.stored(tmp_path, fingerprint) == [{"repeat": 1}]
    with pytest.raises(ConfigError, match="another config"):
        sweep.stored(tmp_path, plan.fingerprint("x: 2"))
    assert planned(steps=81).fingerprint("x: 1") != fingerprint


def test_a_machine_refuses_what_it_cannot_start(monkeypatch):
    monkeypatch.setattr(ranks, "was_launched", lambda: False)
    enough = 8 * mpirun.PROCESS_BYTES
    sweep.check_counts([1, 8], ProcessesSpec(), enough)
    with pytest.raises(ConfigError, match="at most 8 on this machine"):
        sweep.check_counts([1, 9], ProcessesSpec(), enough)
    monkeypatch.setattr(ranks, "was_launched", lambda: True)
    with pytest.raises(ConfigError, match="starts the processes itself"):
        sweep.check_counts([1], ProcessesSpec(), enough)
