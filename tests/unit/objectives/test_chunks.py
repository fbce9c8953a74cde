"""Chunks of one shape: together they are the batch, on any number of ranks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdehvd.comm.group import Solo
from pdehvd.objectives.chunks import Chunks


class Rank(Solo):
    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size


@given(
    items=st.integers(1, 60),
    count=st.integers(1, 12),
    size=st.integers(1, 12),
    per_item=st.integers(1, 3),
)
def test_chunks_do_not_depend_on_the_ranks_and_hold_every_item_once(items, count, size, per_item):
    size = min(size, count)
    x = np.arange(items * per_item * 2.0).reshape(-1, 2)
    side = np.arange(float(items))
    found = []
    for rank in range(size):
        chunks = Chunks.of(count, Rank(rank, size))
        begin, end = chunks.span(items)
        columns = {"x": x[begin * per_item : end * per_item], "side": side[begin:end]}
        laid = {name: chunks.laid_out(column, items) for name, column in columns.items()}
        laid["real"] = chunks.places(items)[1]
        assert laid["x"].shape == (chunks.own, chunks.width(items) * per_item, 2)
        np.testing.assert_array_equal(
            chunks.joined(laid["side"], items), side[begin:end] if laid["real"].any() else []
        )
        found.append(laid)
    whole = {name: np.concatenate([laid[name] for laid in found]) for name in found[0]}
    real = whole["real"]
    np.testing.assert_array_equal(whole["side"][real], side)
    points = whole["x"].reshape(*real.shape, per_item, 2)
    np.testing.assert_array_equal(points[real].reshape(-1, 2), x)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_what_fills_a_chunk_up_is_a_copy_of_an_item(size):
    for rank in range(size):
        chunks = Chunks.of(3, Rank(rank, size))
        begin, end = chunks.span(7)
        laid = chunks.laid_out(np.arange(float(begin), end), 7)
        assert set(laid.reshape(-1)) <= set(range(7))
