"""The residuals in pictures are those of the training."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pdehvd import Run
from tests.support.commands import CONFIG, Type


def test_residuals_at_the_points_of_the_training_make_its_loss(type_: Type, here: Path) -> None:
    text = CONFIG.replace("heat: u_t - nu*u_xx", "heat: u_t - nu*u_xx\n    flux: x*u_x - u*u_t")
    (here / "two.yaml").write_text(
        text.replace("  reference:", "  hard: {u: x*network}\n  reference:")
    )
    assert type_("train", "two.yaml").code == 0
    assert (here / "runs/latest/plots/residuals.png").exists()
    page = (here / "runs/latest/report.html").read_text()
    assert "The residuals of the equations" in page
    trained = Run("latest").trained
    source = trained.problem.blocks[0].source
    found = trained.equation_residuals(source.items(0, 0, source.count).x)
    assert list(found) == ["heat", "flux"]
    for name, values in found.items():
        expected = trained.residuals()[f"equation/{name}"].trained
        np.testing.assert_allclose(np.sqrt(np.mean(values**2)), expected, rtol=1e-10)
