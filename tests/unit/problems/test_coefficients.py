from typing import Annotated

import numpy as np
import pytest
from pydantic import TypeAdapter

from pdehvd.errors import ConfigError
from pdehvd.problems.coefficients import (
    ConstantSpec,
    FormulaSpec,
    GaussianFieldSpec,
    KarhunenLoeveSpec,
    TwoPhaseSpec,
)
from pdehvd.problems.coefficients_series import covariance_roots
from pdehvd.problems.sequences import Sobol
from pdehvd.spec import Section, Spec, registered

FAMILIES = {
    "karhunen_loeve": KarhunenLoeveSpec(),
    "sobol": KarhunenLoeveSpec(draws="sobol", modes=3, range=(-1, 1)),
    "matern": GaussianFieldSpec(modes=12),
    "squared_exponential": GaussianFieldSpec(
        modes=9, spectrum="squared_exponential", boundary="periodic", transform="none"
    ),
    "dirichlet": GaussianFieldSpec(modes=7, boundary="dirichlet", transform="none", mean=0.5),
    "two_phase": TwoPhaseSpec(modes=10, values=(0.5, 7), fraction=0.3),
    "constant": ConstantSpec(value="0.01/pi"),
    "formula": FormulaSpec(value="exp(a*x) + b", parameters={"a": [-1, 1], "b": [0, "2*pi"]}),
}
BOUNDS = ((-1.0, 2.0), (0.0, 0.3), (1.0, 2.0))


def axes(n, dimension=2):
    return tuple(np.linspace(low, high, n) for low, high in BOUNDS[:dimension])


def draw(spec, indices, nodes, seed=5, stream=1):
    family = spec.build("xyz"[: len(nodes)], seed, stream)
    return family.sample(np.array(indices, np.int64), nodes)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_a_sample_does_not_depend_on_what_else_is_asked(name, dimension):
    spec, nodes = FAMILIES[name], axes(9, dimension)
    whole = draw(spec, range(12), nodes)
    assert whole.shape == (12, *[9] * dimension)
    assert whole.dtype == np.float64
    for chosen in ([11], [3, 0, 7], [], list(range(11, -1, -1))):
        assert np.array_equal(draw(spec, chosen, nodes), whole[chosen])
    far = draw(spec, [10**6, 2], nodes)
    assert np.array_equal(far[1], whole[2])


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_a_sample_is_the_same_function_at_every_resolution(name, dimension):
    coarse = draw(FAMILIES[name], range(6), axes(5, dimension))
    fine = draw(FAMILIES[name], range(6), axes(17, dimension))
    every = (slice(None), *[slice(None, None, 4)] * dimension)
    assert np.allclose(fine[every], coarse, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "constant"])
def test_seed_stream_and_number_change_the_sample(name):
    spec, nodes = FAMILIES[name], axes(17)
    samples = [*draw(spec, range(3), nodes), draw(spec, [0], nodes, seed=6)[0]]
    samples.append(draw(spec, [0], nodes, stream=0)[0])
    for i, first in enumerate(samples):
        assert all(np.abs(first - second).max() > 1e-3 for second in samples[:i])


def test_families_of_one_stream_share_no_numbers():
    random = [spec.random(5, 1).uniform(np.arange(4), 8) for spec in FAMILIES.values()]
    names = [spec.name for spec in FAMILIES.values()]
    for i, first in enumerate(random):
        for j in range(i):
            assert np.isin(first, random[j]).any() == (names[i] == names[j])


@pytest.mark.parametrize("name", FAMILIES)
def test_positive_families_are(name):
    family = FAMILIES[name].build("xy", 1, 0)
    smallest = family.sample(np.arange(20), axes(9)).min()
    assert family.positive == (name not in ("squared_exponential", "dirichlet", "formula"))
    assert smallest > 0 or not family.positive


@pytest.mark.parametrize("name", FAMILIES)
def test_fields_along_some_coordinates_are_constant_along_others(name):
    spec = FAMILIES[name].model_copy(update={"coordinates": ("y",)})
    if name == "formula":
        spec = FormulaSpec(value="a*y", parameters={"a": [0, 1]}, coordinates=("y",))
    nodes = axes(9)
    sample = spec.build("xy", 5, 1).sample(np.arange(4), nodes)
    assert sample.shape == (4, 1, 9)
    alone = spec.build(("y",), 5, 1).sample(np.arange(4), nodes[1:])
    assert np.array_equal(sample[:, 0], alone)
    assert name == "constant" or np.ptp(sample, axis=(1, 2)).max() > 0


