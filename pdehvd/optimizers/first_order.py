"""First-order optimizers: Keras' update rules as pure functions of flat parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from pdehvd.comm.group import Group
from pdehvd.optimizers.base import PIECES, Needs, RatedSpec
from pdehvd.optimizers.schedule import ConstantRate, LearningRate
from pdehvd.spec import register

if TYPE_CHECKING:
    from pdehvd.optimizers.keras_rule import FirstOrder

Decay = Field(0.9, ge=0, lt=1)
SlowDecay = Field(0.999, ge=0, lt=1)
Epsilon = Field(1e-7, gt=0)


class FirstOrderSpec(RatedSpec):
    """Base of the specs of Keras rules; fields that a rule knows go to it as they are."""

    needs: ClassVar[Needs] = PIECES
    # The name of a class of keras.optimizers.
    rule: ClassVar[str]

    weight_decay: float | None = Field(
        None, ge=0, description="decoupled: theta <- theta - rate * decay * theta"
    )

    @property
    def options(self) -> dict[str, object]:
        """What the Keras rule is made with."""
        own = set(RatedSpec.model_fields) | {"name", "momentum_correction"}
        return self.model_dump(exclude=own)

    def build(self, group: Group | None = None) -> FirstOrder:
        """Return the optimizer."""
        from pdehvd.optimizers.keras_rule import FirstOrder

        return FirstOrder(self.rule, self.options, self.schedule, self.clip_norm, self._folded)

    @property
    def _folded(self) -> int | None:
        """The slot of a velocity that has to be corrected."""
        return None


class _Folding(FirstOrderSpec):
    """A rule whose velocity has the learning rate folded in: v <- m v + eta g."""

    velocity: ClassVar[int]

    momentum: float = Field(0.0, ge=0, lt=1)
    momentum_correction: bool = Field(
        False, description="v <- m (eta_t / eta_(t-1)) v + eta_t g where the rate changes"
    )

    @property
    def _folded(self) -> int | None:
        return self.velocity if self.momentum_correction and self.momentum else None


@register("optimizer")
class Adam(FirstOrderSpec):
    """Adaptive moments (Kingma and Ba, arXiv 1412.6980)."""

    rule = "Adam"
    name: Literal["adam"] = "adam"
    beta_1: float = Decay
    beta_2: float = SlowDecay
    epsilon: float = Epsilon
    amsgrad: bool = False


@register("optimizer")
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101)."""

    rule = "AdamW"
    name: Literal["adamw"] = "adamw"  # type: ignore[assignment]
    weight_decay: float = Field(0.004, ge=0)


@register("optimizer")
class Nadam(FirstOrderSpec):
    """Adam with Nesterov momentum (Dozat 2016)."""

    rule = "Nadam"
    name: Literal["nadam"] = "nadam"
    beta_1: float = Decay
    beta_2: float = SlowDecay
    epsilon: float = Epsilon


@register("optimizer")
class Adamax(FirstOrderSpec):
    """Adam in the infinity norm (Kingma and Ba, arXiv 1412.6980, section 7)."""

    rule = "Adamax"
    name: Literal["adamax"] = "adamax"
    beta_1: float = Decay
    beta_2: float = SlowDecay
    epsilon: float = Epsilon


@register("optimizer")
class SGD(_Folding):
    """Gradient descent with momentum, optionally Nesterov's."""

    rule = "SGD"
    velocity = 0
    name: Literal["sgd"] = "sgd"
    nesterov: bool = False


@register("optimizer")
class Lion(FirstOrderSpec):
    """Sign of a momentum (Chen et al., arXiv 2302.06675)."""

    rule = "Lion"
    name: Literal["lion"] = "lion"
    learning_rate: LearningRate = ConstantRate(value=1e-4)
    beta_1: float = Decay
    beta_2: float = Field(0.99, ge=0, lt=1)


@register("optimizer")
class RMSprop(_Folding):
    """Gradient over the root of its mean square (Tieleman and Hinton 2012)."""

    rule = "RMSprop"
    velocity = 1
    name: Literal["rmsprop"] = "rmsprop"
    rho: float = Decay
    epsilon: float = Epsilon
    centered: bool = False


@register("optimizer")
class Adagrad(FirstOrderSpec):
    """Gradient over the root of its summed squares (Duchi et al. 2011)."""

    rule = "Adagrad"
    name: Literal["adagrad"] = "adagrad"
    initial_accumulator_value: float = Field(0.1, ge=0)
    epsilon: float = Epsilon


@register("optimizer")
class Adadelta(FirstOrderSpec):
    """Adagrad with a moving window (Zeiler, arXiv 1212.5701)."""

    rule = "Adadelta"
    name: Literal["adadelta"] = "adadelta"
    rho: float = Field(0.95, ge=0, lt=1)
    epsilon: float = Epsilon
