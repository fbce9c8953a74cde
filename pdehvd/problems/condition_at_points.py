"""Values, derivatives or any expressions at points that the file gives."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from pdehvd.errors import ConfigError
from pdehvd.problems.condition import ConditionSpec, Imposed, Row, Site, points_at, sides
from pdehvd.problems.sources import GivenSource
from pdehvd.problems.text import Entries


class AtPoints(ConditionSpec):
    """`{at: {x: 0, t: 0}, equal: {u: 1}}`: both sides are equal at one or several points."""

    empty: ClassVar[dict[str, str]] = {"equal": "{u: 0}", "at": "at least one point such as {x: 0}"}

    at: Row | list[Row] = Field(description="points, by coordinate")
    equal: Entries = Field(description="left side: right side, expressions")

    def impose(self, site: Site) -> Imposed:
        x = points_at(self.at, site, site.domain.names)
        outside = np.flatnonzero(~site.domain.contains(x))
        if outside.size:
            message = f"point {outside[0] + 1} lies outside the domain"
            raise ConfigError(message, (*site.path, "at"))
        return Imposed(GivenSource(x, {}), *sides(self.equal, site.at(x), normal=False))
