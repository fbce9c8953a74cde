"""One command in this process, and whether it kept what is promised about bad input."""

from __future__ import annotations

import io
import os
import resource
import shutil
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import (
    AbstractContextManager,
    contextmanager,
    nullcontext,
    redirect_stderr,
    redirect_stdout,
)
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Protocol

from pdehvd import cli
from scripts.fuzz.verdict import Verdict

# Of computing; a case takes a few hundredths of it, and a machine may be busy with other work.
SECONDS = 20
_MEMORY = 4 << 30
# Of a message: five findings, an expression of each with a mark below, and how many more.
_LINES = 18
_LONGEST = 9000


@dataclass
class Case:
    """A command line, what its refusal may name, and where it may write, below its folder.

    `truth` looks at what an accepted command wrote and returns what is wrong with it; `around`
    surrounds the command.
    """

    kind: str
    number: int
    what: str
    arguments: Sequence[str]
    named: Sequence[str]
    writes: Sequence[str] = ()
    truth: Callable[[], str] | None = None
    around: Callable[[], AbstractContextManager[None]] = nullcontext


class Kind(Protocol):
    """Makes the bad input of one kind; its files lie in the folder that it was made with."""

    name: str

    def case(self, rng: Random, number: int, folder: Path) -> Case:
        """Write the files of a case into an empty folder and return its command."""
        ...


class Hang(BaseException):
    """A command that takes too long; no `except Exception` may catch it."""


def _hang(*_: Any) -> None:
    raise Hang


@contextmanager
def bounds() -> Iterator[None]:
    """Bound the time of computing, of waiting, and the memory of a block."""
    before = resource.getrlimit(resource.RLIMIT_DATA)
    handlers = [signal.signal(number, _hang) for number in (signal.SIGPROF, signal.SIGALRM)]
    resource.setrlimit(resource.RLIMIT_DATA, (_used() + _MEMORY, before[1]))
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.setitimer(signal.ITIMER_REAL, 10 * SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_DATA, before)
        for number, handler in zip((signal.SIGPROF, signal.SIGALRM), handlers, strict=True):
            signal.signal(number, handler)


def _used() -> int:
    """Return the bytes of data that this process holds, as the limit counts them."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) << 10
    return 0


def tree(root: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of every file and folder below."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            status = os.lstat(path)
            # A folder's time changes with what is in it, and that is looked at by itself.
            seen = (0, 0) if name in folders else (status.st_size, status.st_mtime_ns)
            found[os.path.relpath(path, root)] = seen
    return found


def judge(kind: Kind, seed: int, number: int, root: Path) -> Verdict:
    """Run case `number` of a kind in a folder of its own below `root`."""
    rng = Random(f"{seed}/{kind.name}/{number}")
    folder = root / "case"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    case = kind.case(rng, number, folder)
    os.chdir(folder)
    before = tree(root)
    verdict, out, err = _run(case)
    verdict.problems += _message_problems(case, verdict.code, out, err)
    changed = {path for path, _ in before.items() ^ tree(root).items()}
    allowed = tuple(f"case/{path}" for path in case.writes) if verdict.code == 0 else ()
    wrong = sorted(path for path in changed if not path.startswith(allowed or ("\0",)))
    wrong = [path for path in wrong if not path.startswith("cache")]
    verdict.problems += [f"written or lost: {', '.join(wrong[:5])}"] if wrong else []
    if verdict.code == 0 and case.truth is not None and not verdict.problems:
        lie = case.truth()
        verdict.problems += [lie] if lie else []
    os.chdir(root)
    return verdict


def _run(case: Case) -> tuple[Verdict, str, str]:
    verdict = Verdict(case.kind, case.number, case.what)
    out = io.TextIOWrapper(io.BytesIO(), "utf-8")
    err = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="backslashreplace")
    began = time.process_time()
    try:
        with redirect_stdout(out), redirect_stderr(err), case.around(), bounds():
            verdict.code = cli.main(list(case.arguments))
    except Hang as hang:
        verdict.code = -1
        last = traceback.extract_tb(hang.__traceback__)[-2]
        verdict.problems.append(f"hangs at {Path(last.filename).name}:{last.lineno}")
    except BaseException as error:
        verdict.code = -1
        verdict.problems.append(f"{type(error).__name__} came out of main: {error}")
    verdict.seconds = time.process_time() - began
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode("utf-8", "replace"))  # type: ignore[attr-defined]
    verdict.err = texts[1]
    return verdict, texts[0], texts[1]


def _message_problems(case: Case, code: int, out: str, err: str) -> list[str]:
    """Return what is wrong with what a command said and the code it ended with."""
    problems = []
    if code not in (0, 2, 3, -1):
        problems.append(f"ended with code {code}")
    if "Traceback" in err or "pdehvd failed" in err:
        problems.append("not a message for a person")
    if code == 2:
        problems += [] if any(name in err for name in case.named) else ["names no file or setting"]
        problems += ["printed results and failed"] if out else []
    if code in (2, 3) and (not err.strip() or len(err) > _LONGEST or err.count("\n") > _LINES):
        problems.append(f"a message of {len(err)} characters")
    if not all(letter.isprintable() or letter == "\n" for letter in err):
        problems.append("control characters in the message")
    return problems
