"""What ranks must agree on: digests that are compared, and answers that rank 0 gives for all."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pdehvd.errors import ConfigError

if TYPE_CHECKING:
    from pdehvd.comm.group import Group

_BYTES = 16


def differing(group: Group, parts: Sequence[bytes], name: str) -> dict[int, list[int]]:
    """Return which ranks hold other bytes than most, and in which of the parts.

    In a tie the side of the lowest rank counts as most. Every rank calls it with as many parts, and
    gets the same answer; one small collective where nothing differs.
    """
    digests = [hashlib.blake2b(part, digest_size=_BYTES).digest() for part in parts]
    whole = hashlib.blake2b(b"".join(digests), digest_size=_BYTES).digest()
    wholes = _gathered(group, [whole], name)
    if len(set(wholes)) == 1:
        return {}
    all_digests = _gathered(group, digests, f"{name}.parts")
    count = len(parts)
    by_rank = [all_digests[rank * count : (rank + 1) * count] for rank in range(group.size)]
    right = by_rank[usual(wholes)]
    return {
        rank: [part for part in range(count) if own[part] != right[part]]
        for rank, own in enumerate(by_rank)
        if own != right
    }


def usual(values: Sequence[bytes]) -> int:
    """Return the first place of the value that occurs most often; the first value in a tie."""
    # Counter keeps the order of first occurrence among equals.
    return values.index(Counter(values).most_common(1)[0][0])


def _gathered(group: Group, digests: Sequence[bytes], name: str) -> list[bytes]:
    rows = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, _BYTES)
    return [row.tobytes() for row in group.gather_numpy(rows, name)]


def from_rank_0(group: Group, answer: Callable[[], bytes]) -> bytes:
    """Return what rank 0 answers on every rank; raise its `ConfigError` on all ranks alike."""
    message, fault = b"", None
    if group.rank == 0:
        try:
            message = b"+" + answer()
        except ConfigError as error:
            message, fault = b"-" + os.fsencode(str(error)), error
    # The answer may take long, and a barrier leaves the cores to rank 0.
    group.barrier()
    message = group.broadcast_bytes(message)
    if fault is not None:
        raise fault
    if message[:1] == b"-":
        raise ConfigError(os.fsdecode(message[1:]))
    return message[1:]


def gather_texts(group: Group, text: str, name: str) -> list[str]:
    """Return the text of every rank, in rank order; every rank calls it."""
    own = np.frombuffer(text.encode(), np.uint8)
    counts = group.gather_numpy(np.array([own.size]), f"{name}.lengths")
    data = group.gather_numpy(own, name)
    ends = np.cumsum(counts)
    return [
        data[end - count : end].tobytes().decode() for count, end in zip(counts, ends, strict=True)
    ]
