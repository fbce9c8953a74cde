"""Parametric problems: what a YAML section becomes, and what is refused."""

import numpy as np
import pytest
from pydantic import ValidationError

from pdehvd.config.root import Config, register_builtin
from pdehvd.errors import ConfigError
from pdehvd.problems import family
from pdehvd.problems.family import HELD_OUT

BASE = {
    "name": "parametric",
    "coordinates": {"x": [0, 1], "y": [0, 2]},
    "constants": {"f": 1},
    "inputs": {"nu": {"name": "karhunen_loeve", "modes": 2}},
    "energy": "nu*(u_x**2 + u_y**2)/2 - f*u",
    "boundary": {"x = 0": 1, "x = 1": "y"},
    "resolution": 8,
}


def built(**changes):
    register_builtin()
    problem = {key: value for key, value in {**BASE, **changes}.items() if value is not None}
    sampling = {"name": "samples", "samples": 20, "batch": 4, "held_out": 3}
    config = Config.model_validate(
        {"problem": problem, "sampling": sampling, "model": {"name": "unet", "depth": 2}}
    )
    return config.problem.build(config.sampling, 3)


def test_faces_shapes_and_features():
    problem = built()
    assert [(face.axis, face.end, str(face.value)) for face in problem.faces] == [
        (0, 0, "1"),
        (0, 1, "y"),
    ]
    assert problem.shape(8) == (8, 8)
    assert np.allclose(problem.axes(5)[1], [0, 0.5, 1, 1.5, 2])
    assert str(problem.features[0]) == "log(nu)"
    assert problem.terms == ("energy/ritz",)


def test_held_out_samples_are_others():
    problem = built()
    numbers = np.arange(3)
    trained, held = (problem.draw(numbers, 8, stream).fields["nu"] for stream in (0, HELD_OUT))
    assert trained.shape == (3, 8, 8)
    assert not np.allclose(trained, held)
    assert np.array_equal(problem.draw(numbers[1:], 8).fields["nu"], trained[1:])


def test_samples_drawn_in_groups_are_the_same(monkeypatch):
    problem, numbers = built(), np.arange(5)
    whole = problem.draw(numbers, 8).fields["nu"]
    monkeypatch.setattr(family, "_GROUP", 2 * 8 * 8)
    assert np.array_equal(problem.draw(numbers, 8).fields["nu"], whole)
    single = problem.draw(numbers, 8, dtype=np.float32).fields["nu"]
    assert single.dtype == np.float32
    assert np.array_equal(single, whole.astype(np.float32))


def test_inputs_that_are_constant_get_their_full_size():
    sample = built(inputs={"nu": {"name": "constant", "value": 2}}).draw(np.arange(2), 8)
    assert sample.fields["nu"].shape == (2, 8, 8)
    assert np.all(sample.fields["nu"] == 2)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"energy": None}, "neither 'energy' nor 'residual' is given"),
        ({"residual": "u_xx"}, "are both given"),
        ({"energy": None, "residual": "u_xx", "loss": "galerkin"}, "galerkin needs an energy"),
    ],
)
def test_there_is_one_law(changes, words):
    with pytest.raises(ValidationError, match=words):
        built(**changes)


@pytest.mark.parametrize(
    ("changes", "path", "words"),
    [
        ({"energy": "nu*v_x**2"}, ("energy",), "unknown name"),
        ({"energy": "nu*f"}, ("energy",), "does not contain 'u'"),
        ({"energy": "nu*u_xx**2"}, ("energy",), "order of a derivative is too high"),
        ({"boundary": {"x = 0.5": 1}}, ("boundary", "x = 0.5"), "not a face"),
        ({"boundary": {"z = 0": 1}}, ("boundary", "z = 0"), "unknown name"),
        ({"coordinates": {"x": [1, 0], "y": [0, 1]}}, ("coordinates", "x"), "interval"),
        ({"resolution": 2}, ("resolution",), "resolution of 2"),
        ({"hard": "x*y"}, ("hard",), "does not contain the network"),
        ({"scale": "mu"}, ("scale",), "unknown name"),
        ({"fluxes": {"F": {"value": "u", "along": "x"}}}, ("fluxes",), "no fluxes"),
        ({"differences": {"t": "backward"}}, ("differences", "t"), "not a coordinate"),
        ({"field": "nu"}, ("inputs", "nu"), "used twice"),
    ],
)
def test_what_means_nothing_is_refused(changes, path, words):
    with pytest.raises(ConfigError) as caught:
        built(**changes)
    error = caught.value
    assert words in str(error)
    assert error.path in (path, ("problem", *path), ("energy", *path))
