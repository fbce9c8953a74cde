"""Multilayer perceptron: the `mlp` section of a YAML file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from pdehvd.errors import ConfigError
from pdehvd.models.features import FourierFeatures, PeriodicFeatures
from pdehvd.spec import Spec, register

if TYPE_CHECKING:
    from pdehvd.models.network import Network

# Each layer is written out in the compiled program.
MAX_LAYERS = 1000
Initialization = Literal["glorot_normal", "glorot_uniform", "he_normal", "he_uniform"]


@register("model")
class MLP(Spec):
    """A fully connected network.

    Either `width` and `depth` (hidden layers of one width) or `layers` (their widths in turn).
    `adaptive: n` gives every hidden layer a trainable slope, sigma(n a z) with n a = 1 at the
    start (Jagtap, Kawaguchi, Karniadakis 2020, Journal of Computational Physics 404, 109136).
    `residual` adds every hidden layer's input to its output (He et al. 2016). `periodic` and
    `fourier` replace the coordinates by features. `shared: false` gives every field its
    own network.
    """

    name: Literal["mlp"] = "mlp"
    width: PositiveInt | None = None
    depth: Annotated[int, Field(ge=1, le=MAX_LAYERS)] | None = None
    layers: tuple[PositiveInt, ...] | None = Field(None, min_length=1, max_length=MAX_LAYERS)
    activation: Literal["tanh", "sin", "swish", "gelu", "sigmoid", "softplus"] = "tanh"
    adaptive: PositiveFloat | None = None
    residual: bool = False
    scale_inputs: bool = True
    periodic: dict[str, Literal[True] | PositiveFloat | str | PeriodicFeatures] = Field({})
    fourier: FourierFeatures | tuple[FourierFeatures, ...] = ()
    shared: bool = True
    initialization: Initialization = "glorot_normal"

    @model_validator(mode="after")
    def _widths(self) -> MLP:
        if self.layers is not None and (self.width, self.depth) != (None, None):
            raise ConfigError(
                "the hidden layers are given twice", ("layers",), "layers, or width and depth"
            )
        if self.residual and len(set(self.hidden)) > 1:
            raise ConfigError(
                "a residual network adds a layer's input to its output", ("layers",), "equal widths"
            )
        return self

    @property
    def hidden(self) -> tuple[int, ...]:
        """The widths of the hidden layers (4 layers of 50 by default)."""
        return self.layers or (self.width or 50,) * (self.depth or 4)

    def build(
        self, bounds: np.ndarray, outputs: int, dtype: str, coordinates: tuple[str, ...]
    ) -> Network:
        """Return the network for coordinates with `bounds` [D, 2] and `outputs` fields.

        Raises ConfigError when `periodic` names an unknown coordinate or a bad period.
        """
        from pdehvd.models.embeddings import Embedding
        from pdehvd.models.fields import FieldNetworks
        from pdehvd.models.mlp_network import MLPNetwork, MLPOptions

        scales = self.fourier if isinstance(self.fourier, tuple) else (self.fourier,)
        embedding = Embedding.build(
            np.asarray(bounds, float), coordinates, self.scale_inputs, self.periodic, scales
        )
        options = MLPOptions(self.activation, self.adaptive, self.residual, self.initialization)
        counts = [outputs] if self.shared else [1] * outputs
        networks = [MLPNetwork(embedding, self.hidden, n, dtype, options) for n in counts]
        return networks[0] if len(networks) == 1 else FieldNetworks(networks)
