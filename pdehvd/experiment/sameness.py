"""Before the first step: whether all ranks run the same config with the same programs."""

from __future__ import annotations

import difflib
import hashlib
import json
import platform
from pathlib import Path

import pdehvd
from pdehvd.assembly.environment_record import package_version
from pdehvd.comm.agreement import differing, gather_texts
from pdehvd.comm.group import Group
from pdehvd.config.data_record import digests
from pdehvd.config.plugins import loaded_modules
from pdehvd.config.root import Config, dump
from pdehvd.errors import DisagreementError, counted

_PACKAGES = ("tensorflow", "keras", "horovod", "numpy", "scipy", "sympy")
_LINES = 6


def check_same(group: Group, config: Config) -> None:
    """Raise `DisagreementError` on all ranks where one has another config, plug-in or version."""
    if group.size == 1:
        return
    facts = _facts(config)
    found = differing(group, [fact.encode() for fact in facts.values()], "sameness")
    if not found:
        return
    right = next(rank for rank in range(group.size) if rank not in found)
    texts = [json.loads(text) for text in gather_texts(group, json.dumps(facts), "sameness.facts")]
    lines = [
        f"rank {rank} has a different {name} than rank {right}: "
        + _difference(texts[right][name], texts[rank][name])
        for rank, parts in found.items()
        for name in [list(facts)[part] for part in parts]
    ]
    raise DisagreementError("\n".join(["the ranks differ:", *lines]))


def _facts(config: Config) -> dict[str, str]:
    """Return what decides the numbers of a run, by name; where runs are written does not."""
    plugins = sorted(loaded_modules())
    facts = {
        "config": dump(config.model_copy(update={"output": None})),
        "data file": digests(config) or "none",
        "plug-in": "\n".join(plugins) or "none",
        "pdehvd": f"{pdehvd.__version__}, source {source_digest()}",
        "Python": platform.python_version(),
    }
    return facts | {name: package_version(name) or "none" for name in _PACKAGES}


def source_digest() -> str:
    """Return a digest of this package's source files."""
    digest = hashlib.blake2b(digest_size=6)
    for file in sorted(Path(pdehvd.__file__).parent.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _difference(right: str, own: str) -> str:
    """Return the lines in which two texts differ, or both where they are short."""
    if "\n" not in right + own:
        return f"{own}, not {right}"
    lines = difflib.unified_diff(right.splitlines(), own.splitlines(), lineterm="", n=0)
    changed = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
    more = [f"({counted(len(changed) - _LINES, 'more line')})"] if len(changed) > _LINES else []
    return "\n".join(["", *("  " + line for line in changed[:_LINES] + more)])
