"""The study of large batches: what it runs, and what its table says."""

import argparse
import math
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

import pytest
import yaml

from pdehvd.assembly.build import build_objective, build_phases, build_problem
from pdehvd.comm.group import Solo
from pdehvd.config.root import load_config
from scripts.bench import large_batch as study


@pytest.mark.parametrize("name", study.CASES)
@pytest.mark.parametrize("rule", study.RULES)
def test_every_run_sees_as_many_points(tmp_path, name, rule):
    case, seen = study.CASES[name], []
    for factor in study.FACTORS:
        path = tmp_path / f"x{factor}.yaml"
        path.write_text(yaml.safe_dump(study.settings(case, study.RULES[rule], factor, 1.0, 1)))
        config, _ = load_config(path)
        problem = build_problem(config, 1)
        assert build_phases(config, build_objective(config, problem, Solo()))
        seen.append(problem.items * config.training.steps)
    assert len(set(seen)) == 1


def test_the_table_says_what_the_rules_keep(tmp_path):
    def curve(error):
        return [study.Curve([1.0, 2.0], [1.0, error], False)]

    gone = [study.Curve([], [], True)]
    names = list(study.RULES)
    curves = {("none", 1): curve(0.1), ("none", 8): curve(0.3), (names[1], 8): gone}
    curves |= {(names[2], 8): curve(0.105), ("none", 64): curve(0.4), (names[2], 64): curve(0.2)}
    shown, notes = study.table(study.CASES["burgers"], curves)
    text = "\n".join([shown.markdown(), *notes])
    assert "| x 8 (512) | none | 3.00e-01 | 3.00 | 2.0 |" in text
    assert "diverged" in text
    assert f"Burgers, batch x 8: the best rule ({names[2]}) keeps the error within 10 %." in text
    assert f"Burgers, batch x 64: the best rule ({names[2]}) does not keep the error" in text
    assert math.isinf(study.median(gone)[0])
    study.draw({"burgers": curves}, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 5000


def test_a_small_batch_needs_no_rule(monkeypatch, tmp_path):
    ran = []

    def measured(config):
        ran.append(config)
        return study.Curve([1.0], [0.5], False)

    monkeypatch.setattr(study, "measured", measured)
    options = argparse.Namespace(factors=[1, 8], seeds=2, share=0.001, keep=tmp_path / "runs")
    curves = study.study(study.CASES["burgers"], options)
    assert {name for name, factor in curves if factor == 1} == {"none", "LAMB, sqrt, warm-up"}
    assert len(ran) == 2 * len(curves) and {config["seed"] for config in ran} == {1, 2}
    # What is kept is not run again.
    assert study.study(study.CASES["burgers"], options) == curves
    assert len(ran) == 2 * len(curves)


def test_a_run_stays_on_a_core_of_its_own():
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, study.pin, (_cores(),)) as pool:
        assert len(pool.submit(os.sched_getaffinity, 0).result()) == 1


def _cores():
    cores = multiprocessing.get_context("spawn").SimpleQueue()
    cores.put(min(os.sched_getaffinity(0)))
    return cores
