"""The commands of the scaling benchmark, and what it writes."""

import typer

from pdehvd.cli import app
from pdehvd.config.root import load_config
from scripts.bench.scaling import CASES, COLUMNS, command, parsed, rows, verdicts


def test_every_case_is_a_command_with_a_config_that_loads(tmp_path):
    options = parsed(["--network", "net.json"])
    for case in CASES.values():
        words = command(case, options, tmp_path)
        assert not case.predicted or words[words.index("--predict") + 1] == "2,4"
        with typer.main.get_command(app).commands["scale"].make_context("scale", words[2:]):
            pass
        settings = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
        load_config(words[2], settings)


def test_the_case_of_the_literature_is_its_network():
    case = CASES["schrodinger_4000"]
    words = command(case, parsed([]), "out")
    settings = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
    config, _ = load_config(words[2], settings)
    assert (config.model.width, config.model.depth) == (100, 4)
    assert config.sampling.equations == 4000


ROW = {
    "mode": "weak",
    "processes": 2,
    "points": 8000,
    "step": 0.04,
    "least": 0.03,
    "most": 0.05,
    "speed_up": 1.86,
    "efficiency": 0.93,
    "computing": 0.03,
    "communication": 0.004,
    "waiting": 0.006,
    "memory_mib": 1000.0,
    "oversubscribed": False,
}


def test_a_target_is_reached_or_not():
    case = CASES["schrodinger_4000"]
    for seen, verdict in ((0.93, ": reached"), (0.5, ": not reached")):
        (line,) = verdicts(case, {"rows": {"weak": [{**ROW, "efficiency": seen}]}})
        assert f"{seen:.3f}, target 0.92" in line and line.endswith(verdict)


def test_a_row_holds_measurement_and_prediction():
    steps = [{"processes": 2, "total": 0.044}]
    scaling = {"rows": {"weak": [ROW]}, "predictions": [{"mode": "weak", "steps": steps}]}
    case = CASES["schrodinger_4000"]
    (row,) = rows(case, scaling)
    assert len(row) == len(COLUMNS)
    cells = dict(zip(COLUMNS, row, strict=True))
    assert cells["ms per step"] == "40" and cells["range"] == "30 - 50"
    assert cells["efficiency"] == "0.93" and cells["waiting"] == "6" and cells["MiB"] == "1000"
    assert cells["predicted, ms"] == "44" and cells["off by"] == "+10%"
    (bare,) = rows(case, {"rows": {"weak": [ROW]}})
    assert bare == [*row[:-2], "", ""]
