import os
import subprocess
import sys

# A process of its own: the setting is for good.
_PROGRAM = """
import resource, sys
import numpy as np

if sys.argv[1] == "start":
    from pdehvd.launch.process_setup import configure_threads
    from pdehvd.launch.processes_spec import ProcessesSpec

    configure_threads(ProcessesSpec(threads=1), keep=True)
elif sys.argv[1] == "build":
    from pdehvd.comm.group import Solo
    from pdehvd.optimizers.gauss_newton import GaussNewton

    GaussNewton(solver="normal").build(Solo())
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


def test_arrays_that_come_and_go_fault_once_where_a_process_starts_so():
    # 32 MiB are 8,192 pages.
    assert 4 * faults("start") < faults("without")


def test_building_an_optimizer_changes_nothing_in_the_process():
    assert faults("build") > 0.9 * faults("without")
