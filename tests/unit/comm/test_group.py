"""Groups of one process: alone, in place of a rank of many, and timed."""

import numpy as np
import pytest
import tensorflow as tf

from pdehvd.comm import backend
from pdehvd.comm.grid import Grid, Line
from pdehvd.comm.group import Solo
from pdehvd.comm.one_shard import OneShard
from pdehvd.comm.timed_group import TimedGroup
from pdehvd.errors import ConfigError
from pdehvd.launch.processes_spec import ProcessesSpec

ROWS = np.arange(6.0).reshape(3, 2)


def traced(function):
    return tf.function(function, autograph=False)(tf.constant(ROWS)).numpy()


def test_alone_every_collective_is_the_identity_but_for_neighbours():
    group = Solo()
    assert all(group.within(line).size == 1 for line in Line)
    for same in (
        lambda x: group.gather(x, [3], "g"),
        lambda x: group.reduce_scatter(x, [3], "r"),
        lambda x: group.alltoall(x, [3], [3], "a"),
        lambda x: group.broadcast(x, 0, "b"),
    ):
        np.testing.assert_array_equal(traced(same), ROWS)
    np.testing.assert_array_equal(traced(lambda x: group.exchange(x[:2], "e")), np.zeros((2, 2)))
    np.testing.assert_array_equal(group.exchange_numpy(ROWS[:2], "e"), np.zeros((2, 2)))
    for same in (
        group.maximum_numpy(ROWS, "m"),
        group.reduce_scatter_numpy(ROWS, [3], "r"),
        group.alltoall_numpy(ROWS, [3], [3], "a"),
    ):
        np.testing.assert_array_equal(same, ROWS)


def test_one_shard_of_many_has_the_shapes_of_its_rank_and_counts():
    group = OneShard(3)
    gathered = traced(lambda x: group.gather(x, [1, 2, 3], "g"))
    np.testing.assert_array_equal(gathered, np.concatenate([np.zeros((3, 2)), ROWS]))
    assert traced(lambda x: group.reduce_scatter(x, [1, 1, 1], "r")).tolist() == [[4.0, 5.0]]
    swapped = traced(lambda x: group.alltoall(x, [0, 2, 1], [2, 0, 1], "a"))
    assert swapped.tolist() == [[0, 0], [0, 0], [4, 5]]
    assert traced(lambda x: group.broadcast(x, 0, "b")).shape == (3, 2)
    assert not traced(lambda x: group.exchange(x[:2], "e")).any()
    assert group.counted() == (5, 8 * (6 + 6 + 6 + 6 + 4))


def test_the_clock_of_a_group_sees_what_its_lines_do():
    whole = OneShard(4)
    whole._grid = Grid(data=2, space=2)
    group = TimedGroup(whole)
    line = group.within(Line.SPACE)
    assert (line.rank, line.size, line.members, line.grid) == (1, 2, (2, 3), Grid(space=2))
    assert group.within(Line.SPACE) is line and group.within(Line.ALL) is group
    assert line.within(Line.SPACE) is line and line.within(Line.DATA).size == 1
    assert group.within(Line.DATA).members == (1, 3)
    assert traced(lambda x: line.gather(x, [3, 3], "g")).shape == (6, 2)
    line.maximum_numpy(ROWS, "m")
    assert group.taken().size == 2 and line.taken().size == 0


def test_a_grid_of_another_number_of_processes_is_refused():
    with pytest.raises(
        ConfigError, match=r"processes\.grid: 1 process for a grid of 1 x 1 x 2 x 3"
    ):
        backend.group(ProcessesSpec(), Grid(data=2, space=3))
    assert isinstance(backend.group(ProcessesSpec(), Grid()), Solo)
