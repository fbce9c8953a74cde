import os
import subprocess
import sys

# A process of its own: the setting is for good.
_PROGRAM = """
import resource, sys
import numpy as np
from pdehvd.numerics.memory import keep_freed

if sys.argv[1] == "keep":
    keep_freed()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    np.ones(2**22)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how):
    command = [sys.executable, "-c", _PROGRAM, how]
    # Small pages alone: whether the kernel has large ones left depends on what else runs.
    small = {**os.environ, "NUMPY_MADVISE_HUGEPAGE": "0"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=small)
    return int(done.stdout)


def test_arrays_that_come_and_go_fault_once():
    # 32 MiB are 8,192 pages.
    assert 4 * faults("keep") < faults("free")