def test_roots_of_the_exponential_covariance():
    assert np.allclose(covariance_roots(0.5, 4), [1.72067, 4.05752, 6.85124, 9.82636], atol=5e-6)
    for length in (1e-3, 0.1, 0.5, 3.0, 1e3):
        a = covariance_roots(length, 20)
        left, right = (length**2 * a**2 - 1) * np.sin(a), 2 * length * a * np.cos(a)
        assert np.abs((left - right) / (1 + length**2 * a**2)).max() < 1e-12
        # One root lies in each interval of length pi: none is missing.
        assert np.array_equal(np.floor(a / np.pi), np.arange(20))


def test_modes_are_eigenfunctions_of_the_exponential_covariance():
    length = 0.3
    family = KarhunenLoeveSpec(modes=5, correlation_length=length).build("x", 1, 0)
    x = np.linspace(0, 1, 2001)
    functions = family._functions(x)
    weights = np.full(len(x), x[1])
    weights[[0, -1]] /= 2
    integral = np.exp(-np.abs(x[:, None] - x) / length) @ (weights[:, None] * functions)
    eigenvalues = 2 * length / (1 + (length * family.roots) ** 2)
    assert np.abs(integral - eigenvalues * functions).max() < 1e-5


def test_karhunen_loeve_follows_its_formula():
    family = KarhunenLoeveSpec().build("xy", 1, 0)
    omega = family.latent(np.arange(3))
    assert omega.shape == (3, 4)
    sample = family.sample(np.arange(3), (np.linspace(0, 1, 6), np.linspace(2, 4, 5)))
    logarithm = 0.0
    for i, a in enumerate((1.72066718, 4.05751568, 6.85123692, 9.82636088)):
        x, y = (a / 2 * np.cos(a * t) + np.sin(a * t) for t in (0.6, 0.25))
        logarithm = logarithm + omega[:, i] / (1 + 0.25 * a**2) * x * y
    assert np.allclose(np.log(sample[:, 3, 1]), logarithm, rtol=1e-6)


def test_latent_numbers_fill_their_range():
    omega = KarhunenLoeveSpec(range=[-1, "pi"]).build("x", 3, 0).latent(np.arange(2000))
    assert omega.min() > -1 and omega.max() < np.pi
    assert np.allclose(omega.mean(axis=0), (np.pi - 1) / 2, atol=0.1)
    assert np.abs(np.corrcoef(omega.T) - np.eye(4)).max() < 0.08


def test_sobol_numbers_are_the_sequence_from_any_place():
    random = KarhunenLoeveSpec().random(3, 2, sobol=True)
    sequence = Sobol(3).points(4, 700, 0, 700, random.key)
    indices = np.random.default_rng(0).permutation(700)
    assert np.array_equal(random.uniform(indices, 4), sequence[indices])
    with pytest.raises(ConfigError, match="beyond the end of the Sobol sequence"):
        random.uniform(np.array([2**30]), 4)


def test_formula_and_its_parameters():
    spec = FormulaSpec(value="a*x - y**b", parameters={"a": [2, 3], "b": [1, 2]})
    family = spec.build("xy", 1, 0)
    a, b = family.latent(np.arange(4)).T
    assert ((a >= 2) & (a < 3) & (b >= 1) & (b < 2)).all()
    x, y = axes(5)
    expected = a[:, None, None] * x[:, None] - y ** b[:, None, None]
    assert np.allclose(family.sample(np.arange(4), (x, y)), expected, rtol=1e-14)
    plain = FormulaSpec(value="2").build("xy", 1, 0)
    assert plain.latent(np.arange(2)) is None
    assert plain.positive and np.array_equal(plain.sample([0, 1], (x, y)), np.full((2, 5, 5), 2.0))
    number = FormulaSpec(value="a", parameters={"a": [0, 1]}, coordinates=()).build("xy", 1, 0)
    sample = number.sample(np.arange(3), (x, y))
    assert np.array_equal(sample.reshape(3, 1), number.latent(np.arange(3)))
    assert sample.shape == (3, 1, 1)


def test_what_sympy_can_prove_is_positive():
    known = {"exp(a*x)": True, "1 + a**2": True, "a*x": False, "-1": False, "2 - a**2": False}
    for text, positive in known.items():
        spec = FormulaSpec(value=text, parameters={"a": [-1, 1]})
        assert spec.build("x", 0, 0).positive == positive


def test_values_that_are_not_finite_or_positive_are_refused():
    with pytest.raises(ConfigError, match=r"sample \d of 'log\(a\)' is not finite"):
        draw(FormulaSpec(value="log(a)", parameters={"a": [-1, 1]}), range(9), axes(3))
    with pytest.raises(ConfigError, match="'karhunen_loeve' is not positive and finite"):
        draw(KarhunenLoeveSpec(range=(-9e3, 9e3)), range(9), axes(3))
    with pytest.raises(ConfigError, match="'gaussian_field' is not positive and finite"):
        draw(GaussianFieldSpec(mean=-1e3), range(9), axes(3))


