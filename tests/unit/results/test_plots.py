import itertools

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from pdehvd.problems.measured import Measured
from pdehvd.problems.sources import GivenSource
from pdehvd.results.data_points import MOST
from pdehvd.results.plots import figures, plot
from pdehvd.results.plots_curves import plot_curves
from pdehvd.results.plots_fields import heat_maps, sheet
from pdehvd.results.sections import PlaneSection, sections

CURVES = {"loss", "error", "learning_rate"}


@pytest.mark.parametrize(
    ("shape", "fields", "expected"),
    [
        ("line", "uv", {"solution"}),
        ("line_time", "u", {"solution_u", "slices_u"}),
        ("plane", "uv", {"solution_u", "solution_v"}),
        ("plane_time", "u", {"solution_u"}),
        ("space_time", "u", {"solution_u"}),
    ],
)
def test_every_kind_of_domain_gets_its_pictures(fake, fill, tmp_path, shape, fields, expected):
    fill(tmp_path)
    paths = plot(fake(shape, fields))
    assert {path.stem for path in paths} == expected | CURVES
    for path in paths:
        assert path.parent == tmp_path / "plots"
        assert path.read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in (tmp_path / "plots").iterdir()} == {path.name for path in paths}


def test_a_run_without_history_still_shows_its_solution(fake):
    assert set(figures(fake("line"))) == {"solution"}


def test_unknowns_and_changing_weights_are_drawn(fake, fill, tmp_path):
    fill(tmp_path, unknown=True)
    assert "unknowns" in figures(fake("line"))


def test_a_single_logged_step_can_be_seen():
    history = pd.DataFrame([{"step": 100, "loss/total": 0.5, "relative_l2/u": 0.1}])
    for picture in plot_curves(history, {}, {}).values():
        (line,) = picture.axes[0].get_lines()
        assert line.get_marker() == "o"


def test_unknowns_stand_beside_their_true_values():
    history = pd.DataFrame({"step": [0, 1, 2], "unknown/nu": [0.3, 0.2, 0.15]})
    (axes,) = plot_curves(history, {"nu": 0.125}, {})["unknowns"].axes
    assert [text.get_text() for text in axes.texts] == ["0.15\ntrue 0.125"]
    assert axes.get_lines()[1].get_ydata()[0] == 0.125


def test_monitors_have_a_panel_each_with_the_expected_value():
    values = {"monitor/drag": [None, 2.0, 3.25], "monitor/sum $": [None, 1.0, 1.0]}
    history = pd.DataFrame({"step": [1, 10, 20], **values})
    drag, total = plot_curves(history, {}, {"drag": 3.0}, {"drag": "drag, N"})["monitors"].axes
    assert drag.get_ylabel() == "drag, N" and total.get_ylabel() == r"sum \$"
    assert [list(line.get_ydata()) for line in drag.get_lines()] == [[2.0, 3.25], [3.0, 3.0]]
    assert drag.texts[0].get_text() == "3.25\nexpected 3" and total.texts[0].get_text() == "1"
    assert len(total.get_lines()) == 1
    assert "monitors" not in plot_curves(history[["step"]], {}, {})


@pytest.mark.parametrize(
    ("weight", "title", "label"),
    [
        (1.0, "Loss and its terms", "total"),
        (3.0, "Loss and its terms without their weights", "total, weighted"),
    ],
)
def test_a_weighted_total_is_told_from_its_terms(weight, title, label):
    terms = {"loss/equation/a": np.array([2.0, 1.0]), "loss/condition/b": np.array([1.0, 0.5])}
    total = terms["loss/equation/a"] + weight * terms["loss/condition/b"]
    history = pd.DataFrame({"step": [0, 1], "loss/total": total, **terms})
    (axes,) = plot_curves(history, {}, {})["loss"].axes
    assert axes.get_title(loc="left") == title
    assert axes.get_lines()[-1].get_label() == label


@pytest.mark.parametrize("low", [0.013, 0.021, 0.0095, 0.03])
@pytest.mark.parametrize("factor", [21, 45, 90, 300])
def test_labels_of_a_short_logarithmic_axis_do_not_overlap(low, factor):
    values = np.geomspace(low, low * factor, 7)
    history = pd.DataFrame({"step": range(7), "step_length": values, "evaluations": 1.0})
    picture = plot_curves(history, {}, {})["method"]
    picture.draw_without_rendering()
    labels = [*picture.axes[0].get_yticklabels(), *picture.axes[0].get_yticklabels(minor=True)]
    boxes = [label.get_window_extent() for label in labels if label.get_text()]
    bottom, top = picture.axes[0].get_window_extent().intervaly
    seen = sorted(
        (box for box in boxes if bottom <= box.y0 + box.height / 2 <= top), key=lambda b: b.y0
    )
    assert len(seen) >= 2
    assert all(below.y1 <= above.y0 for below, above in itertools.pairwise(seen))


