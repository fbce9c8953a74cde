"""`pdehvd scale --predict`: calibration, curves, and how far off they are where runs were made."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from pdehvd.config.root import Config
from pdehvd.errors import ConfigError
from pdehvd.launch.topology_spec import TopologySpec
from pdehvd.scaling import calibration, network_measurement
from pdehvd.scaling.calibration import Timed
from pdehvd.scaling.network_model import Link
from pdehvd.scaling.step_model import Curve, StepTime, Work, predict_curve
from pdehvd.scaling.sweep_results import Row
from pdehvd.scaling.topology import Crowd, Topology


@dataclass(frozen=True)
class LinkPrediction:
    """The network of processes that are not available.

    `between` is the measured network that joins nodes (or, where flat, all processes); `assumed`
    says how they are connected, and how slow links are; `library` is what adds.
    """

    inside: network_measurement.NetworkMeasurement
    between: network_measurement.NetworkMeasurement
    assumed: TopologySpec = field(default_factory=TopologySpec)
    library: str = "horovod"

    @property
    def flat(self) -> bool:
        """Whether the same network joins every two processes."""
        return self.assumed.per_node == 1

    def of(self, config: Config, library: str) -> LinkPrediction:
        """Return the same connected as a config says, with what adds.

        Raises `ConfigError` where that was not measured.
        """
        self.inside.links(library)
        self.between.links(library)
        return replace(self, assumed=config.topology or TopologySpec(), library=library)

    def topology(
        self,
        dtype: str,
        near: float,
        drawn: Callable[[Sequence[float]], float],
        crowds: Mapping[int, float],
    ) -> Topology:
        """Return the topology with links fitted near a size in bytes.

        `crowds` are the numbers of processes that share cores, and how many share one.
        """
        inside = self.inside.links(self.library, dtype, near, drawn)
        between = self.between.links(self.library, dtype, near, drawn)
        return Topology(
            tuple(self._limited(link) for link in between),
            inside,
            self.assumed.per_node,
            self.assumed.leaf,
            self.assumed.oversubscription,
            {
                n: Crowd(each, self.inside.links(self.library, dtype, near, drawn, n))
                for n, each in crowds.items()
            },
        )

    def _limited(self, link: Link) -> Link:
        latency = self.assumed.microseconds * 1e-6
        if self.assumed.gigabits is None:
            return replace(link, latency=link.latency + latency)
        return link.limited(self.assumed.gigabits * 1e9, latency)


def read_links(network: Path | None, between: Path | None) -> LinkPrediction:
    """Return the network. Raises `ConfigError` where there is no calibration."""
    if network is None:
        raise ConfigError(
            "a prediction needs the measured network of this machine",
            (),
            "--network FILE/net.json of pdehvd net --np 2",
        )
    inside = network_measurement.load(network)
    return LinkPrediction(inside, network_measurement.load(between) if between else inside)


def prediction_curves(
    timed: Mapping[str, Sequence[Timed]],
    ones: Sequence[float],
    counts: Mapping[str, Sequence[int]],
    network: LinkPrediction,
    config: Config,
    crowds: Mapping[int, float],
) -> list[Curve]:
    """Return the predicted curve of every mode.

    `ones` are the steps of one process in seconds, from a sweep's runs; where there are none, the
    timed calls on the whole batch are taken. `crowds` are the numbers of processes that were
    measured on shared cores, and how many shared one.
    """
    buckets = config.processes.buckets

    def link(near: float, drawn: Callable[[Sequence[float]], float]) -> Topology:
        return network.topology(config.precision, near, drawn, crowds)

    return [
        predict_curve(mode, counts[mode], _draw(mode, found, ones, link), buckets)
        for mode, found in timed.items()
    ]


def _draw(
    mode: str,
    timed: Sequence[Timed],
    ones: Sequence[float],
    link: Callable[[float, Callable[[Sequence[float]], float]], Topology],
) -> Callable[[np.random.Generator | None], tuple[Work, Topology]]:
    whole = next(one for one in timed if one.processes == 1)
    alone = list(ones) or whole.seconds

    def draw(generator: np.random.Generator | None) -> tuple[Work, Topology]:
        def drawn(values: Sequence[float]) -> float:
            if generator is None:
                return statistics.median(values)
            return float(np.median(generator.choice(np.asarray(values), len(values))))

        work = calibration.work(timed, drawn(alone), mode == "weak", drawn)
        return work, link(work.size, drawn)

    return draw


def compare_with_measured(
    curves: Sequence[Curve], rows: Mapping[str, Sequence[Row]]
) -> list[tuple[Row, StepTime, float]]:
    """Return measured rows with predicted steps, and predicted/measured - 1."""
    found = []
    for curve in curves:
        predicted = {step.processes: step for step in curve.steps}
        for row in rows.get(curve.mode, ()):
            step = predicted.get(row.processes)
            if step is not None and row.processes > 1:
                found.append((row, step, step.total / row.step - 1))
    return found
