"""The programs that pages, messages and the Makefile name are there."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TEXTS = [
    ROOT / "Makefile",
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "docs" / "results").glob("*.json"),
    *(ROOT / "pdehvd").rglob("*.py"),
    *(ROOT / "scripts").rglob("*.py"),
]
NAMED = {
    name
    for text in TEXTS
    for name in re.findall(r"-m \"?(scripts\.[a-z_.]*[a-z])", text.read_text(encoding="utf-8"))
}


def program(name: str) -> Path:
    """Return the file that `python -m NAME` runs."""
    found = find_spec(name)
    assert found is not None and found.origin is not None, f"there is no {name}"
    file = Path(found.origin)
    return file.with_name("__main__.py") if file.name == "__init__.py" else file


@pytest.mark.parametrize("name", sorted(NAMED))
def test_a_program_that_is_named_can_be_started(name: str) -> None:
    assert 'if __name__ == "__main__":' in program(name).read_text(encoding="utf-8")


def test_files_of_scripts_that_are_named_are_there() -> None:
    assert len(NAMED) >= 14
    named = (re.findall(r"`(scripts/[\w./]*\w)", text.read_text("utf-8")) for text in TEXTS)
    paths = {path for found in named for path in found}
    assert paths and [path for path in sorted(paths) if not (ROOT / path).exists()] == []
