"""Documentation and messages use the field's terms: these turns of phrase are kept out of them."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# Each with what to write instead.
AVOIDED = {
    r"told": "printed, reported, passed",
    r"hears?": "receives, notices",
    r"wish(es)?": "request",
    r"beside": "next to, together with, in addition to",
    r"anew": "again, re-",
    r"for ever": "forever, indefinitely",
    r"(?<!there )(is|are|was|were) no (?!longer|more|such|less)": "is not a",
    r"that is none": "that does not exist",
    r"what surrounds": "the environment record",
    r"who adds": "the reduction backend",
    r"stays? shut": "security",
    r"takes? turns": "are interleaved, alternate",
    r"nobody": "no one, or the passive voice",
    r"to be reached": "target",
    r"c[oa]mes? to": "reaches, results in",
    r"a while yet": "some time",
    r"mend(s|ed)?": "fix",
    r"as it should be": "passed",
    r"goes? on": "continues",
    r"go(es)? over": "override",
    r"as ever": "as usual",
    r"first guess(es)?": "initial guess",
    r"somebody": "a user, or the passive voice",
}
_PATTERNS = {phrase: re.compile(rf"\b(?:{phrase})\b", re.IGNORECASE) for phrase in AVOIDED}
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "adr").glob("*.md")),
    *sorted((ROOT / "docs" / "notebooks").glob("*.ipynb")),
    *sorted((ROOT / "docs" / "examples").glob("*.*")),
    *sorted((ROOT / "configs").glob("*.yaml")),
]
MODULES = sorted(file for top in ("pdehvd", "scripts") for file in (ROOT / top).rglob("*.py"))


def findings(text, first=1):
    """Return the lines of a text with a phrase that is avoided, and what to write instead."""
    return [
        f"{number}: {line.strip()} (instead of '{phrase}': {instead})"
        for number, line in enumerate(text.splitlines(), first)
        for phrase, instead in AVOIDED.items()
        if _PATTERNS[phrase].search(line)
    ]


def strings(source):
    """Return (line, text) of the messages and docstrings of a module; values as X."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "X" for part in node.values)
            yield node.lineno, "".join(parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_uses_the_terms_of_the_field(page):
    assert not findings(page.read_text(encoding="utf-8"))


def test_messages_and_docstrings_use_the_terms_of_the_field():
    assert len(MODULES) > 200
    assert not [
        f"{module.relative_to(ROOT)}:{finding}"
        for module in MODULES
        for line, text in strings(module.read_text(encoding="utf-8"))
        for finding in findings(text, line)
    ]


def test_phrases_are_found():
    assert findings("Rank 0 is told.") and findings("This is no run.") and findings("It goes on.")
    assert findings(next(text for _, text in strings("f'{a} is no {b}'")))
    assert not findings("There is no reference, it is no longer needed; toldness is not a word.")
