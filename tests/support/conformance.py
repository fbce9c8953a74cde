"""What every backend's collectives must come to: models in NumPy of all ranks at once.

All numbers are small multiples of 1/16, so sums have no rounding and results must be equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pdehvd.comm.grid import Grid, Line
from pdehvd.comm.group import Group

Arrays = list[np.ndarray]
WIDTH = 3
FLOATS = ("float32", "float64")
DTYPES = (*FLOATS, "int64")
# Far below the distance between any two ranks' numbers.
_SMALL = 1 / 16


def counts(size: int) -> list[int]:
    """Return unequal numbers of rows; some ranks of three or more have none."""
    return [(rank + 1) % 3 for rank in range(size)]


def sent(size: int, rank: int) -> list[int]:
    """Return how many rows a rank sends to each rank."""
    return [(rank + 2 * to) % 3 for to in range(size)]


def received(size: int, rank: int) -> list[int]:
    """Return how many rows a rank receives from each rank."""
    return [sent(size, source)[rank] for source in range(size)]


@dataclass(frozen=True)
class Case:
    """One collective: on tensors, on arrays, and for all ranks at once."""

    name: str
    on_tensors: Callable[[Group, Any, str], Any]
    on_arrays: Callable[[Group, np.ndarray, str], np.ndarray]
    model: Callable[[Arrays], Arrays]
    rows: Callable[[int, int], int]
    linear: bool = True

    def inputs(self, members: tuple[int, ...], dtype: str) -> Arrays:
        """Return the input of each rank; no two ranks of the job have the same number in it."""
        found = []
        for place, rank in enumerate(members):
            rng = np.random.default_rng([rank, len(self.name)])
            shape = self.rows(len(members), place), WIDTH
            values = rng.integers(-20, 20, shape) + (rank / 8 if dtype in FLOATS else 0)
            found.append(values.astype(dtype))
        return found

    def weights(self, members: tuple[int, ...], dtype: str) -> Arrays:
        """Return the weights of each rank's outputs in its own loss."""
        found = []
        for rank, output in zip(members, self.model(self.inputs(members, dtype)), strict=True):
            rng = np.random.default_rng([rank, 7])
            found.append(rng.integers(-5, 5, output.shape).astype(dtype))
        return found

    def gradient(self, inputs: Arrays, weights: Arrays, place: int) -> np.ndarray:
        """Return the derivative of the sum of all ranks' losses for one rank's input."""

        def loss(arrays: Arrays) -> float:
            outputs = self.model(arrays)
            return float(sum((w * y).sum() for w, y in zip(weights, outputs, strict=True)))

        at, found = loss(inputs), np.zeros_like(inputs[place])
        for index in np.ndindex(found.shape):
            moved = [one.copy() for one in inputs]
            moved[place][index] += _SMALL
            found[index] = (loss(moved) - at) / _SMALL
        return found


def _summed(inputs: Arrays) -> Arrays:
    return [sum(inputs[1:], inputs[0])] * len(inputs)


def _largest(inputs: Arrays) -> Arrays:
    return [np.max(inputs, axis=0)] * len(inputs)


def _gathered(inputs: Arrays) -> Arrays:
    return [np.concatenate(inputs)] * len(inputs)


def _scattered(inputs: Arrays) -> Arrays:
    return np.split(_summed(inputs)[0], np.cumsum(counts(len(inputs)))[:-1])


def _transposed(inputs: Arrays) -> Arrays:
    size = len(inputs)
    cut = [np.split(own, np.cumsum(sent(size, rank))[:-1]) for rank, own in enumerate(inputs)]
    return [np.concatenate([parts[rank] for parts in cut]) for rank in range(size)]


def _exchanged(inputs: Arrays) -> Arrays:
    beyond = np.zeros_like(inputs[0])
    padded = [beyond, *inputs, beyond]
    return [
        np.stack([below[1], above[0]]) for below, above in zip(padded[:-2], padded[2:], strict=True)
    ]


