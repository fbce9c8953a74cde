import numpy as np
import pytest

from pdehvd.errors import ConfigError
from pdehvd.problems.coefficients import GaussianFieldSpec, TwoPhaseSpec

BOUNDS = ((-1.0, 2.0), (0.0, 0.3), (1.0, 2.0))


def axes(n, dimension=2):
    return tuple(np.linspace(low, high, n) for low, high in BOUNDS[:dimension])


def draw(spec, indices, nodes):
    family = spec.build("xyz"[: len(nodes)], 5, 1)
    return family.sample(np.array(indices, np.int64), nodes)


def test_gaussian_field_has_its_mean_and_deviation():
    spec = GaussianFieldSpec(transform="none", mean=3, deviation=2, length_scale=0.02, modes=48)
    x = (np.arange(200) + 0.5) / 200
    # The first and last node are the ends, so the midpoints lie between two more.
    sample = draw(spec, range(400), (np.array([0, *x, 1.0]),))[:, 1:-1]
    assert sample.mean() == pytest.approx(3, abs=0.05)
    assert sample.var() == pytest.approx(4, rel=0.05)
    fine = np.log(draw(spec.model_copy(update={"transform": "exp"}), [0], (x,)))
    assert np.allclose(fine, draw(spec, [0], (x,)))


@pytest.mark.parametrize(
    ("keys", "covariance"),
    [
        ({"smoothness": 0.5}, lambda r: np.exp(-r)),
        ({"smoothness": 1.5}, lambda r: (1 + np.sqrt(3) * r) * np.exp(-np.sqrt(3) * r)),
        ({"spectrum": "squared_exponential"}, lambda r: np.exp(-(r**2) / 2)),
    ],
)
def test_covariance_is_that_of_the_spectrum(keys, covariance):
    length = 0.1
    series = GaussianFieldSpec(boundary="periodic", length_scale=length, modes=2000, **keys)
    series = series.series(0, 0)
    t = np.linspace(0, 2, 41)
    (functions,) = series._functions((t,))
    variances = series._deviations((t,)) ** 2
    assert np.allclose((functions**2) @ variances, 1)
    near = t <= 0.5
    expected = covariance(t[near] / length)
    assert np.abs((functions[near] * functions[0]) @ variances - expected).max() < 2e-3


def test_two_dimensional_covariance_does_not_depend_on_the_direction():
    series = GaussianFieldSpec(boundary="periodic", modes=152, length_scale=0.1).series(0, 0)
    t = np.array([0, 0.06, 0.08, 0.1, 1])
    variances = series._deviations((t, t)) ** 2
    (functions, _) = series._functions((t, t))
    covariance = (functions * functions[0]) @ variances @ (functions * functions[0]).T
    assert covariance[3, 0] == pytest.approx(covariance[1, 2], rel=1e-3)
    assert covariance[3, 0] == pytest.approx((1 + 3**0.5) * np.exp(-(3**0.5)), rel=1e-2)


@pytest.mark.parametrize("boundary", ["neumann", "dirichlet", "periodic"])
def test_the_variance_is_one_on_average_over_the_box(boundary):
    series = GaussianFieldSpec(boundary=boundary, modes=6).series(0, 0)
    nodes = axes(33)
    variance = series.deviation(nodes)[0] ** 2
    weights = np.full(33, 1 / 32)
    weights[[0, -1]] /= 2
    # The trapezoidal rule is exact for these modes.
    assert weights @ variance @ weights == pytest.approx(1, rel=1e-12)
    assert (np.ptp(variance) < 1e-12) == (boundary == "periodic")


def test_a_field_is_the_sum_of_its_modes():
    series = GaussianFieldSpec(modes=3, length_scale=0.7).series(2, 3)
    nodes = tuple(axis[: 4 + d] for d, axis in enumerate(axes(7, 3)))
    numbers = series.random.normal(np.arange(2), 27).reshape(2, 3, 3, 3)
    sizes, functions = series._deviations(nodes), series._functions(nodes)
    expected = np.einsum("bklm,klm,xk,yl,zm->bxyz", numbers, sizes, *functions)
    assert np.allclose(series.values(np.arange(2), nodes), expected, rtol=1e-12, atol=1e-12)
    variance = np.einsum("klm,xk,yl,zm->xyz", sizes**2, *(f**2 for f in functions))
    assert np.allclose(series.deviation(nodes)[0] ** 2, variance, rtol=1e-12)
    cosines = np.cos(np.pi * np.arange(3) / 4)
    assert np.allclose(functions[1][1], cosines * [1, 2**0.5, 2**0.5])


def test_boundaries():
    x = (np.linspace(0, 2, 801),)
    zero, slope, around = (
        draw(GaussianFieldSpec(boundary=kind, modes=6, transform="none"), range(5), x)
        for kind in ("dirichlet", "neumann", "periodic")
    )
    assert np.abs(zero[:, [0, -1]]).max() < 1e-12 and np.abs(zero).max() > 0.5
    assert np.abs(slope[:, 1] - slope[:, 0]).max() < 0.01 * np.abs(np.diff(slope)).max()
    assert np.abs(slope[:, 0]).min() > 1e-3
    assert np.abs(around[:, 0] - around[:, -1]).max() < 1e-12
    assert np.abs(np.diff(around)[:, 0] - np.diff(around)[:, -1]).max() < 1e-3
    assert np.ptp(around[:, 0]) > 0.1


@pytest.mark.parametrize("boundary", ["neumann", "periodic"])
def test_each_node_is_of_the_first_phase_with_the_given_probability(boundary):
    spec = TwoPhaseSpec(modes=8, values=(1, 10), fraction=0.2, boundary=boundary)
    low = draw(spec, range(4000), axes(5)) == 1
    assert np.abs(low.mean(axis=0) - 0.2).max() < 0.03
    assert set(np.unique(draw(spec, range(5), axes(9)))) == {1.0, 10.0}


def test_smoothness_goes_with_matern_only():
    with pytest.raises(ConfigError, match="smoothness: 'smoothness' does not go with squared"):
        GaussianFieldSpec(spectrum="squared_exponential", smoothness=1)
