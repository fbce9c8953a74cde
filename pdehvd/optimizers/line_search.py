"""Line searches: strong Wolfe conditions down to the rounding of the loss, and given lengths."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pdehvd.numerics.vectors import Vectors
from pdehvd.objectives.protocols import Point, SeveralAt

# Least fall and largest slope, as parts of what the slope at the start promises.
SUFFICIENT = 1e-4
CURVATURE = 0.9
# Given lengths that are evaluated together, and so many at their end that must not be the best.
_AT_ONCE, _TAIL = 8, 2
# Trials of one search.
_MOST = 25
# Shorter steps are not begun with.
_SHORTEST = 1e-2
# A new trial stays this far from the ends of the bracket, as part of its width.
_MARGIN = 0.1
# A bracket that keeps more than this part of its width is halved next.
_SHRINK = 0.66


class Trial(NamedTuple):
    """A length a, the loss f and slope f' = g . d there, theta + a d [P] and the point."""

    length: float
    loss: float
    slope: float
    theta: np.ndarray
    point: Point

    @property
    def finite(self) -> bool:
        """Whether loss and slope are numbers."""
        return math.isfinite(self.loss) and math.isfinite(self.slope)


def first_length(fall: float, slope: float) -> float:
    """Return a length to begin with: that of the fall that the last step had, if f is a parabola.

    a = min(1, 2.02 fall / |f'(0)|) (Nocedal and Wright, equation 3.60); 1 without a fall.
    """
    if fall <= 0 or slope >= 0:
        return 1.0
    return min(1.0, max(_SHORTEST, 2.02 * fall / -slope))


def best_length(
    objective: SeveralAt, theta: np.ndarray, direction: np.ndarray, lengths: np.ndarray
) -> tuple[float, float]:
    """Return which of the falling lengths [K] along d from theta [P] has the lowest loss, and that.

    The first ones are evaluated together, and the others where these still fall at their end.
    """
    losses = _losses(objective, theta, direction, lengths[:_AT_ONCE])
    if len(lengths) > _AT_ONCE and np.argmin(losses[::-1]) < _TAIL:
        more = _losses(objective, theta, direction, lengths[_AT_ONCE:])
        losses = np.concatenate([losses, more])
    best = int(np.argmin(losses))
    return float(lengths[best]), float(losses[best])


def _losses(
    objective: SeveralAt, theta: np.ndarray, direction: np.ndarray, lengths: np.ndarray
) -> np.ndarray:
    """Return the losses [K] at theta + a d, infinite where they are not numbers."""
    losses = objective.losses_at(theta + lengths[:, None].astype(theta.dtype) * direction)
    return np.where(np.isfinite(losses), losses, np.inf)


def line_search(
    evaluate: Callable[[np.ndarray], Point],
    theta: np.ndarray,
    direction: np.ndarray,
    start: Point,
    first: float,
    vectors: Vectors,
) -> Trial | None:
    """Return a trial along d from theta [P] with a lower loss, or None where there is no descent.

        f(a) <= f(0) + 1e-4 a f'(0) + e |f(0)|,    |f'(a)| <= 0.9 |f'(0)|

    by bracketing from the length `first` and zoom with cubic interpolation (Nocedal and Wright,
    Numerical Optimization, algorithms 3.5 and 3.6). Losses that differ by less than e |f(0)| differ
    by rounding, perhaps: slopes decide then (the approximate conditions of Hager and Zhang, SIAM
    Journal on Optimization 16 (2005) 170, section 4). A loss that is not a number is too high.
    Where the conditions cannot be met, any lower loss found will do.
    """

    def at(length: float) -> Trial:
        there = theta + length * direction
        point = evaluate(there)
        return Trial(length, point.loss, vectors.dot(point.gradient, direction), there, point)

    origin = Trial(0.0, start.loss, vectors.dot(start.gradient, direction), theta, start)
    if not origin.slope < 0:
        return None
    # 5e-7 in double and 2e-3 in single precision: residuals cancel, so a loss is less exact
    # than its last digit.
    noise = float(np.finfo(theta.dtype).eps) ** 0.4 * abs(origin.loss)
    low, length, width = origin, first, math.inf
    high: Trial | None = None
    for _ in range(_MOST):
        trial = at(length)
        fallen = trial.loss <= origin.loss + SUFFICIENT * length * origin.slope + noise
        if not (trial.finite and fallen and trial.loss <= low.loss + noise):
            high = trial
        elif abs(trial.slope) <= -CURVATURE * origin.slope:
            return trial
        elif high is None and trial.slope < 0:
            low, length = trial, _beyond(low, trial)
            continue
        else:
            if high is None or trial.slope * (high.length - low.length) >= 0:
                high = low
            low = trial
        previous, width = width, abs(high.length - low.length)
        part = 0.5 if width > _SHRINK * previous else _between(low, high, noise)
        length = low.length + part * (high.length - low.length)
    return low if low.loss < origin.loss else None


def _beyond(low: Trial, trial: Trial) -> float:
    """Return a length beyond both, where the slope would vanish if it went on in a line."""
    bend = trial.slope - low.slope
    gain = -trial.slope / bend * (trial.length - low.length) if bend > 0 else math.inf
    return min(max(trial.length + gain, 2 * trial.length), 10 * trial.length)


def _between(low: Trial, high: Trial, noise: float) -> float:
    """Return where to try next between two lengths, as a part of the way from low to high."""
    if not high.finite:
        return _MARGIN
    width = high.length - low.length
    left, right, rise = low.slope * width, high.slope * width, high.loss - low.loss
    if abs(rise) <= noise and left < 0 < right:
        part = left / (left - right)
    else:
        # Nocedal and Wright, equation 3.59, for the unit interval.
        middle = left + right - 3 * rise
        root = math.sqrt(max(middle * middle - left * right, 0.0))
        below = right - left + 2 * root
        part = 1 - (right + root - middle) / below if below else 0.5
    return min(max(part, _MARGIN), 1 - _MARGIN) if math.isfinite(part) else _MARGIN