def test_a_constant_does_not_look_like_noise():
    history = pd.DataFrame({"step": range(3), "step_length": [0.5, 0.7, 0.6], "evaluations": 1.0})
    axes = plot_curves(history, {}, {})["method"].axes[1]
    assert axes.get_ylim() == (0, 2)
    np.testing.assert_array_equal(axes.get_yticks(), np.round(axes.get_yticks()))


def test_a_loss_that_is_nowhere_positive_is_drawn():
    history = pd.DataFrame({"step": [0, 1], "loss/total": [0.0, np.inf], "loss/a": [0.0, np.nan]})
    assert plot_curves(history, {}, {})["loss"].axes[0].get_yscale() == "linear"


def test_what_is_outside_a_shape_is_blank(fake):
    run = fake("plane_shape")
    shown = sheet(run, sections(run.problem.domain)[0])
    values = shown.values["u"]
    assert np.isnan(values[0, -1])
    assert values[-1, 0] == pytest.approx(run.predict(np.array([[-1.0, 1.0]]))["u"][0])


def test_a_section_that_misses_the_domain_is_none(fake):
    run = fake("plane")
    run.problem.domain = type(run.problem.domain)(
        "xyz", [[0, 1]] * 3, inside=lambda p: p[:, 2] > 0.8
    )
    assert sheet(run, PlaneSection(0, 1, {2: 0.5})) is None
    assert sheet(run, PlaneSection(0, 1, {2: 0.9})) is not None


def test_sections_of_space_and_time_are_middle_planes_at_the_end(fake):
    planes = sections(fake("space_time").problem.domain)
    assert [(plane.horizontal, plane.vertical) for plane in planes] == [(0, 1), (0, 2), (1, 2)]
    assert planes[0].fixed == {2: 0.0, 3: 1.0}


def test_error_colours_are_symmetric_and_values_share_the_references_scale(fake):
    run = fake("plane")
    shown = sheet(run, sections(run.problem.domain)[0])
    axes = heat_maps(run, [shown], "u").axes[:3]
    solution, reference, error = (each.get_images()[0] for each in axes)
    assert solution.norm is reference.norm
    assert solution.norm.vmax == pytest.approx(shown.truths["u"].max())
    assert error.norm.vmin == -error.norm.vmax
    assert error.norm.vmax == pytest.approx(0.02, rel=1e-3)


def test_a_free_constant_does_not_show_as_an_error(fake):
    run = fake("plane", shift=5.0, free=("u",))
    shown = sheet(run, sections(run.problem.domain)[0])
    assert np.abs(shown.values["u"] - shown.truths["u"]).max() < 0.05


def test_without_reference_only_the_solution_is_shown(fake):
    run = fake("plane", reference=False)
    shown = sheet(run, sections(run.problem.domain)[0])
    titles = [axes.get_title() for axes in heat_maps(run, [shown], "u").axes]
    assert [title for title in titles if title] == ["u: solution"]


def test_a_constant_solution_and_nan_are_drawn(fake):
    run = fake("plane")
    run.functions["u"] = lambda p: np.where(p[:, 0] > 1, np.nan, 1.0)
    run.predict = lambda p: {"u": np.ones(len(p))}
    assert set(figures(run)) == {"solution_u"}


def test_the_callers_matplotlib_is_left_as_it_was(fake, fill, tmp_path):
    fill(tmp_path)
    with mpl.rc_context({"lines.linewidth": 7.0}):
        before = dict(mpl.rcParams)
        plot(fake("line"))
        assert dict(mpl.rcParams) == before


def test_a_legend_explains_the_lines_of_all_fields(fake):
    run = fake("line", "uv")
    run.reference.functions = {"v": run.functions["v"]}
    (legend,) = figures(run)["solution"].legends
    assert {text.get_text() for text in legend.get_texts()} == {"solution", "reference"}


def test_steps_are_whole_numbers():
    history = pd.DataFrame({"step": [1, 2, 3], "loss/total": [3.0, 2, 1], "unknown/a": [1.0, 2, 3]})
    for logged in (history, history[:1]):
        for picture in plot_curves(logged, {}, {}).values():
            ticks = picture.axes[0].get_xticks()
            np.testing.assert_array_equal(ticks, np.round(ticks))


