"""Chunks that meet on their way through a network, as ranks do in a collective.

Normalisation over a batch makes every layer wait for all samples. Chunks are traced in threads of
one graph, of which only one runs at a time: each up to the next sum, then the sum for all of them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import tensorflow as tf

Reduce = Callable[[tf.Tensor, str], tf.Tensor]
# From the tensors of all chunks and the name of their sum to that sum.
Meet = Callable[[Sequence[tf.Tensor], str], tf.Tensor]
Result = TypeVar("Result")


class _Stopped(BaseException):
    """Ends a thread whose fellow has failed."""


class _Walker(threading.Thread, Generic[Result]):
    """One chunk's way; its thread runs only between `advance` and the next sum."""

    def __init__(self, way: Callable[[Reduce], Result], graph: tf.Graph) -> None:
        super().__init__(daemon=True)
        self._way, self._graph = way, graph
        self._go, self._rest = threading.Semaphore(0), threading.Semaphore(0)
        self._answer: tf.Tensor | None = None
        self.asked: tuple[tf.Tensor, str] | None = None
        self.results: list[Result] = []
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        self._go.acquire()
        try:
            with self._graph.as_default():
                self.results.append(self._way(self._reduce))
        except BaseException as error:
            self.error = error
        self.asked = None
        self._rest.release()

    def _reduce(self, tensor: tf.Tensor, name: str) -> tf.Tensor:
        self.asked = tensor, name
        self._rest.release()
        self._go.acquire()
        if self._answer is None:
            raise _Stopped
        return self._answer

    def advance(self, answer: tf.Tensor | None) -> None:
        """Go on with a sum, or with None to the end, until the next sum or the end."""
        self._answer = answer
        self._go.release()
        self._rest.acquire()


def in_lockstep(ways: Sequence[Callable[[Reduce], Result]], meet: Meet) -> list[Result]:
    """Return what the ways of all chunks give; all of them ask for the same sums in turn.

    An exception on one way ends all of them.
    """
    graph = tf.compat.v1.get_default_graph()
    # Control dependencies that one thread has set are not those of another.
    graph.switch_to_thread_local()
    walkers = [_Walker(way, graph) for way in ways]
    total: tf.Tensor | None = None
    while True:
        for walker in walkers:
            walker.advance(total)
            if walker.error is not None:
                _end(walkers)
                raise walker.error
        asked = [walker.asked for walker in walkers if walker.asked is not None]
        if not asked:
            return [result for walker in walkers for result in walker.results]
        total = meet([tensor for tensor, _ in asked], asked[0][1])


def _end(walkers: Sequence[_Walker[Result]]) -> None:
    for walker in walkers:
        if walker.is_alive() and walker.asked is not None:
            walker.advance(None)
