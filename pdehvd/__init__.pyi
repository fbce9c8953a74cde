# What type checkers see of `__init__.py`, which loads these names when they are first used.
from pdehvd.interface import *

__version__: str
