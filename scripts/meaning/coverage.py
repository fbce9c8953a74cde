"""Looks whether points lie where a region means, spread over all of it, with its normals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pdehvd.problems.block import Items
from scripts.meaning.domain import Meaning, Part, Place

UNIT = 1e-6  # of unit normals
_SHARE = 0.015  # what the shares of the judge's own samples may be wrong by


@dataclass
class Points:
    """Looks at points of a place; `say` takes the name of a condition and what is wrong."""

    place: Place
    say: Callable[[str, str], None]

    def region(self, name: str, region: Meaning, items: Items) -> list[np.ndarray]:
        """Look whether points lie on a region, evenly; return which are on each of its parts."""
        x = items.x
        on = [part.near(x) & region.test(i)(x) for i, part in enumerate(region.parts)]
        lost = ~np.logical_or.reduce(on)
        if lost.any():
            where = dict(zip(self.place.names, x[lost][0].tolist(), strict=True))
            self.say(name, f"{lost.sum()} of {len(x)} points off '{region.text}', as {where}")
        taken = np.zeros(len(x), dtype=bool)
        measures = np.array([measure for _, measure in region.samples])
        for i, (known, measure) in enumerate(region.samples):
            mine = on[i] & ~taken
            taken |= on[i]
            self._evenly(name, region, i, x[mine], known, measure / measures.sum(), len(x))
        return on

    def _evenly(
        self,
        name: str,
        region: Meaning,
        index: int,
        x: np.ndarray,
        known: np.ndarray,
        share: float,
        total: int,
    ) -> None:
        """Look whether a part has its share of the points, and these the middle of the part."""
        if total == len(region.parts):
            return
        rough = 5 * np.sqrt(share * (1 - share) / total)
        if abs(len(x) / total - share) > rough + _SHARE + (len(region.parts) + 1) / total:
            part = self._called(region.parts[index])
            self.say(name, f"{len(x) / total:.3f} of the points on {part}, for {share:.3f}")
        if len(x) < 20 or len(known) < 20:
            return
        spread = known.std(axis=0) * (5 / np.sqrt(len(x)) + 5 / np.sqrt(len(known)))
        away = np.abs(x.mean(axis=0) - known.mean(axis=0)) - spread - 1e-6 * self.place.extent
        if (away > 0).any():
            axis = self.place.names[int(away.argmax())]
            part = self._called(region.parts[index])
            self.say(name, f"points on {part} are not spread evenly along {axis}")

    def _called(self, part: Part) -> str:
        fixed = ", ".join(f"{self.place.names[a]} = {v:g}" for a, v in part.fixed.items())
        return fixed or (f"a {type(part.rim).__name__.lower()}" if part.rim else "the inside")

    def normals(
        self, name: str, region: Meaning, items: Items, on: Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        """Return the normals [N, D] of each part, after looking at those of the program."""
        x, names = items.x, self.place.names
        mine = [
            np.where(o[:, None], p.normals(x), 0.0) for o, p in zip(on, region.parts, strict=True)
        ]
        if not region.oriented:
            if items.extras:
                self.say(name, f"normals on '{region.text}', which has none")
            return mine
        if set(items.extras) != {f"__normal_{axis}" for axis in names}:
            self.say(name, f"no normals on '{region.text}'")
            return mine
        theirs = np.stack([items.extras[f"__normal_{axis}"] for axis in names], 1)
        if np.abs(np.linalg.norm(theirs, axis=1) - 1).max() > UNIT:
            self.say(name, "normals are not of length 1")
        other = [axis for axis in range(len(names)) if axis not in self.place.space]
        if np.abs(theirs[:, other]).max(initial=0) > 0:
            self.say(name, "normals point along time or a parameter")
        away = np.min([np.abs(theirs - one).max(axis=1) for one in mine], axis=0)
        if (away > UNIT).mean() > 0.005:
            self.say(name, f"{(away > UNIT).sum()} normals are not the outward ones")
        self._outward(name, x, theirs)
        return mine

    def _outward(self, name: str, x: np.ndarray, normals: np.ndarray) -> None:
        """Look whether a small step along the normal leaves the domain."""
        body = self.place.body
        step = 1e-5 * self.place.extent * normals
        if body is not None:
            step[:, list(self.place.columns)] = (
                1e-5 * body.size * normals[:, list(self.place.columns)]
            )
        wrong = (self.place.depth(x + step) > 0) | (self.place.depth(x - step) < -1e-9)
        if wrong.mean() > 0.01:
            self.say(name, f"a step along {wrong.sum()} of {len(x)} normals stays in the domain")
