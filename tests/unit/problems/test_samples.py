import itertools
from typing import Annotated

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from pdehvd.comm.grid import shard
from pdehvd.errors import ConfigError
from pdehvd.problems.samples import SampleSet, SamplesSpec
from pdehvd.spec import Section, Spec


@settings(max_examples=40, deadline=None)
@given(samples=st.integers(1, 60), share=st.floats(0.01, 1), seed=st.integers(0, 2**31))
def test_every_epoch_is_a_permutation(samples, share, seed):
    drawn = SampleSet(seed, samples, batch=max(1, int(share * samples)))
    steps = range(-(-3 * samples // drawn.batch))
    run = np.concatenate([drawn.indices(step) for step in steps])
    for epoch in range(3):
        assert sorted(run[epoch * samples : (epoch + 1) * samples]) == list(range(samples))


def test_epochs_and_seeds_have_different_orders():
    epochs = [SampleSet(3, 64, 64).indices(step).tolist() for step in range(4)]
    epochs.append(SampleSet(4, 64, 64).indices(0).tolist())
    assert len({tuple(epoch) for epoch in epochs}) == 5
    assert sorted(epochs[0]) != epochs[0]


def test_steps_may_come_in_any_order():
    drawn = SampleSet(1, 10, 4)
    forwards = [drawn.indices(step) for step in range(12)]
    backwards = [SampleSet(1, 10, 4).indices(step) for step in reversed(range(12))]
    assert np.array_equal(forwards, backwards[::-1])
    assert forwards[0].dtype == np.int64


def test_batches_do_not_alias_the_shuffle():
    drawn = SampleSet(1, 8, 8)
    before = drawn.indices(0).copy()
    drawn.indices(0)[:] = -1
    assert np.array_equal(drawn.indices(0), before)


def test_batches_that_overlap_share_their_ends():
    drawn = SamplesSpec(samples=100, batch=8, every=5, overlap=0.25).build(3)
    assert (drawn.every, drawn.overlap) == (5, 2)
    batches = [drawn.indices(round_).tolist() for round_ in range(6)]
    for before, after in itertools.pairwise(batches):
        assert before[-2:] == after[:2]
        assert not set(before[:-2]) & set(after[2:])


def test_without_a_number_every_step_has_new_samples():
    drawn = SampleSet(1, None, 5)
    run = np.concatenate([drawn.indices(step) for step in range(4)])
    assert run.tolist() == list(range(20))
    assert drawn.indices(2**40)[0] == 5 * 2**40


@pytest.mark.parametrize("ranks", [1, 2, 3, 7])
def test_shards_join_to_the_batch(ranks):
    batch = SampleSet(9, 100, 16).indices(11)
    ranges = [shard(len(batch), rank, ranks) for rank in range(ranks)]
    assert np.array_equal(np.concatenate([batch[a:b] for a, b in ranges]), batch)


def test_spec_builds_and_scales():
    adapter = TypeAdapter(Annotated[Spec, Section("sampling")])
    spec = adapter.validate_python({"name": "samples", "samples": 100, "batch": 16})
    assert (spec, spec.held_out) == (SamplesSpec(samples=100, batch=16), 64)
    drawn = spec.build(7)
    assert (drawn.seed, drawn.samples, drawn.batch) == (7, 100, 16)
    assert spec.build(7, 3).indices(0).shape == (48,)
    assert SamplesSpec(batch=4).build(0, 1000).indices(0).shape == (4000,)


def test_a_batch_larger_than_the_set_is_refused():
    assert SamplesSpec(samples=16, batch=16).build(0).batch == 16
    with pytest.raises(ConfigError, match="batch: a batch of 17 from 16 samples; expected at most"):
        SamplesSpec(samples=16, batch=17).build(0)
    with pytest.raises(ConfigError, match=r"32 \(4 times 8\) from 16 samples; expected at most 4"):
        SamplesSpec(samples=16, batch=8).build(0, 4)
    with pytest.raises(ConfigError, match="expected more samples"):
        SamplesSpec(samples=2, batch=1).build(0, 4)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"batch": 0}, "batch"),
        ({"batch": 2.5}, "batch"),
        ({"samples": 10}, "batch"),
        ({"batch": 1, "samples": 0}, "samples"),
        ({"batch": 1, "equations": 3}, "equations"),
    ],
)
def test_bad_numbers_are_refused(keys, message):
    with pytest.raises(ConfigError, match=message):
        SamplesSpec(**keys)
