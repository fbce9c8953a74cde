"""Warnings before training: waves, currents and sources that a plain network cannot follow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pdehvd.assembly.trust import suggested_fixes
from pdehvd.assembly.trust.caution import Caution, rounded_number
from pdehvd.assembly.trust.problem_scales import Scales
from pdehvd.assembly.trust.transport_speeds import Motion

# Waves or transits of the domain that a plain network still learns.
CROSSINGS = 1.5
# Wave lengths of a mode, whose norm keeps it from vanishing.
MODE_WAVES = 3.0
# Wave lengths of a source, which shows the network where the waves are.
SOURCE_WAVES = 10.0


def fast_motions(scales: Scales) -> Iterator[Caution]:
    """Waves and currents that cross the domain more often than a plain network can follow."""
    worst = max(scales.motions, key=lambda m: m.crossings, default=None)
    if worst is None or worst.crossings < CROSSINGS:
        return
    if worst.kind != "oscillation":
        cause = _MOTIONS[worst.kind](worst)
        yield Caution("motion", cause, _window(scales, worst), NEXT_WINDOW)
    elif worst.crossings >= _learned(scales) and not _resolved(scales, worst):
        yield Caution("motion", _MOTIONS[worst.kind](worst), _features(scales, worst))


def _learned(scales: Scales) -> float:
    """Return the wavelengths that a plain network still learns."""
    return MODE_WAVES if scales.problem.up_to_sign else CROSSINGS


NEXT_WINDOW = "Train on one time interval after another, each from the end of the previous one"


def _window(scales: Scales, motion: Motion) -> suggested_fixes.Lines:
    """Return the coordinates with as much time as one crossing takes."""
    time, given = scales.problem.domain.time, dict(scales.config.problem.coordinates)
    assert time is not None
    low, high = scales.problem.domain.bounds[scales.problem.coordinates.index(time)].tolist()
    end = float(rounded_number(low + (high - low) / motion.crossings, 2))
    return {"problem": {"coordinates": {**given, time: [low, end]}}}


_MOTIONS: dict[str, Callable[[Motion], str]] = {
    "transport": lambda m: (
        f"`{m.equation}` carries {m.field} along {m.along} at the speed {m.speed:.3g}, through "
        f"the domain {m.crossings:.2g} times: the initial values reach later times slowly or "
        "not at all, and the loss is small even without them"
    ),
    "wave": lambda m: (
        f"waves of `{m.equation}` cross the domain along {m.along} {m.crossings:.2g} times (speed "
        f"{m.speed:.3g}): the initial values reach later times slowly or not at all"
    ),
    "oscillation": lambda m: (
        f"`{m.equation}` has {m.crossings:.2g} wavelengths of {m.field} along {m.along} (wave "
        f"number {m.speed:.3g}): a plain network learns them slowly, or not at all"
    ),
}


def fast_sources(scales: Scales) -> Iterator[Caution]:
    """Sources with more wavelengths than a plain network learns."""
    waves = scales.waves
    if waves is None or waves.count < SOURCE_WAVES:
        return
    motion = Motion("oscillation", waves.equation, "", waves.along, waves.count, 0.0)
    if not _resolved(scales, motion):
        cause = (
            f"the source of `{waves.equation}` has {waves.count:.2g} wavelengths along "
            f"{waves.along}: a plain network learns them slowly, or not at all"
        )
        yield Caution("source_waves", cause, _features(scales, motion))


def _resolved(scales: Scales, motion: Motion) -> bool:
    """Return whether the network has features of such a wave number."""
    model = scales.config.model
    fourier = getattr(model, "fourier", ())
    parts = fourier if isinstance(fourier, Sequence) else (fourier,)
    modes = getattr(getattr(model, "periodic", {}).get(motion.along), "modes", 0)
    enough = motion.kind == "oscillation" and modes >= motion.crossings
    return enough or any(part.scale >= motion.crossings / 8 for part in parts)


def _features(scales: Scales, motion: Motion) -> suggested_fixes.Lines:
    """Return the model with Fourier features of the motion's wave number."""
    if scales.config.model.name != "mlp":
        return {}
    # The network sees coordinates from -1 to 1: half as many waves in a unit.
    count = 16 if len(scales.problem.coordinates) == 1 else 32
    features = {"count": count, "scale": float(rounded_number(motion.crossings / 2, 2))}
    return suggested_fixes.model(scales.config, fourier=features)
