import itertools
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdehvd.comm.grid import Grid, Line, Place, shard
from pdehvd.errors import ConfigError


@given(st.integers(0, 1000), st.integers(1, 50))
def test_shards_cover_everything_once_and_differ_by_one(count, parts):
    ranges = [shard(count, index, parts) for index in range(parts)]
    assert ranges[0][0] == 0 and ranges[-1][1] == count
    assert all(a[1] == b[0] for a, b in itertools.pairwise(ranges))
    sizes = [stop - start for start, stop in ranges]
    assert max(sizes) - min(sizes) <= 1


SIZES = st.integers(1, 3)


@given(SIZES, SIZES, SIZES, SIZES)
def test_place_and_rank_are_inverse(trainers, vessels, data, space):
    grid = Grid(trainers, vessels, data, space)
    assert [grid.rank(grid.place(rank)) for rank in range(grid.size)] == list(range(grid.size))


@settings(deadline=None)
@given(SIZES, SIZES, SIZES, SIZES, st.sampled_from(Line))
def test_lines_cut_the_grid_into_grids(trainers, vessels, data, space, line):
    grid = Grid(trainers, vessels, data, space)
    lines = {grid.ranks(line, rank) for rank in range(grid.size)}
    assert sorted(rank for ranks in lines for rank in ranks) == list(range(grid.size))
    along, parts = grid.along(line), set(grid.parts())
    for ranks in lines:
        assert list(ranks) == sorted(ranks) and len(ranks) == along.size
        others = set(asdict(Place())) - set(line.value)
        assert len({tuple(asdict(grid.place(r))[name] for name in others) for r in ranks}) == 1
        for number, rank in enumerate(ranks):
            inside = asdict(along.place(number))
            assert all(inside[name] == asdict(grid.place(rank))[name] for name in line.value)
        assert len(ranks) in (1, grid.size) or ranks in parts


def test_lines_of_a_grid():
    grid = Grid(trainers=2, data=3, space=2)
    assert str(grid) == "2 x 1 x 3 x 2"
    assert grid.place(7) == Place(trainer=1, data=0, space=1)
    assert grid.ranks(Line.DATA, 7) == (7, 9, 11)
    assert grid.ranks(Line.SPACE, 7) == (6, 7)
    assert grid.ranks(Line.TRAINERS, 7) == (1, 7)
    assert grid.ranks(Line.TRAINER, 7) == grid.ranks(Line.VESSEL, 7) == (6, 7, 8, 9, 10, 11)
    assert grid.ranks(Line.VESSELS, 7) == (7,) and len(grid.ranks(Line.ALL, 7)) == 12
    assert len(grid.parts()) == len(set(grid.parts())) == 2 + 6 + 4 + 6


def test_an_empty_axis_is_refused():
    with pytest.raises(ConfigError, match="1 x 1 x 0 x 1 processes; expected at least 1"):
        Grid(data=0)
