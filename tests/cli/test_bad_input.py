"""Bad input gets one message with file, line, path and nearest name; code 2; nothing is written."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from pdehvd.config import listing
from tests.support.commands import CONFIG, Type, contents
from tests.support.launcher import nightly

HEAT = "u_t - nu*u_xx"
INITIAL = "    initial: {on: t = 0, equal: {u: -sin(pi*x)}}\n"


def refused(here: Path, type_: Type, expected: str, *arguments: str) -> str:
    """Type `train` and return the message after all that every refusal must fulfil."""
    before = contents(here)
    answer = type_("train", "small.yaml", *arguments)
    assert answer.code == 2, answer
    assert answer.err.startswith(expected)
    assert "Traceback" not in answer.err
    assert answer.out == ""
    assert contents(here) == before
    return answer.err


CASES = {
    "a misspelt key": (
        "learning_rate:",
        "lerning_rate:",
        "small.yaml:17: optimizer.lerning_rate: unknown key 'lerning_rate'; expected one of ",
        "did you mean 'learning_rate'?",
    ),
    "a misspelt section": (
        "training:",
        "trainig:",
        "small.yaml:18: trainig: unknown key 'trainig'; expected one of name, seed",
        "did you mean 'training'?",
    ),
    "a misspelt name": (
        "name: adam",
        "name: adan",
        "small.yaml:17: optimizer.name: unknown optimizer 'adan'; expected one of ",
        "did you mean 'adam'?",
    ),
    "a wrong type": (
        "steps: 4,",
        "steps: many,",
        "small.yaml:18: training.steps: got 'many'; expected a whole number",
        "",
    ),
    "an unknown symbol": (
        HEAT,
        "u_t - mu_*nu*u_xx",
        "small.yaml:10: problem.equations.heat: unknown name 'mu_'",
        "expected one of x, t, u, nu",
    ),
    "a derivative of a missing field": (
        HEAT,
        "u_t - nu*v_xx",
        "small.yaml:10: problem.equations.heat: unknown name 'v_xx'",
        "expected one of x, t, u, nu",
    ),
    "a derivative by a missing coordinate": (
        HEAT,
        "u_t - nu*u_yy",
        "small.yaml:10: problem.equations.heat: unknown name 'u_yy'",
        "expected one of x, t, u, nu",
    ),
    "a condition outside the domain": (
        "x = -1, x = 1",
        "x = -1, x = 3",
        "small.yaml:12: problem.conditions.walls.on.1: x = 3 is outside",
        "did you mean 'x = 1'?",
    ),
    "an expression that runs code": (
        HEAT,
        "__import__('os').system('touch pwned')",
        "small.yaml:10: problem.equations.heat: not allowed in an expression",
        "",
    ),
    "an expression that would never end": (
        HEAT,
        "u*9**9**9**9",
        "small.yaml:10: problem.equations.heat: ",
        "exponent",
    ),
    "a condition of no kind": (
        "{on: t = 0, equal: {u: -sin(pi*x)}}",
        "{equal: {u: 0}}",
        "small.yaml:13: problem.conditions.initial: ",
        "expected one of on, between, periodic, data, at, integral",
    ),
    "points for a condition that does not exist": (
        "conditions: 16",
        "conditions: {walls: 8, initail: 8}",
        "small.yaml:15: sampling.conditions.initail: ",
        "did you mean 'initial'?",
    ),
    "bounds the wrong way round": (
        "x: [-1, 1]",
        "x: [1, -1]",
        "small.yaml:6: problem.coordinates.x: ",
        "expected x: [low, high]",
    ),
    "a reference for a field that is none": (
        "{name: exact, u: -sin(pi*x)*exp(-nu*pi^2*t)}",
        "{name: exact, w: 0}",
        "small.yaml:14: problem.reference.w: 'w' is not a field; expected one of the fields u",
        "",
    ),
    "a weight for a term that is none": (
        "training:",
        "weighting: {name: fixed, terms: {wall: 2}}\ntraining:",
        "small.yaml:18: weighting.terms.wall: 'wall' is not a term of the loss",
        "did you mean 'walls'?",
    ),
    "a coordinate that the model does not know": (
        "depth: 2",
        "depth: 2, periodic: {y: true}",
        "small.yaml:16: model.periodic.y: 'y' is not a coordinate; expected one of x, t",
        "",
    ),
    "a reference batch of none": (
        "learning_rate: 1e-3",
        "learning_rate: {name: constant, value: 1e-3, scaling: {reference_batch: 0}}",
        "small.yaml:17: optimizer.learning_rate.scaling.reference_batch: got 0; expected",
        "a number of at least 1",
    ),
    "a misspelt scaling rule": (
        "learning_rate: 1e-3",
        "learning_rate: {name: constant, value: 1e-3, scaling: {rule: liner, reference_batch: 8}}",
        "small.yaml:17: optimizer.learning_rate.scaling.rule: got 'liner'; expected ",
        "did you mean 'linear'?",
    ),
    "a warm-up that is longer than the run": (
        "learning_rate: 1e-3",
        "learning_rate: {name: constant, value: 1e-3, warmup: 5}",
        "small.yaml:17: optimizer.learning_rate.warmup: a warm-up of 5 steps is longer than",
        "expected at most 4",
    ),
    "a constant warm-up of an unknown rate": (
        "learning_rate: 1e-3",
        "learning_rate: {name: constant, value: 1e-3, warmup: {steps: 2, shape: constant}}",
        "small.yaml:17: optimizer.learning_rate.warmup.shape: a constant warm-up needs the rate",
        "the key 'scaling'",
    ),
    "a warm-up of no steps": (
        "learning_rate: 1e-3",
        "learning_rate: {name: constant, value: 1e-3, warmup: -3}",
        "small.yaml:17: optimizer.learning_rate.warmup",
        "expected a number of at least 1",
    ),
    "more micro-batches than points": (
        "training: {",
        "training: {micro_batches: 33, ",
        "small.yaml:18: training.micro_batches: 32 collocation points cannot be cut into 33 parts",
        "expected at most 32",
    ),
    "a name that is a list": (
        "name: adam",
        "name: [adam]",
        "small.yaml:17: optimizer.name: unknown optimizer '['adam']'; expected one of ",
        "",
    ),
    "more points than can be numbered": (
        "equations: 32",
        "equations: 1e30",
        "small.yaml:15: sampling.equations: 1e+30 is too many; expected at most 2147483647",
        "",
    ),
    "more points than a float holds": (
        "equations: 32",
        "equations: 1" + "0" * 400,
        "small.yaml:15: sampling.equations: 10000000000000000000 is too many; expected at most",
        "",
    ),
    "letters that a terminal obeys": (
        HEAT,
        '"\\e[31m"',
        "small.yaml:10: problem.equations.heat: ",
        "  \\x1b[31m\n",
    ),
    "an expression that a comma cuts": (
        "{u: 0}",
        "{u: where(t > 0, 1, 0)}",
        "small.yaml:12: problem.conditions.walls.equal.u: a comma ends the value 'where(t > 0'; ",
        "quote an expression that holds a comma: 'where(t > 0, 1, 0)'",
    ),
    "bounds that a comma cuts": (
        "x: [-1, 1]",
        "x: [min(-1, -2), 1]",
        "small.yaml:6: problem.coordinates.x.0: a comma ends the value 'min(-1'; ",
        "quote an expression that holds a comma: 'min(-1, -2)'",
    ),
    "a constant that a comma cuts": (
        "nu: 0.1",
        "nu: atan2(1, 2)",
        "small.yaml:8: problem.constants.nu: a comma ends the value 'atan2(1'; ",
        "quote an expression that holds a comma: 'atan2(1, 2)'",
    ),
    "a tab": (
        "  name: pde",
        "\tname: pde",
        "small.yaml:5: the indentation of this line holds a tab; use spaces",
        "",
    ),
    "a key too far to the left": (
        "  fields: [u]",
        " fields: [u]",
        "small.yaml:7: wrong indentation: 1 space in front of 'fields:'; expected 0 or 2, as above",
        "",
    ),
    "a section beside its key": (
        "    heat: ",
        "  heat: ",
        "small.yaml:9: problem.equations: this key has no value; expected a mapping",
        "small.yaml:10: problem.heat: unknown key 'heat'",
    ),
    "a region written with a colon": (
        "on: t = 0",
        "on: t: 0",
        "small.yaml:13: a second ':' in one value; a region is written with =, as in t = 0",
        "",
    ),
    "a region written as a mapping": (
        "on: t = 0",
        "on: {t: 0}",
        "small.yaml:13: problem.conditions.initial.on: got the mapping {t: 0}; expected text",
        "",
    ),
    "a derivative in another notation": (
        HEAT,
        "grad(u, t) - nu*u_xx",
        "small.yaml:10: problem.equations.heat: 'grad' is not how derivatives are written",
        "expected names such as u_x, u_t, u_xx; of expressions, diff(..., x)",
    ),
    "a derivative by no coordinate": (
        HEAT,
        "u_t - nu*u_zz",
        "small.yaml:10: problem.equations.heat: unknown name 'u_zz': 'z' is not a coordinate",
        "expected one of x, t, u, nu",
    ),
    "a function of a library": (
        HEAT,
        "u_t - np.sin(x)",
        "small.yaml:10: problem.equations.heat: 'np.sin' is a library's: write sin(...)",
        "",
    ),
    "a delay": (
        HEAT,
        "u_t - u(x, t - 1)",
        "small.yaml:10: problem.equations.heat: 'u' is evaluated at another point: delays",
        "expected u, by its name alone",
    ),
    "a field in capitals": (
        HEAT,
        "U_t - nu*U_xx",
        "small.yaml:10: problem.equations.heat: unknown name 'U_",
        "did you mean 'u_",
    ),
    "a key of another program": (
        "learning_rate: 1e-3",
        "lr: 1e-3",
        "small.yaml:17: optimizer.lr: unknown key 'lr'; expected one of ",
        "did you mean 'learning_rate'?",
    ),
    "a name in another spelling": (
        "name: adam, learning_rate: 1e-3",
        "name: L-BFGS",
        "small.yaml:17: optimizer.name: unknown optimizer 'L-BFGS'; expected one of ",
        "did you mean 'lbfgs'?",
    ),
    "a key of another section": (
        "seed: 1",
        "epochs: 1",
        "small.yaml:2: epochs: unknown key 'epochs'; expected one of name, seed",
        "did you mean 'training.steps'?",
    ),
    "YAML that cannot be read": (
        "seed: 1",
        "seed: [1",
        "small.yaml:2: the '[' of line 2 is not closed",
        "",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_mistakes_in_the_file(here: Path, type_: Type, case: str) -> None:
    old, new, start, within = CASES[case]
    assert old in CONFIG
    (here / "small.yaml").write_text(CONFIG.replace(old, new))
    assert within in refused(here, type_, start)


def test_mistakes_told_by_the_processes(here: Path, type_: Type) -> None:
    """The parent does not validate what the processes it starts will validate."""
    (here / "small.yaml").write_text(CONFIG.replace("width", "widht"))
    assert "'width'" in refused(here, type_, "small.yaml:16: model.widht", "--np", "2")


DATA = {
    "nothing.csv": (None, "there is no data file"),
    "short.csv": ("x,t\n0,0\n", "has no column of a field, but x, t in line 1; expected one of u"),
    "torn.csv": (
        "x,t,u\n0,0\n",
        "row 1 (line 2) has 2 values between commas, the header in line 1 has 3 names",
    ),
    "empty.csv": ("x,t,u\n", "holds no rows"),
    "nan.csv": ("x,t,u\n0,0,1\n0,0.5,nan\n", "not finite, the first in row 2"),
    "text.csv": ("x,t,u\n0,0,warm\n", "column 'u' holds 'warm' in row 1 (line 2)"),
    "outside.csv": ("x,t,u\n0,7,1\n", "row 1 (line 2) lies outside the domain, by 6"),
    "capital.csv": (
        "x,T,u\n0,0,1\n",
        "has no column 't', but x, T, u in line 1; expected columns x, t, u; in the table, "
        "rename 'T' to 't'",
    ),
    "data.xls": ("x,t,u\n0,0,1\n", "expected a file that ends in"),
}


@pytest.mark.parametrize("name", DATA)
def test_data_files(here: Path, type_: Type, name: str) -> None:
    text, expected = DATA[name]
    if text is not None:
        (here / name).write_text(text)
    points = f"    points: {{data: {name}}}\n"
    (here / "small.yaml").write_text(CONFIG.replace(INITIAL, INITIAL + points))
    start = "small.yaml:14: problem.conditions.points.data: "
    assert expected in refused(here, type_, start)


def test_a_data_file_of_unequal_columns(here: Path, type_: Type) -> None:
    np.savez(here / "short.npz", x=np.zeros(3), t=np.zeros(3), u=np.zeros(2))
    points = "    points: {data: short.npz}\n"
    (here / "small.yaml").write_text(CONFIG.replace(INITIAL, INITIAL + points))
    refused(here, type_, "small.yaml:14: problem.conditions.points.data: ")


def test_a_data_file_that_would_run_code(here: Path, type_: Type) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (open, (str(here / "pwned"), "w"))

    values = np.empty(1, dtype=object)
    values[0] = Evil()
    np.savez(here / "evil.npz", x=np.zeros(1), t=np.zeros(1), u=values)
    points = "    points: {data: evil.npz}\n"
    (here / "small.yaml").write_text(CONFIG.replace(INITIAL, INITIAL + points))
    refused(here, type_, "small.yaml:14: problem.conditions.points.data: cannot read")


def _npz(**entries: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, raw in entries.items():
            archive.writestr(f"{name}.npy", raw)
    return stream.getvalue()


def _encrypted() -> bytes:
    """Return an archive whose entry says to be encrypted."""
    raw = bytearray(_npz(x=b"0"))
    for start, flags in ((raw.find(b"PK\3\4"), 6), (raw.find(b"PK\1\2"), 8)):
        raw[start + flags] |= 1
    return bytes(raw)


def _claiming() -> bytes:
    """Return an archive whose two entries say that they have almost 4 GiB each."""
    raw = _npz(x=b"0", t=b"0")
    head, *entries = raw.split(b"PK\1\2")
    huge = [entry[:20] + b"\xfe\xff\xff\xff" + entry[24:] for entry in entries]
    return b"PK\1\2".join([head, *huge])


BROKEN = {
    "header.npz": (_npz(x=b"\x93NUMPY\1\0\1\0{"), "cannot read"),
    "encrypted.npz": (_encrypted(), "encrypted"),
    "large.npz": (_claiming(), "expected at most 4 GiB"),
    "packed.npz": (_npz(x=bytes(99)).replace(b"c`\xa09", b"\xff" * 4), "cannot read"),
    "none.npz": (b"\x93NUMPY", "cannot read"),
    "none.h5": (b"\x89HDF\r\n\x1a\n" + bytes(99), "cannot read"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_damaged_data_files(here: Path, type_: Type, name: str) -> None:
    raw, expected = BROKEN[name]
    (here / name).write_bytes(raw)
    points = f"    points: {{data: {name}}}\n"
    (here / "small.yaml").write_text(CONFIG.replace(INITIAL, INITIAL + points))
    assert expected in refused(here, type_, "small.yaml:14: problem.conditions.points.data: ")


def test_a_message_has_a_length(here: Path, type_: Type) -> None:
    (here / "wide.csv").write_text("x" * 5000 + ",t,u\n0,0,1\n")
    points = "    points: {data: wide.csv, fields: [u]}\n"
    (here / "small.yaml").write_text(CONFIG.replace(INITIAL, INITIAL + points))
    told = refused(here, type_, "small.yaml:14: problem.conditions.points.data: ")
    assert len(told) < 2000 and told.endswith("...\n")


def test_a_data_file_of_complex_numbers(here: Path, type_: Type) -> None:
    np.savez(here / "complex.npz", x=np.zeros(2), t=np.zeros(2), u=np.full(2, 1j))
    points = "    points: {data: complex.npz}\n"
    (here / "small.yaml").write_text(CONFIG.replace(INITIAL, INITIAL + points))
    start = "small.yaml:14: problem.conditions.points.data: "
    assert "column 'u' holds something that is not a number" in refused(here, type_, start)


def test_a_data_file_that_claims_a_huge_array(here: Path, type_: Type) -> None:
    with h5py.File(here / "huge.h5", "w") as archive:
        archive.create_dataset("x", (10**13,), "f8", chunks=(1024,))
    points = "    points: {data: huge.h5}\n"
    (here / "small.yaml").write_text(CONFIG.replace(INITIAL, INITIAL + points))
    start = "small.yaml:14: problem.conditions.points.data: cannot read"
    assert "7.45e+04 GiB" in refused(here, type_, start)


def test_settings_on_the_command_line(here: Path, type_: Type) -> None:
    told = refused(
        here, type_, "--set training.stepz: unknown key 'stepz'", "--set", "training.stepz=5"
    )
    assert told.rstrip().endswith("did you mean 'steps'?")
    refused(
        here,
        type_,
        "--set optimizer.learning_rate: ",
        "--set",
        "optimizer.learning_rate=-1",
    )
    refused(here, type_, "--set training: not a setting", "--set", "training")


def test_more_processes_than_points(here: Path, type_: Type) -> None:
    start = "small.yaml:15: sampling.equations: 33 processes for 32 collocation points"
    refused(here, type_, start, "--np", "33")
    refused(here, type_, start, "--set", "processes.np=33")


def test_adasum_on_a_number_of_processes_that_is_no_power_of_two(here: Path, type_: Type) -> None:
    before = contents(here)
    settings = ["--set", "aggregation=adasum"]
    answer = type_("check", "small.yaml", "--np", "3", *settings)
    assert answer.code == 2 and "Traceback" not in answer.err
    assert "aggregation: adasum cannot run on 3 processes; expected MPI and" in answer.err
    assert "did you mean 'global_mean'?" in answer.err
    assert type_("check", "small.yaml", "--np", "4", *settings).code == 0
    assert contents(here) == before


def test_more_processes_than_cores_where_that_is_forbidden(here: Path, type_: Type) -> None:
    settings = ["--set", "processes={threads: 4000, oversubscribe: false}"]
    start = "--set processes: processes.oversubscribe: 2 processes of 4000 threads need 8000 cores"
    refused(here, type_, start, *settings, "--np", "2")


def test_an_output_that_cannot_be_written(here: Path, type_: Type) -> None:
    (here / "plain").write_text("in the way")
    told = refused(here, type_, "", "--output", "plain/runs")
    assert "cannot write to" in told and "plain/runs" in told
    told = refused(here, type_, "", "--set", "output=plain")
    assert "cannot write to" in told


@pytest.mark.parametrize("command", ["evaluate", "plot", "report", "export"])
def test_a_run_that_is_none(here: Path, type_: Type, command: str) -> None:
    (here / "folder").mkdir()
    rest = ["--format", "npz"] if command == "export" else []
    before = contents(here)
    for run, expected in {
        "folder": "folder is not a run directory",
        "small.yaml": "small.yaml is not a run directory",
        "nowhere": "there is no run nowhere",
        "latest": "there is no run latest",
    }.items():
        answer = type_(command, run, *rest)
        assert (answer.code, answer.out) == (2, "")
        assert answer.err.startswith(expected)
    assert contents(here) == before


def test_a_run_to_resume_that_is_none(here: Path, type_: Type) -> None:
    (here / "folder").mkdir()
    refused(here, type_, "folder is not a run directory", "--resume", "folder")
    refused(here, type_, "there is no run latest in runs", "--resume", "latest")
    refused(here, type_, "there is no run latest in a", "--resume", "latest", "--output", "a")
    refused(here, type_, "there is no run b/latest", "--resume", "b/latest")


def test_a_run_without_a_checkpoint(here: Path, type_: Type) -> None:
    (here / "folder").mkdir()
    (here / "folder" / "config.yaml").write_text(CONFIG)
    answer = type_("evaluate", "folder")
    assert answer.code == 2 and "checkpoint" in answer.err
    resumed = type_("train", "small.yaml", "--resume", "folder")
    assert resumed.code == 0 and "resumed at step 0" in resumed.out


def test_plugins_that_fail(here: Path, type_: Type) -> None:
    (here / "bad.py").write_text("x = 1\nraise RuntimeError('no luck')\n")
    told = refused(here, type_, "the plug-in failed: bad.py:2", "--plugin", "bad.py")
    assert "RuntimeError: no luck" in told
    refused(here, type_, "there is no plug-in file none.py", "--plugin", "none.py")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["trian", "x.yaml"], "No such command 'trian'"),
        (["train"], "Missing argument 'CONFIG'"),
        (["train", "small.yaml", "--npp", "2"], "No such option: --npp"),
        (["train", "small.yaml", "--np", "0"], "--np: got '0'; expected a number of at least 1 ("),
        (["train", "small.yaml", "--np", "-1"], "--np: got '-1'; expected a number of at least 1"),
        (["train", "small.yaml", "--np", "two"], "--np: got 'two'; expected a whole number (see"),
        (["check", "small.yaml", "--np", "1.5"], "--np: got '1.5'; expected a whole number (see"),
        (["doctor", "--np", "0"], "--np: got '0'; expected a number of at least 1 (see pdehvd d"),
        (
            ["export", ".", "--format", "npz", "--at", "t"],
            "--at: got 't'; expected a name and a number, s",
        ),
        (["scale", "small.yaml", "--repeats", "0"], "--repeats: got '0'; expected a number of at"),
        (["train", "smal.yaml"], "there is no file smal.yaml; did you mean 'small.yaml'?"),
        (["train", "."], ". is a folder; expected a YAML file"),
        (["export", ".", "--format", "vtu"], "format: unknown format 'vtu'; expected one of npz"),
        (["list", "modle"], "unknown section 'modle'; expected one of problem"),
    ],
)
def test_mistakes_on_the_command_line(
    here: Path, type_: Type, arguments: list[str], expected: str
) -> None:
    answer = type_(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(expected) and answer.err.count("\n") == 1


def test_an_unknown_format_names_the_known_ones(here: Path, type_: Type) -> None:
    told = type_("export", "no run", "--format", "vtu").err
    assert told.endswith("expected one of npz, savedmodel, vtk; did you mean 'vtk'?\n")


@pytest.mark.parametrize(
    "command", ["schema", nightly("list"), "check small.yaml", nightly("doctor --json")]
)
def test_a_reader_that_leaves_ends_it_quietly(here: Path, command: str) -> None:
    """As `| head -1` does, but sooner: nothing at all is read."""
    reader, writer = os.pipe()
    os.close(reader)
    words = [sys.executable, "-m", "pdehvd", *command.split()]
    done = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_mistake_is_reported_even_if_nobody_reads_the_output(here: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    words = [sys.executable, "-m", "pdehvd", "check", "smal.yaml"]
    done = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("there is no file smal.yaml")


def test_a_pipe_between_processes_that_breaks_is_a_failure(
    here: Path, type_: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(listing, "check_section", broken)
    answer = type_("list")
    assert answer.code == 1 and "failed" in answer.err