def test_the_place_of_a_section_is_short_however_many_coordinates_are_fixed(fake):
    run = fake("plane")
    wide, longest = type(run.problem.domain), lambda title: max(map(len, title.split("\n")))

    def title(bounds):
        names = [f"x{number}" for number in range(len(bounds))]
        run.problem.domain = wide(names, bounds)
        return sheet(run, sections(run.problem.domain)[1]).grid.title

    equal = title([[0, 1]] * 10)
    named = "x1, x3, x4, x5, x6, x7, x8, x9 all = 0.5"
    assert equal.replace("\n", " ") == named and longest(equal) < 33
    assert title([[0, 1]] * 4) == "x1 = 0.5, x3 = 0.5"
    assert title([[0, 1]] * 50) == "48 others = 0.5"
    different = title([[0, 1 + number] for number in range(10)])
    assert different.startswith("x1 = 1, x3 = 2,") and longest(different) < 33


def table(points, **values):
    columns = {f"__measured_{name}": column for name, column in values.items()}
    return Measured(GivenSource(points, columns), tuple(values), ())


def test_measured_values_near_a_section_are_drawn_on_the_solution_only(fake):
    run = fake("plane_time")
    times = np.array([0.0, 0.04, 0.06, 1.0, 1.7, 2.0])
    points = np.stack([np.full(6, 0.5), np.linspace(0.1, 0.9, 6), times], axis=1)
    run.problem.measured = {"probe": table(points, u=np.arange(6.0))}
    picture = figures(run)["solution_u"]
    drawn = [axes.collections for axes in picture.axes[:9]]
    found = [list(each[0].get_array()) if each else [] for each in drawn]
    # A slab of 2.5 % of the two units of time on each side of t = 0, 1 and 2.
    assert found == [[0, 1], [], [], [3], [], [], [5], [], []]
    assert drawn[0][0].norm is picture.axes[0].get_images()[0].norm
    np.testing.assert_allclose(drawn[0][0].get_offsets(), points[:2, :2])


def test_slices_and_lines_show_measured_values(fake):
    run = fake("line_time")
    points = np.array([[-0.5, 0.01], [0.5, 0.5], [0.25, 1.0]])
    run.problem.measured = {"probe": table(points, u=np.array([1.0, 2.0, 3.0]))}
    picture = figures(run)["slices_u"]
    assert [len(axes.collections) for axes in picture.axes] == [1, 0, 0, 1]
    assert picture.axes[3].collections[0].get_offsets().tolist() == [[0.25, 3.0]]
    (legend,) = picture.legends
    assert [text.get_text() for text in legend.get_texts()][-1] == "measured"
    run = fake("line")
    run.problem.measured = {"probe": table(np.array([[1.0], [2.0]]), u=np.array([3.0, 4.0]))}
    offsets = figures(run)["solution"].axes[0].collections[0].get_offsets()
    assert offsets.tolist() == [[1.0, 3.0], [2.0, 4.0]]


def test_the_fit_shows_predicted_over_measured_values(fake):
    run = fake("plane", "uv")
    points = np.random.default_rng(0).uniform(0, 1, (5, 2))
    exact = run.predict(points)
    run.problem.measured = {
        "first": table(points, u=exact["u"] + 0.5),
        "second": table(points[:3], u=exact["u"][:3], v=exact["v"][:3]),
    }
    u, v = figures(run)["fit"].axes
    assert u.get_title() == f"u: rms difference {np.sqrt(5 / 8) / 2:.3g} at 8 points"
    assert v.get_title() == "v: rms difference 0 at 3 points"
    found = u.collections[0].get_offsets()
    np.testing.assert_allclose(found, np.stack([exact["u"] + 0.5, exact["u"]], axis=1))
    assert [text.get_text() for text in u.get_legend().get_texts()] == ["first", "second"]
    assert v.get_legend() is None


def test_of_a_long_table_a_part_is_drawn_and_all_is_measured(fake):
    run = fake("line")
    points = np.linspace(0, 10, 3 * MOST + 1)[:, None]
    run.problem.measured = {"long": table(points, u=run.predict(points)["u"])}
    axes = figures(run)["fit"].axes[0]
    offsets = axes.collections[0].get_offsets()
    assert len(offsets) == MOST and len(np.unique(offsets[:, 0])) > 0.9 * MOST
    assert axes.get_title().endswith(f"at {3 * MOST + 1:,} points")


def test_without_tables_there_is_no_fit(fake):
    assert "fit" not in figures(fake("line"))


