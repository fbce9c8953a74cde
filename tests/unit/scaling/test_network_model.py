"""Costs of allreduces: the formulas, fits to made-up times, topologies."""

import numpy as np
import pytest

from pdehvd.errors import ConfigError
from pdehvd.scaling import network_measurement
from pdehvd.scaling.network_model import (
    ALGORITHMS,
    AllreduceSample,
    Link,
    bus_bandwidth,
    counts,
    fit_link,
)
from pdehvd.scaling.topology import Topology

SIZES = [1024 * 4**k for k in range(9)]
A, B, G = 20e-6, 0.8e-9, 0.2e-9


def made_up(algorithm, processes, noise=0.0):
    link, generator = Link(algorithm, A, B, G), np.random.default_rng(1)
    return [
        AllreduceSample(n, size, link.seconds(n, size) * (1 + noise * generator.standard_normal()))
        for n in processes
        for size in SIZES
    ]


def test_the_formulas_by_hand():
    # Ring of 4: six rounds of a quarter of the bytes, of which three add.
    assert counts("ring", 4, 100) == (6, 150, 75)
    assert counts("recursive doubling", 4, 100) == (2, 200, 200)
    assert counts("recursive doubling", 5, 100) == (3, 300, 300)
    assert counts("ring", 1, 100) == (0, 0, 0)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("processes", [(2,), (2, 4, 8)])
def test_a_fit_finds_what_the_times_were_made_of(algorithm, processes):
    link = fit_link(made_up(algorithm, processes), algorithm, G)
    assert (link.latency, link.per_byte) == (pytest.approx(A), pytest.approx(B))
    assert link.misfit < 1e-9


def test_noise_moves_a_fit_little_and_shows_as_misfit():
    link = fit_link(made_up("ring", (2, 4), noise=0.05), "ring", G)
    assert link.latency == pytest.approx(A, rel=0.1) and link.per_byte == pytest.approx(B, rel=0.1)
    assert 0.01 < link.misfit < 0.1


def test_a_wrong_algorithm_fits_worse_where_several_counts_were_measured():
    samples = made_up("ring", (2, 4, 16))
    assert (
        fit_link(samples, "recursive doubling", G).misfit
        > 0.05
        > fit_link(samples, "ring", G).misfit
    )


def test_adding_that_was_measured_too_slow_leaves_no_negative_bandwidth():
    link = fit_link(made_up("ring", (2,)), "ring", reduction=100 * (2 * B + G))
    assert link.per_byte == 0 and link.seconds(2, 1e9) == pytest.approx((B + G / 2) * 1e9, rel=0.01)


def test_sizes_near_the_one_asked_for_count_more():
    # A line that is twice as steep above 1 MiB, as where caches end.
    samples = [AllreduceSample(2, n, A + n * B * (2 if n > 2**20 else 1)) for n in SIZES]
    small, large = (fit_link(samples, "ring", 0.0, near=n) for n in (4096, 2**26))
    assert small.seconds(2, 65536) == pytest.approx(A + 65536 * B, rel=0.05)
    assert large.seconds(2, 2**26) == pytest.approx(2**27 * B, rel=0.05)


def test_what_a_size_costs_is_what_was_measured_at_it():
    # A jump at 16 KiB that no line has, as where a protocol changes.
    samples = [AllreduceSample(2, n, (A + n * B) * (2 if n == 16384 else 1)) for n in SIZES]
    for size in (4096, 16384, 2**20):
        link, seconds = (
            fit_link(samples, "ring", 0.0, near=size),
            dict(s[1:] for s in samples)[size],
        )
        assert link.seconds(2, size) == pytest.approx(seconds, rel=0.05)
        assert link.latency > 0 and link.per_byte > 0


@pytest.mark.parametrize(
    "samples",
    [[], [AllreduceSample(2, 1024, 1e-3)], [AllreduceSample(1, 1, 1), AllreduceSample(1, 2, 1)]],
)
def test_too_few_samples_are_refused(samples):
    with pytest.raises(ValueError, match="two sizes"):
        fit_link(samples, "ring", G)


def test_a_slower_link_is_never_faster_than_its_rate():
    link = Link("ring", A, B, G)
    assert link.limited(1e9).per_byte == 8e-9
    fast = link.limited(1e12, 1e-3)
    assert (fast.latency, fast.per_byte) == (A + 1e-3, B)
    assert bus_bandwidth(4, 100, 1.0) == 150


def test_topologies():
    slow = tuple(Link(name, 10 * A, 10 * B, G) for name in ALGORITHMS)
    fast = tuple(Link(name, A, B, G) for name in ALGORITHMS)
    size = 1e6
    flat = Topology(slow).allreduce(8, size).total
    best = min(link.seconds(8, size) for link in slow)
    assert flat == pytest.approx(best)
    nodes = Topology(slow, fast, per_node=4)
    both = min(link.seconds(4, size) for link in fast) + min(link.seconds(2, size) for link in slow)
    assert nodes.allreduce(8, size).total == pytest.approx(both)
    # On one node nothing crosses the slow link.
    assert nodes.allreduce(4, size).total == pytest.approx(
        min(link.seconds(4, size) for link in fast)
    )
    tree = Topology(slow, fast, per_node=4, leaf=2, oversubscription=3)
    assert tree.allreduce(8, size) == nodes.allreduce(8, size)
    assert tree.allreduce(32, 1e9).moving > 2 * nodes.allreduce(32, 1e9).moving
    assert tree.allreduce(1, size).total == 0


def test_a_file_that_is_no_network_is_refused(tmp_path):
    path = tmp_path / "net.json"
    with pytest.raises(ConfigError, match="there is no file"):
        network_measurement.load(path)
    path.write_text('{"samples": []}')
    with pytest.raises(ConfigError, match="holds no measured network: samples"):
        network_measurement.load(path)


def test_processes_that_shared_cores_have_a_fit_of_their_own():
    samples = [
        {
            "library": "horovod",
            "dtype": "float32",
            "processes": s.processes,
            "hosts": 1,
            "bytes": s.bytes,
            "seconds": [s.seconds * (100 if s.processes == 4 else 1)],
        }
        for s in made_up("ring", (2, 4))
    ]
    limits = {"reduction": {"float32": G}, "copy_bytes_per_second": 1e9}
    network = network_measurement.NetworkMeasurement.model_validate(
        {"samples": samples, "cores": 2, **limits}
    )
    own, crowd = network.links()[0], network.links(crowd=4)[0]
    assert own.latency == pytest.approx(A) and crowd.latency == pytest.approx(100 * A)
    assert network.links(crowd=3)[0] == own


def test_a_network_is_joined_and_fitted():
    part = {
        "processes": 2,
        "hosts": 1,
        "copy": 5e9,
        "link": None,
        "reduction": {"float32": G},
        "samples": [
            {"library": "horovod", "dtype": "float32", "bytes": s.bytes, "seconds": [s.seconds] * 3}
            for s in made_up("ring", (2,))
        ],
    }
    found = network_measurement.with_fits(network_measurement.merge([part, {**part, "copy": 7e9}]))
    assert found["copy_bytes_per_second"] == 6e9
    assert [f["algorithm"] for f in found["fits"]] == list(ALGORITHMS)
    assert found["fits"][0]["latency"] == pytest.approx(A)
    with pytest.raises(ConfigError, match="too few times of horovod in float64"):
        network_measurement.NetworkMeasurement.model_validate(found).links(dtype="float64")
