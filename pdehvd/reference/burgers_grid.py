"""Burgers' equation from any initial values on a regular grid, by finite volumes."""

from __future__ import annotations

import numpy as np
from scipy.fft import dst, idst
from scipy.interpolate import CubicSpline

from pdehvd.errors import ConfigError

_COURANT = 0.5


def solve_burgers(
    u0: np.ndarray, x: np.ndarray, times: np.ndarray, viscosity: float, refinement: int = 8
) -> np.ndarray:
    """Solve u_t + (u^2 / 2)_x = nu u_xx from u0 [Nx], with u fixed at both ends: [Nx, Nt].

    x [Nx] are equidistant nodes, `times` [Nt] ascend from zero or later, nu >= 0. A cubic spline
    takes u0 to a grid `refinement` times finer, and overshoots at jumps of u0. Strang splitting
    alternates MUSCL (van Leer) with Godunov's flux in SSP Runge-Kutta steps of order 3, and
    diffusion, which a sine transform advances exactly in time: no viscosity limits the step.
    Errors are of second order in the fine spacing where it resolves the layers, of first order
    (in L1) at captured shocks.

    Raises ConfigError for times that do not ascend and a negative viscosity.
    Source: van Leer, J. Comput. Phys. 32 (1979); Shu, Osher, J. Comput. Phys. 77 (1988).
    """
    if viscosity < 0:
        raise ConfigError(f"the viscosity is {viscosity:g}", (), "zero or more")
    intervals = np.diff(times, prepend=0.0)
    if (intervals < 0).any():
        raise ConfigError("the times do not ascend from zero", (), "ascending times")
    fine = np.linspace(x[0], x[-1], refinement * (len(x) - 1) + 1)
    u, h = CubicSpline(x, u0)(fine), fine[1] - fine[0]
    u[::refinement] = u0
    fastest = np.abs(u).max()  # which it stays: u obeys a maximum principle
    result = np.empty((len(x), len(times)))
    for column, interval in enumerate(intervals):
        if interval > 0:
            steps = max(1, int(np.ceil(interval * fastest / (_COURANT * h))))
            u = _advanced(u, h, interval / steps, steps, viscosity)
        result[:, column] = u[::refinement]
    return result


def _advanced(u: np.ndarray, h: float, dt: float, steps: int, nu: float) -> np.ndarray:
    """Take Strang steps; half a step of diffusion joins the half of the next."""
    line = np.linspace(u[0], u[-1], len(u))
    rates = nu * (2 / h * np.sin(np.pi / 2 * np.arange(1, len(u) - 1) / (len(u) - 1))) ** 2
    half, whole = np.exp(-rates * dt / 2), np.exp(-rates * dt)
    for step in range(steps):
        u = _diffused(u, line, half if step == 0 else whole)
        u = _transported(u, h, dt)
    return _diffused(u, line, half)


def _diffused(u: np.ndarray, line: np.ndarray, decay: np.ndarray) -> np.ndarray:
    """Advance u_t = nu u_xx; `line` joins the ends, above it u is a sum of sines that decay."""
    if decay[0] == 1:
        return u
    diffused = line.copy()
    diffused[1:-1] += idst(decay * dst(u[1:-1] - line[1:-1], 1), 1)
    values: np.ndarray = diffused
    return values


def _transported(u: np.ndarray, h: float, dt: float) -> np.ndarray:
    """Advance u_t + (u^2 / 2)_x = 0 by one step of order 3, a convex sum of Euler steps."""
    first = u + dt * _slope(u, h)
    second = 0.75 * u + 0.25 * (first + dt * _slope(first, h))
    return u / 3 + 2 / 3 * (second + dt * _slope(second, h))


def _slope(u: np.ndarray, h: float) -> np.ndarray:
    """Return -(u^2 / 2)_x, zero at both ends."""
    steps = np.diff(u)
    before, after = steps[:-1], steps[1:]
    product = before * after
    limited = np.zeros_like(u)  # half of van Leer's limited difference
    np.divide(product, before + after, out=limited[1:-1], where=product > 0)
    left = np.maximum(u[:-1] + limited[:-1], 0)
    right = np.minimum(u[1:] - limited[1:], 0)
    flux = np.maximum(left**2, right**2) / 2
    slope = np.zeros_like(u)
    slope[1:-1] = -np.diff(flux) / h
    return slope
