"""Aggregation hooks: how the ranks' contributions become one global gradient."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from pdehvd.comm.grid import chunk_count, even_chunk
from pdehvd.comm.group import Group
from pdehvd.errors import ConfigError
from pdehvd.launch.tensorflow_import import import_tensorflow
from pdehvd.spec import Spec, register

if TYPE_CHECKING:
    import tensorflow as tf


class Aggregation(Spec):
    """Combines per-rank contributions; a plug-in registers its own with `register("aggregation")`.

    Rank r contributes g_r = sum_k w_k (local sum of term k) / (global count of term k), so the
    plain sum over r is the gradient of the global mean, however unequal the shards.

    >>> from pdehvd.comm.group import Solo
    >>> gradient, losses = tf.constant([2.0, 4.0]), tf.constant([3.0])
    >>> [total.numpy().tolist() for total in GlobalMean().combine(Solo(), gradient, losses)]
    [[2.0, 4.0], [3.0]]
    """

    # Whether parts of a gradient can leave by themselves.
    bucketed: ClassVar[bool] = False
    # Whether XLA can take what it does on several processes, where the group's sums are inside
    # compiled programs. On one process XLA takes all hooks.
    compiles: ClassVar[bool] = True

    name: str

    @abstractmethod
    def combine(
        self, group: Group, gradient: tf.Tensor, losses: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the global gradient [P] and losses [T] from this rank's contributions.

        Arguments:
            group: the processes
            gradient: this rank's g_r [P]
            losses: its part of each term's loss [T]
        """

    def combine_buckets(
        self, group: Group, buckets: Sequence[tf.Tensor], losses: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the same from parts of the gradient [P_b]; each leaves when it is ready."""
        return self.combine(group, import_tensorflow().concat(buckets, 0), losses)

    @property
    def exact(self) -> ExactSum | None:
        """This hook where ranks hold whole chunks of the batch and contribute each by itself."""
        return None

    def check(self, group: Group) -> None:
        """Raise `ConfigError` where this hook cannot run on `group`.

        Arguments:
            group: the processes
        """


@register("aggregation")
class GlobalMean(Aggregation):
    """Sums over ranks divided by global counts: the same on any number of processes."""

    bucketed: ClassVar[bool] = True

    name: Literal["global_mean"] = "global_mean"

    def combine(
        self, group: Group, gradient: tf.Tensor, losses: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return self.combine_buckets(group, [gradient], losses)

    def combine_buckets(
        self, group: Group, buckets: Sequence[tf.Tensor], losses: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        *first, last = buckets
        numbered = enumerate(first)
        summed = [group.sum([bucket], f"bucket.{number}")[0] for number, bucket in numbered]
        # The backward pass reaches the last layers first, so losses go with theirs.
        last, losses = group.sum([last, losses], "step")
        return import_tensorflow().concat([*summed, last], 0), losses


@register("aggregation")
class Adasum(Aggregation):
    """Adaptive summation of the ranks' gradients (Maleki et al., arXiv 2006.02924).

    Depends on the number of processes by design. Needs MPI and a power of two of processes.
    """

    compiles: ClassVar[bool] = False

    name: Literal["adasum"] = "adasum"

    def combine(
        self, group: Group, gradient: tf.Tensor, losses: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        # size * contribution is this rank's own estimate of the mean gradient.
        gradient = group.adasum(gradient * group.size, "step")
        (losses,) = group.sum([losses], "losses")
        return gradient, losses

    def check(self, group: Group) -> None:
        if not group.supports_adasum:
            raise ConfigError(
                f"adasum cannot run on {group.size} processes",
                ("aggregation",),
                "MPI and a number of processes that is a power of two",
                "global_mean",
            )


@register("aggregation")
class HalfPrecision(Aggregation):
    """Gradients are sent as float16, scaled by a global power of two; losses are not."""

    compiles: ClassVar[bool] = False

    name: Literal["fp16"] = "fp16"

    def combine(
        self, group: Group, gradient: tf.Tensor, losses: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        tf = import_tensorflow()
        (largest,) = group.maximum([tf.reduce_max(tf.abs(gradient))], "scale")
        # The largest partial sum of `size` entries stays below 2^14, under float16's 65504.
        exponent = 14.0 - tf.math.ceil(
            tf.math.log(largest * group.size) / tf.math.log(tf.constant(2.0, gradient.dtype))
        )
        scale = tf.where(
            largest > 0, tf.pow(tf.constant(2.0, gradient.dtype), exponent), tf.ones_like(largest)
        )
        (half,) = group.sum([tf.cast(gradient * scale, tf.float16)], "step")
        (losses,) = group.sum([losses], "losses")
        return tf.cast(half, gradient.dtype) / scale, losses


@register("aggregation")
class ExactSum(Aggregation):
    """Sums that do not depend on the order: the same bits on any number of processes.

    The batch is cut into chunks that do not depend on the number of processes. Each is computed
    separately, and their contributions are added as 64-bit integers. One thread per process.
    """

    name: Literal["exact"] = "exact"
    chunk: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000_000,
        description="points or samples in a chunk; null: a twelfth of them, at most 2048",
    )

    @property
    def exact(self) -> ExactSum:
        return self

    def chunks(self, items: int) -> int:
        """Return the number of chunks K of a global batch."""
        return chunk_count(items, self.chunk)

    def even_chunks(self, items: int) -> int:
        """Return the number of chunks of equally many items. Raises `ConfigError`."""
        size = even_chunk(items, self.chunk)
        if self.chunk not in (None, size):
            raise ConfigError(
                f"a batch of {items} cannot be cut into chunks of {self.chunk}",
                ("chunk",),
                f"a divisor of {items}, such as {size}",
            )
        return items // size

    def combine(
        self, group: Group, gradient: tf.Tensor, losses: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the sums over ranks; each rank's contribution counts as one chunk."""
        from pdehvd.comm.exact_totals import exact_total

        parts = [gradient[None, None], losses[None, :, None]]
        gradient, losses = exact_total(group, parts, group.size, "step")
        return gradient[0], losses[:, 0]
