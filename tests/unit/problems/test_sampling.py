from itertools import pairwise
from typing import Annotated

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from scipy import stats

from pdehvd.errors import ConfigError
from pdehvd.problems.sampling import (
    Halton,
    LatinHypercube,
    Lattice,
    RadSpec,
    Sobol,
    SobolSpec,
    Uniform,
    rad_select,
)
from pdehvd.spec import Section, Spec, registered

SAMPLERS = [Uniform, Lattice, LatinHypercube, Sobol, Halton]


@pytest.mark.parametrize("kind", SAMPLERS)
@settings(max_examples=20, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 300), max_size=4),
    dimension=st.integers(0, 4),
    seed=st.integers(0, 2**40),
)
def test_shards_join_to_the_whole_bit_for_bit(kind, cuts, dimension, seed):
    sampler, key = kind(seed), (7, 1)
    total = sampler.total(dimension, 300)
    whole = sampler.points(dimension, 300, 0, total, key)
    edges = [0, *sorted(min(cut, total) for cut in cuts), total]
    parts = [sampler.points(dimension, 300, a, b, key) for a, b in pairwise(edges)]
    assert np.array_equal(np.concatenate(parts), whole)
    assert whole.shape == (total, dimension)
    assert ((whole >= 0) & (whole < 1)).all()


@pytest.mark.parametrize("kind", [Uniform, LatinHypercube, Sobol, Halton])
def test_seed_and_key_change_the_points(kind):
    drawn = [
        kind(seed).points(2, 64, 0, 64, key)
        for seed, key in [(1, (0, 0)), (2, (0, 0)), (1, (1, 0)), (1, (0,)), (1, (0, 1))]
    ]
    for i, first in enumerate(drawn):
        for second in drawn[:i]:
            assert not np.isin(first, second).any()


@pytest.mark.parametrize("kind", SAMPLERS)
def test_every_axis_is_uniform(kind):
    sampler = kind(11)
    total = sampler.total(3, 4096)
    points = sampler.points(3, 4096, 0, total, (3,))
    for axis in range(3):
        assert stats.kstest(points[:, axis], "uniform").pvalue > 0.01 or isinstance(
            sampler, Lattice
        )
        counts = np.histogram(points[:, axis], bins=8, range=(0, 1))[0]
        assert np.abs(counts / total - 1 / 8).max() < 0.02
    correlation = np.corrcoef(points.T) - np.eye(3)
    assert np.abs(correlation).max() < 0.05


def test_low_discrepancy_fills_more_evenly_than_chance():
    chance = stats.qmc.discrepancy(Uniform(0).points(2, 512, 0, 512, ()))
    for kind in (Sobol, Halton):
        assert stats.qmc.discrepancy(kind(0).points(2, 512, 0, 512, ())) < chance / 10


def test_latin_hypercube_has_one_point_in_every_slice():
    points = LatinHypercube(5).points(3, 97, 0, 97, (1,))
    for axis in range(3):
        assert sorted(np.floor(points[:, axis] * 97)) == list(range(97))


@pytest.mark.parametrize("dimension", [1, 2, 3, 5])
@pytest.mark.parametrize("count", [1, 7, 8, 27, 1000, 8192])
def test_grid_is_the_largest_near_cube_and_settles(dimension, count):
    grid = Lattice(0)
    total = grid.total(dimension, count)
    assert total <= count
    assert grid.total(dimension, total) == total
    points = grid.points(dimension, count, 0, total, ())
    sizes = [len(np.unique(points[:, axis])) for axis in range(dimension)]
    assert np.prod(sizes) == total
    assert max(sizes) - min(sizes) <= 1
    assert (min(sizes) + 1) ** dimension > count
    assert len(np.unique(points, axis=0)) == total
    assert np.allclose(points.mean(axis=0), 0.5)


def test_grid_of_a_square_is_its_cell_midpoints():
    assert Lattice(0).points(2, 4, 0, 4, ()).tolist() == [
        [0.25, 0.25],
        [0.25, 0.75],
        [0.75, 0.25],
        [0.75, 0.75],
    ]


def test_rows_outside_the_set_are_refused():
    with pytest.raises(ValueError, match=r"rows 0\.\.65 of 64"):
        Sobol(0).points(2, 64, 0, 65, ())


def _frequencies(residual, count, power, offset, draws=3000):
    kept = np.zeros(len(residual))
    for step in range(draws):
        kept[rad_select(residual, count, power, offset, 3, (step,))] += 1
    return kept / draws


def test_rad_draws_with_its_density():
    residual = np.array([0.0, 1.0, -2.0, 5.0, 0.5, 3.0])
    density = np.abs(residual) ** 2 / np.mean(residual**2) + 0.5
    density /= density.sum()
    draws = 3000
    kept = _frequencies(residual, 1, 2.0, 0.5, draws) * draws
    assert stats.chisquare(kept, density * draws).pvalue > 0.01


