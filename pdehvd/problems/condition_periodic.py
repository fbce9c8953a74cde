"""Values and derivatives that are equal on two opposite faces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from pdehvd.errors import unknown, within
from pdehvd.numerics.derivatives import internal
from pdehvd.numerics.expressions import symbol
from pdehvd.problems.condition import ConditionSpec, DrawnPoints, Imposed, Site
from pdehvd.problems.periodic import join_faces
from pdehvd.problems.text import FromFunction

_TRIED = 2000  # pairs that are looked at for the subdomains that the faces touch


class Periodic(ConditionSpec):
    """`{periodic: x, of: [u, u_x]}`: what is listed is equal on both faces of a coordinate."""

    empty: ClassVar[dict[str, str]] = {
        "of": "what is equal on both faces, or no 'of' for all fields"
    }
    drawn = True

    periodic: str = Field(description="the coordinate whose two faces are joined")
    of: list[Annotated[str, FromFunction]] | None = Field(
        None, description="what is equal on both faces; the fields by default"
    )
    points: DrawnPoints = None

    @property
    def count(self) -> int | None:
        return self.points

    @property
    def joined(self) -> str | None:
        return self.periodic

    def compared(self, fields: Sequence[str]) -> list[str]:
        return self.of or list(fields)

    def impose(self, site: Site) -> Imposed:
        names = site.domain.names
        if self.periodic not in names:
            raise unknown(self.periodic, "a coordinate", names, (*site.path, "periodic"))
        with within(*site.path, "periodic"):
            source = join_faces(site.domain, names.index(self.periodic), site.region_source)
            site = site.at(source.items(0, 0, min(source.count, _TRIED)).x)
        side = symbol(internal("side"))
        texts = self.compared(site.language.outputs)
        residuals = [
            side * site.language.residual(text, (*site.path, "of", index))
            for index, text in enumerate(texts)
        ]
        return Imposed(source, residuals, [("of", index) for index in range(len(texts))])
