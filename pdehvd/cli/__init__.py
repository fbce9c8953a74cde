"""The command line. Heavy modules are imported by the commands that need them."""

from __future__ import annotations

import os
import select
import sys
import time
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from pdehvd import __version__, caches
from pdehvd.cli import encoding, machine, runs, scaling, training
from pdehvd.errors import ConfigError, EnvironmentFault

app = typer.Typer(
    name="pdehvd",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Physics-informed networks from a YAML file, trained on any number of processes.",
)

# In the order of the list that --help prints.
training.add_commands(app)
runs.add_commands(app)
scaling.add_commands(app)
machine.add_commands(app)

# Ranks but 0 wait so long before they report a bad config, for rank 0 has most likely reported it.
_PATIENCE = 5.0
# 128 + SIGPIPE, as shells report it.
_READER_LEFT = 141
_STDOUT = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code.

    0 done, 1 failure, 2 bad input, 3 environment, 4 diverged, 130 interrupted, 141 where the
    program that read the output has left (as `head` does).
    """
    encoding.open_streams()
    if arguments is None:
        encoding.settle_paths()
    encoding.settle_output()
    caches.ignore_relative()
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    debug, nowhere = "--debug" in given, _goes_nowhere()
    try:
        _check_folder()
        result = app(
            [argument for argument in given if argument != "--debug"],
            prog_name="pdehvd",
            standalone_mode=False,
        )
        sys.stdout.flush()
        return int(result or 0)
    except KeyboardInterrupt:
        return 130
    except (Exception, SystemExit) as error:
        if _reader_left(error, nowhere):
            return _READER_LEFT
        # A plug-in that leaves early must not look like a finished run.
        return _failed(error, debug)


def _check_folder() -> None:
    """Raise `EnvironmentFault` where the current folder has been deleted."""
    try:
        os.getcwd()
    except OSError as error:
        raise EnvironmentFault(
            f"the current folder cannot be used ({error.strerror}): it may have been deleted; "
            "change to another one"
        ) from error


def _reader_left(error: Exception | SystemExit, before: bool) -> bool:
    """Return whether it failed because stdout is a pipe whose other end is closed.

    `before` says whether stdout went nowhere from the start. What is left to write goes there too,
    for the interpreter flushes once more when it ends.
    """
    if not any(isinstance(one, BrokenPipeError) for one in (error, error.__context__)):
        return False
    # rich has sent stdout nowhere by now; pipes of other kinds break too, between processes.
    if _goes_nowhere():
        return not before
    look = select.poll()
    look.register(_STDOUT, 0)
    closed = any(event & select.POLLERR for _, event in look.poll(0))
    if closed:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, _STDOUT)
        os.close(nowhere)
    return closed


def _goes_nowhere() -> bool:
    try:
        return os.path.samestat(os.fstat(_STDOUT), os.stat(os.devnull))
    except OSError:
        return True


def _failed(error: Exception | SystemExit, debug: bool) -> int:
    """Tell on stderr what went wrong, and return the exit code."""
    from pdehvd.experiment.failures import message_and_code
    from pdehvd.launch.ranks import world_rank

    if debug:
        traceback.print_exception(error)
    text, code = message_and_code(error)
    rank = world_rank()
    if rank and code == ConfigError.exit_code:
        time.sleep(_PATIENCE)
    print(f"rank {rank}: {text}" if rank else text, file=sys.stderr, flush=True)
    return code


def _version(asked: bool) -> None:
    if asked:
        print(f"pdehvd {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="show tracebacks; may stand anywhere")
    ] = False,
) -> None:
    """Options that every command takes; `main` looks for --debug itself."""
