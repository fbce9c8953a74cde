"""Every reference satisfies the equations and conditions that its config file states."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import sympy

from pdehvd.config.yaml_source import read_source
from pdehvd.numerics.expressions import compile_numpy, partial_of
from pdehvd.numerics.functions import Where
from pdehvd.problems.evaluation import evaluation_points
from pdehvd.problems.pde import PDESpec
from pdehvd.problems.pde_problem import PDEProblem
from pdehvd.problems.sampling import SamplingSpec
from pdehvd.problems.sequences import Sobol
from pdehvd.reference import Reference
from pdehvd.reference.base import ReferenceSpec
from pdehvd.reference.exact import ExactReference
from pdehvd.spec import registered
from scripts import make_data

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted(
    path.stem
    for path in (ROOT / "configs").glob("*.yaml")
    if read_source(path).data["problem"]["name"] == "pde"
)
TOLERANCE = 1e-8
# Fields that are zero: they have no relative error, so the reference leaves them out.
ZERO = {"conjugate_heat": {"v_channel"}}

Values = Mapping[str, np.ndarray]
Derivative = Callable[[str, tuple[int, ...], np.ndarray], np.ndarray]


def opened(name: str) -> tuple[PDEProblem, Reference]:
    """Build the problem and the reference of a config file."""
    folder = ROOT / "configs"
    text = read_source(folder / f"{name}.yaml").data
    spec = PDESpec.model_validate(text["problem"], context={"folder": str(folder)})
    sampled = [key for key, condition in spec.conditions.items() if condition.drawn]
    counts = {"equations": 128, "conditions": dict.fromkeys(sampled, 32)}
    sampling = registered("sampling")["sobol"].model_validate(counts)
    assert isinstance(sampling, SamplingSpec)
    problem = spec.build(sampling, seed=7)
    assert isinstance(spec.reference, ReferenceSpec)
    inlined = spec.reference.inlined(problem.language.inlined)
    reference = inlined.build(problem.coordinates, problem.outputs, spec.numbers())  # type: ignore[attr-defined]
    return problem, reference


def form_of(problem: PDEProblem, reference: ExactReference, field: str) -> sympy.Expr:
    """Return the closed form of a field of the network: of the part in which it lives."""
    (part, own), *_ = problem.subdomains.raw(field)
    name = next((name for name, raw in part.fields.items() if raw == own), field)
    form = reference.expressions.get(name, sympy.S.Zero)
    if part.place is None:
        return form
    x = evaluation_points(problem.domain)
    inside = dict(zip(problem.coordinates, x[part.place.interior(x)][0], strict=True))
    place = {sympy.Symbol(name, real=True): value for name, value in inside.items()}
    return form.replace(
        lambda one: isinstance(one, Where),
        lambda one: one.args[1] if one.args[0].subs(place) == sympy.true else one.args[2],
    )


def exact_derivative(problem: PDEProblem, reference: ExactReference) -> Derivative:
    """Differentiate closed forms with SymPy."""

    def derivative(field: str, orders: tuple[int, ...], x: np.ndarray) -> np.ndarray:
        form = form_of(problem, reference, field)
        for name, order in zip(reference.coordinates, orders, strict=True):
            form = sympy.diff(form, sympy.Symbol(name, real=True), order)
        columns = dict(zip(reference.coordinates, x.T, strict=True))
        return compile_numpy([form], reference.coordinates)(columns)[0]

    return derivative


def patch_derivative(
    reference: Reference, bounds: np.ndarray, half_widths: tuple[float, ...], nodes: int = 16
) -> Derivative:
    """Differentiate samples: the polynomial through Chebyshev points of a patch around a point."""
    s = np.cos(np.pi * (np.arange(nodes) + 0.5) / nodes)
    inverse = np.linalg.inv(np.polynomial.chebyshev.chebvander(s, nodes - 1))

    def derivative(field: str, orders: tuple[int, ...], x: np.ndarray) -> np.ndarray:
        if not any(orders):
            return reference(x)[field]
        (axis,) = np.flatnonzero(orders)
        half = half_widths[axis]
        centre = np.clip(x[:, axis], bounds[axis, 0] + half, bounds[axis, 1] - half)
        samples = np.repeat(x[:, None], nodes, axis=1)
        samples[..., axis] = centre[:, None] + half * s
        values = reference(samples.reshape(-1, x.shape[1]))[field].reshape(-1, nodes)
        series = np.polynomial.chebyshev.chebder(inverse @ values.T, orders[axis], half**-1.0)
        place = (x[:, axis] - centre) / half
        terms = np.polynomial.chebyshev.chebvander(place, len(series) - 1)
        return np.einsum("nk,kn->n", terms, series)

    return derivative


def residuals(
    problem: PDEProblem, reference: Reference, derivative: Derivative
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return first points [n, D] and residuals [n, R] of the items of all terms but data."""
    result = {}
    for block in problem.blocks:
        items = block.source.items(0, 0, block.count)
        for term in block.terms:
            if term.name.startswith("data/"):
                continue
            values: dict[str, np.ndarray] = {
                **dict(zip(problem.coordinates, items.x.T, strict=True)),
                **items.extras,
                **{name: np.full(len(items.x), true) for name, true in reference.unknowns.items()},
            }
            names = sorted({s.name for e in term.expressions for s in e.free_symbols})
            for name in names:
                if name not in values:
                    partial = partial_of(name, problem.fields, problem.coordinates)
                    assert partial is not None
                    values[name] = derivative(partial.field, partial.orders, items.x)
            rows = compile_numpy(list(term.expressions), names)({n: values[n] for n in names})
            sums = np.stack([row.reshape(block.count, -1).sum(axis=1) for row in rows], axis=1)
            result[term.name] = (items.x[:: block.source.points_per_item], sums)
    return result


