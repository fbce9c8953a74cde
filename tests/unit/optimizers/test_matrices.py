"""Layers that are dealt out to ranks: what a checkpoint keeps of them."""

import numpy as np
import pytest

from pdehvd.numerics.divided import Divided
from pdehvd.optimizers.matrices import DividedMatrices
from tests.support.crew import Crew
from tests.support.stored import Held, assembled

LAYOUT = (("a", (6, 4)), ("b", (5, 3)), ("c", (4, 4)), ("bias", (3,)))
SIZE = 24 + 15 + 16 + 3


def state_of(layers):
    """Return a state that tells layers apart, as methods have it: own layers after the rest."""
    state = {"steps": np.array(7), "mean": np.zeros(SIZE), "samples": np.zeros(layers.count)}
    for layer in layers.own:
        state["mean"][layer.place] = state["samples"][layer.number] = layer.number + 1
        for key, rows in layer.squares(("factor",)).items():
            state[key] = np.full((rows, rows), layer.number + 1.0)
    return state


def dealt(group):
    layers = DividedMatrices(group, 100, ("factor",))
    layers.divide(LAYOUT, SIZE)
    return layers


@pytest.mark.parametrize("ranks", [2, 3])
def test_all_ranks_keep_and_send_their_matrices_in_one_order(ranks):
    def work(group):
        layers = dealt(group)
        kept = layers.kept(state_of(layers), "test")
        divided = {name: array for name, array in kept.items() if isinstance(array, Divided)}
        return kept, {name: np.concatenate(list(a.parts())) for name, a in divided.items()}

    found = Crew(ranks).run(work)
    names = list(found[0][0])
    assert all(list(kept) == names for kept, _ in found)
    assert len(found[0][1]) == 6
    for _, whole in found:
        for name, array in whole.items():
            assert np.all(array == int(name.split("_")[1]) + 1), name


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 3), (3, 1)])
def test_each_rank_gets_its_layers_back(before, after):
    def keep(group):
        layers = dealt(group)
        return layers.kept(state_of(layers), "test")

    stored = Held(assembled(Crew(before).run(keep)))

    def restore(group):
        layers = dealt(group)
        return state_of(layers), layers.restored(stored, LAYOUT, SIZE)

    for expected, found in Crew(after).run(restore):
        assert set(found) == set(expected)
        for name, array in expected.items():
            np.testing.assert_array_equal(found[name], array, name)
