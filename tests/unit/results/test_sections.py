"""Where pictures look at a domain with parameters, and at chosen values."""

import numpy as np
import pytest

from pdehvd.errors import ConfigError
from pdehvd.problems.geometry import build_domain
from pdehvd.problems.parameters import LogUniform
from pdehvd.results.fixed_coordinates import fixed_coordinates, place_name
from pdehvd.results.html_page import slider
from pdehvd.results.sections import sections

ALPHA = LogUniform(range=[0.01, 1])


def domain(names, parameters="a", time=None):
    given = {name: ALPHA.build(name, {}) for name in parameters}
    box = {name: [0, 2] for name in names}
    return build_domain(box, time=time, differentiated=names, parameters=given)


@pytest.mark.parametrize(
    ("names", "parameters", "planes"),
    [
        ("xt", "", ["xt"]),
        ("xt", "a", ["xt"] * 3),
        ("xt", "ab", ["xt"] * 3),
        ("xyt", "a", ["xy"] * 3),
        ("xyz", "a", ["xy"] * 3),
        ("xyz", "", ["xy", "xz", "yz"]),
        ("x", "a", ["xa"]),
        ("x", "ab", ["xa"] * 3),
    ],
)
def test_planes_are_of_coordinates_at_three_values_of_the_parameters(names, parameters, planes):
    given = domain(names, parameters)
    found = sections(given)
    assert [given.names[s.horizontal] + given.names[s.vertical] for s in found] == planes
    held = [axis for axis in given.distributions if axis in found[0].fixed]
    for section, value in zip(found, (0.01, 0.1, 1.0), strict=False):
        for axis in held:
            assert section.fixed[axis] == pytest.approx(value)
    if names == "xyt" and parameters:
        assert {section.fixed[2] for section in found} == {2.0}


def test_chosen_values_leave_one_plane():
    given = domain("xyt", "a")
    (section,) = sections(given, {"a": 0.3, "t": 1.5})
    assert section.fixed == {3: 0.3, 2: 1.5}
    (section,) = sections(given, {"x": 0.3, "y": 1.5})
    assert {section.horizontal, section.vertical} == {2, 3}


def test_chosen_values_are_checked():
    given = domain("xt", "a")
    assert fixed_coordinates(given, {"a": 1}) == {"a": 1.0}
    assert place_name({"a": 0.5, "t": 1}) == "a=0.5,t=1"
    for wrong, words in (
        ({"alpha": 1}, "'alpha' is not a coordinate; expected one of x, t, a"),
        ({"a": 3}, r"at\.a: a = 3 is outside the domain; expected a number in \[0.01, 1\]"),
        ({"a": np.nan}, "outside the domain"),
        ({"x": 1, "t": 1, "a": 1}, "all coordinates are fixed"),
    ):
        with pytest.raises(ConfigError, match=words):
            fixed_coordinates(given, wrong)


def test_a_slider_shows_its_first_picture_and_escapes_labels():
    png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (96).to_bytes(4, "big") + bytes(16)
    html = slider("a", [("a = 1 <b>", png), ("a = 2", png)])
    assert html.count("<img") == 2 and html.count("checked") == 1
    assert "<b>" not in html and "<script" not in html
