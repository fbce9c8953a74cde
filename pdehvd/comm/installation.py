"""What Horovod and MPI are as they are installed; neither is started."""

from __future__ import annotations

from pdehvd.spec.plain import Json, Table


def horovod() -> Table:
    """Return Horovod's version, controllers and operations, or why it cannot be imported."""
    try:
        import horovod.tensorflow as hvd
        from horovod import __version__ as version

        controllers = {"MPI": hvd.mpi_built(), "Gloo": hvd.gloo_built()}
        operations = {
            "NCCL": hvd.nccl_built(),
            "DDL": hvd.ddl_built(),
            "CCL": hvd.ccl_built(),
            **controllers,
        }
    except Exception as error:  # whatever a broken installation may raise
        return {"horovod_error": f"{type(error).__name__}: {error}"}
    return {
        "horovod": {
            "version": version,
            "controllers": _named(controllers),
            "operations": _named(operations),
        }
    }


def mpi() -> Table:
    """Return the version of the MPI library, or why it cannot be imported."""
    try:
        import mpi4py

        mpi4py.rc.initialize = False
        from mpi4py import MPI

        return {"mpi": MPI.Get_library_version().split("\0")[0].split(",")[0].strip()}
    except Exception as error:
        return {"mpi_error": f"{type(error).__name__}: {error}"}


def _named(abilities: dict[str, bool]) -> list[Json]:
    return [name for name, built in abilities.items() if built]
