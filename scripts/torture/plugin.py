"""A plug-in by which a process of `make torture` dies at a moment that its config names."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pdehvd.spec import register
from pdehvd.training.callback import Callback, CallbackSpec
from scripts.torture.deaths import MOMENTS


@register("callback")
class DeathSpec(CallbackSpec):
    """A death: who dies, by what signal, when, and the folder where it leaves its mark."""

    name: Literal["death"] = "death"
    victim: str
    signal: str
    moment: str
    folder: str

    def build(self) -> Callback:
        """Return the death that the moment names."""
        return MOMENTS[self.moment](self.victim, self.signal, Path(self.folder))
