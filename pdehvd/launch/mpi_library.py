"""What the MPI library here can do, asked in processes that join no job."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pdehvd.errors import EnvironmentFault
from pdehvd.launch.leftover_processes import end_session
from pdehvd.launch.mpirun import find_mpirun, launch_environment, mpirun_command
from pdehvd.launch.ranks import unplaced

if TYPE_CHECKING:
    from pdehvd.launch.processes_spec import ProcessesSpec

_SETTINGS = ("OMPI_MCA_", "PMIX_MCA_", "PRTE_MCA_")
# Two processes meet in less than one.
_SECONDS = 30.0
_VERSION = (
    "import mpi4py; mpi4py.rc(initialize=False); from mpi4py import MPI; "
    "print(MPI.Get_library_version())"
)
# The parts of Open MPI that understand older launchers than those with PMIx.
_OLD_PMI = re.compile(r"^mca:pmix:(s1|s2|cray|flux)\b", re.M)


def needs_pmix() -> bool:
    """Return whether MPI meets other processes through a PMIx server alone.

    So does Open MPI, unless it was built with SLURM's, Cray's or Flux's PMI. False where nothing
    says which library this is.
    """
    environment = unplaced(os.environ)
    with suppress(EnvironmentFault, OSError, subprocess.TimeoutExpired):
        if "Open MPI" not in _output_of([sys.executable, "-c", _VERSION], environment):
            return False
        output = _output_of(
            [str(Path(find_mpirun()).with_name("ompi_info")), "--parsable"], environment
        )
        return "mca:" in output and not _OLD_PMI.search(output)
    return False


def _output_of(command: Sequence[str], environment: Mapping[str, str]) -> str:
    return subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=_SECONDS,
        text=True,
        errors="replace",
        check=False,
    ).stdout


def check_settings(processes: ProcessesSpec, closed: bool = True) -> None:
    """Raise `EnvironmentFault` for settings of Open MPI with which nothing starts here.

    `closed` says that the job stays on this machine; see `launch_environment`. Asks only where the
    environment has any: mpirun and MPI may end, or wait, without a word.
    """
    names = [name for name in unplaced(os.environ) if name.startswith(_SETTINGS)]
    if not names or _starts(processes, (), closed) or not _starts(processes, names, closed):
        return
    single = [name for name in names if len(names) == 1 or _starts(processes, [name], closed)]
    settings = " ".join(f"{name}={os.environ[name]}" for name in single or names)
    raise EnvironmentFault(
        f"MPI does not start with {settings}, which the environment sets: "
        f"unset {' '.join(single or names)}"
    )


def _starts(processes: ProcessesSpec, without: Sequence[str], closed: bool) -> bool:
    """Return whether two processes meet, before long, without some of the variables."""
    kept = {name: value for name, value in os.environ.items() if name not in without}
    command = mpirun_command(["helloworld", "-q"], processes, 2, module="mpi4py.bench")
    child = subprocess.Popen(
        command,
        env=launch_environment(kept, closed=closed),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return child.wait(_SECONDS) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        child.kill()
        child.wait()
        end_session(child.pid)
