"""One way of a batch through a stage, and back, with little memory.

Kept for the way back are each unit's images and its convolution; the normalised images and
activations are computed again. A stage that forgets (`remat`) keeps its inputs and statistics
only and repeats its convolutions: Chen et al. (2016), arXiv:1604.06174. The second time the
statistics are known, so that no collective runs twice and the numbers are the same.

Everything is ordered by control dependencies, so that memory is free again as soon as possible:
the samples of a large batch follow one another, a kernel's gradient comes before the image's, and
nothing is computed again before its gradient has arrived.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import tensorflow as tf

from pdehvd.models.blocks import Entrance, Pull, Unit
from pdehvd.models.convolutions import convolve, image_gradients, kernel_gradient
from pdehvd.models.norm import Reduce
from pdehvd.models.norm_layer import Known, Statistics

Tensor = Any
# Gradients that are computed, perhaps not for the first time, once other tensors are there.
Late = Callable[[Sequence[Tensor]], Tensor]
Lates = Callable[[Sequence[Tensor]], list[Tensor]]

# A forgetful stage cuts its batch into parts of about this many numbers an image.
_PART = 1 << 20


class StageLike(Protocol):
    """What is asked of a stage: its entrance, its units, and how it treats memory."""

    @property
    def units(self) -> tuple[Unit, ...]: ...

    @property
    def entrance(self) -> Entrance: ...

    @property
    def remat(self) -> bool: ...

    @property
    def leaf(self) -> bool: ...


@dataclass
class _Part:
    """Some samples: the units' convolutions z and, where they are kept, what was convolved."""

    rows: slice
    z: list[Tensor] = field(default_factory=list)
    images: list[list[Tensor]] = field(default_factory=list)
    pull: Pull | None = None


