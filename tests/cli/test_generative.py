"""What a person types about generative models, from training to an answer for a field."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import h5py
import matplotlib.image
import numpy as np
import pytest

from pdehvd import Run, cli
from pdehvd.errors import ConfigError
from pdehvd.launch import process_setup
from tests.support.commands import Type, contents

CONFIG = """\
name: tiny
seed: 1
problem:
  name: parametric
  coordinates: {x: [0, 1], y: [0, 1]}
  inputs:
    nu: {name: karhunen_loeve, modes: 2, range: [-1, 1]}
  energy: nu*(u_x**2 + u_y**2)/2
  scale: nu
  boundary: {x = 0: 1, x = 1: 0}
  resolution: 8
sampling: {name: samples, samples: 20, batch: 4, held_out: 3}
model: {name: unet, depth: 1, width: 2, output: sigmoid}
training: {steps: 3, checkpoint_every: 2, evaluate_every: 2, log_every: 1}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the run of the config above, which no test changes."""
    folder = tmp_path_factory.mktemp("generative")
    (folder / "tiny.yaml").write_text(CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process_setup, "configure_threads", lambda *_: 1)
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.chdir(folder)
        assert cli.main(["train", "tiny.yaml", "--quiet"]) == 0
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the run to stand beside."""
    (source,) = (trained / "runs" / "tiny").iterdir()
    shutil.copytree(source, tmp_path / "run", symlinks=True)
    shutil.copy(trained / "tiny.yaml", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(trained / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_run_has_errors_pictures_and_a_report(run: Path) -> None:
    summary = json.loads((run / "run/summary.json").read_text())
    errors = json.loads((run / "run/evaluation.json").read_text())
    assert summary["status"] == "completed"
    assert summary["relative_l2"]["u"] == pytest.approx(errors["relative_l2"]["u"], rel=1e-5)
    assert errors["worst_relative_l2"]["u"] >= errors["relative_l2"]["u"] > 0
    assert errors["energy_gap"]["u"] > 0
    assert len(errors["relative_l2_by_sample"]) == 3
    assert errors["seconds"]["network"] > 0 and errors["seconds"]["reference"] > 0
    drawn = {path.stem for path in (run / "run/plots").iterdir()}
    assert {"samples", "sample_errors", "loss", "error"} <= drawn
    assert "energy gap" in (run / "run/report.html").read_text()
    rows = [json.loads(line) for line in (run / "run/metrics.jsonl").read_text().splitlines()]
    assert {"worst_relative_l2/u", "relative_h1/u", "energy_gap/u"} <= set(rows[1])


def test_evaluate_and_export(run: Path, type_: Type) -> None:
    answer = type_("evaluate", "run")
    assert answer.code == 0 and "one sample: network" in answer.out
    for form, name in (
        ("npz", "samples.npz"),
        ("vtk", "samples.vtu"),
        ("savedmodel", "savedmodel"),
    ):
        assert type_("export", "run", "--format", form).code == 0
        assert (run / "run/exports" / name).exists()
    with np.load(run / "run/exports/samples.npz") as arrays:
        assert arrays["u"].shape == arrays["u_reference"].shape == arrays["nu"].shape == (3, 8, 8)
        assert np.all(arrays["u"][:, 0] == 1) and np.all(arrays["u"][:, -1] == 0)
    assert type_("export", "run", "--format", "npz", "--resolution", "9").code == 2


def test_a_run_resumes(run: Path, type_: Type) -> None:
    answer = type_("train", "tiny.yaml", "--resume", "run", "--set", "training.steps=5")
    assert answer.code == 0 and "resumed at step 3" in answer.out
    assert json.loads((run / "run/summary.json").read_text())["steps"] == 5


@pytest.mark.parametrize("ending", ["npz", "h5", "png"])
def test_predict_answers_for_a_field(run: Path, type_: Type, ending: str) -> None:
    field = np.random.default_rng(2).uniform(0.5, 1, (16, 16))
    file = run / f"field.{ending}"
    if ending == "npz":
        np.savez(file, permeability=field)
    elif ending == "h5":
        with h5py.File(file, "w") as archive:
            archive["nu"] = field
    else:
        matplotlib.image.imsave(file, field, cmap="gray", vmin=0, vmax=1)
    answer = type_("predict", "run", "--field", str(file))
    assert answer.code == 0, answer.err
    with np.load(run / "field.solution.npz") as solution:
        assert solution["u"].shape == (16, 16)
        assert np.all(solution["u"][0] == 1)
        # A picture's rows run down, the second coordinate up.
        wanted = field[::-1].T if ending == "png" else field
        np.testing.assert_allclose(solution["nu"], wanted, atol=6e-3)
    assert (run / "field.solution.png").exists()
    assert ("'permeability', is used for it" in answer.err) == (ending == "npz")
    assert answer.out.split() == [str(run / f"field.solution.{end}") for end in ("npz", "png")]


def test_predict_writes_over_files_only_where_it_is_asked_to(run: Path, type_: Type) -> None:
    np.savez(run / "a.npz", nu=np.ones((8, 8)))
    typed = ("predict", "run", "--field", "a.npz")
    assert type_(*typed).code == 0
    (run / "a.solution.png").write_bytes(b"precious")
    before = contents(run)
    answer = type_(*typed)
    assert answer.code == 2 and "is not overwritten; expected a new name" in answer.err
    assert contents(run) == before
    assert type_(*typed, "--force").code == 0
    assert (run / "a.solution.png").read_bytes() != b"precious"
    for output, message in (("a.npz", "is the input itself"), ("a.txt", "a name in .npz")):
        answer = type_(*typed, "--output", output, "--force")
        assert answer.code == 2 and message in answer.err


def test_predict_takes_the_array_that_is_meant_and_says_so(run: Path, type_: Type) -> None:
    np.savez(run / "a.npz", k=np.full((8, 8), 2.0), other=np.ones((8, 8)))
    typed = ("predict", "run", "--field", "a.npz")
    answer = type_(*typed)
    assert answer.code == 2 and "holds k, other, not nu; expected the array 'nu', or" in answer.err
    answer = type_(*typed, "--key", "K")
    assert answer.code == 2 and "key: a.npz holds k, other, not K" in answer.err
    answer = type_(*typed, "--key", "k")
    assert answer.code == 0 and not answer.err
    with np.load("a.solution.npz") as solution:
        np.testing.assert_array_equal(solution["nu"], np.full((8, 8), 2.0))


def test_the_brightness_of_a_picture_goes_to_a_range(run: Path, type_: Type) -> None:
    pixels = np.linspace(0, 1, 64).reshape(8, 8)
    matplotlib.image.imsave(run / "a.png", pixels, cmap="gray", vmin=0, vmax=1)
    typed = ("predict", "run", "--field", "a.png", "--force")
    answer = type_(*typed)
    assert answer.code == 2 and "values down to 0" in answer.err and "--range 0.1:10" in answer.err
    for text in ("0.1", "a:b", "1:1", "0:nan", "1:2:3"):
        assert type_(*typed, "--range", text).code == 2
    assert "values down to -1" in type_(*typed, "--range", "-1:1").err
    for text, low, high in (("0.1:10", 0.1, 10), ("10:0.1", 10, 0.1)):
        assert type_(*typed, "--range", text).code == 0
        with np.load("a.solution.npz") as solution:
            wanted = low + (high - low) * pixels[::-1].T
            np.testing.assert_allclose(solution["nu"], wanted, atol=0.05)
            assert solution["nu"][0, -1] == pytest.approx(low)
    np.savez(run / "a.npz", nu=pixels)
    assert "is not an image" in type_("predict", "run", "--field", "a.npz", "--range", "1:2").err
    assert "has no keys" in type_(*typed, "--key", "nu").err


def test_what_is_no_grey_picture_is_said(run: Path, type_: Type) -> None:
    typed = ("predict", "run", "--force", "--field")
    colours = np.random.default_rng(0).uniform(0.2, 1, (8, 8, 4))
    colours[..., 3] = 1
    matplotlib.image.imsave(run / "colours.png", colours)
    answer = type_(*typed, "colours.png")
    assert answer.code == 0 and "is coloured: the mean of red, green and blue" in answer.err
    with np.load("colours.solution.npz") as solution:
        wanted = colours[..., :3].mean(-1)[::-1].T
        np.testing.assert_allclose(solution["nu"], wanted, atol=4e-3)
    colours[0, 0, 3] = 0.5
    matplotlib.image.imsave(run / "clear.png", colours)
    answer = type_(*typed, "clear.png")
    assert answer.code == 2 and "has transparent pixels" in answer.err


def test_python_predicts_fields_and_says_what_they_must_be(run: Path) -> None:
    answers = Run("run")
    one = np.ones((1, 8, 8))
    u = answers.predict({"nu": np.concatenate([one, 3 * one])})["u"]
    assert u.shape == (2, 8, 8) and np.all(u[:, 0] == 1)
    for given, message in (
        (one, r"given inputs are ndarray; expected a mapping of 'nu' to arrays \[B, 8, 8\]"),
        ({"mu": one}, "given inputs are 'mu'"),
        ({"nu": one[0]}, r"has the shape \(8, 8\); expected \[B, 8, 8\]"),
        ({"nu": "a.npz"}, "values that are not numbers"),
        ({"nu": -one}, "values down to -1"),
        ({"nu": one * np.nan}, "float32 does not hold"),
        ({"nu": np.ones((1, 7, 7))}, "7 nodes cannot be halved"),
    ):
        with pytest.raises(ConfigError, match=message):
            answers.predict(given)


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (np.ones((8, 4)), "shape (8, 4)"),
        (np.ones((0, 0)), "shape (0, 0)"),
        (np.ones((7, 7)), "7 nodes cannot be halved"),
        (np.zeros((8, 8)), "values down to 0"),
        (np.full((8, 8), np.nan), "float32 does not hold"),
        (np.full((8, 8), 1e300), "float32 does not hold"),
        (np.full((8, 8), 1j), "values that are not numbers"),
        (np.array([["a"]]), "values that are not numbers"),
    ],
)
def test_predict_refuses_fields_that_it_cannot_take(
    run: Path, type_: Type, field: np.ndarray, message: str
) -> None:
    np.savez(run / "bad.npz", nu=field)
    before = contents(run)
    answer = type_("predict", "run", "--field", "bad.npz")
    assert answer.code == 2 and message in answer.err
    assert contents(run) == before


