"""How the processes of a prediction are connected."""

from __future__ import annotations

from pydantic import Field

from pdehvd.spec import Spec


class TopologySpec(Spec):
    """How the processes that `pdehvd scale --predict` assumes are connected.

    With `per_node: 1`, the default, every two processes are joined by the same network (flat).
    With more, reductions run inside nodes first, then between them. With more nodes than the
    `leaf` of a switch (a fat tree), a byte costs `oversubscription` times as much between nodes.
    """

    per_node: int = Field(default=1, ge=1, description="processes on a node")
    leaf: int | None = Field(
        default=None, ge=1, description="nodes on a switch of the fat tree; null: all"
    )
    oversubscription: float = Field(
        default=1.0, ge=1, description="oversubscription of a switch's uplinks"
    )
    gigabits: float | None = Field(
        default=None,
        ge=1e-3,
        description="rate of the links between nodes, in Gbit/s; null: as measured",
    )
    microseconds: float = Field(default=0.0, ge=0, description="additional latency of these links")
