import numpy as np
import pytest
import tensorflow as tf

from pdehvd.models.fields import FieldNetworks
from pdehvd.models.mlp import MLP
from pdehvd.numerics import jets

BOUNDS = np.array([[0.0, 1.0]])


def part(outputs=1, dtype="float64", **options):
    return MLP(**{"width": 3, "depth": 1, **options}).build(BOUNDS, outputs, dtype, ("x",))


def test_outputs_and_jets_are_joined_in_order():
    parts = [part(), part(outputs=2, width=4), part(activation="sin")]
    joined = FieldNetworks(parts)
    assert (joined.inputs, joined.outputs, joined.dtype) == (1, 4, "float64")
    values = [tf.constant(value) for value in joined.initial(3)]
    own, start = [], 0
    for network in parts:
        own.append(values[start : start + len(network.layout)])
        start += len(network.layout)
    x, plan = tf.constant([[0.1], [0.7]], tf.float64), jets.plan(1, [(2,)])
    apart = [n.jet(p, x, plan) for n, p in zip(parts, own, strict=True)]
    for channel, entry in enumerate(joined.jet(values, x, plan)):
        np.testing.assert_array_equal(entry, tf.concat([jet[channel] for jet in apart], axis=1))
    np.testing.assert_array_equal(joined.apply(values, x), joined.jet(values, x, plan)[0])


def test_layout_names_are_distinct_and_fit_the_values():
    joined = FieldNetworks([part(), part()])
    names = [name for name, _ in joined.layout]
    assert names[0] == "field_0/layer_0/weight"
    assert len(set(names)) == len(names) == 8
    values = joined.initial(0)
    assert [value.shape for value in values] == [shape for _, shape in joined.layout]
    assert joined.size == sum(value.size for value in values)


def test_every_field_starts_from_numbers_of_its_own():
    joined = FieldNetworks([part(), part()])
    first, again = joined.initial(5), joined.initial(5)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], first[4])


def test_parts_must_fit_together():
    with pytest.raises(ValueError, match="same dtype"):
        FieldNetworks([part(), part(dtype="float32")])
