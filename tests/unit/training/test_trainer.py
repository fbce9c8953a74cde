"""What the trainer does between steps, on a real small problem."""

import json

import numpy as np
import pytest
import yaml

from pdehvd.comm.group import Solo
from pdehvd.experiment.build import build_parts
from pdehvd.experiment.config import load_config
from pdehvd.training.checkpoint import Checkpoints, read_checkpoint
from pdehvd.training.history import History
from pdehvd.training.progress import Progress
from pdehvd.training.state import TrainState
from pdehvd.training.trainer import Output, Trainer

PROBLEM = {
    "name": "decay",
    "precision": "float64",
    "problem": {
        "name": "pde",
        "coordinates": {"x": [0, 1]},
        "fields": ["u"],
        "equations": {"decay": "u_x + u"},
        "conditions": {"start": {"on": "x = 0", "equal": {"u": 1}}},
        "reference": {"name": "exact", "u": "exp(-x)"},
    },
    "sampling": {"name": "uniform", "equations": 16, "conditions": 1},
    "model": {"name": "mlp", "width": 8, "depth": 1},
    "optimizer": {"name": "adam", "learning_rate": 0.01},
}


@pytest.fixture
def fit(tmp_path):
    """Train with settings; return the outcome, the rows of metrics and the folder."""

    def run(
        state=None,
        stored=None,
        sampling=None,
        model=None,
        optimizer=None,
        weighting="fixed",
        folder=tmp_path,
        **training,
    ):
        content = {**PROBLEM, "weighting": weighting, "training": {"steps": 40, **training}}
        content["sampling"] = sampling or PROBLEM["sampling"]
        content["optimizer"] = optimizer or PROBLEM["optimizer"]
        content["model"] = PROBLEM["model"] | (model or {})
        path = tmp_path / "decay.yaml"
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        config, _ = load_config(path)
        trainer = Trainer(build_parts(config, Solo()), config.training)
        state = trainer.restored(stored) if stored else state
        history = History(folder)
        output = Output(history, Progress(1, quiet=True), Checkpoints(folder, 3))
        with history:
            outcome = trainer.fit(state or trainer.fresh_state(), output)
        metrics = folder / "metrics.jsonl"
        rows = metrics.read_text().splitlines() if metrics.exists() else []
        return outcome, [json.loads(row) for row in rows], folder

    return run


def test_things_happen_when_they_are_due(fit):
    outcome, rows, folder = fit(
        steps=45, log_every=10, evaluate_every=15, checkpoint_every=20, steps_per_call=7
    )
    assert outcome.status == "completed" and outcome.state.step == 45
    assert [row["step"] for row in rows] == [10, 15, 20, 30, 40, 45]
    assert [row["step"] for row in rows if "relative_l2/u" in row] == [15, 30, 45]
    assert {"loss/total", "loss/equation/decay", "loss/condition/start", "learning_rate"} <= set(
        rows[0]
    )
    assert TrainState.from_bytes(read_checkpoint(folder)).step == 45
    assert rows[-1]["relative_l2/u"] == pytest.approx(outcome.errors["u"])
    # 16 points of the equation and one of the condition.
    paces = [row["seconds_per_step"] * row["points_per_second"] for row in rows]
    assert paces[1:] == pytest.approx([17] * 5)


def test_steps_per_call_do_not_change_the_run(fit):
    one, *_ = fit(steps_per_call=1)
    many, *_ = fit(steps_per_call=40)
    np.testing.assert_array_equal(one.state.theta, many.state.theta)


def test_training_lowers_loss_and_error(fit):
    outcome, rows, _ = fit(steps=1500, log_every=500, evaluate_every=500)
    assert rows[-1]["loss/total"] < 1e-4 and outcome.errors["u"] < 1e-2


def test_stops_at_a_target(fit):
    outcome, *_ = fit(steps=5000, evaluate_every=50, stop_at={"relative_l2": 0.1})
    assert outcome.errors["u"] <= 0.1 and outcome.state.step < 5000 and "reached" in outcome.reason
    outcome, *_ = fit(steps=5000, stop_at={"loss": 0.05})
    assert outcome.loss <= 0.05 and outcome.state.step < 5000


