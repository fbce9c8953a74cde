"""The page about Python: its blocks run as they stand, and its names are those of the package."""

import re

import pytest

import pdehvd
from pdehvd.config.root import SECTIONS
from pdehvd.spec import registered
from tests.support.typed import ROOT, fenced

PAGE = ROOT / "docs" / "python.md"


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """Run the blocks one after another, as in a notebook, and return what they have defined."""
    names = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("page"))
        for line, language, _, text in fenced(PAGE):
            if language == "python":
                exec(compile("\n" * line + text, str(PAGE), "exec"), names)
        yield names


@pytest.mark.nightly
def test_the_blocks_train_and_evaluate(names):
    run = names["run"]
    assert run.summary["status"] == "completed" and run.summary["processes"] == 2
    assert names["u"].shape == (201,)
    errors = [interval.errors["u"] for interval in names["intervals"]]
    assert max(errors) < 1e-2
    assert names["errors"]["relative_l2"]["u"] == pytest.approx(run.errors["u"], rel=1e-6)


def test_the_page_lists_every_name_of_the_sections():
    table = PAGE.read_text(encoding="utf-8").split("## Names")[1]
    listed = set(re.findall(r"`([A-Z]\w+)`", table))
    assert listed <= set(dir(pdehvd))
    offered = {getattr(pdehvd, name) for name in listed}
    for section in SECTIONS:
        own = [s for s in registered(section).values() if s.__module__.startswith("pdehvd.")]
        assert set(own) <= offered, section