class Passage:
    """A batch in a stage: `forward`, which finds the statistics, then `backward`."""

    def __init__(self, stage: StageLike, parameters: Sequence[Tensor], reduce: Reduce) -> None:
        self.stage, self.units, self.reduce = stage, stage.units, reduce
        sizes = [len(unit.layout) for unit in stage.units]
        sizes = [len(parameters) - sum(sizes), *sizes]
        ends = list(itertools.accumulate(sizes))
        self.enter, *self.own = (
            parameters[end - size : end] for size, end in zip(sizes, ends, strict=True)
        )
        self.statistics: list[Statistics] = []
        self.known: list[Known] = []
        self.whole = _Part(slice(None))

    def forward(self, images: Sequence[Tensor], averages: Sequence[Statistics | None]) -> Tensor:
        """Return the last unit's images; find the statistics that are not given."""
        last, self.whole.pull = self.stage.entrance.run(self.enter, images[-1])
        inputs = [*images[:-1], last]
        for number, (unit, own) in enumerate(zip(self.units, self.own, strict=True)):
            z = convolve(inputs, self._kernel(number, inputs), unit.stride)
            known = averages[number] or unit.layer.statistics(z, own[0].dtype.name, self.reduce)
            self.statistics.append(known)
            self.known.append(unit.known(own, known))
            self.whole.images.append(inputs)
            self.whole.z.append(z)
            inputs = [unit.layer.activate(z, self.known[number])]
        return inputs[0]

    def backward(self, images: Sequence[Tensor], g: Tensor) -> list[Tensor | None]:
        """Return the gradients of the parameters, then of the images."""
        parts = self._again(images, g) if self.stage.remat else [self.whole]
        upstream = [_given(g[part.rows]) for part in parts]
        gradients: list[Tensor | None] = []
        for number in reversed(range(len(self.units))):
            own, below = self._pulled(number, parts, images, upstream)
            gradients = [*own, *gradients]
            if number > 0:
                upstream = [functools.partial(_only, pull) for pull in below]
        return self._joined([pull([]) for pull in below], gradients, len(images))

    def _again(self, images: Sequence[Tensor], g: Tensor) -> list[_Part]:
        """Repeat the convolutions of each part in turn, once the gradient g has arrived."""
        parts, order = [], [g]
        batch, *nodes, _ = g.shape
        for rows in _cut(batch, math.prod(nodes) * self.units[0].outputs):
            part = _Part(rows)
            inputs, _ = self._entered(part, images, order)
            for number, unit in enumerate(self.units):
                z = convolve(inputs, self._kernel(number, inputs), unit.stride)
                part.z.append(z)
                if number + 1 < len(self.units):
                    inputs = [unit.layer.activate(z, self._known(number, part))]
            parts.append(part)
            order = part.z[-1:]
        return parts

    def _pulled(
        self,
        number: int,
        parts: Sequence[_Part],
        images: Sequence[Tensor],
        upstream: Sequence[Late],
    ) -> tuple[list[Tensor], list[Lates]]:
        """Return the gradients of a unit's parameters, and for each part those of its images."""
        unit = self.units[number]
        totals, shares = self._shares(number, parts, upstream)
        kernels: list[Tensor] = []
        below: list[Lates] = []
        order: list[Tensor] = []
        for part, above in zip(parts, upstream, strict=True):
            own = shares[:, part.rows] if unit.layer.norm.apart else shares
            kernel, pull = self._pull(number, part, images, (above(order), own))
            order = [kernel]
            if len(parts) == 1 or not unit.light:
                found = pull(order)
                order, pull = found or order, functools.partial(_those, found)
            kernels.append(kernel)
            below.append(pull)
        kernel = tf.cast(tf.add_n(kernels), self.own[number][0].dtype)
        return unit.gradients(kernel, totals), below

    def _shares(
        self, number: int, parts: Sequence[_Part], upstream: Sequence[Late]
    ) -> tuple[Tensor, Tensor]:
        layer = self.units[number].layer
        found: list[Tensor] = []
        for part, above in zip(parts, upstream, strict=True):
            known = self._known(number, part)
            found.append(layer.totals(part.z[number], above(found[-1:]), known))
        totals = tf.concat(found, axis=1) if layer.norm.apart else tf.add_n(found)
        return totals, layer.shares(totals, self.known[number], self.reduce)

    def _pull(
        self, number: int, part: _Part, images: Sequence[Tensor], given: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Lates]:
        """Return a part's gradient of the kernel, and those of images and the entrance's own."""
        unit, (g, shares) = self.units[number], given
        dz = unit.layer.pullback(part.z[number], g, self._known(number, part), shares)
        inputs, enter = self._inputs(number, part, images, dz)
        weight = self._kernel(number, inputs)
        kernel = kernel_gradient(inputs, weight, dz, unit.stride)

        def pull(order: Sequence[Tensor]) -> list[Tensor]:
            if number == 0 and self.stage.leaf:
                return []
            with tf.control_dependencies([kernel, *order]):
                upstream = tf.identity(dz)
            *beside, last = image_gradients(inputs, weight, upstream, unit.stride)
            return [*beside, *enter(last)]

        return kernel, pull

    def _inputs(
        self, number: int, part: _Part, images: Sequence[Tensor], after: Tensor
    ) -> tuple[list[Tensor], Pull]:
        """Return what a unit convolved, kept or computed again after `after`, and how it came."""
        if part.images:
            return part.images[number], (number == 0 and part.pull) or _alone
        if number == 0:
            return self._entered(part, images, [after])
        before = self.units[number - 1].layer
        with tf.control_dependencies([after]):
            known = self._known(number - 1, part)
            return [before.activate(part.z[number - 1], known)], _alone

    def _entered(
        self, part: _Part, images: Sequence[Tensor], order: Sequence[Tensor]
    ) -> tuple[list[Tensor], Pull]:
        with tf.control_dependencies(order):
            *beside, last = (tf.identity(image[part.rows]) for image in images)
        last, pull = self.stage.entrance.run(self.enter, last)
        return [*beside, last], pull

    def _kernel(self, number: int, inputs: Sequence[Tensor]) -> Tensor:
        return tf.cast(self.own[number][0], inputs[0].dtype)

    def _known(self, number: int, part: _Part) -> Known:
        known = self.known[number]
        apart = self.units[number].layer.norm.apart
        return Known(*(entry[part.rows] for entry in known)) if apart else known

    def _joined(
        self, parts: Sequence[list[Tensor]], gradients: list[Tensor | None], images: int
    ) -> list[Tensor | None]:
        """Join the parts' gradients of images, then those of the entrance's parameters."""
        if self.stage.leaf:
            return [*gradients, *[None] * images]
        columns = list(zip(*parts, strict=True))
        beside = [tf.concat(column, axis=0) for column in columns[: images - 1]]
        # The stage before waits for this gradient: what it computes again would else share the
        # memory with the parts of the others.
        with tf.control_dependencies(beside):
            last = tf.concat(columns[images - 1], axis=0)
        enter = [tf.add_n(column) for column in columns[images:]]
        return [*enter, *gradients, *beside, last]


def _alone(g: Tensor) -> list[Tensor]:
    return [g]


def _given(g: Tensor) -> Late:
    def late(order: Sequence[Tensor]) -> Tensor:
        with tf.control_dependencies(order):
            return tf.identity(g)

    return late


def _only(pull: Lates, order: Sequence[Tensor]) -> Tensor:
    return _given(pull(order)[0])(order)


def _those(found: list[Tensor], _: Sequence[Tensor]) -> list[Tensor]:
    return found


def _cut(batch: int, numbers: int) -> list[slice]:
    """Cut a batch of images of so many numbers into equal parts of `_PART`, or of one sample."""
    most = min(batch, max(1, batch * numbers // _PART))
    count = max(n for n in range(1, most + 1) if batch % n == 0)
    size = batch // count
    return [slice(start, start + size) for start in range(0, batch, size)]
