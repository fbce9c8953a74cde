"""Features that replace coordinates: the sections `periodic` and `fourier` of a network."""

from __future__ import annotations

from pydantic import PositiveFloat, PositiveInt

from pdehvd.spec import Spec


class PeriodicFeatures(Spec):
    """A coordinate seen as cos and sin of 2 pi k x / period, k = 1 ... modes.

    `period: true` is the length of the domain. Source: Dong and Ni (2021), Journal of
    Computational Physics 435, 110242.
    """

    period: bool | PositiveFloat | str = True
    modes: PositiveInt = 1


class FourierFeatures(Spec):
    """`count` random frequencies b ~ N(0, scale^2), fixed: cos and sin of 2 pi b.h.

    h are the (scaled) coordinates and periodic features. Several sections in a list give several
    scales. Source: Tancik et al. (2020), arXiv:2006.10739.
    """

    count: PositiveInt
    scale: PositiveFloat = 1.0
    seed: int = 0