# Half widths of patches per axis: inside the distance over which the solution is analytic.
PATCHES = {
    "burgers": (0.003, 0.003),
    "burgers_inverse": (0.003, 0.003),
    "allen_cahn": (0.0015, 0.002),
    "poisson_lshape": (0.03, 0.03),
    "ode_lorenz": (0.02,),
    "lorenz_inverse": (0.02,),
}


def subject(name: str) -> str:
    """Return what a config is about, without the optimizer that its name may end with."""
    return re.sub("_(ssbroyden|gauss_newton|spring|kfac|large_batch)$", "", name)


def smooth(name: str, x: np.ndarray) -> np.ndarray:
    """Return which points are far enough from singularities for samples to be differentiated."""
    if subject(name) == "allen_cahn":  # the slope jumps at t = 0
        return x[:, 1] > 0.01
    if name == "poisson_lshape":  # the gradient is infinite at the re-entrant corner
        return (x < -0.06).any(axis=1) & (np.hypot(x[:, 0], x[:, 1]) > 0.15)
    return np.ones(len(x), bool)


@pytest.mark.parametrize("name", [name for name in CONFIGS if name != "schrodinger"])
def test_reference_satisfies_its_config(name: str) -> None:
    problem, reference = opened(name)
    if isinstance(reference, ExactReference):
        derivative = exact_derivative(problem, reference)
    else:
        derivative = patch_derivative(reference, problem.domain.bounds, PATCHES[subject(name)])
    found = residuals(problem, reference, derivative)
    assert {term for term in problem.terms if not term.startswith("data/")} == set(found)
    for term, (x, rows) in found.items():
        checked = np.abs(rows[smooth(name, x)]) if term.startswith("equation/") else np.abs(rows)
        if term == "condition/sides":
            checked = np.abs(rows[smooth(name, x)])
        assert len(checked) >= 0.7 * len(rows) > 0, term
        assert checked.max() < TOLERANCE, term
    known = {raw for name in reference.fields for _, raw in problem.subdomains.raw(name)}
    assert known >= set(problem.fields) - ZERO.get(name, set())
    assert set(reference.unknowns) == {unknown.name for unknown in problem.unknowns}


@pytest.mark.parametrize("name", CONFIGS)
def test_hard_conditions_hold_for_the_reference(name: str) -> None:
    """Where the factor of `network` is zero, the form must be the reference itself."""
    problem, reference = opened(name)
    bounds = problem.domain.bounds
    faces = []
    for axis in range(len(bounds)):
        for end in bounds[axis]:
            x = bounds[:, 0] + (bounds[:, 1] - bounds[:, 0]) * np.random.default_rng(3).random(
                (32, len(bounds))
            )
            x[:, axis] = end
            faces.append(x[problem.domain.contains(x)])
    if problem.domain.frame.shape is not None:
        region = problem.domain.region("boundary")
        count = problem.domain.count(region, 64)
        faces.append(problem.domain.sample(region, Sobol(0), count, 0, count, ()).x)
    for field, form in problem.hard.items():
        network = sympy.Symbol("network", real=True)
        function = compile_numpy(
            [form, sympy.diff(form, network)], [*problem.coordinates, "network"]
        )
        fixed = 0
        for x in faces:
            columns = dict(zip(problem.coordinates, x.T, strict=True))
            base, factor = function(columns | {"network": np.zeros(len(x))})
            rows = np.abs(factor) < 1e-12
            fixed += rows.sum()
            assert np.abs(base - reference(x)[field])[rows].max(initial=0.0) < TOLERANCE
        assert fixed > 0


