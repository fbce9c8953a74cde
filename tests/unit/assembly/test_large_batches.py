"""The batch that the learning rate is scaled to, and micro-batches, from configs to numbers."""

import numpy as np
import pytest
import tensorflow as tf

from pdehvd.assembly.build import build_objective, build_parts, build_phases, build_problem
from pdehvd.comm.group import Solo
from pdehvd.config.root import load_config
from pdehvd.errors import ConfigError

POINTS = """
precision: float64
problem:
  name: pde
  coordinates: {x: [0, 1]}
  fields: [u]
  equations: {decay: u_x + u}
  conditions: {start: {on: x = 0, equal: {u: 1}}}
sampling: {name: sobol, equations: 23, conditions: 1}
model: {name: mlp, width: 8, depth: 1}
optimizer: {name: adam, learning_rate: {name: constant, value: 0.01, scaling: {reference_batch: 4}}}
training: {steps: 100}
"""
SAMPLES = """
precision: float64
problem:
  name: parametric
  coordinates: {x: [0, 1], y: [0, 1]}
  inputs: {nu: {name: karhunen_loeve, modes: 2, range: [-1, 1]}}
  energy: nu*(u_x**2 + u_y**2)/2
  scale: nu
  boundary: {x = 0: 1, x = 1: 0}
  resolution: 8
sampling: {name: samples, samples: 40, batch: 7, held_out: 0}
model: {name: unet, depth: 1, width: 2, norm: instance}
optimizer: {name: soap, learning_rate: {name: constant, value: 0.01, scaling: {reference_batch: 4}}}
"""


def parsed(folder, text, *settings):
    path = folder / "problem.yaml"
    path.write_text(text)
    return load_config(path, settings)[0]


def first_rate(folder, text, processes, *settings):
    """Return the learning rate of the first step on so many processes."""
    config = parsed(folder, text, *settings)
    objective = build_objective(config, build_problem(config, processes), Solo())
    optimizer = build_phases(config, objective)[0].optimizer
    return float(optimizer._schedule(tf.zeros([], tf.float64)))


@pytest.mark.parametrize(
    ("text", "processes", "mode", "batch"),
    [
        (POINTS, 1, "strong", 23),
        (POINTS, 3, "strong", 23),
        (POINTS, 3, "weak", 69),
        (SAMPLES, 1, "strong", 7),
        (SAMPLES, 2, "weak", 14),
    ],
)
def test_the_rate_is_that_of_the_global_batch(tmp_path, text, processes, mode, batch):
    rate = first_rate(tmp_path, text, processes, f"scaling.mode={mode}")
    assert rate == pytest.approx(0.01 * batch / 4, rel=1e-14)


def refusal(folder, text, *settings):
    with pytest.raises(ConfigError) as caught:
        build_parts(parsed(folder, text, *settings), Solo())
    return str(caught.value)


PHASES = "[{{name: sgd, steps: 30, learning_rate: {}}}, {{name: sgd, learning_rate: {}}}]"


def test_a_warm_up_must_fit_into_its_phase(tmp_path):
    long, fine = "{name: constant, value: 1, warmup: 71}", "0.1"
    told = refusal(tmp_path, POINTS, "optimizer=" + PHASES.format(long, fine))
    assert (
        told.startswith("optimizer.0.learning_rate.warmup: a warm-up of 71 steps") and "30" in told
    )
    told = refusal(tmp_path, POINTS, "optimizer=" + PHASES.format(fine, long))
    assert (
        told.startswith("optimizer.1.learning_rate.warmup: a warm-up of 71 steps") and "70" in told
    )
    assert build_parts(
        parsed(tmp_path, POINTS, f"optimizer={{name: sgd, learning_rate: {long}}}"), Solo()
    )


def evaluation(folder, text, parts):
    """Return the losses and the gradient of a batch that is evaluated in parts."""
    config = parsed(folder, text, f"training.micro_batches={parts}")
    objective = build_objective(config, build_problem(config, 1), Solo())
    weights = tf.ones([len(objective.terms)], tf.float64)
    theta = tf.constant(objective.initial(1) + 0.1)
    at = objective.evaluate(theta, objective.batch(0), weights)
    several = objective.losses_at(theta[None], objective.batch(0), weights)
    return np.concatenate([at.losses, at.gradient, several])


@pytest.mark.parametrize(("text", "counts"), [(POINTS, (3, 23)), (SAMPLES, (3, 7))])
def test_micro_batches_give_the_gradient_of_the_whole_batch(tmp_path, eagerly, text, counts):
    whole = evaluation(tmp_path, text, 1)
    for parts in counts:
        np.testing.assert_allclose(evaluation(tmp_path, text, parts), whole, rtol=1e-11, atol=1e-14)


def test_micro_batches_hold_one_part_at_a_time(tmp_path):
    """The network is in the graph once for the first part and once for the loop over the others."""
    config = parsed(tmp_path, SAMPLES, "training.micro_batches=5")
    objective = build_objective(config, build_problem(config, 1), Solo())
    seen = []
    train = objective.network.train

    def watched(parameters, images, *rest):
        seen.append(images.shape[0])
        return train(parameters, images, *rest)

    objective.network.train = watched
    evaluate = tf.function(objective.evaluate, autograph=False)
    theta, weights = tf.constant(objective.initial(1)), tf.ones([1], tf.float64)
    evaluate.get_concrete_function(theta, objective.batch(0), weights)
    assert seen == [3, 1]


REFUSED = {
    "more parts than points": (POINTS, ["training.micro_batches=24"], "micro_batches: 23 colloc"),
    "more parts than samples": (SAMPLES, ["training.micro_batches=8"], "expected at most 7"),
    "statistics of a batch": (
        SAMPLES,
        ["training.micro_batches=2", "model.norm=batch"],
        "training.micro_batches: micro-batches change the statistics of batch normalisation",
    ),
    "buckets of a small gradient": (
        POINTS,
        ["processes.buckets=2"],
        "processes.buckets: buckets are not supported for networks of coordinates; expected 1",
    ),
    "buckets of exact sums": (
        SAMPLES,
        ["processes.buckets=2", "aggregation=exact"],
        "processes.buckets: 'exact' sends the gradient as one message",
    ),
    "all rows at once": (
        POINTS,
        ["training.micro_batches=2", "optimizer=gauss_newton"],
        "optimizer: gauss_newton needs all rows of its sum of squares at once",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_parts_that_cannot_be(tmp_path, case):
    text, settings, expected = REFUSED[case]
    assert expected in refusal(tmp_path, text, *settings)


def test_parts_are_parts_of_every_shard(tmp_path):
    config = parsed(tmp_path, POINTS, "training.micro_batches=6")
    assert build_problem(config, 3)
    with pytest.raises(ConfigError, match="into 6 parts on 4 processes; expected at most 5"):
        build_problem(config, 4)
