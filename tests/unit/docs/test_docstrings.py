"""The names on the API page have arguments with their meaning, and examples that work."""

import doctest
import importlib
import inspect
import re
import sys
from typing import Literal

import numpy as np
import pytest
import tensorflow as tf

import pdehvd
from pdehvd.config import plugins
from pdehvd.spec import registry
from tests.support.typed import ROOT

PAGE = ROOT / "docs" / "api.md"
_ENTRY = re.compile(r"\.\. auto\w+:: (\S+)\n((?:   :.*\n)*)")
# Whose example is a file or a page that other tests run.
ELSEWHERE = {
    "pdehvd.train": "python.md",
    "pdehvd.Run": "python.md",
    "pdehvd.assembly.kind_registry.register_kind": "examples/kind/table.py",
    "pdehvd.assembly.kind.Kind": "examples/kind/table.py",
    "pdehvd.assembly.trained_run.TrainedRun": "examples/kind/table.py",
    "pdehvd.training.outcome.Outcome": "examples/stop_file.py",
}


def thing(path):
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def members(owner, options):
    """Yield the functions of a class that the page lists."""
    listed = re.search(r":members:(.*)", options)
    if not inspect.isclass(owner) or listed is None:
        return
    named = [name.strip() for name in listed[1].split(",") if name.strip()]
    for name in named or [name for name in vars(owner) if name[:1] != "_"]:
        member = inspect.getattr_static(owner, name)
        if inspect.isfunction(member):
            yield name, member


ENTRIES = _ENTRY.findall(PAGE.read_text(encoding="utf-8"))
FUNCTIONS = [
    (f"{path}.{name}" if name else path, function)
    for path, options in ENTRIES
    for name, function in [
        *([] if inspect.isclass(thing(path)) else [("", thing(path))]),
        *members(thing(path), options),
    ]
]


@pytest.fixture
def experiment(monkeypatch):
    """Return what examples call an `Experiment` with 2 terms; names they register go away."""
    sections = {name: dict(specs) for name, specs in registry._sections.items()}
    modules = set(sys.modules)
    with monkeypatch.context() as patch:
        patch.setattr(registry, "_sections", sections)
        problem = pdehvd.PDE(
            coordinates={"x": (0, 1)},
            fields=["u"],
            equations={"decay": "u_x + u"},
            conditions={"start": pdehvd.OnRegion(on="x = 0", equal={"u": 1})},
        )
        yield pdehvd.Experiment(
            precision="float64",
            problem=problem,
            sampling=pdehvd.Grid(equations=8, conditions=1),
            model=pdehvd.MLP(width=3, depth=1),
        )
    # Where they are given again they shall register their names again.
    for name in set(sys.modules) - modules:
        if name.startswith(plugins._PREFIX):
            del sys.modules[name]


def test_the_page_lists_the_interface():
    assert len(ENTRIES) >= 25 and len(FUNCTIONS) > 50


@pytest.mark.parametrize("path", [path for path, _ in ENTRIES])
def test_examples_work(path, experiment):
    found = thing(path)
    if path in ELSEWHERE:
        text = (ROOT / "docs" / ELSEWHERE[path]).read_text(encoding="utf-8")
        assert path.rpartition(".")[2] in text
        return
    known = {"pdehvd": pdehvd, "np": np, "tf": tf, "Literal": Literal, "experiment": experiment}
    names = {**known, **vars(sys.modules[found.__module__]), "experiment": experiment}
    examples = doctest.DocTestParser().get_doctest(inspect.getdoc(found), names, path, None, None)
    assert examples.examples, "there is no example"
    # Classes in examples have annotations of their own.
    names["__name__"] = found.__module__
    wrong: list[str] = []
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    doctest.DocTestRunner(optionflags=flags).run(examples, out=wrong.append)
    assert not wrong, "".join(wrong)


@pytest.mark.parametrize(("name", "function"), FUNCTIONS, ids=[name for name, _ in FUNCTIONS])
def test_arguments_have_a_meaning(name, function):
    given = [one for one in inspect.signature(function).parameters if one != "self"]
    listed = inspect.getdoc(function).partition("Arguments:")[2]
    assert [one for one in given if not re.search(rf"^ +{one}: ", listed, re.M)] == []
