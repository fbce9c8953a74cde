"""The picture of a domain shows what a block of the problem is evaluated at, and nothing else."""

import numpy as np
import pytest

from pdehvd.problems.pde import PDESpec
from pdehvd.problems.sampling import SobolSpec
from pdehvd.results.data_points import MOST
from pdehvd.results.plots_domain import domain_picture

DISK = {"disk": {"radius": 1}, "name": "rim"}


def built(coordinates, equations=64, **more):
    names = list(coordinates)
    spec = PDESpec(
        coordinates=coordinates,
        fields=["u"],
        equations={"one": " + ".join(f"u_{name}{name}" for name in names)},
        **more,
    )
    return spec.build(SobolSpec(equations=equations, conditions=32), seed=1)


def labels(picture):
    (legend,) = picture.legends
    return [text.get_text() for text in legend.get_texts()]


def test_a_shape_with_its_points_conditions_and_data(tmp_path):
    (tmp_path / "probe.csv").write_text("x,y,u\n0,0,1\n0.5,0.25,2\n")
    conditions = {
        "round": {"on": "rim", "equal": {"u": 0}},
        "probe": {"data": str(tmp_path / "probe.csv")},
        "mean": {"integral": "u", "equal": 1},
    }
    problem = built({"x": None, "y": None}, geometry=DISK, conditions=conditions)
    picture = domain_picture(problem)
    (axes,) = picture.axes
    shade = axes.get_images()[0].get_array()[..., 3]
    assert shade[0, 0] == 0 and shade[480, 480] == 1
    found = [one.get_offsets() for one in axes.collections]
    assert [len(points) for points in found[:3]] == [64, 32, 2]
    np.testing.assert_allclose(np.linalg.norm(found[1], axis=1), 1)
    assert found[2].tolist() == [[0, 0], [0.5, 0.25]]
    assert len({tuple(one.get_facecolor()[0]) for one in axes.collections}) == 4
    assert labels(picture)[:3] == ["equations: 64 points", "round: 32 points", "probe: 2 points"]
    assert axes.get_aspect() == 1


def test_points_that_fill_up_a_quadrature_are_not_drawn():
    condition = {"integral": "u", "over": "y", "equal": 0}
    problem = built({"x": None, "y": None}, geometry=DISK, conditions={"chords": condition})
    points = domain_picture(problem).axes[0].collections[1].get_offsets()
    # Nothing of the disk lies at its two ends.
    assert np.abs(points[:, 0]).max() < 1


@pytest.mark.parametrize(
    ("names", "pairs"),
    [("xyz", ["xy", "xz", "yz"]), ("xyzw", ["xy", "xz", "yz", "xw", "yw", "zw"])],
)
def test_more_coordinates_are_projected_on_pairs(names, pairs):
    picture = domain_picture(built({name: [0, 1] for name in names}))
    assert [axes.get_xlabel() + axes.get_ylabel() for axes in picture.axes] == pairs
    assert not any(axes.get_images() for axes in picture.axes)


def test_one_coordinate_has_a_row_for_each_block():
    conditions = {"start": {"on": "t = 0", "equal": {"u": 1}}}
    (axes,) = domain_picture(built({"t": [0, 1]}, conditions=conditions)).axes
    shown = [label.get_text() for label in axes.get_yticklabels()]
    assert shown == ["equations: 64 points", "start: 1 point"]
    assert axes.collections[1].get_offsets().tolist() == [[0.0, -1.0]]


def test_of_many_points_some_are_drawn_all_over_the_domain():
    problem = built({"x": [0, 1], "y": [0, 1]}, equations=4 * MOST)
    picture = domain_picture(problem)
    points = picture.axes[0].collections[0].get_offsets()
    assert len(points) == MOST and labels(picture) == [f"equations: {4 * MOST:,} points"]
    counts = np.histogram2d(*points.T, bins=4, range=[[0, 1], [0, 1]])[0]
    assert counts.min() > 0.7 * MOST / 16
