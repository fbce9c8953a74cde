"""One training run of the peer, DeepXDE, timed: runs in the peer's environment only.

    DDE_BACKEND=tensorflow.compat.v1 python -m scripts.bench.peer_deepxde burgers --steps 1000 ...

Writes an NPZ: `seconds_per_step` (every step of the first optimizer) and, at `curve_seconds`
after the start of training, the predictions `curve_values` [K, N, F] at the given points.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

RANK = int(os.environ.get("OMPI_COMM_WORLD_LOCAL_RANK", "0"))
if "PEER_CORES" in os.environ:
    # Before TensorFlow starts its threads: one core for each process.
    os.sched_setaffinity(0, {int(os.environ["PEER_CORES"].split(",")[RANK])})

import deepxde as dde
import numpy as np

# Of TensorFlow, in whichever way DeepXDE uses it.
Tensor = Any
Points = tuple[int, int, int]
Arrays = Callable[[], np.ndarray]
NU = 0.01 / np.pi
# Interior, boundary and initial points; DeepXDE puts the residual on all of them together.
DEFAULT_POINTS = {
    "burgers": (2540, 80, 160),
    "kovasznay": (2600, 400, 0),
    "beltrami": (10000, 1000, 1000),
}


# Its Horovod support takes no other distribution.
DISTRIBUTION = {} if dde.config.world_size == 1 else {"train_distribution": "pseudo"}


def counts(points: Points) -> dict[str, object]:
    """Return the keyword arguments of a data set in time and space."""
    numbers = zip(("num_domain", "num_boundary", "num_initial"), points, strict=True)
    return {**dict(numbers), **DISTRIBUTION}


def first(y: Tensor, x: Tensor, component: int, coordinate: int) -> Tensor:
    """Return one first derivative."""
    return dde.grad.jacobian(y, x, i=component, j=coordinate)


def second(y: Tensor, x: Tensor, component: int, coordinate: int) -> Tensor:
    """Return one second derivative; `component` is None for a single field."""
    return dde.grad.hessian(y, x, component=component, i=coordinate, j=coordinate)


def on_boundary(_: np.ndarray, on: bool) -> bool:
    """Select the points that the geometry calls boundary or initial."""
    return on


def burgers(points: Points) -> tuple[Any, list[int]]:
    """Return the data and the layers of Burgers' equation."""
    domain = dde.geometry.GeometryXTime(dde.geometry.Interval(-1, 1), dde.geometry.TimeDomain(0, 1))

    def residual(x: Tensor, y: Tensor) -> Tensor:
        viscous = NU * second(y, x, 0, 0)
        return first(y, x, 0, 1) + y * first(y, x, 0, 0) - viscous

    walls = dde.icbc.DirichletBC(domain, lambda x: np.zeros((len(x), 1)), on_boundary)
    initial = dde.icbc.IC(domain, lambda x: -np.sin(np.pi * x[:, 0:1]), on_boundary)
    data = dde.data.TimePDE(domain, residual, [walls, initial], **counts(points))
    return data, [2, 20, 20, 20, 1]


def kovasznay(points: Points) -> tuple[Any, list[int]]:
    """Return the data and the layers of Kovasznay's flow at Reynolds number 20."""
    domain = dde.geometry.Rectangle([-0.5, -0.5], [1.0, 1.5])
    nu = 1 / 20
    a = 1 / (2 * nu) - np.sqrt(1 / (4 * nu**2) + 4 * np.pi**2)

    def residual(x: Tensor, w: Tensor) -> list[Tensor]:
        u, v = w[:, 0:1], w[:, 1:2]
        out = []
        for component in (0, 1):
            diffusion = second(w, x, component, 0) + second(w, x, component, 1)
            advection = u * first(w, x, component, 0) + v * first(w, x, component, 1)
            out.append(advection + first(w, x, 2, component) - nu * diffusion)
        return [*out, first(w, x, 0, 0) + first(w, x, 1, 1)]

    def u_exact(x: np.ndarray) -> np.ndarray:
        return 1 - np.exp(a * x[:, 0:1]) * np.cos(2 * np.pi * x[:, 1:2])

    def v_exact(x: np.ndarray) -> np.ndarray:
        return a / (2 * np.pi) * np.exp(a * x[:, 0:1]) * np.sin(2 * np.pi * x[:, 1:2])

    walls = [
        dde.icbc.DirichletBC(domain, function, on_boundary, component=component)
        for component, function in enumerate((u_exact, v_exact))
    ]
    numbers = {"num_domain": points[0], "num_boundary": points[1], **DISTRIBUTION}
    return dde.data.PDE(domain, residual, walls, **numbers), [2, 50, 50, 50, 50, 3]


