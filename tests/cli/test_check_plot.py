"""`check --plot`: the picture of a domain before any training."""

from __future__ import annotations

from pathlib import Path

import matplotlib.image
import pytest

from tests.support.commands import SAMPLES, Type, contents


@pytest.mark.draws
def test_the_domain_is_drawn_once_and_again_with_force(type_: Type, here: Path) -> None:
    answer = type_("check", "small.yaml", "--plot", "domain.png")
    assert answer.code == 0 and "parameters" in answer.out, answer.err
    assert matplotlib.image.imread(here / "domain.png").std() > 0
    again = type_("check", "small.yaml", "--plot", "domain.png")
    assert again.code == 2 and "domain.png exists" in again.err and "--force" in again.err
    assert type_("check", "small.yaml", "--plot", "domain.png", "--force").code == 0
    assert sorted(contents(here)) == ["domain.png", "small.yaml"]


@pytest.mark.parametrize(
    ("config", "file", "told"),
    [
        ("small.yaml", "domain.pdf", "PNG"),
        ("small.yaml", "nowhere/domain.png", "nowhere/domain.png: No such file"),
        ("samples.yaml", "domain.png", "for problems at points only"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    type_: Type, here: Path, config: str, file: str, told: str
) -> None:
    (here / "samples.yaml").write_text(SAMPLES)
    before = contents(here)
    answer = type_("check", config, "--plot", file)
    assert answer.code == 2 and told in answer.err, answer.err
    assert contents(here) == before
