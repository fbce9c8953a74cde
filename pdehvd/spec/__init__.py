"""What a section of a config is: a spec, which of them may stand where, and its mistakes."""

from pdehvd.spec.base import Spec, register, registered
from pdehvd.spec.data_files import DataFile, DataPath, data_files
from pdehvd.spec.registry import Section

__all__ = [
    "DataFile",
    "DataPath",
    "Section",
    "Spec",
    "data_files",
    "register",
    "registered",
]
