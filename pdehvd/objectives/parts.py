"""A large shard evaluated in parts, so that what is computed with stays in the cache."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import tensorflow as tf

from pdehvd.objectives.batches import Data, batch_length, without_items

# The channels of one layer at the points of one part: about what a core's second cache holds.
_CACHE = 2.5 * 2**20

Sums = tuple[tf.Tensor, ...]


def count_parts(points: int, bytes_per_point: int) -> int:
    """Return in how many parts to evaluate `points`."""
    return min(max(math.ceil(points * bytes_per_point / _CACHE), 1), max(points, 1))


def sum_in_parts(
    function: Callable[[Sequence[Data]], Sums], batch: Sequence[Data], parts: int
) -> Sums:
    """Return the sums that `function` gives for a batch, its first block cut into `parts`.

    The other blocks go with the last part, which also has what is left over by the division.
    """
    interior, others = batch[0], list(batch[1:])
    size = batch_length(interior) // parts
    empty = [without_items(data) for data in others]
    rest = tf.nest.map_structure(lambda column: column[size * (parts - 1) :], interior)
    total = function([rest, *others])
    if parts == 1:
        return total

    def body(part: tf.Tensor, *sums: tf.Tensor) -> tuple[tf.Tensor, ...]:
        def cut_out(column: tf.Tensor) -> tf.Tensor:
            begin = [size * part] + [0] * (column.shape.rank - 1)
            return tf.slice(column, begin, [size, *column.shape[1:]])

        piece = tf.nest.map_structure(cut_out, interior)
        more = function([piece, *empty])
        return part + 1, *(old + new for old, new in zip(sums, more, strict=True))

    count = tf.constant(parts - 1)
    start = (tf.constant(0), *total)
    # Parts at the same time would need the memory of all of them.
    loop = tf.while_loop(lambda part, *_: part < count, body, start, parallel_iterations=1)
    return tuple(loop[1:])


def cut_gradients(gradients: Sequence[tf.Tensor], count: int) -> list[tf.Tensor]:
    """Return the gradients of parameters, in their order, as at most `count` flat vectors.

    Parameters stay whole, so the vectors are of about the same size only.
    """
    sizes = [gradient.shape.num_elements() for gradient in gradients]
    ends = [sum(sizes[: index + 1]) for index in range(len(sizes))]
    total = max(ends[-1], 1)
    numbers = [min((end - 1) * count // total, count - 1) for end in ends]
    members: dict[int, list[tf.Tensor]] = {}
    for number, gradient in zip(numbers, gradients, strict=True):
        members.setdefault(number, []).append(tf.reshape(gradient, [-1]))
    return [tf.concat(parts, 0) for parts in members.values()]
