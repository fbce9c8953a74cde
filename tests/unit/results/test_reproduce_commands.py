import shlex

import pytest

from pdehvd.launch.typed_command import program
from pdehvd.results.reproduce_commands import commands

PROGRAM = shlex.join(program())


def lines(directory, command, processes=1, folder="/home/me/my runs"):
    text = commands(
        directory, {"processes": processes}, {"command": ["pdehvd", *command], "folder": folder}
    )
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_the_first_command_begins_where_the_run_was_started(tmp_path):
    started, again = lines(tmp_path, ["train", "a b.yaml", "--output", "out"])
    assert started == f"cd '/home/me/my runs' && {PROGRAM} train 'a b.yaml' --output out"
    assert again == f"{PROGRAM} train {tmp_path.resolve()}/config.yaml --np 1"


@pytest.mark.parametrize("plugin", [["--plugin", "p.py"], ["--plugin=p.py"]])
def test_a_plugin_is_named_by_its_whole_path(tmp_path, plugin):
    _, again = lines(tmp_path, ["train", "a.yaml", *plugin, "--plugin", "/q.py"])
    assert shlex.split(again)[5:] == ["--plugin", "/home/me/my runs/p.py", "--plugin", "/q.py"]


def test_the_number_of_processes_is_not_lost(tmp_path):
    started, again = lines(tmp_path, ["train", "a.yaml"], 3)
    assert started.endswith("train a.yaml --np 3") and again.endswith("--np 3")
    started, _ = lines(tmp_path, ["train", "a.yaml", "--np=3"], 3)
    assert started.endswith("train a.yaml --np=3")


def test_a_config_that_was_no_file_cannot_be_started_again_by_name(tmp_path):
    (again,) = lines(tmp_path, ["train", "/home/me/.pdehvd-x1.yaml"])
    assert "config.yaml" in again


def test_a_run_of_before_folders_were_noted_has_no_cd(tmp_path):
    text = commands(tmp_path, {}, {"command": ["pdehvd", "train", "a.yaml"]})
    assert f"\n{PROGRAM} train a.yaml\n" in text


def test_an_unfinished_run_knows_its_number_of_processes_too(tmp_path):
    environment = {"processes": 2, "command": ["pdehvd", "train", "a.yaml"], "folder": "/here"}
    assert commands(tmp_path, {}, environment).count(" --np 2") == 2


def test_a_run_that_was_resumed_says_so(tmp_path):
    text = commands(tmp_path, {}, {"command": ["pdehvd", "train", "a.yaml", "--resume=latest"]})
    assert text.startswith("# how the run was resumed\n")
