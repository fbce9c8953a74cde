"""A batch through a stage of units and back, with little memory.

Forward, from the first unit to the last; what is kept for the way back stands in brackets:

    images -> entrance -> [inputs] -> convolution -> [z] -> normalise, activate -> inputs of the
                                                      |                            next unit
                                              [statistics]  <- one collective

Backward, from the last unit to the first; g is the gradient of a unit's output:

    g, z -> totals over the batch -> one collective -> shares: what the statistics add
    g, z, shares -> gradient of z -> with the inputs: gradient of the kernel
                                  -> with the kernel: gradient of the inputs, g of the unit before

Normalised images and activations are computed again from z. A stage that forgets (`remat`)
keeps its images and statistics only, and repeats its convolutions first: Chen et al. (2016),
arXiv:1604.06174. The second time the statistics are known, so that no collective runs twice and
the numbers are the same.

Everything is ordered by control dependencies, so that memory is free again as soon as possible:
the parts of a large batch follow one another, a kernel's gradient comes before the inputs', and
nothing is computed again before its gradient has arrived. What has to wait is a function of the
tensors that must be there first: `after`.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import tensorflow as tf
from tensorflow import Tensor

from pdehvd.models.blocks import Entrance, Pull, Unit
from pdehvd.models.convolutions import convolve, image_gradients, kernel_gradient
from pdehvd.models.norm import Reduce
from pdehvd.models.norm_layer import Known, Statistics

# Gradients that are computed, perhaps not for the first time, once other tensors are there.
Deferred = Callable[[Sequence[Tensor]], Tensor]
DeferredList = Callable[[Sequence[Tensor]], list[Tensor]]

# A forgetful stage cuts its batch into parts of about this many numbers an image.
_NUMBERS_OF_A_PART = 1 << 20


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
    """Some samples of the batch, and what is kept of them: entries of a list belong to the units.

    `convolved` are the convolutions z; `inputs`, which units convolve, are empty where they are
    computed again; `entrance` turns the gradient of the first unit's last input into the stage's.
    """

    samples: slice
    convolved: list[Tensor] = field(default_factory=list)
    inputs: list[list[Tensor]] = field(default_factory=list)
    entrance: Pull | None = None


class StagePass:
    """A batch in a stage: `forward`, which finds the statistics, then `backward`."""

    def __init__(self, stage: StageLike, parameters: Sequence[Tensor], reduce: Reduce) -> None:
        self.stage, self.units, self.reduce = stage, stage.units, reduce
        sizes = [len(unit.layout) for unit in stage.units]
        sizes = [len(parameters) - sum(sizes), *sizes]
        ends = list(itertools.accumulate(sizes))
        self.entrance_parameters, *self.unit_parameters = (
            parameters[end - size : end] for size, end in zip(sizes, ends, strict=True)
        )
        self.statistics: list[Statistics] = []
        self.known: list[Known] = []
        self.whole = _Part(slice(None))

    def forward(self, images: Sequence[Tensor], averages: Sequence[Statistics | None]) -> Tensor:
        """Return the last unit's images; find the statistics that are not given."""
        last, self.whole.entrance = self.stage.entrance.run(self.entrance_parameters, images[-1])
        inputs = [*images[:-1], last]
        for number, (unit, own) in enumerate(zip(self.units, self.unit_parameters, strict=True)):
            z = convolve(inputs, self._kernel_of(number, inputs), unit.stride)
            known = averages[number] or unit.layer.statistics(z, own[0].dtype.name, self.reduce)
            self.statistics.append(known)
            self.known.append(unit.known(own, known))
            self.whole.inputs.append(inputs)
            self.whole.convolved.append(z)
            inputs = [unit.layer.activate(z, self.known[number])]
        return inputs[0]

    def backward(self, images: Sequence[Tensor], g: Tensor) -> list[Tensor | None]:
        """Return the gradients of the parameters, then of the images."""
        parts = self._repeated(images, g) if self.stage.remat else [self.whole]
        upstream = [_deferred(g[part.samples]) for part in parts]
        gradients: list[Tensor | None] = []
        for number in reversed(range(len(self.units))):
            own, below = self._unit_backward(number, parts, images, upstream)
            gradients = [*own, *gradients]
            if number > 0:
                upstream = [functools.partial(_first_of, pull) for pull in below]
        return self._joined([pull([]) for pull in below], gradients, len(images))

    def _repeated(self, images: Sequence[Tensor], g: Tensor) -> list[_Part]:
        """Repeat the convolutions of each part in turn, once the gradient g has arrived."""
        parts, after = [], [g]
        batch, *nodes, _ = g.shape
        for rows in _equal_parts(batch, math.prod(nodes) * self.units[0].outputs):
            part = _Part(rows)
            inputs, _ = self._through_entrance(part, images, after)
            for number, unit in enumerate(self.units):
                z = convolve(inputs, self._kernel_of(number, inputs), unit.stride)
                part.convolved.append(z)
                if number + 1 < len(self.units):
                    inputs = [unit.layer.activate(z, self._known_of(number, part))]
            parts.append(part)
            after = part.convolved[-1:]
        return parts

    def _unit_backward(
        self,
        number: int,
        parts: Sequence[_Part],
        images: Sequence[Tensor],
        upstream: Sequence[Deferred],
    ) -> tuple[list[Tensor], list[DeferredList]]:
        """Return the gradients of a unit's parameters, and for each part those of its images."""
        unit = self.units[number]
        totals, shares = self._statistics_backward(number, parts, upstream)
        kernels: list[Tensor] = []
        below: list[DeferredList] = []
        after: list[Tensor] = []
        for part, above in zip(parts, upstream, strict=True):
            own = shares[:, part.samples] if unit.layer.norm.apart else shares
            kernel, pull = self._part_backward(number, part, images, (above(after), own))
            after = [kernel]
            if len(parts) == 1 or not unit.light:
                found = pull(after)
                after, pull = found or after, functools.partial(_found_already, found)
            kernels.append(kernel)
            below.append(pull)
        kernel = tf.cast(tf.add_n(kernels), self.unit_parameters[number][0].dtype)
        return unit.gradients(kernel, totals), below

    def _statistics_backward(
        self, number: int, parts: Sequence[_Part], upstream: Sequence[Deferred]
    ) -> tuple[Tensor, Tensor]:
        """Return a unit's sums over the batch, and what its statistics add to the gradient of z."""
        layer = self.units[number].layer
        found: list[Tensor] = []
        for part, above in zip(parts, upstream, strict=True):
            known = self._known_of(number, part)
            found.append(layer.totals(part.convolved[number], above(found[-1:]), known))
        totals = tf.concat(found, axis=1) if layer.norm.apart else tf.add_n(found)
        return totals, layer.shares(totals, self.known[number], self.reduce)

    def _part_backward(
        self, number: int, part: _Part, images: Sequence[Tensor], given: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, DeferredList]:
        """Return a part's gradient of the kernel, and those of images and the entrance's own."""
        unit, (g, shares) = self.units[number], given
        dz = unit.layer.pullback(part.convolved[number], g, self._known_of(number, part), shares)
        inputs, enter = self._inputs_of(number, part, images, dz)
        weight = self._kernel_of(number, inputs)
        kernel = kernel_gradient(inputs, weight, dz, unit.stride)

        def pull(after: Sequence[Tensor]) -> list[Tensor]:
            if number == 0 and self.stage.leaf:
                return []
            with tf.control_dependencies([kernel, *after]):
                upstream = tf.identity(dz)
            *beside, last = image_gradients(inputs, weight, upstream, unit.stride)
            return [*beside, *enter(last)]

        return kernel, pull

    def _inputs_of(
        self, number: int, part: _Part, images: Sequence[Tensor], after: Tensor
    ) -> tuple[list[Tensor], Pull]:
        """Return what a unit convolved, kept or computed again after `after`, and how it came."""
        if part.inputs:
            return part.inputs[number], (number == 0 and part.entrance) or _unchanged
        if number == 0:
            return self._through_entrance(part, images, [after])
        before = self.units[number - 1].layer
        with tf.control_dependencies([after]):
            known = self._known_of(number - 1, part)
            return [before.activate(part.convolved[number - 1], known)], _unchanged

    def _through_entrance(
        self, part: _Part, images: Sequence[Tensor], after: Sequence[Tensor]
    ) -> tuple[list[Tensor], Pull]:
        with tf.control_dependencies(after):
            *beside, last = (tf.identity(image[part.samples]) for image in images)
        last, pull = self.stage.entrance.run(self.entrance_parameters, last)
        return [*beside, last], pull

    def _kernel_of(self, number: int, inputs: Sequence[Tensor]) -> Tensor:
        return tf.cast(self.unit_parameters[number][0], inputs[0].dtype)

    def _known_of(self, number: int, part: _Part) -> Known:
        known = self.known[number]
        apart = self.units[number].layer.norm.apart
        return Known(*(entry[part.samples] for entry in known)) if apart else known

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


def _unchanged(g: Tensor) -> list[Tensor]:
    return [g]


def _deferred(g: Tensor) -> Deferred:
    def late(after: Sequence[Tensor]) -> Tensor:
        with tf.control_dependencies(after):
            return tf.identity(g)

    return late


def _first_of(pull: DeferredList, after: Sequence[Tensor]) -> Tensor:
    return _deferred(pull(after)[0])(after)


def _found_already(found: list[Tensor], _: Sequence[Tensor]) -> list[Tensor]:
    return found


def _equal_parts(batch: int, numbers: int) -> list[slice]:
    """Cut a batch of images of so many numbers into equal parts, of one sample or more."""
    most = min(batch, max(1, batch * numbers // _NUMBERS_OF_A_PART))
    count = max(n for n in range(1, most + 1) if batch % n == 0)
    size = batch // count
    return [slice(start, start + size) for start in range(0, batch, size)]