def test_all_are_members_of_the_section():
    names = {"karhunen_loeve", "gaussian_field", "two_phase", "constant", "formula"}
    assert names <= set(registered("coefficient"))
    adapter = TypeAdapter(Annotated[Spec, Section("coefficient")])
    spec = adapter.validate_python({"name": "two_phase", "values": [1, 2], "coordinates": ["x"]})
    assert spec == TwoPhaseSpec(values=(1, 2), coordinates=("x",))
    assert adapter.validate_python("karhunen_loeve") == KarhunenLoeveSpec()


@pytest.mark.parametrize(
    ("spec", "keys", "path", "message"),
    [
        (KarhunenLoeveSpec, {"modes": 0}, "modes", "at least 1"),
        (KarhunenLoeveSpec, {"range": [3, -3]}, "range", "is not increasing"),
        (KarhunenLoeveSpec, {"range": [1, 1]}, "range", "is not increasing"),
        (KarhunenLoeveSpec, {"range": 3}, "range", "not a pair of numbers"),
        (KarhunenLoeveSpec, {"range": [0, "x"]}, "range", "x"),
        (KarhunenLoeveSpec, {"range": [0, float("inf")]}, "range", "not finite"),
        (KarhunenLoeveSpec, {"correlation_length": -1}, "correlation_length", "greater than 0"),
        (KarhunenLoeveSpec, {"draws": "halton"}, "draws", "uniform"),
        (KarhunenLoeveSpec, {"coordinates": "x"}, "coordinates", "a list"),
        (GaussianFieldSpec, {"modes": 0}, "modes", "at least 1"),
        (KarhunenLoeveSpec, {"modes": 10**18}, "modes", "at most 10000"),
        (GaussianFieldSpec, {"length_scale": 0}, "length_scale", "greater than 0"),
        (GaussianFieldSpec, {"length_scale": float("inf")}, "length_scale", "finite"),
        (GaussianFieldSpec, {"deviation": -1}, "deviation", "greater than 0"),
        (GaussianFieldSpec, {"smoothness": 0}, "smoothness", "greater than 0"),
        (TwoPhaseSpec, {"values": [5, 1]}, "values", "is not increasing"),
        (TwoPhaseSpec, {"values": [1, 5], "fraction": 0}, "fraction", "greater than 0"),
        (TwoPhaseSpec, {"values": [1, 5], "fraction": 1}, "fraction", "less than 1"),
        (TwoPhaseSpec, {"values": [1, 5], "boundary": "dirichlet"}, "boundary", "periodic"),
        (TwoPhaseSpec, {}, "", "the key 'values' is missing"),
        (ConstantSpec, {"value": "1/0"}, "value", "zero"),
        (
            FormulaSpec,
            {"value": "a", "parameters": {"a": [1, 0]}},
            "parameters.a",
            "not increasing",
        ),
    ],
)
def test_bad_keys_are_refused(spec, keys, path, message):
    with pytest.raises(ConfigError, match=message) as caught:
        spec(**keys)
    section, *place = caught.value.path
    assert section == "coefficient" and ".".join(map(str, place)) == path


@pytest.mark.parametrize(
    ("spec", "path", "message"),
    [
        (KarhunenLoeveSpec(coordinates=("x", "t")), ("coordinates", 1), "'t' is not a coordinate"),
        (GaussianFieldSpec(coordinates=("x", "x")), ("coordinates", 1), "'x' is named twice"),
        (TwoPhaseSpec(values=(1, 2), coordinates=()), ("coordinates",), "no coordinate to vary"),
        (ConstantSpec(coordinates=("z",)), ("coordinates", 0), "'z' is not a coordinate"),
        (FormulaSpec(value="x*t"), ("value",), "'t'"),
        (FormulaSpec(value="x*y", coordinates=("x",)), ("value",), "'y'"),
        (FormulaSpec(value="x +"), ("value",), "invalid syntax"),
        (FormulaSpec(value="x", parameters={"x": [0, 1]}), ("parameters", "x"), "used twice"),
        (FormulaSpec(value="e", parameters={"e": [0, 1]}), ("parameters", "e"), "has a meaning"),
    ],
)
def test_what_does_not_fit_the_problem_is_refused(spec, path, message):
    with pytest.raises(ConfigError) as caught:
        spec.build("xy", 0, 0)
    assert caught.value.path == path
    assert message in str(caught.value)
