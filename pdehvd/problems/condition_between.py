"""What holds on the common boundary of two subdomains: values, fluxes, jumps."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from pdehvd.errors import ConfigError
from pdehvd.numerics.derivatives import normal_components
from pdehvd.problems.condition import ConditionSpec, DrawnPoints, Imposed, Site, sides
from pdehvd.problems.subdomain import interface
from pdehvd.problems.text import Entries


class Between(ConditionSpec):
    """`{between: [steel, water], equal: {u: u, k*u_n: k*u_n}}`: both sides are equal there.

    Left sides are those of the first subdomain, right sides those of the second; the normal points
    from the first into the second on both sides.
    """

    empty: ClassVar[dict[str, str]] = {"equal": "{u: u}"}
    drawn = True

    between: Annotated[list[str], Field(min_length=2, max_length=2)] = Field(
        description="the two subdomains"
    )
    equal: Entries = Field(
        description="left side, in the first: right side, in the second, expressions"
    )
    points: DrawnPoints = None

    @property
    def count(self) -> int | None:
        return self.points

    @property
    def pair(self) -> tuple[str, ...]:
        return tuple(self.between)

    def impose(self, site: Site) -> Imposed:
        first, second = (
            site.subdomains.named(name, (*site.path, "between", index))
            for index, name in enumerate(self.between)
        )
        if first.place is None or second.place is None or first is second:
            raise ConfigError(
                f"{first.name} has no boundary with itself",
                (*site.path, "between"),
                "two subdomains",
            )
        region, outward = interface(site.domain.frame, first.place, second.place)
        if region is None:
            raise ConfigError(
                f"{first.name} and {second.name} have no common boundary",
                (*site.path, "between"),
                "two subdomains that meet",
            )
        languages = first.facing(second), second.facing(first)
        residuals, places = sides(self.equal, site, True, languages)
        if not outward:
            components = normal_components(site.language.space).values()
            turned = {component: -component for component in components}
            residuals = [residual.xreplace(turned) for residual in residuals]
        return Imposed(site.region_source(region), residuals, places)
