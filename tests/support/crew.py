"""Ranks as threads of one process, which meet in their collectives on NumPy arrays."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from pdehvd.comm.group import Solo


class Crew:
    """Runs a function on so many ranks at once."""

    def __init__(self, size):
        self.size = size
        self.barrier = threading.Barrier(size, timeout=60)
        self.board = [None] * size

    def run(self, work):
        """Return the results of work(group) in rank order; the first error ends all."""

        def member(rank):
            try:
                return work(Rank(rank, self))
            except BaseException:
                self.barrier.abort()
                raise

        with ThreadPoolExecutor(self.size) as pool:
            return list(pool.map(member, range(self.size)))

    def meet(self, rank, name, values):
        """Return what every rank brought to the collective of this name."""
        self.board[rank] = name, values
        self.barrier.wait()
        names, found = zip(*self.board, strict=True)
        self.barrier.wait()
        assert len(set(names)) == 1
        return found


class Rank(Solo):
    """One of the crew."""

    def __init__(self, rank, crew):
        self.rank, self.size, self.crew = rank, crew.size, crew

    def sum_numpy(self, values, name):
        return sum(self.crew.meet(self.rank, name, values.copy()))

    def maximum_numpy(self, values, name):
        return np.max(self.crew.meet(self.rank, name, values.copy()), axis=0)

    def gather_numpy(self, rows, name):
        return np.concatenate(self.crew.meet(self.rank, name, rows.copy()))

    def broadcast_bytes(self, data):
        return self.crew.meet(self.rank, "bytes", data)[0]

    def broadcast_numpy(self, values, source, name):
        return self.crew.meet(self.rank, name, values.copy())[source]
