"""Who stalls: what ranks have begun on each line of the grid, and who is missing in what."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

# Names of collectives in one sentence; a rank that was stopped may lag behind in all of them.
_SHOWN = 3


class LineProgress(NamedTuple):
    """How often a rank has begun each collective on one of its lines.

    `line` is the name of the line, `members` are the ranks on it, `begun` is by collective.
    """

    line: str
    members: tuple[int, ...]
    begun: dict[str, int]

    @property
    def total(self) -> int:
        """How many collectives the rank has begun on the line."""
        return sum(self.begun.values())


def encode_progress(progress: Sequence[LineProgress]) -> str:
    """Return the progress of a rank as others read it."""
    return json.dumps(progress)


def decode_progress(text: str) -> list[LineProgress]:
    """Return the progress that a text holds. Raises `ValueError` where it is not whole."""
    return [LineProgress(line, tuple(members), begun) for line, members, begun in json.loads(text)]


def explain_stall(progress: Mapping[int, Sequence[LineProgress]]) -> list[str]:
    """Return who waits for whom on each line, and last who keeps all others waiting.

    `progress` has the ranks of which something is known; the others are on other machines.
    """
    lines: dict[tuple[int, ...], dict[int, LineProgress]] = {}
    for rank, on_lines in progress.items():
        for one in on_lines:
            lines.setdefault(one.members, {})[rank] = one
    sentences, late, waiting = [], set(), set()
    for members, known in lines.items():
        most = max(one.total for one in known.values())
        behind = [rank for rank in members if rank in known and known[rank].total < most]
        ahead = [rank for rank in members if rank in known and known[rank].total == most]
        if behind:
            sentences.append(_sentence(known, members, ahead, behind))
            late.update(behind)
            waiting.update(ahead)
    if guilty := sorted(late - waiting):
        sentences.append(f"{_ranks(guilty)} {_verb(guilty, 'keeps', 'keep')} the others waiting")
    return sentences or ["no rank of this machine waits for another one of it in a collective"]


def _sentence(
    known: Mapping[int, LineProgress],
    members: Sequence[int],
    ahead: Sequence[int],
    behind: Sequence[int],
) -> str:
    first, last = known[ahead[0]], known[behind[0]]
    names = [name for name, count in first.begun.items() if count > last.begun.get(name, 0)]
    what = " or ".join(names[:_SHOWN])
    text = (
        f"line {first.line} ({_ranks(members)}): {_ranks(ahead)} {_verb(ahead, 'waits', 'wait')} "
        f"in {what}, the {_ordinal(first.total)} collective there, in which {_ranks(behind)} "
        f"{_verb(behind, 'is', 'are')} missing"
    )
    unknown = [rank for rank in members if rank not in known]
    return f"{text}; {_ranks(unknown)}: on another machine" if unknown else text


def _ranks(ranks: Sequence[int]) -> str:
    *first, last = map(str, ranks)
    return f"ranks {', '.join(first)} and {last}" if first else f"rank {last}"


def _verb(ranks: Sequence[int], one: str, many: str) -> str:
    return one if len(ranks) == 1 else many


def _ordinal(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return f"{number:,}th"
    return f"{number:,}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"
