import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import pdehvd
from pdehvd.errors import ConfigError, EnvironmentFault, PdehvdError
from pdehvd.experiment import notebook
from pdehvd.experiment.notebook import train


def python(text):
    return [sys.executable, "-c", text]


@pytest.fixture
def command(monkeypatch, tmp_path):
    """Return the command lines of `train`, which then runs nothing."""
    seen = []
    run = tmp_path / "runs" / "x"
    run.mkdir(parents=True)
    (run / "config.yaml").touch()

    def follow(given, quiet):
        seen.append(given)
        path = Path(given[given.index("train") + 1])
        seen.append(yaml.safe_load(path.read_text()) if path.exists() else None)
        return 0, str(run), ""

    monkeypatch.setattr(notebook, "_follow", follow)
    return seen


def test_train_is_the_command_of_the_shell(command):
    run = train("a.yaml", np=3, output="out", plugins=["p.py"], training={"steps": 5}, seed=7)
    assert command[0][1:] == [
        *("-m", "pdehvd", "train", "a.yaml", "--np", "3"),
        *("--set", "training.steps=5", "--set", "seed=7", "--plugin", "p.py", "--output", "out"),
    ]
    assert run.directory.parts[-2:] == ("runs", "x")


def test_settings_may_be_dotted_and_are_yaml(command):
    settings = {"model.width": 8, "problem": {"conditions": {"a": {"on": ["x = 1"]}}}, "x": True}
    train("a.yaml", **settings)
    given = command[0][command[0].index("--set") :]
    pairs = dict(text.split("=", 1) for text in given[1::2])
    assert {name: yaml.safe_load(text) for name, text in pairs.items()} == {
        "model.width": 8,
        "problem.conditions.a.on": ["x = 1"],
        "x": True,
    }


def test_a_mapping_becomes_a_file_that_goes_away(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path / "runs")
    train({"problem": {"name": "pde"}})
    assert command[1] == {"name": "run", "problem": {"name": "pde"}}
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["x"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("--set trainig.steps: unknown key 'trainig'", "trainig.steps: unknown key 'trainig'"),
        ("--set optimizer: optimizer.name: unknown", "optimizer.name: unknown"),
        ("{file}:7: problem.fields: got 3", "problem.fields: got 3"),
        ("{file}: the key 'problem' is missing", "the key 'problem' is missing"),
    ],
)
def test_errors_name_what_python_was_given(monkeypatch, tmp_path, said, told):
    monkeypatch.chdir(tmp_path)

    def follow(given, quiet):
        return 2, None, said.format(file=given[given.index("train") + 1]) + "\n"

    monkeypatch.setattr(notebook, "_follow", follow)
    with pytest.raises(ConfigError) as caught:
        train({"problem": {}}, trainig={"steps": 3})
    assert str(caught.value) == told


def test_lines_are_shown_as_they_come_and_tell_the_directory(capsys):
    code, directory, complaint = notebook._follow(
        python(
            "import sys; print('training 1/2'); print('run: /a b'); print('x', file=sys.stderr)"
        ),
        quiet=False,
    )
    assert (code, directory, complaint) == (0, "/a b", "x\n")
    assert capsys.readouterr().out == "training 1/2\nrun: /a b\n"


def test_quiet_shows_nothing(capsys):
    assert notebook._follow(python("print('run: r')"), quiet=True)[1] == "r"
    assert capsys.readouterr().out == ""


def test_much_on_both_streams_does_not_block():
    text = "import sys\nfor i in range(20000): print('o'*50); print('e'*50, file=sys.stderr)"
    code, _, complaint = notebook._follow(python(text), quiet=True)
    assert code == 0 and len(complaint) == 20000 * 51


def test_an_interrupt_reaches_the_run_once_and_it_may_finish(monkeypatch):
    text = (
        "import signal, time\n"
        "def stop(number, frame):\n    print('run: saved', flush=True); raise SystemExit(130)\n"
        "signal.signal(signal.SIGINT, stop)\nprint('ready', flush=True)\ntime.sleep(30)\n"
    )

    def interrupted(line, **_):
        if line == "ready\n":
            raise KeyboardInterrupt

    monkeypatch.setattr(notebook, "print", interrupted, raising=False)
    assert notebook._follow(python(text), quiet=False)[:2] == (130, "saved")


@pytest.mark.parametrize(
    ("code", "kind"), [(1, PdehvdError), (2, ConfigError), (3, EnvironmentFault), (4, PdehvdError)]
)
def test_a_failure_is_raised_with_its_message_and_without_noise(monkeypatch, code, kind):
    said = (
        "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
        "I0000 00:00:1795254989.457319   20465 port.cc:153] oneDNN custom operations are on.\n"
        "a.yaml:3: problem.colour: unknown key\n"
    )
    monkeypatch.setattr(notebook, "_follow", lambda command, quiet: (code, None, said))
    with pytest.raises(kind) as caught:
        train("a.yaml")
    assert str(caught.value) == "a.yaml:3: problem.colour: unknown key"
    assert caught.value.exit_code == code


def test_a_bad_config_ends_in_one_message(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("problem: {name: pde}\nsampling: sobol\nmodle: mlp\n")
    with pytest.raises(ConfigError, match="modle"):
        train(path, output=tmp_path / "runs", quiet=True)
    assert not (tmp_path / "runs").exists()


def test_importing_the_package_is_cheap():
    text = "import sys, pdehvd; print(json.dumps(sorted(sys.modules)))"
    code = f"import json; {text}; pdehvd.train"
    done = subprocess.run(python(code), capture_output=True, text=True, check=True)
    assert not {"tensorflow", "numpy", "pydantic"} & set(json.loads(done.stdout))


def test_a_name_that_the_package_lacks_is_an_attribute_error():
    with pytest.raises(AttributeError, match="tarin"):
        pdehvd.tarin  # noqa: B018


def test_a_folder_that_takes_no_file_is_told(command, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(notebook.tempfile, "NamedTemporaryFile", refuse)
    with pytest.raises(ConfigError, match=r"current folder, but .*: Permission denied; expected a"):
        train({"problem": {}})
