"""Training from a notebook or a script, in processes outside the interpreter."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from pdehvd.assembly.examine import examine_problem
from pdehvd.config.files import TEMPORARY
from pdehvd.config.root import Config, dump
from pdehvd.config.yaml_source import YamlSource, to_yaml
from pdehvd.errors import ConfigError, EnvironmentFault, PdehvdError, within
from pdehvd.errors import Path as PathOfKeys
from pdehvd.launch import job
from pdehvd.launch.commands import TrainCommand
from pdehvd.numerics.tracing import as_text
from pdehvd.results.stored_run import Run
from pdehvd.spec import Spec
from pdehvd.spec.plain import Json, Table

_RUN = "run: "
_ERRORS: dict[int, type[PdehvdError]] = {2: ConfigError, 3: EnvironmentFault}
_LINES = 30
# What TensorFlow's C++ parts write to stderr while they load.
_NOISE = re.compile(
    r"WARNING: All log messages|[IWE]\d{4} \d\d:|To enable the following|"
    r"\d{4}-\d\d-\d\d \S+: [IWE] "
)


def train(
    config: Path | str | Config | Mapping[str, object],
    np: int = 1,
    *,
    resume: Path | str | None = None,
    output: Path | str | None = None,
    plugins: Sequence[Path | str] = (),
    quiet: bool = False,
    **settings: object,
) -> Run:
    """Train on `np` processes and return the run; the same as `pdehvd train` in a shell.

    Progress is printed here; interrupting stops the run in order, with a checkpoint, and returns
    it. Raises the `PdehvdError` whose message the run ended with.

    Arguments:
        config: an `Experiment`, a YAML file, or a mapping of what one would hold
        np: the number of processes
        resume: the directory of a run to continue, or `latest`
        output: the folder of the runs, by default that of the config
        plugins: plug-in files
        quiet: whether to print nothing
        settings: keys that override the config, nested or dotted: `training={"steps": 100}` is
            `--set training.steps=100`
    """
    with _config_file(config) as path:
        command = TrainCommand(
            path,
            np,
            tuple(_flat(_table(settings))),
            tuple(map(Path, plugins)),
            None if resume is None else Path(resume),
            None if output is None else Path(output),
        )
        words = [sys.executable, "-m", "pdehvd", *command.argv()]
        code, directory, complaint = _follow(words, quiet)
    if code not in (0, job.INTERRUPTED) or directory is None:
        written = None if isinstance(config, str | os.PathLike) else path
        raise _error(code, _in_python(complaint, written))
    return Run(directory, plugins)


def check(experiment: Config, np: int = 1) -> None:
    """Raise the `ConfigError` that training on `np` processes would begin with, if any.

    It names the place, such as `problem.equations.momentum`: names in expressions, conditions
    outside the domain, data files, more processes than points. Warnings are those of `train` and
    of the command `pdehvd check`.

    Arguments:
        experiment: what would be trained
        np: the number of processes

    >>> import pdehvd
    >>> wrong = {"decay": "u_x + v"}
    >>> problem = pdehvd.PDE(coordinates={"x": (0, 1)}, fields=["u"], equations=wrong)
    >>> check(pdehvd.Experiment(problem=problem, sampling=pdehvd.Sobol(equations=64)))
    Traceback (most recent call last):
        ...
    pdehvd.errors.ConfigError: problem.equations.decay: unknown name 'v' (expression, column 7)...
    """
    source = YamlSource("", {})
    try:
        examine_problem(experiment, source, np)
    except ConfigError as error:
        raise ConfigError(str(error).removeprefix(": ")) from error


@contextmanager
def _config_file(config: Path | str | Config | Mapping[str, object]) -> Iterator[Path]:
    """Give the config as a file; one from Python lies in the working folder, as its data do."""
    if isinstance(config, str | os.PathLike):
        yield Path(config)
        return
    text = (
        dump(config) if isinstance(config, Config) else to_yaml(_table({"name": "run", **config}))
    )
    here = Path.cwd()
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix=TEMPORARY, suffix=".yaml", dir=here, encoding="utf-8", delete=False
        ) as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(
            "a config from Python is written to the current folder, but "
            f"{here} is not writable: {error.strerror}",
            (),
            "a YAML file, or another current folder",
        ) from error
    try:
        yield Path(file.name)
    finally:
        Path(file.name).unlink(missing_ok=True)


def _table(given: Mapping[str, object], path: PathOfKeys = ()) -> Table:
    """Return specs and functions inside mappings and lists as what a file holds for them."""
    return {str(key): _plain(item, (*path, str(key))) for key, item in given.items()}


def _plain(value: object, path: PathOfKeys) -> Json:
    if isinstance(value, Spec):
        return value.plain()
    if isinstance(value, Mapping):
        return _table(value, path)
    if isinstance(value, list | tuple):
        return [_plain(item, (*path, index)) for index, item in enumerate(value)]
    with within(*path):
        return cast(Json, as_text(value))


def _flat(settings: Mapping[str, object], prefix: str = "") -> Iterator[str]:
    """Yield nested settings as `a.b=value`; JSON is YAML that needs no care with quotes."""
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            text = json.dumps(value, default=str, ensure_ascii=False)
            yield f"{prefix}{name}={text}"


def _follow(command: Sequence[str], quiet: bool) -> tuple[int, str | None, str]:
    """Run a command, print what it prints; return its code, the run directory and its complaint."""
    # mpirun gives its processes a terminal of their own: they must know that no one sees it.
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PDEHVD_TERMINAL": "0"}
    # What it prints is read here, and holds a path.
    environment |= {"PYTHONIOENCODING": "utf-8:surrogateescape"}
    # A session of its own: an interrupt reaches it once, from here, and not also from Jupyter.
    child = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="surrogateescape",
        env=environment,
        start_new_session=True,
    )
    complaint: list[str] = []
    reader = threading.Thread(target=_collect, args=(child.stderr, complaint), daemon=True)
    reader.start()
    directory: str | None = None
    interrupts = 0
    while True:
        try:
            for line in child.stdout or ():
                if line.startswith(_RUN):
                    directory = line.removeprefix(_RUN).rstrip("\n")
                if not quiet:
                    print(_printable(line), end="", flush=True)
            code = child.wait()
            break
        except KeyboardInterrupt:
            interrupts += 1
            child.send_signal(signal.SIGINT if interrupts == 1 else signal.SIGTERM)
    reader.join(timeout=5)
    return code, directory, "".join(complaint)


def _printable(text: str) -> str:
    """Return a text without letters that the encoding of stdout lacks."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def _collect(stream: IO[str] | None, lines: list[str]) -> None:
    for line in stream or ():
        lines.append(line.encode("utf-8", "replace").decode("utf-8"))


def _in_python(complaint: str, written: Path | None) -> str:
    """Name what was given to `train`, not options of the shell or the file `written` for it."""
    if written is not None:
        complaint = re.sub(rf"^\S*{re.escape(written.name)}(:\d+)?: ", "", complaint, flags=re.M)
    # What follows names the setting in full, unless the mark in front of it has.
    complaint = re.sub(r"^--set (\S+): (?=\1\.)", "", complaint, flags=re.M)
    return re.sub(r"^--set ", "", complaint, flags=re.M)


def _error(code: int, complaint: str) -> PdehvdError:
    """Return the error that the command's code and last words stand for."""
    said = [line for line in complaint.splitlines() if line.strip() and not _NOISE.match(line)]
    text = "\n".join(said[-_LINES:]) or f"training ended with code {code}"
    error = _ERRORS.get(code, PdehvdError)(text)
    error.exit_code = code
    return error
