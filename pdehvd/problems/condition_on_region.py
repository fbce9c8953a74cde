"""Values, derivatives or any expressions on parts of the domain and its boundary."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from pdehvd.errors import ConfigError, within
from pdehvd.problems.condition import ConditionSpec, DrawnPoints, Imposed, Site, sides
from pdehvd.problems.regions import Region
from pdehvd.problems.text import Entries


class OnRegion(ConditionSpec):
    """`{on: x = -1, equal: {u: 0}}`: both sides are equal at points of a region."""

    empty: ClassVar[dict[str, str]] = {"equal": "{u: 0}"}
    drawn = True

    on: str | list[str] = Field(
        description="regions: 'x = -1', 'boundary', 't = 0', a named boundary"
    )
    equal: Entries = Field(description="left side: right side, expressions")
    points: DrawnPoints = None

    @property
    def count(self) -> int | None:
        return self.points

    @property
    def regions(self) -> list[str]:
        return [self.on] if isinstance(self.on, str) else self.on

    def impose(self, site: Site) -> Imposed:
        with within(*site.path, "on"):
            region = site.domain.region(self.on)
            site = site.on(region)
        if not region.oriented:
            self._refuse_normals(site, region)
        return Imposed(site.region_source(region), *sides(self.equal, site, normal=True))

    def _refuse_normals(self, site: Site, region: Region) -> None:
        """Raise `ConfigError` where a normal is named on a region that has none."""
        language = site.language
        entries = self.equal.items() if isinstance(self.equal, dict) else ()
        for left, right in entries:
            for text in (left, right):
                names = language.normals_in(text)
                if names:
                    raise ConfigError(
                        f"'{names[0]}' on '{region.text}', which has no outward normal in space"
                        f"{site.domain.no_normal(region)}",
                        (*site.path, "equal", left),
                        "a part of the boundary in space",
                    )
