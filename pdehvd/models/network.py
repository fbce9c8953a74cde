"""What every network of coordinates offers: parameters, outputs and their jets."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from pdehvd.models.parametrized import Layout, Parametrized
from pdehvd.numerics import jets

if TYPE_CHECKING:
    from tensorflow import Tensor

__all__ = ["LayerRecord", "Layout", "Network"]


class LayerRecord(NamedTuple):
    """One layer z = W^T a + b as it ran: the channels of a [W_in, N] and of z [W_out, N].

    The value comes first, then the derivatives that are not zero. `start` is where the layer's
    weight begins in the flat parameters; its bias follows.
    """

    start: int
    inputs: Sequence[Tensor]
    outputs: Sequence[Tensor]


class Network(Parametrized):
    """A function of D coordinates with F outputs and P parameters, pure in its parameters.

    >>> from pdehvd.models.mlp import MLP
    >>> network = MLP(width=8, depth=1).build(np.array([[0, 1], [0, 2]]), 3, "float64", ("x", "t"))
    >>> network.layout
    (('layer_0/weight', (2, 8)), ('layer_0/bias', (8,)),
     ('layer_1/weight', (8, 3)), ('layer_1/bias', (3,)))
    >>> parameters = network.initial(seed=1)
    >>> network.apply(parameters, tf.zeros([5, 2], tf.float64)).shape  # [N, F]
    TensorShape([5, 3])
    >>> network.size, network.flatten(parameters).shape  # P, [P]
    (51, TensorShape([51]))
    """

    inputs: int
    outputs: int

    @abstractmethod
    def apply(self, parameters: Sequence[Tensor], x: Tensor) -> Tensor:
        """Return the outputs [N, F] at x [N, D].

        Arguments:
            parameters: tensors in the order of `layout`
            x: points [N, D]
        """

    def jet(self, parameters: Sequence[Tensor], x: Tensor, plan: jets.Plan) -> list[Tensor]:
        """Return the channels of `plan` at x [N, D], each [N, F]; exact, by nested tapes.

        Arguments:
            parameters: tensors in the order of `layout`
            x: points [N, D]
            plan: which derivatives: one channel for each, the value first
        """
        return jets.nested(lambda points: self.apply(parameters, points), x, plan)

    def recorded(
        self, parameters: Sequence[Tensor], x: Tensor, plan: jets.Plan
    ) -> tuple[list[Tensor], list[LayerRecord]] | None:
        """Return the channels of `plan` at x [N, D] and all layers as they ran.

        None where the parameters are not those of layers z = W^T a + b alone: then Jacobians come
        from differentiating the residuals one by one.
        """
        return None
