import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdehvd.comm.grid import Grid, Place, shard
from pdehvd.errors import ConfigError


@given(st.integers(0, 1000), st.integers(1, 50))
def test_shards_cover_everything_once_and_differ_by_one(count, parts):
    ranges = [shard(count, index, parts) for index in range(parts)]
    assert ranges[0][0] == 0 and ranges[-1][1] == count
    assert all(a[1] == b[0] for a, b in itertools.pairwise(ranges))
    sizes = [stop - start for start, stop in ranges]
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4))
def test_place_and_rank_are_inverse(trainers, data, space):
    grid = Grid(trainers, data, space)
    assert [grid.rank(grid.place(rank)) for rank in range(grid.size)] == list(range(grid.size))


def test_axes_of_a_grid():
    grid = Grid(trainers=2, data=3, space=2)
    assert grid.place(7) == Place(trainer=1, data=0, space=1)
    assert grid.data_ranks(7) == (7, 9, 11)
    assert grid.space_ranks(7) == (6, 7)


def test_an_empty_axis_is_refused():
    with pytest.raises(ConfigError, match="at least 1"):
        Grid(data=0)
