"""What each process of tests/parallel/test_conformance.py does: all checks on one grid.

Saves which checks it has made, and what was wrong in them, as rank<r>.json in a folder.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pdehvd.comm import backend
from pdehvd.comm.grid import Grid, Line
from pdehvd.comm.group import Group, Solo
from pdehvd.launch import process_setup
from pdehvd.launch.processes_spec import ProcessesSpec
from tests.support.conformance import CASES, DTYPES, FLOATS, Case, lines, programs

PROCESSES = ProcessesSpec(threads=1, collectives=os.environ.get("COLLECTIVES", "mpi"))
process_setup.configure_threads(PROCESSES)

import tensorflow as tf  # noqa: E402

from pdehvd.comm import xla_calls  # noqa: E402

STEPS = 3
# What all steps of a loop add up to, of which step i has i + 1 times its inputs.
TIMES = STEPS * (STEPS + 1) // 2
_PATIENCE = int(os.environ.get("PATIENCE", 500))
Found = dict[tuple[str, str], tuple[tf.Tensor, tf.Tensor | None]]


class Report:
    """The checks that were made, and what was wrong."""

    def __init__(self) -> None:
        self.checked: list[str] = []
        self.wrong: dict[str, str] = {}

    def equal(self, name: str, found: Any, right: Any) -> None:
        """Note a check of all bits, of type and of shape."""
        self.checked.append(name)
        found, right = np.asarray(found), np.asarray(right)
        same = found.dtype == right.dtype and np.array_equal(found, right)
        if not same:
            self.wrong[name] = f"{found.dtype} {found.tolist()}, not {right.tolist()}"

    def raises(self, kind: type[Exception], text: str, call: Callable[[], object]) -> None:
        """Note what is not refused with these words."""
        try:
            call()
            self.wrong[text] = "was not refused"
        except kind as error:
            if text not in str(error):
                self.wrong[text] = str(error)


class Checks:
    """All checks of one line of the grid."""

    def __init__(self, group: Group, line: Line, report: Report) -> None:
        self.group, self.line, self.report = group, line, report
        self.inputs = {
            (case.name, dtype): case.inputs(group.members, dtype)[group.rank]
            for case in CASES
            for dtype in DTYPES
        }
        self.weights = {
            (case.name, dtype): case.weights(group.members, dtype)[group.rank]
            for case in CASES
            for dtype in DTYPES
        }

    def all(self) -> None:
        self.report.equal(f"{self.line}: members", self.group.members[self.group.rank], RANK)
        self.on_arrays()
        for mode, dtypes in programs(self.group.library).items():
            self.run(mode, dtypes)
        self.second_derivatives()
        self.while_tracing()
        self.one_reader()
        self.shared_maximum()

    def on_arrays(self) -> None:
        for case in CASES:
            for dtype in DTYPES:
                own = self.inputs[case.name, dtype]
                found = case.on_arrays(self.group, own, f"arrays.{case.name}.{dtype}")
                name = f"{self.line}: {case.name} of {dtype}, on arrays"
                self.report.equal(name, found, self.right(case, dtype))

    def right(self, case: Case, dtype: str) -> np.ndarray:
        inputs = case.inputs(self.group.members, dtype)
        return case.model(inputs)[self.group.rank].astype(dtype)

    def inputs_of(self, dtypes: tuple[str, ...]) -> dict[tuple[str, str], np.ndarray]:
        return {key: own for key, own in self.inputs.items() if key[1] in dtypes}

    def run(self, mode: str, dtypes: tuple[str, ...]) -> None:
        """Run one program of all collectives and compare what comes out."""
        program = self.loop if mode.startswith("loop") else self.plain
        times = TIMES if mode.startswith("loop") else 1
        given = self.inputs_of(dtypes)
        calls = xla_calls.calls() if mode.startswith("in pieces") else None
        if calls is not None:
            calls.largest = 2
        traced = tf.function(
            lambda inputs: program(given if mode.startswith("constants") else inputs, mode),
            jit_compile=mode.endswith("compiled"),
            autograph=False,
        )
        found = traced({key: tf.constant(value) for key, value in given.items()})
        if calls is not None:
            calls.largest = xla_calls.LARGEST
        members = self.group.members
        for case in CASES:
            for dtype in dtypes:
                result, gradient = found[case.name, dtype]
                name = f"{self.line}: {case.name} of {dtype}, {mode}"
                self.report.equal(name, result, times * self.right(case, dtype))
                if dtype in FLOATS:
                    inputs, weights = case.inputs(members, dtype), case.weights(members, dtype)
                    right = case.gradient(inputs, weights, self.group.rank)
                    name = f"{self.line}: gradient of {case.name}, {dtype}, {mode}"
                    self.report.equal(name, gradient, times * right)

    def plain(self, inputs: dict[tuple[str, str], tf.Tensor], mode: str) -> Found:
        """Return results and gradients of collectives that do not depend on each other."""
        found: Found = {}
        for case in CASES:
            for dtype in [dtype for name, dtype in inputs if name == case.name]:
                own = tf.convert_to_tensor(inputs[case.name, dtype])
                with tf.GradientTape() as tape:
                    if dtype in FLOATS:
                        tape.watch(own)
                    result = case.on_tensors(self.group, own, f"{mode}.{case.name}.{dtype}")
                    loss = tf.reduce_sum(result * self.weights[case.name, dtype])
                found[case.name, dtype] = result, self.derivative(tape, loss, own)
        return found

    def loop(self, inputs: dict[tuple[str, str], tf.Tensor], mode: str) -> Found:
        """Return the sums over a loop of the same, and derivatives through the loop."""
        keys, cases = list(inputs), {case.name: case for case in CASES}

        def body(step: tf.Tensor, totals: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
            more = []
            for (name, dtype), total in zip(keys, totals, strict=True):
                own = inputs[name, dtype] * tf.cast(step + 1, dtype)
                result = cases[name].on_tensors(self.group, own, f"{mode}.{name}.{dtype}")
                more.append(total + result)
            return step + 1, more

        with tf.GradientTape() as tape:
            tape.watch(inputs)
            start = [tf.zeros_like(self.weights[key]) for key in keys]
            _, totals = tf.while_loop(
                lambda step, _: step < STEPS,
                body,
                (tf.constant(0), start),
                parallel_iterations=1,
                maximum_iterations=STEPS,
            )
            weighted = zip(keys, totals, strict=True)
            loss = tf.add_n([tf.reduce_sum(one * self.weights[key]) for key, one in weighted])
        gradients = tape.gradient(loss, inputs)
        return {key: (one, gradients[key]) for key, one in zip(keys, totals, strict=True)}

    @staticmethod
    def derivative(tape: tf.GradientTape, loss: tf.Tensor, own: tf.Tensor) -> tf.Tensor | None:
        return tape.gradient(loss, own) if own.dtype.is_floating else None

    def second_derivatives(self) -> None:
        """Check the Hessian of half the sum of squares of all results: A^T A."""
        members, rank = self.group.members, self.group.rank
        linear = [case for case in CASES if case.linear]

        @tf.function(jit_compile=self.group.compiles, autograph=False)
        def products() -> dict[str, tf.Tensor]:
            found = {}
            for case in linear:
                own = tf.constant(self.inputs[case.name, "float64"])
                with tf.GradientTape() as outer:
                    outer.watch(own)
                    with tf.GradientTape() as inner:
                        inner.watch(own)
                        result = case.on_tensors(self.group, own, f"second.{case.name}")
                        loss = tf.reduce_sum(result**2) / 2
                    slope = inner.gradient(loss, own)
                    along = tf.reduce_sum(slope * own)
                found[case.name] = outer.gradient(along, own)
            return found

        found = products()
        for case in linear:
            inputs = case.inputs(members, "float64")
            # The derivative of x^T A^T A x is twice A^T A x.
            right = 2 * case.gradient(inputs, case.model(inputs), rank)
            name = f"{self.line}: second derivative of {case.name}"
            self.report.equal(name, found[case.name], right)

    def while_tracing(self) -> None:
        """Check that plans can be agreed on while a function is traced, which autograph reads."""
        group = self.group

        @tf.function
        def agreed(x):  # type: ignore[no-untyped-def]
            counts = group.gather_numpy(np.array([group.rank + 1]), "traced.gather")
            total = group.sum_numpy(np.array([1.0]), "traced.sum")
            slabs = group.exchange_numpy(np.ones((2, 1)), "traced.exchange")
            first = group.broadcast_numpy(np.array([float(group.rank)]), 0, "traced.broadcast")
            return x + float(counts.sum() + total.sum() + first.sum()) + 0 * slabs.sum()

        right = group.size * (group.size + 1) / 2 + group.size
        found = agreed(tf.constant(0.0, tf.float64))
        name = f"{self.line}: on arrays while a function is traced"
        self.report.equal(name, found, np.float64(right))

    def one_reader(self) -> None:
        """Only one rank reads the results, the others' graphs end in nothing."""

        @tf.function(autograph=False)
        def read(inputs: dict[tuple[str, str], tf.Tensor]) -> tf.Tensor:
            total = tf.zeros([], tf.float64)
            for case in CASES:
                own = inputs[case.name, "float64"]
                result = case.on_tensors(self.group, own, f"read.{case.name}")
                if self.group.rank == 0:
                    total += tf.reduce_sum(result)
            return total

        found = read({key: tf.constant(value) for key, value in self.inputs.items()})
        right = sum(self.right(case, "float64").sum() for case in CASES)
        name = f"{self.line}: results that one rank reads"
        self.report.equal(name, found, right if self.group.rank == 0 else np.float64(0))

    def shared_maximum(self) -> None:
        """Ranks that hold the same maximum share its gradient evenly."""

        @tf.function(autograph=False)
        def slope(own: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                tape.watch(own)
                (result,) = self.group.maximum([own], "shared")
                loss = tf.reduce_sum(result) * self.group.size
            return tape.gradient(loss, own)

        right = np.full(2, float(self.group.size))
        found = slope(tf.ones([2], tf.float64))
        self.report.equal(f"{self.line}: ranks that share a maximum", found, right)


def refusals(group: Group, report: Report) -> None:
    """Check what no backend takes, on every rank alike and before anything is sent."""
    report.checked.append("refusals")
    ones = tf.ones([2, 2])
    for dtype in ("bfloat16", "complex64", "float16"):
        text = f"{dtype} cannot be sent"
        report.raises(TypeError, text, lambda d=dtype: group.exchange(tf.cast(ones, d), "n"))
    wrong = [1] * group.size
    report.raises(ValueError, "static shape", lambda: group.broadcast(ones[0, 0], 0, "n"))
    report.raises(ValueError, "n: 2 rows where", lambda: group.gather(ones, wrong, "n"))
    report.raises(ValueError, "n: 3 rows where 2", lambda: group.exchange(tf.ones([3, 2]), "n"))


RANK = 0


def main() -> None:
    global RANK
    faulthandler.dump_traceback_later(_PATIENCE, exit=True)
    grid, folder = Grid(*map(int, sys.argv[1].split("x"))), Path(sys.argv[2])
    group, report = backend.group(PROCESSES, grid), Report()
    RANK = group.rank
    for line in lines(grid):
        Checks(group.within(line), line, report).all()
    alone = [line for line in Line if grid.along(line).size == 1]
    kinds = {type(group.within(line)) for line in alone}
    report.equal("lines of one rank", len(kinds - {Solo}), 0)
    if group.size > 1:
        refusals(group, report)
    summary = {"library": group.library, "checked": report.checked, "wrong": report.wrong}
    (folder / f"rank{group.rank}.json").write_text(json.dumps(summary))
    group.barrier()
    group.close()


if __name__ == "__main__":
    main()
