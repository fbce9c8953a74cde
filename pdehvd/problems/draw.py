"""What draws the points of a problem's regions."""

from __future__ import annotations

from dataclasses import dataclass, field

from pdehvd.problems.geometry import Domain
from pdehvd.problems.measured import Measured
from pdehvd.problems.regions import Region
from pdehvd.problems.sampling import Rad, Sampler
from pdehvd.problems.sources import RegionSource


@dataclass(frozen=True)
class Draw:
    """Draws points of regions; `factor` multiplies all numbers of points.

    `notes` collects what conditions have to say, `measured` their tables.
    """

    domain: Domain
    sampler: Sampler
    factor: int
    notes: list[str] = field(default_factory=list)
    measured: dict[str, Measured] = field(default_factory=dict)

    def source(self, region: Region, count: int, stream: int) -> RegionSource:
        """Return the source of `count` points; each stream has random numbers of its own."""
        total = self.domain.count(region, count * self.factor, self.sampler)
        candidates = 0
        if stream == 0 and isinstance(self.sampler, Rad):
            candidates = self.sampler.candidates * self.factor
        return RegionSource(self.domain, region, self.sampler, total, stream, candidates)
