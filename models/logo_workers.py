"""Processes that make scenes while a network is trained: each fills its own numbers of one folder until it is told to stop.

They are forked with the footage in memory, so start them before anything of a graphics card is touched. A group is whole in the
folder or not there; a process that dies costs its share of new scenes and nothing else.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import time
from collections.abc import Callable

import cv2

from models.errors import DataError
from models.logo_cache import SceneCache
from models.logo_footage import Footage

log = logging.getLogger(__name__)

_MOST_FAILURES = 20
"""Groups in a row that may fail before a process gives up."""
_JOIN_S = 4.0
"""For all of them together to end their groups."""


class SceneWorkers:
    """Some processes that make scenes; `close` ends them."""

    def __init__(self, cache: SceneCache, footage: Footage, n: int) -> None:
        """Start them.

        Args:
            cache: where the groups go.
            footage: of the same side of the split.
            n: processes.
        """
        fork = multiprocessing.get_context("fork")
        self._stop = fork.Event()
        parent = os.getpid()
        self._processes = [
            fork.Process(
                target=_work,
                args=(cache, footage, range(at, 1_000_000_000, n), self._keeps_on(parent)),
                name=f"scenes-{at}",
                daemon=True,
            )
            for at in range(n)
        ]
        for process in self._processes:
            process.start()

    def _keeps_on(self, parent: int) -> Callable[[], bool]:
        stop = self._stop
        return lambda: not stop.is_set() and os.getppid() == parent

    @property
    def n_alive(self) -> int:
        """How many still work."""
        return sum(process.is_alive() for process in self._processes)

    def close(self) -> None:
        """Stop after the group that each is at, or without it where that takes too long."""
        self._stop.set()
        ends_s = time.monotonic() + _JOIN_S
        for process in self._processes:
            process.join(max(0.0, ends_s - time.monotonic()))
            if process.is_alive():
                process.terminate()
                process.join()


def _work(cache: SceneCache, footage: Footage, numbers: range, keeps_on: Callable[[], bool]) -> None:
    cv2.setNumThreads(1)  # one process is one core
    made_or_failed(cache, footage, numbers, keeps_on)


def made_or_failed(cache: SceneCache, footage: Footage, numbers: range, keeps_on: Callable[[], bool]) -> int:
    """Make groups until told to stop, out of numbers, or failing too often.

    Args:
        cache: where the groups go.
        footage: of the same side of the split.
        numbers: of the groups, taken in order.
        keeps_on: asked before each group; ends the work with False.

    Returns:
        how many groups failed.
    """
    n_failed = n_in_a_row = 0
    for number in numbers:
        if not keeps_on() or n_in_a_row >= _MOST_FAILURES:
            break
        try:
            cache.make(number, footage)
            n_in_a_row = 0
        except (DataError, OSError) as exc:
            n_failed, n_in_a_row = n_failed + 1, n_in_a_row + 1
            log.warning("group %d could not be made: %s", number, exc)
    return n_failed
