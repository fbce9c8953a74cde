"""Weights of the loss terms: fixed, or balanced from global gradients or kernel traces."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from pdehvd.errors import ConfigError, nearest
from pdehvd.launch.tensorflow_import import import_tensorflow
from pdehvd.objectives.abilities import TermMeasures
from pdehvd.objectives.base import Batch
from pdehvd.spec import Spec, register

if TYPE_CHECKING:
    import tensorflow as tf


class Weighting(Spec):
    """Base of the weighting rules; a rule with `every` renews the weights at such steps."""

    name: str
    every: int | None = None

    def initial(self, terms: Sequence[str]) -> np.ndarray:
        """Return the weights [T] at the start."""
        return np.ones(len(terms))

    @abstractmethod
    def renewed(
        self,
        objective: TermMeasures[Batch],
        theta: tf.Tensor,
        batch: Batch,
        weights: tf.Tensor,
        step: tf.Tensor,
        seed: int,
    ) -> tf.Tensor:
        """Return the weights [T] from global numbers, the same on every rank."""


@register("weighting")
class Fixed(Weighting):
    """Fixed weights; a term that is not listed has weight 1."""

    name: Literal["fixed"] = "fixed"
    every: None = None
    terms: dict[str, float] = Field({}, description="term, with or without its prefix: weight")

    def initial(self, terms: Sequence[str]) -> np.ndarray:
        weights = np.ones(len(terms))
        for name, weight in self.terms.items():
            place = self._place(name, terms)
            if weight < 0:
                raise ConfigError(f"the weight {weight}", ("terms", name), "a number of at least 0")
            weights[place] = weight
        if not weights.any():
            message = "all terms have weight 0, so that nothing is trained"
            raise ConfigError(message, ("terms",), "a weight above 0")
        return weights

    def _place(self, name: str, terms: Sequence[str]) -> int:
        """Return the index of the term that is named, with or without its prefix."""
        if name in terms:
            return terms.index(name)
        short = [term.split("/")[1] for term in terms]
        found = [term for term, one in zip(terms, short, strict=True) if one == name]
        if not found:
            raise ConfigError(
                f"'{name}' is not a term of the loss",
                ("terms", name),
                "one of " + ", ".join(terms),
                nearest(name, [*short, *terms]),
            )
        if len(found) > 1:
            message = f"several terms are called '{name}'"
            raise ConfigError(message, ("terms", name), " or ".join(found))
        if found[0] in self.terms:
            message = f"'{name}' and '{found[0]}' are one term, which has two weights"
            raise ConfigError(message, ("terms", name), "one of them")
        return terms.index(found[0])

    def renewed(
        self,
        objective: TermMeasures[Batch],
        theta: tf.Tensor,
        batch: Batch,
        weights: tf.Tensor,
        step: tf.Tensor,
        seed: int,
    ) -> tf.Tensor:
        return weights


class _Balanced(Weighting):
    """Moving average of weights that make every term's measure equal to the mean measure."""

    every: int | None = Field(1000, ge=1, description="steps between updates")
    memory: float = Field(0.9, ge=0, lt=1, description="share of the old weights that is kept")

    def _blended(self, measure: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        tf = import_tensorflow()
        # A term that is solved exactly has measure 0 and must not get an infinite weight.
        floor = tf.reduce_max(measure) * tf.constant(1e-8, measure.dtype)
        balanced = tf.reduce_mean(measure) / tf.maximum(measure, floor)
        known = (floor > 0) & tf.reduce_all(tf.math.is_finite(balanced))
        balanced = tf.where(known, balanced, weights)
        memory = tf.constant(self.memory, weights.dtype)
        return memory * weights + (1 - memory) * balanced


@register("weighting")
class GradientNorm(_Balanced):
    """w_k towards mean_j |grad L_j| / |grad L_k| (Wang, Teng, Perdikaris, arXiv 2001.04536)."""

    name: Literal["gradient_norm"] = "gradient_norm"

    def renewed(
        self,
        objective: TermMeasures[Batch],
        theta: tf.Tensor,
        batch: Batch,
        weights: tf.Tensor,
        step: tf.Tensor,
        seed: int,
    ) -> tf.Tensor:
        norms = import_tensorflow().norm(objective.term_gradients(theta, batch), axis=1)
        return self._blended(norms, weights)


@register("weighting")
class NeuralTangentKernel(_Balanced):
    """w_k towards mean_j t_j / t_k, t = tr(K_kk)/N_k (Wang, Yu, Perdikaris, arXiv 2007.14527).

    The traces are Hutchinson estimates from `probes` vectors of random signs, which depend on
    (seed, step, global index) only.
    """

    name: Literal["ntk"] = "ntk"
    probes: int = Field(4, ge=1)

    def renewed(
        self,
        objective: TermMeasures[Batch],
        theta: tf.Tensor,
        batch: Batch,
        weights: tf.Tensor,
        step: tf.Tensor,
        seed: int,
    ) -> tf.Tensor:
        traces = [
            objective.kernel_traces(theta, batch, self._signs(objective, step, seed, probe))
            for probe in range(self.probes)
        ]
        mean = import_tensorflow().add_n(traces) / self.probes
        return self._blended(mean, weights)

    def _signs(
        self, objective: TermMeasures[Batch], step: tf.Tensor, seed: int, probe: int
    ) -> list[tf.Tensor]:
        """Return this rank's rows of a global vector of random signs for each term."""
        tf = import_tensorflow()
        signs = []
        for index, count in enumerate(objective.counts):
            key = tf.stack(
                [
                    tf.cast(step, tf.int32),
                    tf.constant(seed + 7919 * (self.probes * index + probe), tf.int32),
                ]
            )
            bits = tf.random.stateless_uniform([int(count)], key, 0, 2, tf.int32)
            own = tf.gather(bits, objective.pieces(int(count))[0])
            signs.append(tf.cast(2 * own - 1, objective.dtype))
        return signs
