"""Who differs, and in what: three ranks in one process, each with a thread of its own."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pdehvd.comm.agreement import differing, from_rank_0, gather_texts, usual
from pdehvd.comm.group import Solo
from pdehvd.errors import ConfigError
from tests.support.crew import Crew


class Threaded(Solo):
    """A rank among threads: `gather_numpy` is real, the rest is not needed."""

    def __init__(self, rank: int, size: int, barrier: threading.Barrier, shared: dict) -> None:
        self.rank, self.size = rank, size
        self._barrier, self._shared = barrier, shared

    def gather_numpy(self, rows: np.ndarray, name: str) -> np.ndarray:
        self._shared[name, self.rank] = rows
        self._barrier.wait(10)
        return np.concatenate([self._shared[name, rank] for rank in range(self.size)])


def together(size, work):
    """Return what `work(group)` returns on every rank."""
    barrier, shared = threading.Barrier(size), {}
    groups = [Threaded(rank, size, barrier, shared) for rank in range(size)]
    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(work, groups))


@pytest.mark.parametrize("odd", [0, 1, 2])
def test_the_majority_is_right(odd):
    def work(group):
        parts = [b"same", b"other" if group.rank == odd else b"most", b"same too"]
        return differing(group, parts, "test")

    assert together(3, work) == [{odd: [1]}] * 3


def test_two_ranks_are_told_apart_from_the_first():
    assert together(2, lambda g: differing(g, [b"a", bytes([g.rank])], "test")) == [{1: [1]}] * 2
    assert together(2, lambda g: differing(g, [b"a", b""], "test")) == [{}] * 2


def test_bits_count_not_values():
    zeros = (np.array([0.0]), np.array([-0.0]))
    found = together(2, lambda g: differing(g, [zeros[g.rank].tobytes()], "test"))
    assert found == [{1: [0]}] * 2


def test_texts_of_any_length_arrive_whole():
    texts = ["", "zwölf", "x" * 5000]
    assert together(3, lambda g: gather_texts(g, texts[g.rank], "test")) == [texts] * 3


def test_the_usual_value():
    assert usual([b"a", b"b", b"b"]) == 1
    assert usual([b"a", b"b"]) == 0


def test_all_ranks_get_what_rank_0_answers_or_its_error():
    assert Crew(3).run(lambda g: from_rank_0(g, lambda: b"by %d" % g.rank)) == [b"by 0"] * 3

    def refuse():
        raise ConfigError("no such folder", (), "one that exists")

    def error(group):
        with pytest.raises(ConfigError) as caught:
            from_rank_0(group, refuse)
        return str(caught.value)

    assert Crew(3).run(error) == ["no such folder; expected one that exists"] * 3
