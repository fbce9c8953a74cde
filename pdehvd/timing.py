"""How long a call takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def median_seconds(call: Callable[[], object], runs: int) -> float:
    """Return the median of the seconds of so many calls; what comes before is up to the caller."""
    seconds = []
    for _ in range(runs):
        before = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - before)
    return statistics.median(seconds)
