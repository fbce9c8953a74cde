"""The domain of a problem: a box, or a shape times a box, with or without time."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pdehvd.errors import ConfigError, counted, within
from pdehvd.numerics.expressions import parse_number
from pdehvd.problems.coordinates import find_parameters, find_time
from pdehvd.problems.frame import Frame
from pdehvd.problems.parameters import Distribution, Spread
from pdehvd.problems.pieces import Points
from pdehvd.problems.regions import Region, parse_region
from pdehvd.problems.sequences import Key, Sampler, Sobol, Uniform
from pdehvd.problems.shapes import ShapeSpec
from pdehvd.problems.shapes_csg import Leaf, Shape

__all__ = ["Domain", "Points", "Region", "build_domain"]


@dataclass(frozen=True, eq=False)
class Domain:
    """Coordinates `names` (D) within `bounds` [D, 2]; `time` is the name of one, or None."""

    frame: Frame

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coordinates, in the order of the columns of points [N, D]."""
        return self.frame.names

    @property
    def bounds(self) -> np.ndarray:
        """Lower and upper bound of every coordinate [D, 2]; for a shape, its bounding box."""
        return self.frame.bounds

    @property
    def time(self) -> str | None:
        """Name of the time coordinate, if there is one."""
        return self.frame.time

    @property
    def space(self) -> tuple[str, ...]:
        """Names of the coordinates in which the domain has a boundary."""
        return self.frame.space

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the coordinates that are neither time nor space."""
        return self.frame.parameters

    @property
    def declared(self) -> tuple[str, ...]:
        """Names of the parameters that the file declares as such."""
        return tuple(self.names[axis] for axis in self.distributions)

    def covered(self, names: Sequence[str], count: int) -> np.ndarray:
        """Return about `count` values of declared parameters, [N, len(names)], by their shares."""
        if not names:
            return np.zeros((1, 0))
        axes = [self.names.index(name) for name in names]
        unit = np.linspace(0.0, 1.0, max(count, 2))[:, None]
        if len(axes) > 1:
            unit = Sobol(0).points(len(axes), count, 0, count, ())
        return self.at_shares(names, np.broadcast_to(unit, (len(unit), len(axes))))

    def at_shares(self, names: Sequence[str], shares: np.ndarray) -> np.ndarray:
        """Return the values [N, len(names)] of parameters below which shares [N, .] of them lie."""
        axes = [self.names.index(name) for name in names]
        x = np.repeat(self.bounds[:, :1].T, len(shares), axis=0)
        x[:, axes] += np.ptp(self.bounds[axes], axis=1) * shares
        self.frame.spread.apply(x, axes)
        return x[:, axes]

    @property
    def distributions(self) -> Mapping[int, Distribution]:
        """The distributions of the declared parameters, by their columns in points [N, D]."""
        return self.frame.spread.distributions

    def spread(self, x: np.ndarray, axes: Collection[int]) -> None:
        """Give columns of points [N, D], which fill the bounds evenly, their distributions."""
        self.frame.spread.apply(x, axes)

    @property
    def boundaries(self) -> tuple[str, ...]:
        """Names of boundaries that the geometry gives."""
        return self.frame.boundaries

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, D] lie in the domain or, to rounding, on its boundary."""
        x = np.asarray(x, np.float64)
        close = 1e-9 * np.ptp(self.bounds, axis=1)
        result = ((x >= self.bounds[:, 0] - close) & (x <= self.bounds[:, 1] + close)).all(axis=1)
        if self.frame.shape is not None and result.any():
            result[result] = self.frame.shape.contains(x[result][:, list(self.frame.columns)])
        values: np.ndarray = result
        return values

    def region(self, text: str | Sequence[str]) -> Region:
        """Return the region that a text or a list of texts names; see `parse_region`.

        Raises ConfigError where it names nothing of this domain.
        """
        return parse_region(self.frame, text)

    def no_normal(self, region: Region) -> str:
        """Return what a region without outward normals has fixed, to be read after a comma."""
        fixed = {
            name
            for piece in region.pieces
            if not piece.oriented
            for name, (low, high) in zip(self.names, piece.box, strict=True)
            if low == high
        }
        if fixed and not fixed & set(self.space):
            what = {name: "time" if name == self.time else "a parameter" for name in self.names}
            return ": " + ", ".join(
                f"{name} is {what[name]}" for name in self.names if name in fixed
            )
        return ""

    def measure(self, region: Region) -> float:
        """Return length, area, volume ..., or the number of single points."""
        return region.measure

    def count(self, region: Region, count: int, sampler: Sampler | None = None) -> int:
        """Return the global number of points when `count` are asked for.

        It differs for single points (one each, whatever is asked) and on grids (at most `count`).
        """
        return region.settled(sampler or Uniform(0), count)

    def sample(
        self, region: Region, sampler: Sampler, count: int, start: int, stop: int, key: Key
    ) -> Points:
        """Return points start..stop of the `count` global ones, a number that `count()` gave.

        Each depends on (seed of the sampler, key, its index, count) only, never on start and stop.
        """
        return region.draw(sampler, count, start, stop, key)


