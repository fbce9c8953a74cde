"""Normalisation of images: a layer with a backward pass of its own.

A channel's values z are normalised over a set of pixels that share a mean and a variance: the
whole global batch (`batch`), one sample (`instance`), one sample and a group of channels
(`group`). With xhat = (z - mean) / sigma, sigma^2 = variance + epsilon, y = scale xhat + shift and
h = act(y), and with `mean` taken over that set, over all ranks where the set extends over them,

    dz = (scale dy - mean(scale dy) - xhat mean(scale dy xhat)) / sigma,  dy = dh act'(y).

Ioffe and Szegedy (2015), arXiv:1502.03167, section 3; Wu and He (2018), arXiv:1803.08494. Sums
over a set are added in float64, about the rank's own mean, as in Chan, Golub and LeVeque (1983).
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf
from tensorflow import Tensor

from pdehvd.models import pointwise
from pdehvd.models.norm import NoNorm, Norm, Normalizing, Reduce


class Known(NamedTuple):
    """What a pass over images needs: centre, scale / sigma and shift [S, C] in the run's dtype.

    In float64: 1 / sigma, the scale alone, and how many pixels share statistics, [S, C].
    """

    centre: Tensor
    factor: Tensor
    shift: Tensor
    inverse: Tensor
    scale: Tensor
    count: Tensor


class Statistics(NamedTuple):
    """Mean and variance [S, C] in the run's dtype, and the pixels in their sets, float64."""

    mean: Tensor
    variance: Tensor
    count: Tensor


class NormLayer(NamedTuple):
    """One normalisation with the activation behind it; `name` pins its collectives.

    Inputs z are [B, *n, C]; h is in the dtype `result`. The backward pass is in three steps, so
    that the parts of a batch may follow one another: `totals` of each part, `shares` once, with
    the one collective, `pullback` of each part.
    """

    norm: Norm
    name: str
    activation: str
    result: str

    def statistics(self, z: Tensor, dtype: str, reduce: Reduce) -> Statistics:
        """Return the statistics of z in the run's dtype."""
        if isinstance(self.norm, NoNorm):
            ones = tf.ones([1, z.shape[-1]], tf.float64)
            return Statistics(tf.zeros(ones.shape, dtype), tf.cast(ones, dtype), ones)
        flat = self._flat(z)
        mean, squares = pointwise.moments(flat, dtype)
        count = tf.constant(flat.shape[1], tf.float64, mean.shape)
        local = tf.stack([count, count * mean, squares + count * mean * mean])
        count, first, second = tf.unstack(self.norm.pooled(local, reduce, self.name))
        mean = first / count
        variance = tf.maximum(second / count - mean * mean, 0)
        return Statistics(tf.cast(mean, dtype), tf.cast(variance, dtype), count)

    def known(self, scale: Tensor, shift: Tensor, statistics: Statistics) -> Known:
        """Return the coefficients [S, C] for scale and shift [C]."""
        epsilon = self.norm.epsilon if isinstance(self.norm, Normalizing) else 0.0
        inverse = tf.math.rsqrt(tf.cast(statistics.variance, tf.float64) + epsilon)
        wide = tf.broadcast_to(tf.cast(scale, tf.float64), inverse.shape)
        shift = tf.broadcast_to(shift, inverse.shape)
        factor = tf.cast(wide * inverse, scale.dtype)
        return Known(statistics.mean, factor, shift, inverse, wide, statistics.count)

    def activate(self, z: Tensor, known: Known) -> Tensor:
        """Return h = act(scale (z - mean) / sigma + shift)."""
        h = pointwise.activate(self._flat(z), known[:3], self.activation, self.result)
        return tf.reshape(h, z.shape)

    def totals(self, z: Tensor, g: Tensor, known: Known) -> Tensor:
        """Return the sums of dy and of dy xhat [2, S, C] in float64, from the gradient g of h.

        Added over samples they are this rank's gradients of shift and scale.
        """
        first, along = pointwise.totals(self._flat(z), self._flat(g), known[:3], self.activation)
        return tf.stack([first, along * known.inverse])

    def shares(self, totals: Tensor, known: Known, reduce: Reduce) -> Tensor:
        """Return the slope and offset [2, S, C] of dz that come through the statistics."""
        sums = self.norm.pooled(known.scale * totals, reduce, f"{self.name}.backward")
        first, along = tf.unstack(sums / known.count)
        shares = tf.stack([-known.inverse * known.inverse * along, -known.inverse * first])
        return tf.cast(shares, known.factor.dtype)

    def pullback(self, z: Tensor, g: Tensor, known: Known, shares: Tensor) -> Tensor:
        """Return dz from the gradient g of h."""
        slope, offset = tf.unstack(shares)
        coefficients = (*known[:3], slope, offset)
        dz = pointwise.pullback(self._flat(z), self._flat(g), coefficients, self.activation)
        return tf.reshape(dz, z.shape)

    def _flat(self, z: Tensor) -> Tensor:
        """Return z as [S, N, C]."""
        return tf.reshape(z, [z.shape[0] if self.norm.apart else 1, -1, z.shape[-1]])
