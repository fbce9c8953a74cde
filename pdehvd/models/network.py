"""What every network of coordinates offers: parameters, outputs and their jets."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

from pdehvd.models.parametrized import Layout, Parametrized
from pdehvd.numerics import jets

__all__ = ["Layout", "Network", "Record"]

Tensor = Any


class Record(NamedTuple):
    """One layer z = W^T a + b as it ran: the channels of a [W_in, N] and of z [W_out, N].

    The value comes first, then the derivatives that are not zero. `start` is where the layer's
    weight begins in the flat parameters; its bias follows.
    """

    start: int
    inputs: Sequence[Tensor]
    outputs: Sequence[Tensor]


class Network(Parametrized):
    """A function of D coordinates with F outputs and P parameters, pure in its parameters."""

    inputs: int
    outputs: int

    @abstractmethod
    def apply(self, parameters: Sequence[Tensor], x: Tensor) -> Tensor:
        """Return the outputs [N, F] at x [N, D]."""

    def jet(self, parameters: Sequence[Tensor], x: Tensor, plan: jets.Plan) -> list[Tensor]:
        """Return the channels of `plan` at x [N, D], each [N, F]; exact, by nested tapes."""
        return jets.nested(lambda points: self.apply(parameters, points), x, plan)

    def recorded(
        self, parameters: Sequence[Tensor], x: Tensor, plan: jets.Plan
    ) -> tuple[list[Tensor], list[Record]] | None:
        """Return the channels of `plan` at x [N, D] and all layers as they ran.

        None where the parameters are not those of layers z = W^T a + b alone: then Jacobians come
        from differentiating the residuals one by one.
        """
        return None
