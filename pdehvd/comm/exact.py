"""Sums whose bits depend on no order: numbers as whole multiples of one power of two.

A float x with |x| < 2^e is cut into words of b bits, x = 2^(e-b) (w_1 + 2^-b (w_2 + ...)), each a
whole number of at most 2^b. Whole numbers add without rounding, so every order and every grouping
of the contributions gives the same words. With b = 62 - ceil(log2 N) the sum of N contributions is
at most 2^62: int64 cannot overflow. Long accumulators of this kind are due to Kulisch; with one
exponent for all numbers they need no more than a few words (Demmel and Nguyen, IEEE Transactions
on Computers 64 (2015) 2060).
"""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

# Bits of an int64 that a sum may fill, its sign left out; fewest bits that make sense in a word.
_ROOM, _FEWEST = 62, 24
# Exponents between which every power of two that is needed here is a normal double.
_LOWEST, _HIGHEST = -800, 1024
_MANTISSA, _BIAS = 52, 1023


@dataclass(frozen=True)
class FixedPoint:
    """Numbers of which at most `count` are added, each in `words` words of int64.

    One word keeps b >= 62 - ceil(log2 count) bits below the largest number, two keep 2 b.
    Raises `ValueError` where a word would hold too little.
    """

    count: int
    words: int = 2

    def __post_init__(self) -> None:
        if self.bits < _FEWEST:
            raise ValueError(f"{self.count} contributions leave {self.bits} bits in a word")

    @property
    def bits(self) -> int:
        """Bits b of a word."""
        return _ROOM - (max(self.count, 1) - 1).bit_length()

    def integers(self, values: tf.Tensor, largest: tf.Tensor) -> tf.Tensor:
        """Return the words of `values`, int64 of shape [words, *values]; they can be added.

        No value may be larger than `largest`, which broadcasts to them. Values that are not
        numbers count as 0: `largest` says that there are some.
        """
        exponent = _exponent(largest)
        values = tf.cast(values, tf.float64)
        rest = tf.where(tf.math.is_finite(values), values, tf.zeros_like(values))
        rest *= _power(self.bits - exponent)
        found = []
        for _ in range(self.words):
            # Both the word and what it leaves are exact.
            word = tf.round(rest)
            found.append(tf.cast(word, tf.int64))
            rest = (rest - word) * 2.0**self.bits
        return tf.stack(found)

    def floats(self, sums: tf.Tensor, largest: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
        """Return added words as floats; NaN where `largest` is infinite.

        Off by one unit in the last place, and by N 2^(e - words b - 1) for what no word holds.
        """
        exponent = _exponent(largest)
        total = tf.zeros_like(sums[0], tf.float64)
        for number in reversed(range(self.words)):
            total += tf.cast(sums[number], tf.float64) * _power(exponent - self.bits * (number + 1))
        numbers = tf.broadcast_to(tf.math.is_finite(largest), total.shape)
        total = tf.where(numbers, total, tf.constant(float("nan"), tf.float64))
        return tf.cast(total, dtype)


def size_of(values: tf.Tensor, axes: list[int]) -> tf.Tensor:
    """Return the largest |value| over axes, float64; infinite where one is not a number."""
    known = tf.where(
        tf.math.is_finite(values), tf.abs(values), tf.constant(float("inf"), values.dtype)
    )
    return tf.maximum(tf.cast(tf.reduce_max(known, axes), tf.float64), 0.0)


def _exponent(largest: tf.Tensor) -> tf.Tensor:
    """Return the least e with |x| < 2^e for all |x| <= largest, int64, within what is needed."""
    biased = tf.bitwise.right_shift(tf.bitcast(largest, tf.int64), tf.constant(_MANTISSA, tf.int64))
    return tf.clip_by_value(biased - (_BIAS - 1), _LOWEST, _HIGHEST)


def _power(exponent: tf.Tensor) -> tf.Tensor:
    """Return 2^exponent, float64, from its bits: no library function rounds it."""
    shift = tf.constant(_MANTISSA, tf.int64)
    return tf.bitcast(tf.bitwise.left_shift(exponent + _BIAS, shift), tf.float64)