def test_early_stopping_waits_for_its_patience(fit):
    still = {"name": "sgd", "learning_rate": 1e-12}
    outcome, *_ = fit(
        steps=5000,
        optimizer=still,
        steps_per_call=10,
        early_stopping={"patience": 60, "minimum_change": 0.01},
    )
    assert outcome.status == "completed" and outcome.state.step == 70


def test_time_is_limited(fit):
    outcome, *_ = fit(steps=10_000_000, steps_per_call=5, max_seconds=0.001)
    assert outcome.status == "completed" and outcome.state.step <= 20


def test_divergence_is_noticed_and_the_good_checkpoint_kept(fit):
    rate = {"name": "piecewise", "boundaries": [20], "values": [0.01, 1e300]}
    outcome, _, folder = fit(
        optimizer={"name": "sgd", "learning_rate": rate}, checkpoint_every=10, steps_per_call=5
    )
    assert outcome.status == "diverged" and outcome.state.step < 40
    kept = TrainState.from_bytes(read_checkpoint(folder))
    assert kept.step == 20 and np.all(np.isfinite(kept.theta))


@pytest.mark.parametrize(
    ("sampling", "weighting"),
    [
        ({"name": "uniform", "equations": 16, "conditions": 1, "resample_every": 10}, "fixed"),
        ({"name": "rad", "equations": 16, "conditions": 1, "every": 10}, "fixed"),
        (None, {"name": "gradient_norm", "every": 10}),
        (None, {"name": "ntk", "every": 10}),
    ],
    ids=["resampled", "rad", "gradient_norm", "ntk"],
)
def test_a_resumed_run_is_the_undisturbed_run(fit, tmp_path, sampling, weighting):
    kind = {"sampling": sampling, "weighting": weighting}
    for name in ("whole", "halves"):
        (tmp_path / name).mkdir()
    whole, *_ = fit(steps=40, folder=tmp_path / "whole", **kind)
    fit(steps=25, checkpoint_every=25, folder=tmp_path / "halves", **kind)
    stored = TrainState.from_bytes(read_checkpoint(tmp_path / "halves"))
    assert stored.step == 25
    resumed, *_ = fit(state=stored, steps=40, folder=tmp_path / "halves", **kind)
    np.testing.assert_array_equal(whole.state.theta, resumed.state.theta)
    np.testing.assert_array_equal(whole.state.weights, resumed.state.weights)


def test_weights_given_by_hand(fit):
    outcome, *_ = fit(steps=1, weighting={"name": "fixed", "terms": {"start": 7}})
    np.testing.assert_array_equal(outcome.state.weights, [1.0, 7.0])


PHASES = [{"name": "adam", "steps": 12, "learning_rate": 0.01}, {"name": "lbfgs"}]


def test_phases_take_turns_at_their_step(fit):
    _, rows, _ = fit(optimizer=PHASES, steps=20, log_every=4, steps_per_call=5)
    assert ["learning_rate" in row for row in rows] == [True] * 3 + [False] * 2
    assert ["step_length" in row for row in rows] == [False] * 3 + [True] * 2
    assert rows[-1]["loss/total"] < rows[2]["loss/total"]


@pytest.mark.parametrize("stop", [8, 12, 16])
def test_a_run_goes_on_in_the_phase_where_it_stopped(fit, tmp_path, stop):
    (tmp_path / "begun").mkdir()
    whole, *_ = fit(optimizer=PHASES, steps=20)
    begun, _, folder = fit(optimizer=PHASES, steps=stop, folder=tmp_path / "begun")
    assert begun.state.step == stop
    stored = TrainState.from_bytes(read_checkpoint(folder))
    ended, *_ = fit(optimizer=PHASES, steps=20, stored=stored, folder=folder)
    np.testing.assert_allclose(ended.state.theta, whole.state.theta, rtol=1e-12)


def test_a_method_that_finds_nothing_better_stalls(fit):
    outcome, rows, folder = fit(
        optimizer={"name": "lbfgs"},
        sampling={"name": "uniform", "equations": 1, "conditions": 1},
        steps=10_000,
    )
    assert outcome.status == "stalled" and "the loss is 0" in outcome.reason
    assert TrainState.from_bytes(read_checkpoint(folder)).step == outcome.state.step
    assert rows[-1]["step"] == outcome.state.step
