"""Which samples of a parametric family make the batch of a step."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from pdehvd.errors import ConfigError, counted
from pdehvd.spec import Spec, register

# Keeps the shuffles apart from all else that is drawn from a seed.
_SHUFFLE = 0x73616D70


@lru_cache(maxsize=2)
def _shuffled(seed: int, epoch: int, samples: int) -> np.ndarray:
    """Return the samples of an epoch in their order, a permutation [samples]."""
    entropy = np.random.SeedSequence(seed, spawn_key=(_SHUFFLE, epoch))
    order = np.random.Generator(np.random.PCG64(entropy)).permutation(samples)
    order.flags.writeable = False
    return order


class SampleSet:
    """The global batch of every round; a function of (seed, round) only.

    A batch serves `every` steps, and shares `overlap` samples with the next one, so that methods
    that learn from several steps see curvature rather than chance (Berahas, Nocedal, Takac,
    arXiv 1605.06049).

    An epoch is one shuffle of all `samples`. Epochs follow each other without a gap: a rest that
    does not fill a batch is filled up from the next shuffle, so in each epoch every sample is seen
    exactly once, but for the overlap. Without a number of samples every round has new ones.
    """

    def __init__(
        self, seed: int, samples: int | None, batch: int, every: int = 1, overlap: int = 0
    ) -> None:
        self.seed = seed
        self.samples = samples
        self.batch = batch
        self.every = every
        self.overlap = overlap

    def indices(self, round_: int) -> np.ndarray:
        """Return the numbers [batch] of the samples of a round, from 0."""
        positions = round_ * (self.batch - self.overlap) + np.arange(self.batch, dtype=np.int64)
        if self.samples is None:
            return positions
        epochs, places = np.divmod(positions, self.samples)
        # At most two epochs, as a batch is at most one.
        parts = [
            _shuffled(self.seed, epoch, self.samples)[places[epochs == epoch]]
            for epoch in np.unique(epochs).tolist()
        ]
        return np.concatenate(parts)


@register("sampling")
class SamplesSpec(Spec):
    """Samples of a parametric family: their number, and the batch."""

    kind: ClassVar[str] = "grid"

    name: Literal["samples"] = "samples"
    samples: int | None = Field(
        None, ge=1, description="training samples; null: new ones in every batch"
    )
    batch: int = Field(ge=1, description="samples per step, over all ranks")
    every: int = Field(1, ge=1, description="steps for which a batch is kept")
    overlap: float = Field(0.0, ge=0, lt=1, description="share of a batch that the next one keeps")
    held_out: int = Field(64, ge=0, description="held-out samples, for evaluation; 0: none")

    def build(self, seed: int, factor: int = 1) -> SampleSet:
        """Return the batches; `factor` multiplies their size (weak scaling).

        Raises ConfigError where a batch is larger than the number of samples.
        """
        batch = self.batch * factor
        if self.samples is not None and batch > self.samples:
            times = f" ({factor} times {self.batch})" if factor > 1 else ""
            raise ConfigError(
                f"a batch of {batch}{times} from {counted(self.samples, 'sample')}",
                ("batch",),
                f"at most {self.samples // factor}" if factor <= self.samples else "more samples",
            )
        return SampleSet(seed, self.samples, batch, self.every, int(self.overlap * batch))