def beltrami(points: Points) -> tuple[Any, list[int]]:
    """Return the data and the layers of Beltrami's flow in three dimensions and time."""
    domain = dde.geometry.GeometryXTime(
        dde.geometry.Cuboid([-1, -1, -1], [1, 1, 1]), dde.geometry.TimeDomain(0, 1)
    )

    def residual(x: Tensor, w: Tensor) -> list[Tensor]:
        out = []
        for component in range(3):
            advection = sum(w[:, k : k + 1] * first(w, x, component, k) for k in range(3))
            diffusion = sum(second(w, x, component, k) for k in range(3))
            pressure = first(w, x, 3, component)
            out.append(first(w, x, component, 3) + advection + pressure - diffusion)
        return [*out, sum(first(w, x, k, k) for k in range(3))]

    def velocity(component: int) -> Callable[[np.ndarray], np.ndarray]:
        def exact(p: np.ndarray) -> np.ndarray:
            # The three components are one formula with the coordinates turned.
            x, y, z = (p[:, (component + k) % 3][:, None] for k in range(3))
            flow = np.exp(x) * np.sin(y + z) + np.exp(z) * np.cos(x + y)
            return -flow * np.exp(-p[:, 3:4])

        return exact

    conditions = [
        kind(domain, velocity(component), on_boundary, component=component)
        for kind in (dde.icbc.DirichletBC, dde.icbc.IC)
        for component in range(3)
    ]
    data = dde.data.TimePDE(domain, residual, conditions, **counts(points))
    return data, [4, 50, 50, 50, 50, 4]


PROBLEMS = {"burgers": burgers, "kovasznay": kovasznay, "beltrami": beltrami}


class Watch(dde.callbacks.Callback):
    """Times every step; predicts at intervals with the clock stopped; ends after a while."""

    def __init__(self, points: np.ndarray | None, every: int, seconds: float) -> None:
        super().__init__()
        self.points, self.every, self.limit = points, every, seconds
        self.steps: list[float] = []
        self.curve: list[float] = []
        self.values: list[np.ndarray] = []
        self.paused = 0.0

    def start(self) -> None:
        self.started = self.previous = time.perf_counter()

    def elapsed(self) -> float:
        return time.perf_counter() - self.started - self.paused

    def keep(self, values: Arrays) -> None:
        """Keep a prediction that was made; what it took is taken off the clock by the caller."""
        self.curve.append(self.elapsed())
        self.values.append(values().astype(np.float32))

    def look(self, values: Arrays) -> None:
        """Predict without the clock running."""
        before = time.perf_counter()
        self.keep(values)
        self.paused += time.perf_counter() - before

    def on_epoch_begin(self) -> None:
        self.previous = time.perf_counter()

    def on_epoch_end(self) -> None:
        self.steps.append(time.perf_counter() - self.previous)
        if self.every and len(self.steps) % self.every == 0:
            self.look(lambda: self.model.predict(self.points))
        # Only alone: ranks that stop at different steps would wait for each other.
        if self.limit and "OMPI_COMM_WORLD_SIZE" not in os.environ:
            self.model.stop_training = self.elapsed() > self.limit


class TimeOverError(Exception):
    """Ends SciPy's optimizer when the time is over."""


def train_lbfgs(model: Any, watch: Watch, every: int) -> int:
    """Train with SciPy's L-BFGS; predictions come from the values that it holds at the time."""
    dde.optimizers.set_LBFGS_options(maxiter=1_000_000, maxcor=100, gtol=0, ftol=0)
    model.compile("L-BFGS")
    optimizer = model.train_step
    minimize = optimizer.minimize
    iterations = 0

    def values(packed: np.ndarray) -> np.ndarray:
        parts = zip(optimizer._vars, optimizer._packing_slices, strict=True)
        feed = {v: packed[s].reshape(v.get_shape().as_list()) for v, s in parts}
        feed[model.net.inputs] = watch.points
        feed[model.net.training] = False
        return model.sess.run(model.net.outputs, feed_dict=feed)

    def step(packed: np.ndarray) -> None:
        nonlocal iterations
        iterations += 1
        if iterations % every == 0:
            watch.look(lambda: values(packed))
        if watch.elapsed() > watch.limit:
            watch.look(lambda: values(packed))
            raise TimeOverError

    optimizer.minimize = lambda *a, **k: minimize(*a, step_callback=step, **k)
    try:
        model.train(display_every=10**9)
        watch.look(lambda: model.predict(watch.points))
    except TimeOverError:
        pass
    return iterations


def main() -> None:
    """Run one training and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("problem", choices=sorted(DEFAULT_POINTS))
    parser.add_argument("--points", help="interior,boundary,initial")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument(
        "--lbfgs", type=int, default=0, help="L-BFGS after Adam; look every so many"
    )
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--evaluate-every", type=int, default=0)
    parser.add_argument("--at", help="NPZ with the points of evaluation")
    parser.add_argument("--xla", action="store_true")
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    np.random.seed(RANK)
    dde.config.set_default_float(options.precision)
    if options.xla:
        dde.config.enable_xla_jit()
    given = options.points and tuple(int(part) for part in options.points.split(","))
    data, layers = PROBLEMS[options.problem](given or DEFAULT_POINTS[options.problem])
    model = dde.Model(data, dde.nn.FNN(layers, "tanh", "Glorot normal"))
    points = np.load(options.at)["points"].astype(options.precision) if options.at else None
    watch = Watch(points, options.evaluate_every, options.seconds)
    # The other side's clock runs while it traces and compiles, too.
    watch.start()
    model.compile("adam", lr=1e-3)
    model.train(iterations=options.steps, display_every=10**9, callbacks=[watch])
    if points is not None:
        watch.look(lambda: model.predict(points))
    iterations = train_lbfgs(model, watch, options.lbfgs) if options.lbfgs else 0
    if RANK == 0:
        np.savez(
            options.out,
            seconds_per_step=watch.steps,
            curve_seconds=watch.curve,
            curve_values=np.array(watch.values),
            lbfgs_iterations=iterations,
        )


if __name__ == "__main__":
    main()
