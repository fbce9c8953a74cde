"""XLA's registry of functions that compiled programs may call: where TensorFlow's library has it.

TensorFlow exports the registry and ships nothing to link with, so its two functions are found by
the names that C++ compilers make of their signatures. Another version may have other signatures.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

import tensorflow as tf

# Under which names the library exports them, and what they are in C++.
GLOBAL = "_ZN3xla24CustomCallTargetRegistry6GlobalEv"
REGISTER = (
    "_ZN3xla24CustomCallTargetRegistry8RegisterERKNSt7__cxx1112basic_string"
    "IcSt11char_traitsIcESaIcEEEPvS8_"
)
FUNCTIONS = {
    GLOBAL: "xla::CustomCallTargetRegistry::Global()",
    REGISTER: "xla::CustomCallTargetRegistry::Register(const std::string&, void*, "
    "const std::string&)",
}


def tensorflow_library() -> Path:
    """Return the library of TensorFlow that holds XLA."""
    return Path(tf.__file__).with_name("libtensorflow_cc.so.2")


def address(name: str) -> ctypes.c_void_p:
    """Return where a function of the registry is.

    Raises `OSError` without the library, `AttributeError` where it has no such function.
    """
    return ctypes.cast(getattr(ctypes.CDLL(str(tensorflow_library())), name), ctypes.c_void_p)


@cache
def complaint() -> str:
    """Return what this TensorFlow lacks, and which way the numbers go instead; empty if nothing."""
    try:
        loaded = ctypes.CDLL(str(tensorflow_library()))
        missing = [signature for name, signature in FUNCTIONS.items() if not hasattr(loaded, name)]
    except OSError:
        missing = [tensorflow_library().name]
    if not missing:
        return ""
    return (
        f"TensorFlow {tf.__version__} does not export {' and '.join(missing)}: compiled "
        "programs cannot call MPI; Horovod reduces between them, which makes each step slower"
    )