@pytest.mark.parametrize("name", ["missing.npz", "broken.npz", "broken.h5", "broken.png", "a.txt"])
def test_predict_refuses_files_that_hold_no_field(run: Path, type_: Type, name: str) -> None:
    if not name.startswith("missing"):
        (run / name).write_bytes(b"no such thing")
    answer = type_("predict", "run", "--field", name)
    assert answer.code == 2 and "Traceback" not in answer.err


REFUSED = {
    "a depth that does not fit": (
        ["model.depth=4"],
        "model.depth: 8 nodes cannot be halved 4 times; expected a resolution of 16",
    ),
    "a batch that is larger than the samples": (
        ["sampling.batch=40"],
        "sampling.batch: a batch of 40 from 20 samples",
    ),
    "synchronisation of what shares nothing": (
        ["model.norm={name: instance, sync: global}"],
        "model.norm.sync: the normalisation 'instance' shares no statistics between processes",
    ),
    "more memory than there is": (
        ["problem.resolution=65536", "model.width=64"],
        "a step needs about",
    ),
    "points for a network of fields": (
        ["sampling={name: sobol, equations: 10}"],
        "sampling.name: sobol is for networks of coordinates, but parametric is not",
    ),
    "a network of coordinates": (
        ["model=mlp"],
        "mlp is for networks of coordinates, but parametric is not; expected one of generator",
    ),
    "weights that need several terms": (["weighting=ntk"], "weighting.name: ntk balances several"),
    "least squares of an energy": (
        ["optimizer=gauss_newton", "precision=float64"],
        "optimizer: gauss_newton minimises sums of squares, but this loss is not one",
    ),
    "points that change too fast": (
        ["optimizer=ssbroyden", "precision=float64"],
        "on the same points or samples, but they change at every step; expected an optimizer that",
    ),
    "levels that end elsewhere": (
        ["training.levels={resolutions: [4, 16]}"],
        "training.levels.resolutions: the levels [4, 16]",
    ),
    "a reference for points": (
        ["problem.reference={name: exact, u: x}"],
        "problem.reference.name: exact is for networks of coordinates",
    ),
    "an unknown coefficient": (
        ["problem.inputs.nu.name=karhunen_loewe"],
        "did you mean 'karhunen_loeve'?",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_configs_that_cannot_work_are_refused(run: Path, type_: Type, case: str) -> None:
    settings, expected = REFUSED[case]
    before = contents(run)
    flags = [part for setting in settings for part in ("--set", setting)]
    answer = type_("train", "tiny.yaml", *flags)
    assert answer.code == 2 and expected in answer.err, answer.err
    assert "Traceback" not in answer.err
    assert contents(run) == before


def test_more_processes_than_samples_are_refused(run: Path, type_: Type) -> None:
    answer = type_("train", "tiny.yaml", "--np", "5", "--set", "processes.oversubscribe=true")
    assert answer.code == 2
    assert "5 processes for 4 samples in a batch" in answer.err


def test_check_tells_what_a_run_costs(run: Path, type_: Type) -> None:
    answer = type_("check", "tiny.yaml", "--np", "2")
    assert answer.code == 0
    assert "energy/ritz" in answer.out and "256 points" in answer.out
