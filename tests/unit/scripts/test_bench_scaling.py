"""The commands of the scaling benchmark, and what it writes."""

import typer
from bench_scaling import CASES, command, parsed, section

from pdehvd.cli import app
from pdehvd.experiment.config import load_config


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


def test_a_section_says_whether_the_aim_was_reached():
    case = CASES["schrodinger_4000"]
    for seen, verdict in ((0.93, "reached."), (0.5, "not reached.")):
        scaling = {"rows": {"weak": [{"processes": 2, "efficiency": seen}]}}
        text = section(case, scaling, "| np |\n")
        assert text.endswith(f"0.92; seen {seen:.3f}: {verdict}") and "| np |" in text
