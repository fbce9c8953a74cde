"""Reference solutions: closed forms, files, and equations solved to rounding."""

from pdehvd.reference.allen_cahn import AllenCahn
from pdehvd.reference.base import Reference, ReferenceSpec
from pdehvd.reference.cole_hopf import BurgersColeHopf
from pdehvd.reference.exact import Exact
from pdehvd.reference.lorenz import Lorenz
from pdehvd.reference.lshape import PoissonLShape
from pdehvd.reference.schrodinger import Schrodinger
from pdehvd.reference.table import File

__all__ = [
    "AllenCahn",
    "BurgersColeHopf",
    "Exact",
    "File",
    "Lorenz",
    "PoissonLShape",
    "Reference",
    "ReferenceSpec",
    "Schrodinger",
]