def _interval(
    name: str, given: Sequence[str | float] | None, constants: Mapping[str, float]
) -> tuple[float, float]:
    expected = f"{name}: [low, high]"
    if not isinstance(given, (list, tuple)) or len(given) != 2:
        raise ConfigError(f"{given!r} is not an interval", ("coordinates", name), expected)
    ends = []
    for index, value in enumerate(given):
        with within("coordinates", name, index):
            ends.append(parse_number(value, constants))
    if not ends[0] < ends[1]:
        raise ConfigError(
            f"the lower bound {ends[0]:g} is not below the upper bound {ends[1]:g}",
            ("coordinates", name),
            expected,
        )
    return ends[0], ends[1]


def _contained(name: str, given: tuple[float, float], shape: np.ndarray) -> None:
    close = 1e-9 * (shape[1] - shape[0])
    if given[0] > shape[0] + close or given[1] < shape[1] - close:
        raise ConfigError(
            f"[{given[0]:g}, {given[1]:g}] does not contain the geometry",
            ("coordinates", name),
            f"at least [{shape[0]:g}, {shape[1]:g}], or no bounds",
        )


def build_domain(
    coordinates: Mapping[str, Sequence[str | float] | None],
    geometry: ShapeSpec | None = None,
    constants: Mapping[str, float] | None = None,
    time: str | None = None,
    differentiated: Collection[str] = (),
    parameters: Mapping[str, Distribution] | None = None,
) -> Domain:
    """Return the domain of the sections `coordinates:` and `geometry:`.

    A shape of dimension k takes the first k coordinates that are not time; their bounds are its
    bounding box, and may be left out. `time` names the time if it has an unusual name,
    `differentiated` the coordinates by which equations differentiate; see `find_parameters`.
    `parameters` come after the coordinates. Raises ConfigError.
    """
    constants, parameters = constants or {}, parameters or {}
    given_names = tuple(coordinates)
    if not given_names:
        raise ConfigError("there are no coordinates", ("coordinates",), "x: [low, high]")
    time = find_time(given_names, time)
    shape, columns = _placed(given_names, time, geometry)
    _check_axes(given_names, time, columns, differentiated)
    names = (*given_names, *parameters)
    bounds = np.zeros((len(names), 2))
    for axis, distribution in enumerate(parameters.values(), len(given_names)):
        bounds[axis] = distribution.low, distribution.high
    for axis, name in enumerate(given_names):
        given = coordinates[name]
        if axis in columns and shape is not None:
            bounds[axis] = shape.bounds[columns.index(axis)]
            if given is not None:
                _contained(name, _interval(name, given, constants), bounds[axis])
        elif given is None:
            raise ConfigError(
                f"{name} has no bounds", ("coordinates", name), f"{name}: [low, high]"
            )
        else:
            bounds[axis] = _interval(name, given, constants)
    bounds.flags.writeable = False
    of_shape = [names[axis] for axis in columns]
    found = find_parameters(given_names, time, of_shape, differentiated)
    if isinstance(shape, Leaf) and shape.is_box and not shape.names:
        # An upright box by itself needs no tests of containment.
        shape, columns = None, ()
    spread = Spread(bounds, dict(enumerate(parameters.values(), len(given_names))))
    frame = Frame(names, bounds, time, shape, columns, constants, (*found, *parameters), spread)
    domain = Domain(frame)
    if shape is not None:
        _substantial(domain)
    return domain


def _placed(
    names: tuple[str, ...], time: str | None, geometry: ShapeSpec | None
) -> tuple[Shape | None, tuple[int, ...]]:
    """Return the shape and the columns of its coordinates."""
    if geometry is None:
        return None, ()
    with within("geometry"):
        shape = geometry.build()
    for leaf in shape.leaves():
        for label in leaf.names:
            if label in ("interior", "boundary", *names):
                raise ConfigError(
                    f"a boundary cannot be named '{label}'", ("geometry",), "a name of its own"
                )
    space = [axis for axis, name in enumerate(names) if name != time]
    if len(space) < shape.dimension:
        raise ConfigError(
            f"a shape in {shape.dimension} dimensions with "
            f"{counted(len(space), 'space coordinate')}",
            ("geometry",),
            f"{counted(shape.dimension, 'coordinate')} other than time",
        )
    return shape, tuple(space[: shape.dimension])


def _check_axes(
    names: tuple[str, ...],
    time: str | None,
    columns: tuple[int, ...],
    differentiated: Collection[str],
) -> None:
    """Refuse a shape over a parameter, where a coordinate that varies comes after it."""
    of_shape = [names[axis] for axis in columns]
    parameters = [name for name in of_shape if name not in differentiated]
    varying = [name for name in names if name in differentiated and name != time]
    missed = [name for name in varying if name not in of_shape]
    if parameters and missed:
        raise ConfigError(
            f"the geometry takes the first {len(columns)} coordinates other than time, "
            f"{', '.join(of_shape)}, but no equation differentiates with respect to "
            f"{parameters[0]}",
            ("geometry",),
            f"{', '.join(varying)} listed before {', '.join(parameters)} under coordinates",
        )


def _substantial(domain: Domain) -> None:
    try:
        domain.region("interior")
    except ConfigError as error:
        raise ConfigError(
            "the geometry fills less than 1/10000 of its bounding box, too little to be sampled",
            ("geometry",),
            "a thicker shape, or none",
        ) from error
