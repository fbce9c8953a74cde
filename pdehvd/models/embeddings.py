"""From coordinates to the features that a network sees: scaling, periodic and Fourier features."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from tensorflow import Tensor

from pdehvd.errors import ConfigError, unknown, within
from pdehvd.models.activations import Activation, sin
from pdehvd.models.features import FourierFeatures, PeriodicFeatures
from pdehvd.numerics import jets


@dataclass(frozen=True)
class Embedding:
    """features(x) = [.., cos(f.h), sin(f.h)] with h = [scaled coordinates, periodic features].

    `plain` are the axes that stay coordinates, (x - shift) * scale; `waves` are (axis, angular
    frequency) pairs; `frequencies` [len(h), count] replaces h by Fourier features.
    """

    inputs: int
    shift: tuple[float, ...]
    scale: tuple[float, ...]
    plain: tuple[int, ...]
    waves: tuple[tuple[int, float], ...] = ()
    frequencies: np.ndarray | None = None

    @classmethod
    def build(
        cls,
        bounds: np.ndarray,
        coordinates: Sequence[str],
        scaled: bool = True,
        periodic: Mapping[str, bool | float | str | PeriodicFeatures] | None = None,
        fourier: Sequence[FourierFeatures] = (),
    ) -> Embedding:
        """Return the embedding of a domain with `bounds` [D, 2]; see `MLP` for the options.

        A coordinate without extent is constant, and gives no feature.
        Raises ConfigError for an unknown coordinate or a period that is not a positive number.
        """
        lengths = bounds[:, 1] - bounds[:, 0]
        shift, scale = np.zeros(len(bounds)), np.ones(len(bounds))
        if scaled:
            shift = bounds.mean(axis=1)
            scale = 2 / np.where(lengths > 0, lengths, 2.0)
        waves = _waves(periodic or {}, coordinates, lengths)
        wavy = {axis for axis, _ in waves}
        plain = tuple(a for a in range(len(bounds)) if lengths[a] > 0 and a not in wavy)
        embedding = cls(len(bounds), tuple(shift), tuple(scale), plain, tuple(waves))
        if not fourier:
            return embedding
        draws = [_frequencies(embedding.width, part) for part in fourier]
        frequencies = np.concatenate(draws, axis=1)
        return cls(len(bounds), tuple(shift), tuple(scale), plain, tuple(waves), frequencies)

    @property
    def width(self) -> int:
        """The number of features."""
        if self.frequencies is not None:
            result: int = 2 * self.frequencies.shape[1]
            return result
        return len(self.plain) + 2 * len(self.waves)

    def jet(self, x: Tensor, plan: jets.Plan) -> jets.Jet:
        """Return the jet of the features at x [N, D]; entries [N, width], [1, width] or None."""
        if len(self.plain) == self.inputs:
            scale, shift = tf.constant(self.scale, x.dtype), tf.constant(self.shift, x.dtype)
            jet = jets.inputs(plan, x, scale, shift)
        else:
            jet = self._selected(x, plan)
        if self.frequencies is None:
            return jet
        angles = jets.linear(jet, tf.constant(2 * math.pi * self.frequencies, x.dtype))
        return _cosine_and_sine(plan, angles)

    def _selected(self, x: Tensor, plan: jets.Plan) -> jets.Jet:
        plain = np.zeros((self.inputs, len(self.plain)))
        angular = np.zeros((self.inputs, len(self.waves)))
        for column, axis in enumerate(self.plain):
            plain[axis, column] = self.scale[axis]
        for wave, (axis, frequency) in enumerate(self.waves):
            angular[axis, wave] = frequency
        raw = jets.inputs(plan, x)
        parts = []
        if self.plain:
            offset = tf.constant(-np.array(self.shift) @ plain, x.dtype)
            parts.append(jets.linear(raw, tf.constant(plain, x.dtype), offset))
        if self.waves:
            parts.append(_cosine_and_sine(plan, jets.linear(raw, tf.constant(angular, x.dtype))))
        return parts[0] if len(parts) == 1 else jets.concatenate(parts)


def _cosine(z: Tensor, order: int) -> list[Tensor]:
    s, c = tf.sin(z), tf.cos(z)
    return [c, -s, -c, s, c][: order + 1]


def _cosine_and_sine(plan: jets.Plan, angles: jets.Jet) -> jets.Jet:
    functions: tuple[Activation, ...] = (_cosine, sin)
    return jets.concatenate([jets.elementwise(plan, angles, function) for function in functions])


def _waves(
    periodic: Mapping[str, bool | float | str | PeriodicFeatures],
    coordinates: Sequence[str],
    lengths: np.ndarray,
) -> list[tuple[int, float]]:
    waves = []
    for name, value in periodic.items():
        if name not in coordinates:
            raise unknown(name, "a coordinate", coordinates, ("periodic", name))
        axis = coordinates.index(name)
        if not lengths[axis] > 0:
            continue
        entry = value if isinstance(value, PeriodicFeatures) else PeriodicFeatures(period=value)
        period = float(lengths[axis]) if entry.period is True else _number(entry.period, name)
        if not period > 0:
            raise ConfigError("a period is positive", ("periodic", name), "true, or a number > 0")
        waves += [(axis, 2 * math.pi * k / period) for k in range(1, entry.modes + 1)]
    return waves


def _number(value: bool | float | str, name: str) -> float:
    if not isinstance(value, str):
        return 0.0 if value is False else float(value)
    from pdehvd.numerics.expressions import parse_number  # SymPy: slow to import, rarely needed

    with within("periodic", name):
        return parse_number(value)


def _frequencies(width: int, part: FourierFeatures) -> np.ndarray:
    return np.random.default_rng(part.seed).standard_normal((width, part.count)) * part.scale
