"""What a condition of a config consists of."""

from __future__ import annotations

from pydantic import Field, model_validator

from pdehvd.errors import ConfigError
from pdehvd.spec import DataFile, Spec

Text = str | int | float


class ConditionSpec(Spec):
    """One condition; `on`, `periodic`, `data`, `at` or `integral` says of which kind it is."""

    on: str | list[str] | None = Field(
        None, description="regions: 'x = -1', 'boundary', 't = 0', a named boundary"
    )
    equal: dict[str, Text] | Text | None = Field(
        None, description="left side: right side, expressions"
    )
    periodic: str | None = Field(None, description="the coordinate whose two faces are joined")
    of: list[str] | None = Field(
        None, description="what is equal on both faces; the fields by default"
    )
    data: DataFile | None = Field(
        None, description="a CSV, NPZ or HDF5 file with columns for coordinates and fields"
    )
    fields: list[str] | None = Field(
        None, description="the measured fields; those in the file by default"
    )
    at: dict[str, Text] | list[dict[str, Text]] | None = Field(
        None, description="points, by coordinate"
    )
    integral: str | None = Field(None, description="the integrand")
    over: str | list[str] | None = Field(
        None, description="the coordinates of the integral; all by default"
    )
    points: int | None = Field(
        None, ge=1, description="number of points, instead of a share of sampling.conditions"
    )

    @model_validator(mode="after")
    def _one_kind(self) -> ConditionSpec:
        kinds = [
            kind
            for kind in ("on", "periodic", "data", "integral")
            if getattr(self, kind) is not None
        ]
        if not kinds and self.at is not None:
            kinds = ["at"]
        if len(kinds) != 1:
            raise ConfigError(
                "the condition is of several kinds: " + ", ".join(kinds)
                if kinds
                else "the condition does not say where it holds",
                (),
                "one of on, periodic, data, at, integral",
            )
        allowed = {
            "on": {"equal", "points"},
            "periodic": {"of", "points"},
            "data": {"fields"},
            "at": {"equal"},
            "integral": {"over", "at", "equal", "points"},
        }
        given = {name for name in self.model_fields_set if getattr(self, name) is not None}
        extra = given - allowed[kinds[0]] - {kinds[0]}
        if extra:
            raise ConfigError(
                f"'{sorted(extra)[0]}' does not go with '{kinds[0]}'", (sorted(extra)[0],)
            )
        if "equal" in allowed[kinds[0]] and self.equal is None:
            raise ConfigError("the condition does not say what must hold", (), "equal: {u: 0}")
        self._refuse_empty()
        return self

    def _refuse_empty(self) -> None:
        """Raise `ConfigError` where an entry lists nothing, which would impose nothing."""
        expected = {
            "equal": "{u: 0}",
            "of": "what is equal on both faces, or no 'of' for all fields",
            "fields": "measured fields, or no 'fields' for all in the file",
            "at": "at least one point such as {x: 0}",
            "over": "a coordinate, or no 'over' for all",
        }
        for name, right in expected.items():
            if getattr(self, name) in ([], {}, ""):
                raise ConfigError(f"'{name}' is empty", (name,), right)

    @property
    def sampled(self) -> bool:
        """Whether its points are drawn, and so share `sampling.conditions`."""
        return self.on is not None or self.periodic is not None
