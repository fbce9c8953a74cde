"""The quasi-Newton methods by name: L-BFGS, BFGS and its self-scaled relatives."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from pdehvd.comm.group import Group
from pdehvd.numerics.linalg import symmetric_bytes
from pdehvd.optimizers.base import PIECES, Needs, OptimizerSpec
from pdehvd.optimizers.broyden import BroydenClass, Rule, bfgs, ssbfgs, ssbroyden
from pdehvd.optimizers.lbfgs import LimitedMemory
from pdehvd.spec import register


class QuasiNewtonSpec(OptimizerSpec):
    """Base of the specs of quasi-Newton methods."""


@register("optimizer")
class LBFGS(QuasiNewtonSpec):
    """L-BFGS: memory and work of a step grow with `memory` times P (Liu and Nocedal 1989)."""

    needs: ClassVar[Needs] = PIECES
    name: Literal["lbfgs"] = "lbfgs"
    memory: int = Field(20, ge=1, description="pairs of changes that are kept")

    def build(self, group: Group) -> LimitedMemory:
        """Return the optimizer."""
        return LimitedMemory(self.memory)

    def bytes_needed(self, size: int, rows: int, ranks: int) -> float:
        """Return the bytes that a process needs for its pairs, and for them in a checkpoint."""
        return 4 * 2 * 8.0 * self.memory * size


class DenseSpec(QuasiNewtonSpec):
    """Base of the specs of methods with a dense inverse Hessian, in double precision."""

    needs: ClassVar[Needs] = Needs(float64=True, fixed_batch=10, whole="")
    rule: ClassVar[Rule]

    precision_checked: bool = Field(True, description="false: allow float32")

    def build(self, group: Group) -> BroydenClass:
        """Return the optimizer."""
        return BroydenClass(type(self).rule, group)

    def bytes_needed(self, size: int, rows: int, ranks: int) -> float:
        """Return the bytes that a process needs for the inverse Hessian."""
        return symmetric_bytes(size, ranks)


@register("optimizer")
class BFGS(DenseSpec):
    """BFGS with a dense inverse Hessian (Nocedal and Wright, Numerical Optimization, 6.1)."""

    rule: ClassVar[Rule] = staticmethod(bfgs)
    name: Literal["bfgs"] = "bfgs"


@register("optimizer")
class SSBFGS(DenseSpec):
    """BFGS whose matrix is scaled at every update (Urban, Stefanou, Pons, arXiv 2405.04230)."""

    rule: ClassVar[Rule] = staticmethod(ssbfgs)
    name: Literal["ssbfgs"] = "ssbfgs"


@register("optimizer")
class SSBroyden(DenseSpec):
    """Self-scaled Broyden, variant 2 (Urban, Stefanou, Pons, arXiv 2405.04230)."""

    rule: ClassVar[Rule] = staticmethod(ssbroyden)
    name: Literal["ssbroyden"] = "ssbroyden"
