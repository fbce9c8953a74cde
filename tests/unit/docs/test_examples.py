"""The plug-ins that the documentation shows work as it says."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pdehvd.assembly.build import build_parts
from pdehvd.comm.group import Solo
from pdehvd.config.root import load_config
from pdehvd.optimizers.base import BoundObjective
from pdehvd.training.callback import Callback
from pdehvd.training.checkpoint import Checkpoints
from pdehvd.training.history import History
from pdehvd.training.progress import Progress
from pdehvd.training.rows import Output
from pdehvd.training.spec import TrainingSpec
from pdehvd.training.trainer import Trainer

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
PLUGINS = sorted(EXAMPLES.glob("*.py"))


@pytest.fixture(scope="module")
def config():
    return load_config(EXAMPLES / "plugins.yaml", plugins=PLUGINS)[0]


@pytest.fixture(scope="module")
def parts(config):
    return build_parts(config, Solo())


def test_the_config_uses_every_plugin(config):
    parts = (config.model, config.optimizer, config.aggregation, *config.callbacks)
    kinds = {type(part).__module__ for part in parts}
    assert len(kinds) == len(PLUGINS) == 4


def test_the_keras_model_is_scaled_and_depends_on_the_seed_only(parts):
    network = parts.objective.network
    first, second = network.initial(7), network.initial(7)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not np.array_equal(first[0], network.initial(8)[0])
    x = tf.constant([[0.0, 1.0], [0.5, 0.5], [0.25, 0.75]], tf.float64)
    values = network.apply([tf.constant(value) for value in first], x)
    assert values.shape == (3, 1) and values.dtype == tf.float64
    # Zero biases: the middle of the domain is scaled to zero, where every layer is zero.
    assert values[1, 0] == 0 and values[0, 0] != 0


def test_the_optimizer_lowers_the_loss_through_model_and_hook(parts):
    objective = parts.objective
    weights = tf.ones([len(objective.terms)], tf.float64)
    bound = BoundObjective(objective, objective.batch(0), weights)
    theta = tf.constant(objective.initial(1))
    optimizer = parts.phases[0].optimizer
    state, losses, rates = optimizer.init(theta), [], []
    for _ in range(6):
        theta, state, at, facts = optimizer.step(bound, theta, state)
        losses.append(float(at.loss))
        rates.append(float(facts["learning_rate"]))
    assert losses[-1] < 0.9 * losses[0]
    assert max(rates) <= 0.01 and len(set(rates)) > 1


def test_the_callback_stops_a_run_where_its_file_appears(config, parts, tmp_path):
    class Person(Callback):
        """Makes the file when eight steps are done."""

        def after_steps(self, state):
            if state.step == 8:
                (tmp_path / "stop").touch()

    callbacks = [Person(), config.callbacks[0].build()]
    spec = TrainingSpec(steps=40, steps_per_call=4, log_every=4)
    trainer = Trainer(parts, spec)
    state = trainer.fresh_state()
    for callback in callbacks:
        callback.on_start(tmp_path, Solo(), state)
    output = Output(History(tmp_path), Progress(1, quiet=True), Checkpoints(tmp_path, 1), callbacks)
    outcome = trainer.fit(state, output)
    # The request goes with the call after that one.
    assert (outcome.status, outcome.state.step) == ("interrupted", 12)
    assert (tmp_path / "stop").exists()
    for callback in callbacks:
        callback.on_end(outcome)
    assert not (tmp_path / "stop").exists()


def test_the_hook_adds_in_double_precision(config):
    class Pair(Solo):
        """Two ranks; what they add, float32 would round to 1."""

        def sum(self, tensors, name):
            assert all(tensor.dtype == tf.float64 for tensor in tensors)
            return [tensor + 2.0**-24 + 2.0**-40 for tensor in tensors]

    for dtype, expected in ((tf.float32, 1 + 2.0**-23), (tf.float64, 1 + 2.0**-24 + 2.0**-40)):
        one = tf.ones([1], dtype)
        for total in config.aggregation.combine(Pair(), one, one):
            assert total.dtype == dtype and float(total[0]) == expected
