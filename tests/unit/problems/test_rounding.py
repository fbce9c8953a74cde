"""Points that rounding moved out of the domain are moved back; true outsiders are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from pydantic import TypeAdapter

from pdehvd.errors import ConfigError
from pdehvd.problems.geometry import Domain, build_domain
from pdehvd.problems.measured import read_measured
from pdehvd.problems.rounding import fit_into_domain
from pdehvd.problems.shapes import GeometrySpec

SHAPES: dict[str, dict[str, Any]] = {
    "disk": {"disk": {"center": [3, -2], "radius": 0.7}},
    "ellipse": {"ellipse": {"center": [0, 0], "radii": [1, 0.1], "angle": 0.3}},
    "triangle": {"polygon": [[0, 0], [1 / 3, 0], [0.1, 1 / 7]]},
    "ring": {"difference": [{"disk": {"radius": 1}}, {"disk": {"radius": 1 / 3}}]},
    "ball": {"ball": {"center": [0.1, 0.2, 0.3], "radius": 1 / 3}},
    "shell": {"difference": [{"ball": {"radius": 1}}, {"ball": {"radius": 1 / 3}}]},
}


def shaped(name: str) -> Domain:
    shape = TypeAdapter(GeometrySpec).validate_python(SHAPES[name])
    names = "xyz"[: shape.build().dimension]
    return build_domain({**dict.fromkeys(names), "t": [0, "pi"]}, shape)


def interval(low: Any, high: Any) -> Domain:
    return build_domain({"t": [low, high]})


def rim(domain: Domain, count: int = 200) -> np.ndarray:
    """Points on the boundary of the shape, at the last time."""
    random = np.random.default_rng(0)
    parts = []
    for leaf in domain.frame.shape.leaves():
        for surface in leaf.surfaces:
            x, _ = surface.points(random.random((count, surface.parameters)))
            parts.append(x[domain.frame.shape.contains(x)])
    points = np.concatenate(parts)
    return np.column_stack([points, np.full(len(points), np.pi)])


@pytest.mark.parametrize(
    ("domain", "values", "moved"),
    [
        (interval(0, "pi/2"), [0, 0.78539819, 1.5707964], 7.3205e-8),
        (interval(0, "2*pi"), [0, 0.1, 6.28318548], 1.7282e-7),
        (interval(0, "pi/2"), [0, 0.785, 1.571], 2.0367e-4),
        (interval("-pi", "pi"), [-3.14159266, 0.1], 6.4102e-9),
        (interval(0, 1), [0.3, float(np.float32(1) + np.float32(1.2e-7))], 1.19e-7),
        (interval("1/3", 1), [0.3333333, 0.5], 3.333e-8),
        (interval("1000/3", 334), [333.33333, 333.5], 3.333e-6),
    ],
)
def test_rounding_is_moved(domain: Domain, values: list[float], moved: float) -> None:
    result = fit_into_domain(domain, np.array(values)[:, None])
    assert result.moved.max() == pytest.approx(moved, rel=1e-2)
    assert np.count_nonzero(result.moved) == 1 and not result.outside.any()
    assert domain.contains(result.x).all()
    low, high = domain.bounds[0]
    assert np.allclose(result.x[:, 0], np.clip(values, low, high), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("domain", "values", "distance"),
    [
        (interval(0, "pi/2"), [0, 0.785, 1.58], 9.204e-3),
        (interval(0, "pi/2"), [0, 0.78539819, 1.571], 2.0367e-4),
        (interval(0, "pi/2"), [0, 1 / 3, 1.5707964], 7.3205e-8),
        (interval(0, 1), [0.25, 1.001], 1e-3),
        (interval(0, 0.9), [0, 1], 0.1),
        (interval(0, 1), [-1e-5, 0.123456], 1e-5),
        (interval(0, 1e-6), [0, 2e-6], 1e-6),
        (interval(0, 1), [0, 1e30], 1e30),
    ],
)
def test_outsiders_are_told_with_their_distance(
    domain: Domain, values: list[float], distance: float
) -> None:
    result = fit_into_domain(domain, np.array(values)[:, None])
    assert result.outside.max() == pytest.approx(distance, rel=1e-2)
    assert np.count_nonzero(result.outside) == 1 and not result.moved.any()


@pytest.mark.parametrize("digits", [None, 4])
@pytest.mark.parametrize("name", SHAPES)
def test_rims_of_shapes(name: str, digits: int | None) -> None:
    domain = shaped(name)
    exact = rim(domain)
    x = exact.astype(np.float32).astype(float) if digits is None else exact.round(digits)
    outside = ~domain.contains(x)
    assert outside.any()
    result = fit_into_domain(domain, x)
    assert domain.contains(result.x).all() and not result.outside.any()
    assert ((result.moved > 0) == outside).all()
    assert (result.x == x)[~outside].all()
    bound = 1e-6 if digits is None else 1e-4
    assert result.moved.max() < bound
    assert np.abs(result.x - x).max() <= result.moved.max() * (1 + 1e-6)


@pytest.mark.parametrize("name", SHAPES)
def test_outsiders_of_shapes(name: str) -> None:
    domain = shaped(name)
    x = rim(domain).astype(np.float32).astype(float)
    middle = domain.bounds.mean(axis=1)
    far = domain.bounds[:, 1] + np.array([0.25] * (len(middle) - 1) + [-0.5])
    result = fit_into_domain(domain, np.stack([*x, far]))
    assert list(np.flatnonzero(result.outside)) == [len(x)]
    space = np.linalg.norm(rim(domain, 4000)[:, :-1] - far[:-1], axis=1).min()
    assert result.outside[-1] == pytest.approx(space, rel=0.02)


def test_late_points_of_shapes() -> None:
    result = fit_into_domain(shaped("disk"), np.array([[3.0, -2.0, 3.5]]))
    assert result.outside[0] == pytest.approx(3.5 - np.pi)


def test_a_table_with_other_letters_names_what_to_rename(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text("T (s);U (mg/l)\n0;1\n")
    with pytest.raises(ConfigError, match=r"expected one of u; in the table, rename ") as caught:
        read_measured(str(file), None, ["u"], interval(0, 1), lambda _: ["t"])
    assert str(caught.value).endswith("'T (s)' to 't', 'U (mg/l)' to 'u'")


def test_units_in_names_are_read_and_noted(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text("t (s);u (mg/l)\n0;1\n")
    found = read_measured(str(file), None, ["u"], interval(0, 1), lambda _: ["t"])
    assert found.notes == ("table.csv: t in s, u in mg/l; the numbers are used as they are",)


def read(file: Path):
    return read_measured(str(file), None, ["u"], interval(0, "pi/2"), lambda _: ["t"])


def test_tables_in_single_precision(tmp_path: Path) -> None:
    t = np.linspace(0, np.float32(np.pi / 2), 5, dtype=np.float32)
    assert float(t[-1]) > np.pi / 2
    columns = {"t": t, "u": np.sin(t)}
    np.savez(tmp_path / "a.npz", **columns)
    with h5py.File(tmp_path / "b.h5", "w") as archive:
        for name, column in columns.items():
            archive[name] = column
    np.savetxt(tmp_path / "c.csv", np.stack([t, np.sin(t)], 1), header="t u", fmt="%.9g")
    (tmp_path / "d.csv").write_text("t,u\n" + "".join(f"{value!s},1\n" for value in t))
    for file in sorted(tmp_path.iterdir()):
        found = read(file)
        assert found.source.x[-1, 0] == np.pi / 2
        (note,) = found.notes
        assert note.startswith(f"{file.name}: 1 point outside the domain by rounding was moved")
        moved = 7.3e-8 if file.name == "d.csv" else 4.37e-8
        assert float(note.rsplit(" ", 1)[1]) == pytest.approx(moved, rel=0.02)


def test_what_is_said_of_outsiders(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("# c\nt,u\n0,1\n2,1\n-0.5,1\n")
    with pytest.raises(ConfigError) as caught:
        read(file)
    assert caught.value.path == ("data",)
    assert caught.value.message == (
        f"{file}: 2 of 3 rows lie outside the domain, the farthest is row 3 (line 5), by 0.5"
    )
    file.write_text("t,u\n0,1\n2,1\n")
    with pytest.raises(ConfigError, match=r"row 2 \(line 3\) lies outside the domain, by 0.429"):
        read(file)
