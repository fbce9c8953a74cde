"""Regions of a domain, from text such as `x = -1 and y > 0`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy

from pdehvd.errors import ConfigError, nearest, within
from pdehvd.numerics.expressions import exact, parse_relation, symbol
from pdehvd.numerics.syntax import ExpressionError, names_in
from pdehvd.problems.frame import Frame
from pdehvd.problems.pieces import Piece, Points
from pdehvd.problems.region_limits import Contradiction, Limits, find_limits
from pdehvd.problems.region_parts import boundary, inside
from pdehvd.problems.sequences import Key, Sampler

__all__ = ["Frame", "Points", "Region", "apportion", "limits_of", "parse_region"]

_HEAD = re.compile(r"\s*([^\W\d]\w*)\s*(?:and\b(.*))?", re.DOTALL)
# What people call the ends of a box: of its first or last coordinate of space, which end.
_ENDS = {"left": (0, 0), "right": (0, 1), "bottom": (-1, 0), "top": (-1, 1)}
_FIRST = ("initial", "start", "ic")
_BRANCHES = 100  # of the alternatives in one text


def apportion(count: int, measures: np.ndarray) -> list[int]:
    """Split `count` over parts in proportion to measures, by largest remainders.

    The parts add up to `count`; where it suffices, no part is left without a point.
    """
    exact = count * measures / measures.sum()
    shares = np.floor(exact).astype(int)
    if count >= len(shares):
        shares = np.maximum(shares, 1)
    while shares.sum() < count:
        shares[np.argmax(exact - shares)] += 1
    while shares.sum() > count:
        shares[np.argmax(np.where(shares > 1, shares - exact, -np.inf))] -= 1
    return [int(share) for share in shares]


@dataclass(frozen=True, eq=False)
class Region:
    """A part of a domain, made of pieces of one dimension; `text` is how it was called."""

    text: str
    pieces: tuple[Piece, ...]

    @property
    def measure(self) -> float:
        """Return the measure: a length, area, ... or the number of single points."""
        return float(sum(piece.measure for piece in self.pieces))

    @property
    def dimension(self) -> int:
        """Return the dimension as a set; 0 for single points."""
        return self.pieces[0].dimension

    @property
    def oriented(self) -> bool:
        """Return whether all points have outward normals."""
        return all(piece.oriented for piece in self.pieces)

    @cached_property
    def _measures(self) -> np.ndarray:
        one = len(self.pieces) == 1
        return np.ones(1) if one else np.array([piece.measure for piece in self.pieces])

    def shares(self, count: int) -> list[int]:
        """Return how many of `count` points are asked of each piece."""
        if self.dimension == 0:
            return [1] * len(self.pieces)
        return apportion(count, self._measures)

    def totals(self, sampler: Sampler, count: int) -> list[int]:
        """Return how many points each piece has when `count` are asked for in all."""
        shares = zip(self.pieces, self.shares(count), strict=True)
        return [piece.total(sampler, share) if share else 0 for piece, share in shares]

    def settled(self, sampler: Sampler, count: int) -> int:
        """Return the number of points of a set of about `count`: a number that `totals` adds to.

        It is `count` itself but for single points, and for a grid, where it is at most `count`.
        """
        wanted = count
        while count > 0:
            total = sum(self.totals(sampler, count))
            if total == count:
                return total
            count = total
        raise ConfigError(
            f"a grid of {wanted} points has none in '{self.text}'", expected="more points"
        )

    def draw(self, sampler: Sampler, count: int, start: int, stop: int, key: Key) -> Points:
        """Return points start..stop of a settled `count`, piece after piece."""
        totals = self.totals(sampler, count)
        if not 0 <= start <= stop <= sum(totals):
            raise ValueError(f"points {start}..{stop} of {sum(totals)} in '{self.text}'")
        parts, first = [], 0
        asked = self.shares(count)
        for index, (piece, share, total) in enumerate(zip(self.pieces, asked, totals, strict=True)):
            low, high = max(start - first, 0), min(stop - first, total)
            if low < high:
                parts.append(piece.draw(sampler, share, low, high, (*key, index)))
            first += total
        empty = np.zeros((0, len(self.pieces[0].box)))
        x = np.concatenate([empty, *(part.x for part in parts)])
        if not self.oriented:
            return Points(x, None)
        normals = [part.normals for part in parts if part.normals is not None]
        return Points(x, np.concatenate([empty, *normals]))


def parse_region(frame: Frame, text: str | Sequence[str]) -> Region:
    """Return the region that a text, or a list of texts, names.

    Texts: `interior`, `boundary`, a named boundary, an equation of a coordinate (`x = -1`,
    `t = 0`), inequalities, and these joined by `and` and `or`. Raises ConfigError where a name is
    unknown, a condition lies outside the domain, or nothing is left.
    """
    if isinstance(text, str):
        pieces = _highest(_parse(frame, text))
        return Region(text.strip(), pieces)
    if not isinstance(text, (list, tuple)):
        raise ConfigError(f"{text!r} names no region", expected="a text such as 'x = 0'")
    if not text:
        raise ConfigError("an empty list names no region", expected="interior, boundary, 'x = 0'")
    groups = []
    for index, one in enumerate(text):
        with within(index):
            groups.append(_highest(_parse(frame, one)))
    if len({group[0].dimension for group in groups}) > 1:
        raise ConfigError(
            f"{', '.join(text)} have different dimensions", expected="a condition for each"
        )
    return Region(", ".join(text), tuple(piece for group in groups for piece in group))


def limits_of(frame: Frame, text: str) -> Limits:
    """Return the limits that a text such as `x < 0.5 and y > 0` sets to coordinates.

    Raises ConfigError where the text cannot be read, or no point of the domain is within them.
    """
    conjunction, *others = _branches(frame, text, text, ())
    if others:
        raise ConfigError(f"'{text}' has alternatives", expected="limits joined by 'and'")
    return find_limits(frame, text, conjunction)


def _highest(pieces: list[Piece]) -> tuple[Piece, ...]:
    """Drop edges and corners where there are faces: they weigh nothing."""
    highest = max(piece.dimension for piece in pieces)
    return tuple(piece for piece in pieces if piece.dimension == highest)


def _parse(frame: Frame, text: str) -> list[Piece]:
    if not isinstance(text, str):
        raise ConfigError(f"{text!r} names no region", expected="a text such as 'x = 0'")
    head = _HEAD.fullmatch(text)
    base, condition = (head.group(1), head.group(2)) if head else ("", text)
    if head and condition is not None:
        # Columns are those of the whole text.
        condition = " " * head.start(2) + condition
    valid = ("interior", "boundary", *frame.boundaries)
    if head and base not in valid:
        raise ConfigError(
            f"'{base}' names no region",
            expected=f"{', '.join(valid)} or a condition such as {frame.names[0]} = "
            f"{frame.bounds[0, 0]:g}",
            nearest=_meant(frame, base.lower()) or nearest(base, valid),
        )
    pieces: list[Piece] = []
    refused: ConfigError | None = None
    for conjunction in _branches(frame, text, condition, valid):
        try:
            limits = find_limits(frame, text, conjunction)
        except Contradiction as error:
            refused = error
            continue
        if base in ("", "interior"):
            pieces += inside(frame, limits)
        else:
            pieces += boundary(frame, limits, "" if base == "boundary" else base)
    pieces = [piece for piece in pieces if piece.share > 0]
    if not pieces:
        raise refused or ConfigError(
            f"'{text.strip()}' leaves nothing of the domain, or too little to be sampled",
            expected=frame.show_all(),
        )
    return pieces


def _meant(frame: Frame, word: str) -> str:
    """Return the face of a box that `left` or `initial` means, or an empty string."""
    if word in _FIRST and frame.time is not None:
        name, end = frame.time, 0
    elif word in _ENDS and frame.space:
        place, end = _ENDS[word]
        name = frame.space[place]
    else:
        return ""
    axis = frame.names.index(name)
    return "" if axis in frame.columns else f"{name} = {frame.bounds[axis, end]:g}"


def _branches(
    frame: Frame, text: str, condition: str | None, names: Sequence[str]
) -> Iterator[tuple[sympy.Basic, ...]]:
    """Return conjunctions that share no points, and whose union the condition in a text is.

    There is one, where the condition fixes no coordinate.
    """
    if condition is None:
        yield ()
        return
    late = [name for name, _ in names_in(condition) if name in names]
    if late:
        raise ConfigError(
            f"'{late[0]}' cannot stand inside a condition",
            expected=f"'{late[0]}', '{late[0]} and' with a condition behind it, or a list of "
            "regions",
        )
    known: dict[str, sympy.Basic] = {name: symbol(name) for name in frame.names}
    known |= {name: exact(value) for name, value in frame.constants.items()}
    try:
        relation = parse_relation(condition, known)
    except ExpressionError as error:
        raise error.of(text) from error
    if relation in (sympy.true, sympy.false):
        word = "always" if relation == sympy.true else "never"
        raise ConfigError(f"'{condition.strip()}' {word} holds", expected="a condition on a place")
    relation = sympy.to_nnf(relation, simplify=False)
    if relation.has(sympy.Eq) and relation.has(sympy.Or):
        sizes = [len(part.args) for part in relation.atoms(sympy.Or)]
        if np.prod(sizes, dtype=object) > _BRANCHES:
            raise ConfigError(f"'{condition.strip()}' has too many alternatives")
        relation = sympy.to_dnf(relation)
    alternatives = relation.has(sympy.Eq) and isinstance(relation, sympy.Or)
    others: list[sympy.Basic] = []
    for branch in relation.args if alternatives else (relation,):
        parts = branch.args if isinstance(branch, sympy.And) else (branch,)
        yield (*parts, *others)
        others.append(sympy.to_nnf(sympy.Not(branch), simplify=False))
