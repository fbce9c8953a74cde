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

from pdehvd import __version__
from pdehvd.cli import encoding, machine, runs, scaling, training
from pdehvd.errors import ConfigError

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

# Ranks but 0 wait so long before they tell of a bad config, for rank 0 has most likely told it.
_PATIENCE = 5.0
# 128 + SIGPIPE, as shells report it.
_READER_LEFT = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code.

    0 done, 1 failure, 2 bad input, 3 environment, 4 diverged, 130 interrupted, 141 where the
    program that read the output has left (as `head` does).
    """
    if arguments is None:
        encoding.settle_paths()
    encoding.settle_output()
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    debug = "--debug" in given
    try:
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
        # rich turns a closed pipe into a SystemExit of its own.
        if isinstance(error.__context__, BrokenPipeError) or _nobody_reads():
            return _READER_LEFT
        # A plug-in that leaves early must not look like a finished run.
        return _failed(error, debug)


def _nobody_reads() -> bool:
    """Return whether stdout is a pipe whose other end is closed; what is left goes nowhere."""
    try:
        stdout = os.dup(1)
    except OSError:
        return False
    look = select.poll()
    look.register(stdout, 0)
    closed = any(event & select.POLLERR for _, event in look.poll(0))
    os.close(stdout)
    if closed:
        # The interpreter flushes once more when it ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)
    return closed


def _failed(error: Exception | SystemExit, debug: bool) -> int:
    """Tell on stderr what went wrong, and return the exit code."""
    from pdehvd.comm.ranks import world_rank
    from pdehvd.experiment.failures import told

    if debug:
        traceback.print_exception(error)
    text, code = told(error)
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
    debug: Annotated[bool, typer.Option("--debug", help="show tracebacks; anywhere")] = False,
) -> None:
    """Options that every command takes; `main` looks for --debug itself."""