def test_schrodinger_in_the_sense_of_distributions() -> None:
    """The corner at |x| = 5 leaves h_xx no pointwise meaning; every low mode must still balance."""
    problem, reference = opened("schrodinger")
    count, kept, half, nodes = 2048, 60, 0.004, 14
    x = -5 + 10 * np.arange(count) / count
    k = 2 * np.pi / 10 * np.arange(kept + 1)
    s = np.cos(np.pi * (np.arange(nodes) + 0.5) / nodes)
    slope = np.polynomial.chebyshev.chebder(
        np.linalg.inv(np.polynomial.chebyshev.chebvander(s, nodes - 1)), 1, 1 / half
    )
    slope_now = np.polynomial.chebyshev.chebvander(np.zeros(1), nodes - 2)[0] @ slope

    def low(values: np.ndarray) -> np.ndarray:
        return np.fft.rfft(values)[: kept + 1] / count

    def back(modes: np.ndarray) -> np.ndarray:
        return np.fft.irfft(np.pad(modes, (0, count // 2 - kept)) * count, count)

    def at(t: float) -> dict[str, np.ndarray]:
        return reference(np.stack([x, np.full(count, t)], axis=1))

    (block,) = [block for block in problem.blocks if block.terms[0].name.startswith("equation/")]
    for t in (0.05, np.pi / 4, 1.5):
        now, around = at(t), [at(t + half * float(shift)) for shift in s]
        values = dict(now)
        for field in ("u", "v"):
            values[f"{field}_xx"] = back(-(k**2) * low(now[field]))
            values[f"{field}_t"] = back(slope_now @ np.stack([low(a[field]) for a in around]))
        for term in block.terms:
            names = sorted(symbol.name for symbol in term.expressions[0].free_symbols)
            row = compile_numpy(term.expressions, names)({name: values[name] for name in names})[0]
            assert np.abs(low(row)).max() < TOLERANCE, (term.name, t)


def test_periodic_networks_have_periodic_references() -> None:
    """What a periodic embedding imposes must be true: equal values and slopes on both faces."""
    checked = set()
    for name in CONFIGS:
        model = read_source(ROOT / "configs" / f"{name}.yaml").data.get("model", {})
        for coordinate, period in model.get("periodic", {}).items():
            assert period is True
            problem, reference = opened(name)
            axis = problem.coordinates.index(coordinate)
            bounds = problem.domain.bounds
            unit = np.random.default_rng(5).random((32, len(bounds)))
            low, high = (bounds[:, 0] + (bounds[:, 1] - bounds[:, 0]) * unit for _ in range(2))
            low[:, axis], high[:, axis] = bounds[axis]
            slope = tuple(int(d == axis) for d in range(len(bounds)))
            for field in reference.fields:
                gap = reference(low)[field] - reference(high)[field]
                assert np.abs(gap).max() < TOLERANCE, name
                if name != "schrodinger":  # its slope at the faces exists only on average
                    slopes = patch_derivative(reference, bounds, PATCHES[subject(name)])
                    jump = slopes(field, slope, low) - slopes(field, slope, high)
                    assert np.abs(jump[smooth(name, low)]).max() < TOLERANCE, name
            checked.add(subject(name))
    assert checked == {"allen_cahn", "schrodinger"}


def test_every_builtin_reference_is_named_by_a_config() -> None:
    named = set()
    for name in CONFIGS:
        text = read_source(ROOT / "configs" / f"{name}.yaml").data
        named.add(text["problem"]["reference"]["name"])
    points = {name for name, spec in registered("reference").items() if spec.kind == "points"}
    assert named | {"file"} == points


@pytest.mark.parametrize("name", sorted(make_data.MEASUREMENTS))
def test_measurements_are_the_reference_and_the_stated_noise(name: str) -> None:
    wanted = make_data.MEASUREMENTS[name]
    path = ROOT / "configs" / "data" / f"{name}.csv"
    problem, reference = opened(name)
    table = np.genfromtxt(path, delimiter=",", names=True)
    assert len(table) == wanted.count
    points = np.stack([table[coordinate] for coordinate in problem.coordinates], axis=1)
    true = reference(points)
    for field in wanted.fields:
        noise = (table[field] - true[field]).std() / true[field].std()
        assert 0.8 * wanted.noise < noise < 1.2 * wanted.noise
    made = np.genfromtxt(make_data.table(name).splitlines(), delimiter=",", names=True)
    for column in table.dtype.names:
        assert np.allclose(table[column], made[column], rtol=0, atol=2e-6)
