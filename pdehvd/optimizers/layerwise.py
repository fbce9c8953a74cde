"""LARS and LAMB: every layer moves by a share of its own norm, which keeps large batches stable."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from pdehvd.comm.group import Group
from pdehvd.optimizers.base import PIECES, Needs, RatedSpec
from pdehvd.spec import register

if TYPE_CHECKING:
    from pdehvd.optimizers.layerwise_rules import LAMBRule, LARSRule


@register("optimizer")
class LARS(RatedSpec):
    """Momentum with a rate for each layer, trust |w| / (|g| + decay |w|) (arXiv 1708.03888).

    v <- m v + eta trust |w| / (|g| + decay |w|) (g + decay w), w <- w - v.
    """

    needs: ClassVar[Needs] = PIECES
    name: Literal["lars"] = "lars"
    momentum: float = Field(0.9, ge=0, lt=1)
    momentum_correction: bool = Field(
        False, description="v <- m (eta_t / eta_(t-1)) v + ... where the rate changes"
    )
    weight_decay: float = Field(0.0, ge=0, description="of weights, within the layer's rate")
    trust: float = Field(1.0, gt=0, description="share of a layer's norm that a rate of 1 moves it")

    def build(self, group: Group | None = None) -> LARSRule:
        """Return the optimizer."""
        from pdehvd.optimizers.layerwise_rules import LARSRule

        return LARSRule(self)


@register("optimizer")
class LAMB(RatedSpec):
    """Adam with a step of eta |w| in every layer (You et al., arXiv 1904.00962, algorithm 2).

    With Adam's direction r, w <- w - eta |w| (r + decay w) / |r + decay w|.
    """

    needs: ClassVar[Needs] = PIECES
    name: Literal["lamb"] = "lamb"
    beta_1: float = Field(0.9, ge=0, lt=1)
    beta_2: float = Field(0.999, ge=0, lt=1)
    epsilon: float = Field(1e-6, gt=0)
    weight_decay: float = Field(0.0, ge=0, description="of weights, within the layer's direction")

    def build(self, group: Group | None = None) -> LAMBRule:
        """Return the optimizer."""
        from pdehvd.optimizers.layerwise_rules import LAMBRule

        return LAMBRule(self)
