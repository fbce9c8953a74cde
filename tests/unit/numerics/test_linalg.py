"""The divided symmetric matrix against a plain one."""

import numpy as np
import pytest

from pdehvd.comm.group import Solo
from pdehvd.numerics import linalg
from pdehvd.numerics.linalg import SymmetricMatrix, symmetric_bytes
from tests.support.crew import Crew, Rank
from tests.support.stored import Held, assembled, held

RANDOM = np.random.default_rng(11)
# Full and broken strips, and a single row.
SIZES = [1, 31, 64, 101]


def updates(size, count):
    """Return random (scale, vectors, core) of ranks one to three."""
    random = np.random.default_rng(size)
    found = []
    for number in range(count):
        rank = 1 + number % 3
        core = random.standard_normal((rank, rank))
        found.append(
            (random.uniform(0.8, 1.1), random.standard_normal((size, rank)), core + core.T)
        )
    return found


def updated(group, size, count, dtype=np.float64):
    matrix, plain = SymmetricMatrix(size, np.dtype(dtype), group), np.eye(size)
    for scale, vectors, core in updates(size, count):
        matrix.update(scale, vectors, core)
        plain = scale * plain + vectors @ core @ vectors.T
    return matrix, plain


def dense(matrix):
    return np.stack([matrix @ unit for unit in np.eye(matrix.size)], 1)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("count", [0, 1, 15, 60])
def test_products_after_updates(size, count):
    matrix, plain = updated(Solo(), size, count)
    limit = 1e-13 * max(count, 1) * np.abs(plain).max()
    np.testing.assert_allclose(dense(matrix), plain, rtol=0, atol=limit)


def test_single_precision_is_kept():
    matrix, plain = updated(Solo(), 70, 40, np.float32)
    vector = RANDOM.standard_normal(70).astype(np.float32)
    product = matrix @ vector
    assert product.dtype == np.float32
    assert np.linalg.norm(product - plain @ vector) < 1e-4 * np.linalg.norm(plain @ vector)


def test_rescaling_and_reset():
    matrix, plain = updated(Solo(), 40, 20)
    matrix.rescale(0.25)
    np.testing.assert_allclose(dense(matrix), plain / 4, rtol=0, atol=1e-12 * np.abs(plain).max())
    matrix.reset()
    np.testing.assert_array_equal(dense(matrix), np.eye(40))


@pytest.mark.parametrize("ranks", [2, 3, 7])
@pytest.mark.parametrize("count", [0, 25])
def test_ranks_hold_the_same_matrix_in_parts(monkeypatch, ranks, count):
    monkeypatch.setattr(linalg, "_DIVIDED", 1)
    size = 101

    def work(group):
        matrix, plain = updated(group, size, count)
        return dense(matrix), plain, sum(strip.values.size for strip in matrix._strips)

    results = Crew(ranks).run(work)
    alone = SymmetricMatrix(size, np.dtype(np.float64), Solo())
    whole = sum(strip.values.size for strip in alone._strips)
    assert sum(held for *_, held in results) == whole
    for found, plain, _ in results:
        np.testing.assert_allclose(found, plain, rtol=0, atol=1e-11 * np.abs(plain).max())
        np.testing.assert_array_equal(found, results[0][0])


def test_large_matrices_are_shared_evenly(monkeypatch):
    monkeypatch.setattr(linalg, "_DIVIDED", 500)
    for size, parts in ((499, 1.0), (1000, 1 / 3)):
        groups = [Rank(rank, Crew(3)) for rank in range(3)]
        held = [SymmetricMatrix(size, np.dtype(np.float64), group)._buffer.size for group in groups]
        whole = SymmetricMatrix(size, np.dtype(np.float64), Solo())._buffer.size
        assert max(held) < 1.05 * parts * whole


@pytest.mark.parametrize(("before", "after"), [(1, 1), (1, 3), (3, 1), (3, 2)])
def test_a_checkpoint_goes_on_with_any_number_of_ranks(monkeypatch, before, after):
    monkeypatch.setattr(linalg, "_DIVIDED", 1)
    size = 70
    kept = Crew(before).run(lambda group: updated(group, size, 20)[0].kept())
    stored = Held(assembled(kept))
    more = updates(size, 3)

    def restored(group):
        matrix = SymmetricMatrix.restored(stored, group)
        for update in more:
            matrix.update(*update)
        return dense(matrix)

    _, plain = updated(Solo(), size, 20)
    for scale, vectors, core in more:
        plain = scale * plain + vectors @ core @ vectors.T
    for found in Crew(after).run(restored):
        np.testing.assert_allclose(found, plain, rtol=0, atol=1e-11 * np.abs(plain).max())


def test_a_checkpoint_changes_nothing():
    one, _ = updated(Solo(), 70, 13)
    other = SymmetricMatrix.restored(held(one.kept()), Solo())
    for update in updates(70, 9):
        one.update(*update)
        other.update(*update)
    np.testing.assert_array_equal(dense(one), dense(other))


def test_memory_falls_with_ranks():
    triangle = 8 * 5000**2 / 2
    alone, many = symmetric_bytes(5000, 1), symmetric_bytes(5000, 4)
    assert alone - many == pytest.approx(0.5 * triangle, rel=0.02)
    assert symmetric_bytes(500, 1) == symmetric_bytes(500, 4)