LABELS = {"u": "velocity, m/s", "x": "distance, m", "t": "time, s", "nu": "viscosity ($)"}


def texts(picture):
    return {text.get_text() for text in picture.findobj(mpl.text.Text) if text.get_text()}


def test_labels_take_the_place_of_names(fake):
    run = fake("line_time")
    run.problem.labels = LABELS
    drawn = run.figures()
    assert texts(drawn["solution_u"]) >= {"velocity, m/s: solution", "distance, m", "time, s"}
    assert texts(drawn["slices_u"]) >= {"velocity, m/s", "distance, m", "t = 0"}
    history = pd.DataFrame({"step": [0, 1], "relative_l2/u": [0.2, 0.1], "unknown/nu": [0.3, 0.2]})
    curves = plot_curves(history, {}, {}, LABELS)
    assert "velocity, m/s" in texts(curves["error"])
    (axes,) = curves["unknowns"].axes
    assert axes.get_ylabel() == r"viscosity (\$)"
    # Whatever a label holds can be drawn.
    plot_curves(history, {}, {}, {"u": r"$\x_{$", "nu": "$$"})["error"].canvas.draw()


def test_long_labels_are_broken_into_lines(fake):
    run = fake("line")
    run.problem.labels = {"u": "the displacement of the upper end of the beam, in metres"}
    (label,) = [axes.get_ylabel() for axes in run.figures()["solution"].axes[:1]]
    assert "\n" in label and max(map(len, label.split("\n"))) <= 32


def test_the_edge_of_a_shape_is_smooth_and_its_inside_is_left_alone(fake):
    run = fake("plane_shape")
    inside = lambda p: np.hypot(p[:, 0], p[:, 1]) <= 0.77  # noqa: E731
    run.problem.domain = type(run.problem.domain)("xy", [[-1, 1], [-1, 1]], inside=inside)
    shown = sheet(run, sections(run.problem.domain)[0])
    fine = shown.grid.fine_inside
    side = len(fine)
    middles = -1 + 2 * (np.arange(side) + 0.5) / side
    x, y = np.meshgrid(middles, middles)
    np.testing.assert_array_equal(fine, np.hypot(x, y) <= 0.77)
    solution, cover = heat_maps(run, [shown], "u").axes[0].get_images()
    # Each part of a pixel in the shape has a value below it, though its node may lie outside.
    assert np.isfinite(solution.get_array()).all()
    np.testing.assert_array_equal(cover.get_array()[..., 3] == 0, fine)
    np.testing.assert_array_equal(
        solution.get_array()[shown.grid.inside], shown.values["u"][shown.grid.inside]
    )
    plain = fake("plane")
    (only,) = heat_maps(plain, [sheet(plain, PlaneSection(0, 1))], "u").axes[0].get_images()
    assert only.norm.vmax > only.norm.vmin


def test_residuals_are_drawn_on_every_section_with_one_scale_an_equation(fake):
    run = fake("plane_time")
    run.laws = {
        "first": lambda p: p[:, 2] - 1.5,
        "second": lambda p: 0 * p[:, 0],
        "third": lambda p: np.full(len(p), np.nan),
    }
    picture = run.figures()["residuals"]
    panels = [axes for axes in picture.axes if axes.get_images()]
    assert len(panels) == 6
    titles = {axes.get_title() for axes in panels} - {""}
    assert titles == {"residual of first", "residual of second"}
    norms = [axes.get_images()[0].norm for axes in panels]
    assert len(set(map(id, norms))) == 2 and norms[0].vmax == 1.5 and norms[0].vmin == -1.5
    values = [axes.get_images()[0].get_array().max() for axes in panels[::2]]
    assert values == pytest.approx([-1.5, -0.5, 0.5])


def test_residuals_of_one_coordinate_are_lines(fake):
    run = fake("line")
    run.laws = {"decay": lambda p: p[:, 0] - 3}
    (axes,) = run.figures()["residuals"].axes
    across, values = axes.get_lines()[0].get_data()
    np.testing.assert_allclose(values, across - 3)
    assert axes.get_ylabel() == "decay"


def test_a_few_large_residuals_do_not_hide_the_others(fake):
    run = fake("plane")
    run.laws = {"one": lambda p: np.where(np.hypot(p[:, 0], p[:, 1]) < 0.02, 1e6, p[:, 1])}
    (panel,) = [axes for axes in run.figures()["residuals"].axes if axes.get_images()]
    assert panel.get_images()[0].norm.vmax < 1.1
