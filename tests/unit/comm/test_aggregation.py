import numpy as np
import pytest
import tensorflow as tf

from pdehvd.comm.aggregation import Adasum, GlobalMean, HalfPrecision
from pdehvd.comm.group import Solo
from pdehvd.comm.horovod import HorovodGroup
from pdehvd.errors import ConfigError


class Three(Solo):
    size = 3


@pytest.mark.parametrize("hook", [GlobalMean(), Adasum()])
def test_on_one_process_nothing_changes(hook):
    gradient, losses = tf.constant([1.0, -2.0]), tf.constant([3.0])
    got = hook.combine(Solo(), gradient, losses)
    np.testing.assert_array_equal(got[0], gradient)
    np.testing.assert_array_equal(got[1], losses)


@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_half_precision_keeps_three_digits_at_any_scale(size):
    gradient = tf.constant(np.array([1.0, -0.5, 1e-3, 0.0]) * size)
    got, losses = HalfPrecision().combine(Solo(), gradient, tf.constant([2.0], tf.float64))
    np.testing.assert_allclose(got, gradient, rtol=1e-3)
    assert float(losses[0]) == 2.0


def test_half_precision_of_zero_and_of_nan():
    zero, _ = HalfPrecision().combine(Solo(), tf.zeros([2]), tf.zeros([1]))
    np.testing.assert_array_equal(zero, np.zeros(2))
    bad, _ = HalfPrecision().combine(Solo(), tf.constant([np.nan, 1.0]), tf.zeros([1]))
    assert np.isnan(bad[0])


def test_adasum_wants_a_power_of_two():
    with pytest.raises(ConfigError, match="power of two"):
        Adasum().check(Three())


@pytest.mark.parametrize(
    ("size", "mpi", "fits"), [(4, True, True), (3, True, False), (4, False, False)]
)
def test_adasum_wants_mpi_and_a_power_of_two_of_horovod(size, mpi, fits):
    group = object.__new__(HorovodGroup)
    group.size, group.mpi = size, mpi
    if fits:
        Adasum().check(group)
        return
    with pytest.raises(ConfigError) as caught:
        Adasum().check(group)
    assert str(caught.value) == (
        f"aggregation: adasum cannot run on {size} processes; expected MPI and a number of "
        "processes that is a power of two; did you mean 'global_mean'?"
    )
