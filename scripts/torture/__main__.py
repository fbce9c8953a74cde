"""Kills runs at chosen moments, resumes them, and compares the result with an undisturbed run.

make torture
.venv/bin/python -m scripts.torture --short --markdown build/torture.md
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from scripts.torture.campaign import strictest, torture
from scripts.torture.cases import matrix, short
from scripts.torture.report import markdown, show


def main() -> int:
    """Return 0 where every case survived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a few cases")
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    parser.add_argument("--aggregation", help="exact where there is such a hook")
    parser.add_argument("--markdown", type=Path, help="where the table goes")
    options = parser.parse_args()
    cases = [case for case in (short() if options.short else matrix()) if options.only in case.name]
    with tempfile.TemporaryDirectory(prefix="torture-") as folder:
        results = torture(cases, Path(folder), options.aggregation or strictest())
    show(results)
    if options.markdown:
        options.markdown.parent.mkdir(parents=True, exist_ok=True)
        options.markdown.write_text(markdown(results), encoding="utf-8")
    failed = sum(bool(result.problems) for result in results)
    print(f"{len(results) - failed} of {len(results)} cases survived")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
