"""What the trainer does between steps, on a real small problem."""

import json

import numpy as np
import pytest
import yaml

from pdehvd.assembly.build import build_parts
from pdehvd.comm.group import Solo
from pdehvd.config.root import load_config
from pdehvd.errors import ConfigError
from pdehvd.objectives.weighting import Fixed
from pdehvd.training.checkpoint import Checkpoints, open_checkpoint
from pdehvd.training.history import History
from pdehvd.training.progress import Progress
from pdehvd.training.spec import TrainingSpec
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
    assert [row["step"] for row in rows] == [1, 10, 15, 20, 30, 40, 45]
    assert [row["step"] for row in rows if "relative_l2/u" in row] == [15, 30, 45]
    assert {"loss/total", "loss/equation/decay", "loss/condition/start", "learning_rate"} <= set(
        rows[0]
    )
    assert open_checkpoint(folder).counters.step == 45
    assert rows[-1]["relative_l2/u"] == pytest.approx(outcome.errors["u"])
    # 16 points of the equation and one of the condition.
    paces = [row["seconds_per_step"] * row["points_per_second"] for row in rows[1:]]
    assert rows[0]["seconds_per_step"] is None and paces == pytest.approx([17] * 6)


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
    kept = TrainState.of(open_checkpoint(folder))
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
    stored = open_checkpoint(tmp_path / "halves")
    assert stored.counters.step == 25
    resumed, *_ = fit(stored=stored, steps=40, folder=tmp_path / "halves", **kind)
    np.testing.assert_array_equal(whole.state.theta, resumed.state.theta)
    np.testing.assert_array_equal(whole.state.weights, resumed.state.weights)


TERMS = ("equation/heat", "equation/start", "condition/heat")


def test_weights_given_by_hand(fit):
    outcome, *_ = fit(steps=1, weighting={"name": "fixed", "terms": {"start": 7}})
    np.testing.assert_array_equal(outcome.state.weights, [1.0, 7.0])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (
            {"heat": 2},
            "terms.heat: several terms are called 'heat'; expected equation/heat or condition/heat",
        ),
        (
            {"equation/start": 2, "start": 3},
            "terms.start: 'start' and 'equation/start' are one term, which has two weights; "
            "expected one of them",
        ),
        (
            dict.fromkeys(TERMS, 0),
            "terms: all terms have weight 0, so that nothing is trained; expected a weight above 0",
        ),
        (
            {"strat": 2},
            f"terms.strat: 'strat' is not a term of the loss; expected one of {', '.join(TERMS)}; "
            "did you mean 'start'?",
        ),
    ],
)
def test_weights_that_mean_nothing_or_two_things(weights, message):
    with pytest.raises(ConfigError) as caught:
        Fixed(terms=weights).initial(TERMS)
    assert str(caught.value) == message


PHASES = [{"name": "adam", "steps": 12, "learning_rate": 0.01}, {"name": "lbfgs"}]


def test_phases_take_turns_at_their_step(fit):
    _, rows, _ = fit(optimizer=PHASES, steps=20, log_every=4, steps_per_call=5)
    assert ["learning_rate" in row for row in rows] == [True] * 4 + [False] * 2
    assert ["step_length" in row for row in rows] == [False] * 4 + [True] * 2
    assert rows[-1]["loss/total"] < rows[3]["loss/total"]


@pytest.mark.parametrize("stop", [8, 12, 16])
def test_a_run_goes_on_in_the_phase_where_it_stopped(fit, tmp_path, stop):
    (tmp_path / "begun").mkdir()
    whole, *_ = fit(optimizer=PHASES, steps=20)
    begun, _, folder = fit(optimizer=PHASES, steps=stop, folder=tmp_path / "begun")
    assert begun.state.step == stop
    stored = open_checkpoint(folder)
    ended, *_ = fit(optimizer=PHASES, steps=20, stored=stored, folder=folder)
    np.testing.assert_allclose(ended.state.theta, whole.state.theta, rtol=1e-12)


def test_a_method_that_finds_nothing_better_stalls(fit):
    outcome, rows, folder = fit(
        optimizer={"name": "lbfgs"},
        sampling={"name": "uniform", "equations": 1, "conditions": 1},
        steps=10_000,
    )
    assert outcome.status == "stalled" and "the loss is 0" in outcome.reason
    assert open_checkpoint(folder).counters.step == outcome.state.step
    assert rows[-1]["step"] == outcome.state.step


def steps_of(rows):
    return [row["step"] for row in rows]


def test_a_run_has_many_rows_however_short_it_is(fit, tmp_path):
    _, rows, _ = fit(steps=30)
    assert steps_of(rows) == list(range(1, 31))
    _, rows, _ = fit(steps=230, steps_per_call=7, folder=tmp_path / "longer")
    assert steps_of(rows) == [1, *range(4, 231, 4), 230]


@pytest.mark.parametrize(
    ("steps", "period"),
    [(1, 1), (49, 1), (99, 1), (100, 2), (4999, 99), (5000, 100), (100_000, 100), (10**6, 1000)],
)
def test_the_period_of_rows(steps, period):
    assert TrainingSpec().log_period(steps) == period
    assert TrainingSpec(log_every=7).log_period(steps) == 7


def test_every_phase_has_its_rows_and_its_end(fit):
    adam, lbfgs = {"name": "adam", "steps": 333}, {"name": "lbfgs"}
    _, rows, _ = fit(optimizer=[adam, lbfgs], steps=363)
    steps = steps_of(rows)
    assert steps[:3] == [1, 6, 12] and 333 in steps
    assert len([step for step in steps if step <= 333]) >= 50
    assert steps[-30:] == list(range(steps[-1] - 29, steps[-1] + 1))


def test_the_first_loss_is_that_before_any_step(fit, tmp_path):
    for name in ("adam", "lbfgs", "gauss_newton", "soap"):
        _, rows, _ = fit(optimizer={"name": name}, steps=3, folder=tmp_path / name)
        _, some, _ = fit(optimizer={"name": "sgd"}, steps=1, folder=tmp_path / f"{name}sgd")
        assert rows[0]["loss/total"] == pytest.approx(some[0]["loss/total"], rel=1e-12), name


def test_rows_are_the_same_after_a_resume(fit, tmp_path):
    parts = {"optimizer": [{"name": "adam", "steps": 70}, {"name": "lbfgs"}], "steps": 130}
    _, whole, _ = fit(**parts, folder=tmp_path / "a", checkpoint_every=60)
    fit(
        **parts | {"stop_at": {"loss": 1e3}},
        folder=tmp_path / "b",
        steps_per_call=60,
        checkpoint_every=60,
    )
    stored = open_checkpoint(tmp_path / "b")
    History(tmp_path / "b").truncate(stored.counters.step)
    _, rows, _ = fit(**parts, stored=stored, folder=tmp_path / "b", checkpoint_every=60)
    assert steps_of(rows) == steps_of(whole)
    assert [row["loss/total"] for row in rows] == [row["loss/total"] for row in whole]
