"""What building new lists owes to those who serve meanwhile: short turns of the interpreter, and no collections."""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
from collections.abc import Iterator

TURN_S = 0.001
"""How long a thread that builds may keep the interpreter while another waits, seconds; five times less than Python's own."""

_lock = threading.Lock()


@contextlib.contextmanager
def building() -> Iterator[None]:
    """Build something of a million objects; one at a time in a process.

    Without it the collector walks all of them again and again while they grow, and every request waits for that.
    """
    with _lock:
        turn_s, collects = sys.getswitchinterval(), gc.isenabled()
        sys.setswitchinterval(min(TURN_S, turn_s))
        gc.disable()
        try:
            yield
        finally:
            sys.setswitchinterval(turn_s)
            if collects:
                gc.enable()
