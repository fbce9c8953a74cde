"""Rank arithmetic: who holds which part of what. Pure, no communication."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from enum import Enum
from itertools import product

from pdehvd.errors import ConfigError


def shard(count: int, index: int, parts: int) -> tuple[int, int]:
    """Return the half-open range of part `index` when `count` items are cut into `parts`.

    start = floor(count * index / parts): contiguous, in order, sizes differ by at most one.
    """
    return count * index // parts, count * (index + 1) // parts


# Chunks of a small batch: a number that many numbers of processes divide. Items of a large one's.
_CHUNKS, _ITEMS = 12, 2048


def chunk_count(items: int, chunk: int | None) -> int:
    """Return into how many chunks to cut a batch; `chunk` None: of a twelfth, at most 2048."""
    return math.ceil(items / (chunk or min(math.ceil(items / _CHUNKS), _ITEMS)))


def even_chunk(items: int, chunk: int | None) -> int:
    """Return the largest size, not above `chunk` or a twelfth, of which chunks fill a batch."""
    most = min(chunk or math.ceil(items / _CHUNKS), items)
    return max(size for size in range(1, most + 1) if items % size == 0)


class Line(Enum):
    """Which ranks communicate: those that differ in these coordinates and share all others."""

    ALL = ("trainer", "vessel", "data", "space")
    TRAINER = ("vessel", "data", "space")
    VESSEL = ("data", "space")
    TRAINERS = ("trainer",)
    VESSELS = ("vessel",)
    DATA = ("data",)
    SPACE = ("space",)

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Place:
    """Where a rank stands on a grid."""

    trainer: int = 0
    vessel: int = 0
    data: int = 0
    space: int = 0


@dataclass(frozen=True)
class Grid:
    """Processes as trainers x vessels x data x space; space varies fastest.

    Neighbours in space so share a node where they can.
    """

    trainers: int = 1
    vessels: int = 1
    data: int = 1
    space: int = 1

    def __post_init__(self) -> None:
        if min(self.shape) < 1:
            raise ConfigError(f"a grid of {self} processes", (), "at least 1 each")

    def __str__(self) -> str:
        return " x ".join(map(str, self.shape))

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Numbers of trainers, of parts of the vessels, of the samples, and of space."""
        return self.trainers, self.vessels, self.data, self.space

    @property
    def size(self) -> int:
        """Number of processes."""
        return math.prod(self.shape)

    def place(self, rank: int) -> Place:
        """Return the coordinates of `rank`."""
        rest, space = divmod(rank, self.space)
        rest, data = divmod(rest, self.data)
        trainer, vessel = divmod(rest, self.vessels)
        return Place(trainer, vessel, data, space)

    def rank(self, place: Place) -> int:
        """Return the rank at `place`; the inverse of `place`."""
        row = (place.trainer * self.vessels + place.vessel) * self.data + place.data
        return row * self.space + place.space

    def ranks(self, line: Line, rank: int) -> tuple[int, ...]:
        """Return the ranks on the line of `rank`, in order."""
        first = self.rank(replace(self.place(rank), **dict.fromkeys(line.value, 0)))
        along = [range(0, step * size, step) for step, size in self._steps(line)]
        return tuple(first + sum(offsets) for offsets in product(*along))

    def _steps(self, line: Line) -> list[tuple[int, int]]:
        """Return how far ranks are apart, and how many there are, in each coordinate of a line."""
        names = [field.name for field in fields(Place)]
        steps = [math.prod(self.shape[number + 1 :]) for number in range(len(names))]
        of_all = dict(zip(names, zip(steps, self.shape, strict=True), strict=True))
        return [of_all[name] for name in line.value]

    def along(self, line: Line) -> Grid:
        """Return the grid that the ranks of one line are."""
        return Grid(
            self.trainers if "trainer" in line.value else 1,
            self.vessels if "vessel" in line.value else 1,
            self.data if "data" in line.value else 1,
            self.space if "space" in line.value else 1,
        )

    def parts(self) -> list[tuple[int, ...]]:
        """Return the ranks of all lines of two ranks or more that are not the whole grid."""
        found: dict[tuple[int, ...], None] = {}
        for line in Line:
            if 1 < self.along(line).size < self.size:
                for rank in range(self.size):
                    place = asdict(self.place(rank))
                    if not any(place[name] for name in line.value):
                        found[self.ranks(line, rank)] = None
        return list(found)
