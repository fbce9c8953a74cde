"""Rank arithmetic: who holds which part of what. Pure, no communication."""

from __future__ import annotations

import math
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Place:
    """Where a rank stands on a grid."""

    trainer: int
    data: int
    space: int


@dataclass(frozen=True)
class Grid:
    """Processes as trainers x data x space; space varies fastest, so neighbours share a node."""

    trainers: int = 1
    data: int = 1
    space: int = 1

    def __post_init__(self) -> None:
        if min(self.trainers, self.data, self.space) < 1:
            raise ConfigError(
                f"a grid of {self.trainers} x {self.data} x {self.space} processes",
                (),
                "at least 1 each",
            )

    @property
    def size(self) -> int:
        """Number of processes."""
        return self.trainers * self.data * self.space

    def place(self, rank: int) -> Place:
        """Return the coordinates of `rank`."""
        rest, space = divmod(rank, self.space)
        trainer, data = divmod(rest, self.data)
        return Place(trainer, data, space)

    def rank(self, place: Place) -> int:
        """Return the rank at `place`; the inverse of `place`."""
        return (place.trainer * self.data + place.data) * self.space + place.space

    def data_ranks(self, rank: int) -> tuple[int, ...]:
        """Return the ranks with other samples of the same trainer and the same part of space."""
        at = self.place(rank)
        return tuple(self.rank(Place(at.trainer, d, at.space)) for d in range(self.data))

    def space_ranks(self, rank: int) -> tuple[int, ...]:
        """Return the ranks that hold other parts of the same samples."""
        at = self.place(rank)
        return tuple(self.rank(Place(at.trainer, at.data, s)) for s in range(self.space))
