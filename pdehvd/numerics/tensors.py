"""The type of tensors, for modules that do not import TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tensorflow import Tensor
else:
    Tensor = object

__all__ = ["Tensor"]