CASES = (
    Case(
        "sum",
        lambda group, own, name: group.sum([own], name)[0],
        lambda group, own, name: group.sum_numpy(own, name),
        _summed,
        lambda size, rank: 2,
    ),
    Case(
        "maximum",
        lambda group, own, name: group.maximum([own], name)[0],
        lambda group, own, name: group.maximum_numpy(own, name),
        _largest,
        lambda size, rank: 2,
        linear=False,
    ),
    Case(
        "gather",
        lambda group, own, name: group.gather(own, counts(group.size), name),
        lambda group, own, name: group.gather_numpy(own, name),
        _gathered,
        lambda size, rank: counts(size)[rank],
    ),
    Case(
        "reduce_scatter",
        lambda group, own, name: group.reduce_scatter(own, counts(group.size), name),
        lambda group, own, name: _rows_scattered(group, own, name),
        _scattered,
        lambda size, rank: sum(counts(size)),
    ),
    Case(
        "alltoall",
        lambda group, own, name: group.alltoall(own, *_plan(group), name),
        lambda group, own, name: group.alltoall_numpy(own, *_plan(group), name),
        _transposed,
        lambda size, rank: sum(sent(size, rank)),
    ),
    Case(
        "exchange",
        lambda group, own, name: group.exchange(own, name),
        lambda group, own, name: group.exchange_numpy(own, name),
        _exchanged,
        lambda size, rank: 2,
    ),
    Case(
        "broadcast",
        lambda group, own, name: group.broadcast(own, group.size - 1, name),
        lambda group, own, name: group.broadcast_numpy(own, group.size - 1, name),
        lambda inputs: [inputs[-1]] * len(inputs),
        lambda size, rank: 2,
    ),
)


def _plan(group: Group) -> tuple[list[int], list[int]]:
    return sent(group.size, group.rank), received(group.size, group.rank)


def _rows_scattered(group: Group, own: np.ndarray, name: str) -> np.ndarray:
    numbers = [count * WIDTH for count in counts(group.size)]
    return group.reduce_scatter_numpy(own.reshape(-1), numbers, name).reshape(-1, WIDTH)


def lines(grid: Grid) -> list[Line]:
    """Return the lines of two ranks or more, one for each way to cut the grid."""
    found = {grid.ranks(line, 0): line for line in reversed(Line) if grid.along(line).size > 1}
    return list(reversed(found.values()))


_DOUBLE = ("float64",)
_PLAIN = {"plain": DTYPES, "constants": _DOUBLE, "loop": _DOUBLE}
# Outside of a compiled program, each call of MPI's is compiled by itself.
_MPI = {**dict.fromkeys(_PLAIN, _DOUBLE), **{f"{k}, compiled": v for k, v in _PLAIN.items()}}


def programs(library: str) -> dict[str, tuple[str, ...]]:
    """Return the kinds of programs that are tried, and with which types."""
    return _MPI | {"in pieces, compiled": ("float32",)} if library == "mpi" else _PLAIN


def expected(grid: Grid, library: str) -> Iterator[str]:
    """Yield the names of all checks that a rank must report."""
    for line in lines(grid):
        for case in CASES:
            yield from (f"{line}: {case.name} of {dtype}, on arrays" for dtype in DTYPES)
            for mode, dtypes in programs(library).items():
                for dtype in dtypes:
                    yield f"{line}: {case.name} of {dtype}, {mode}"
                    if dtype in FLOATS:
                        yield f"{line}: gradient of {case.name}, {dtype}, {mode}"
            if case.linear:
                yield f"{line}: second derivative of {case.name}"
        yield f"{line}: on arrays while a function is traced"
        yield f"{line}: results that one rank reads"
        yield f"{line}: ranks that share a maximum"
        yield f"{line}: members"
    yield "lines of one rank"
    yield "refusals"
