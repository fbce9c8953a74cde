"""`predict --points`: values at the points of a table."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from pdehvd import Run
from pdehvd.problems.data import read_table
from tests.support.commands import CONFIG, SAMPLES, Type

DEFINED = CONFIG.replace("  equations:", "  definitions: {q: -nu*u_x}\n  equations:")
TABLE = '# probes\nname;x;t;note\n"a;b";0,5;0,1;"say ""hi"""\nc d;-0,25;0;\n'


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stored") / "runs"


@pytest.fixture
def run(stored: Path, type_: Type, here: Path) -> Run:
    """A run that the tests of this file share, in the folder where they stand."""
    if not stored.exists():
        (here / "defined.yaml").write_text(DEFINED)
        assert type_("train", "defined.yaml").code == 0
        shutil.move("runs", stored)
    shutil.copytree(stored, "runs", symlinks=True)
    return Run("latest")


def test_the_table_is_kept_and_the_outputs_stand_behind(type_: Type, run: Run) -> None:
    Path("probes.csv").write_text(TABLE)
    answer = type_("predict", "latest", "--points", "probes.csv")
    assert (answer.code, answer.out, answer.err) == (0, "probes.solution.csv\n", "")
    first, *rows = Path("probes.solution.csv").read_text().splitlines()
    assert first == "name;x;t;note;u;q"
    assert rows[0].startswith('"a;b";0,5;0,1;"say ""hi""";') and rows[1].startswith("c d;-0,25;0;;")
    found = read_table("probes.solution.csv", ["x", "t", "u", "q"])
    expected = run.predict({"x": [0.5, -0.25], "t": [0.1, 0]})
    for name in ("u", "q"):
        np.testing.assert_array_equal(found[name], expected[name])


@pytest.mark.parametrize(
    ("name", "text", "header"),
    [
        ("a.csv", "x,t\n0.5,1\n", "x,t,u,q"),
        ("a.tsv", "t\tx\n1\t0.5\n", "t\tx\tu\tq"),
        ("a.dat", 'x t "a b"\n0.5 1 ""\n', 'x t "a b" u q'),
        ("a.csv", '"","x","t"\n"1",0.5,1\n', ",x,t,u,q"),
        ("a.csv", "x,t,\n0.5,1,\n", "x,t,u,q"),
        ("a.txt", "x|t\n[m]|[s]\n0.5|1\n", "x|t|u|q"),
    ],
)
def test_every_dialect_is_written_as_it_was_read(
    type_: Type, run: Run, name: str, text: str, header: str
) -> None:
    Path(name).write_text(text)
    answer = type_("predict", "latest", "--points", name)
    assert answer.code == 0, answer.err
    result = Path(answer.out.strip())
    assert result.suffix == Path(name).suffix and result.read_text().splitlines()[0] == header
    found = read_table(result, ["x", "t", "u"])
    assert (found["x"], found["t"]) == (0.5, 1)
    assert found["u"] == run.predict([[0.5, 1.0]])["u"]


def test_measured_values_are_not_replaced(type_: Type, run: Run) -> None:
    Path("m.csv").write_text("x,t,u\n0,0,7\n")
    answer = type_("predict", "latest", "--points", "m.csv")
    assert answer.code == 0 and "m.csv has a column 'u': the predicted one is" in answer.err
    found = read_table("m.solution.csv", ["u", "u_predicted"])
    assert found["u"] == 7 and found["u_predicted"] == run.predict([[0.0, 0.0]])["u"]
    answer = type_("predict", "latest", "--points", "m.solution.csv")
    assert answer.code == 2 and "has columns 'u' and 'u_predicted'" in answer.err


def test_points_outside_are_treated_as_in_python(type_: Type, run: Run) -> None:
    Path("far.csv").write_text("x,t\n0,0\n5,0\n")
    words = ["predict", "latest", "--points", "far.csv"]
    answer = type_(*words)
    assert answer.code == 0 and "1 of 2 points outside the domain" in answer.err
    assert "--outside nan gives NaN" in answer.err and 'outside="nan"' not in answer.err
    assert np.isfinite(np.loadtxt("far.solution.csv", delimiter=",", skiprows=1)).all()
    assert type_(*words, "--outside", "nan", "--force").err == ""
    values = np.loadtxt("far.solution.csv", delimiter=",", skiprows=1)
    assert np.isnan(values[1, 2:]).all() and np.isfinite(values[0]).all()
    Path("far.solution.csv").unlink()
    answer = type_(*words, "--outside", "error")
    assert answer.code == 2 and not Path("far.solution.csv").exists()
    Path("far.csv").write_text("x,t\n0,0\nnan,0\n")
    assert "--outside nan" in type_(*words).err
    assert type_(*words, "--outside", "nan").code == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "predict has no input; expected --points FILE.csv"),
        (["--points", "p.csv", "--field", "f.npz"], "--field and --points are both given"),
        (["--points", "none.csv"], "points: there is no file none.csv"),
        (["--points", "p.npz"], "points: 'p.npz' is not a text table"),
        (["--points", "short.csv"], "points: short.csv has no column 't'"),
        (["--points", "words.csv"], "points: words.csv: column 'x' holds 'here' in row 1 (line 2)"),
        (["--points", "p.csv", "--output", "p.csv"], "output: p.csv is the input itself"),
        (["--points", "p.csv", "--output", "q.npz"], "output: the table cannot be 'q.npz'"),
        (["--points", "p.csv", "--output", "short.csv"], "short.csv exists and is not overwritten"),
        (["--points", "p.csv", "--outside", "nam"], "outside: unknown choice 'nam'"),
        (["--points", "p.csv", "--key", "nu"], "key: --key goes with --field only"),
        (["--field", "f.npz", "--outside", "nan"], "outside: --outside goes with --points only"),
        (["--field", "f.npz"], "--points FILE.csv"),
    ],
)
def test_bad_input(type_: Type, run: Run, words: list[str], told: str) -> None:
    for name, text in {"p": "x,t\n0,0\n", "short": "x,u\n0,0\n", "words": "x,t\nhere,0\n"}.items():
        Path(f"{name}.csv").write_text(text)
    before = sorted(Path().iterdir())
    answer = type_("predict", "latest", *words)
    assert answer.code == 2 and told in answer.err, answer.err
    assert len(answer.err.splitlines()) == 1 and sorted(Path().iterdir()) == before


def test_a_network_of_fields_takes_no_points(type_: Type, here: Path) -> None:
    (here / "samples.yaml").write_text(SAMPLES + "training: {steps: 1}\n")
    assert type_("train", "samples.yaml").code == 0
    Path("p.csv").write_text("x,y\n0,0\n")
    answer = type_("predict", "latest", "--points", "p.csv")
    assert answer.code == 2 and "takes no points; expected --field FILE" in answer.err