def test_rad_without_replacement_follows_the_sequential_draw():
    residual = np.array([1.0, 2.0, 4.0])
    density = residual / residual.mean() + 1.0
    density /= density.sum()
    pairs = [(a, b) for a in range(3) for b in range(3) if a != b]
    expected = np.zeros(3)
    for a, b in pairs:
        expected[[a, b]] += density[a] * density[b] / (1 - density[a])
    assert np.abs(_frequencies(residual, 2, 1.0, 1.0) - expected).max() < 0.03


def test_rad_depends_on_residuals_and_not_on_places():
    residual = np.array([0.1, 3.0, 1.0, 0.7])
    forwards = _frequencies(residual, 2, 1.0, 1.0)
    backwards = _frequencies(residual[::-1], 2, 1.0, 1.0)[::-1]
    assert np.abs(forwards - backwards).max() < 0.04


def test_rad_indices_are_distinct_ascending_and_repeatable():
    residual = np.random.default_rng(0).normal(size=500)
    chosen = rad_select(residual, 100, 1.0, 1.0, 1, (2, 0))
    assert (np.diff(chosen) > 0).all()
    assert np.array_equal(chosen, rad_select(residual, 100, 1.0, 1.0, 1, (2, 0)))
    assert np.array_equal(chosen, rad_select(1e200 * residual, 100, 1.0, 1.0, 1, (2, 0)))
    assert not np.array_equal(chosen, rad_select(residual, 100, 1.0, 1.0, 1, (3, 0)))


def test_rad_with_odd_residuals():
    assert len(rad_select(np.zeros(10), 4, 1.0, 0.0, 0, ())) == 4
    assert len(rad_select(np.full(10, np.nan), 4, 1.0, 1.0, 0, ())) == 4
    # Without an offset, points without a residual come only when there are no others.
    residual = np.array([0.0, 1.0, 0.0, 1.0])
    assert rad_select(residual, 2, 1.0, 0.0, 0, ()).tolist() == [1, 3]
    with pytest.raises(ConfigError, match="cannot keep 5 of 4"):
        rad_select(residual, 5, 1.0, 1.0, 0, ())


def test_sections_are_registered_and_build():
    names = {"uniform", "grid", "latin_hypercube", "sobol", "halton", "rad"}
    assert names <= set(registered("sampling"))
    adapter = TypeAdapter(Annotated[Spec, Section("sampling")])
    for name in names:
        sampler = adapter.validate_python({"name": name, "equations": 64}).build(3)
        assert sampler.points(2, 64, 0, 64, (0,)).shape == (64, 2)


def test_rad_spec_defaults_and_selection():
    sampler = RadSpec(equations=100).build(5)
    assert (sampler.candidates, sampler.every, sampler.power, sampler.offset) == (400, 1000, 1, 1)
    points = sampler.points(2, 400, 0, 400, (1,))
    assert np.array_equal(points, Sobol(5).points(2, 400, 0, 400, (1,)))
    residual = points[:, 0]
    chosen = sampler.select(residual, 100, (1,))
    assert np.array_equal(chosen, rad_select(residual, 100, 1, 1, 5, (1,)))
    with pytest.raises(ConfigError, match="50 candidates for 100 points"):
        RadSpec(equations=100, candidates=50)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"equations": 0}, "0 is not positive"),
        ({"equations": -3}, "-3 is not positive"),
        ({"equations": 1.5}, "not a number of points"),
        ({"equations": float("nan")}, "not a number of points"),
        ({"equations": True}, "got true; expected a whole number"),
        ({"equations": "many"}, "not a number of points"),
        ({"equations": 8, "conditions": -1}, "-1 is not positive"),
        ({"equations": 8, "conditions": {"walls": 0}}, "walls: 0 is not positive"),
        ({"equations": 8, "resample_every": 0}, "0 is not positive"),
        ({"equations": 8, "resample": 5}, "sampling.resample: unknown key 'resample'"),
    ],
)
def test_bad_numbers_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        SobolSpec(**values)


def test_conditions_share_a_total_evenly():
    spec = SobolSpec(equations=8, conditions=11)
    assert spec.condition_counts(["a", "b", "c"]) == {"a": 4, "b": 4, "c": 3}
    assert SobolSpec(equations=8).condition_counts([]) == {}
    with pytest.raises(ConfigError, match="11 points for 12"):
        spec.condition_counts([str(i) for i in range(12)])
    with pytest.raises(ConfigError, match="no points for 1 sampled"):
        SobolSpec(equations=8).condition_counts(["a"])


def test_conditions_by_name():
    spec = SobolSpec(equations=8, conditions={"walls": 6, "start": 5})
    assert spec.condition_counts(["start", "walls"]) == {"walls": 6, "start": 5}
    with pytest.raises(ConfigError) as caught:
        spec.condition_counts(["wall", "start"])
    assert (caught.value.path, caught.value.nearest) == (("conditions", "walls"), "wall")
    with pytest.raises(ConfigError, match="no number of points for top"):
        spec.condition_counts(["start", "walls", "top"])
