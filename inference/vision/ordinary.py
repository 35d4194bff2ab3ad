"""Ordinary frames, as an eye sees them: what titles are told apart from. Shipped ones to begin with, then frames that passed.

A frame that is like no title may be kept, now and then and few of each room, so that no room fills the pool. It is written to disk
so that a restarted worker does not begin anew; several workers may write one file, of which the last one's stays.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import threading
from collections import OrderedDict
from pathlib import Path

import numpy as np

from inference.vision.gallery_page import Looks

MAX_GROWN = 512
"""Looks kept of passed frames; overflow rule: a random one goes."""
EVERY_S = 60.0
"""Of one room at most one look in this time, seconds."""
MAX_ROOMS = 8192
SAVE_S = 600.0
"""How often the pool is written, seconds."""
ENOUGH_NEW = 32
"""New looks after which it is worth to compare titles with them."""


class OrdinaryFrames:
    """The pool of one eye; safe from any thread."""

    def __init__(self, start: Looks, path: Path | None = None, *, seed: int = 0) -> None:
        """Begin with shipped looks, and with those that a file holds.

        Args:
            start: shape (n, d).
            path: where grown looks are kept; None keeps them in memory only.
            seed: decides which look goes when the pool is full.
        """
        self._start = start
        self._path = path
        self._grown: list[Looks] = list(_read(path, start.shape[1])) if path is not None else []
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._last_s: OrderedDict[str, float] = OrderedDict()
        self._n_new = 0
        self._saved_s: float | None = None

    def __len__(self) -> int:
        return len(self._start) + len(self._grown)

    def looks(self) -> Looks:
        """Return all, shape (n, d)."""
        with self._lock:
            self._n_new = 0
            return np.concatenate([self._start, np.stack(self._grown)]) if self._grown else self._start

    @property
    def worth_a_look(self) -> bool:
        """True once enough came since `looks` was last asked."""
        return self._n_new >= ENOUGH_NEW

    def take(self, room_id: str, look: Looks, *, now_s: float) -> bool:
        """Keep the look of a frame that was like no title, if its room is due; True where it was kept.

        Args:
            room_id: "" is never kept: single pictures are what people are unsure of.
            look: shape (d,).
            now_s: monotonic.
        """
        with self._lock:
            last_s = self._last_s.get(room_id)
            if not room_id or (last_s is not None and now_s - last_s < EVERY_S):
                return False
            self._last_s[room_id] = now_s
            self._last_s.move_to_end(room_id)
            while len(self._last_s) > MAX_ROOMS:
                self._last_s.popitem(last=False)
            if len(self._grown) >= MAX_GROWN:
                self._grown[self._random.randrange(MAX_GROWN)] = look
            else:
                self._grown.append(look)
            self._n_new += 1
            return True

    def save(self, *, now_s: float) -> None:
        """Write what has grown, if that is due; a disk that refuses loses nothing but a head start."""
        with self._lock:
            due = self._saved_s is None or now_s - self._saved_s >= SAVE_S
            if self._path is None or not self._grown or not due:
                return
            self._saved_s = now_s
            grown = np.stack(self._grown).astype(np.float16)
        out = io.BytesIO()
        np.save(out, grown, allow_pickle=False)
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}.tmp")
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(out.getvalue())
            beside.replace(self._path)


def _read(path: Path, n_numbers: int) -> Looks:
    try:
        kept = np.load(path, allow_pickle=False).astype(np.float32)
    except (OSError, ValueError, EOFError):
        return np.zeros((0, n_numbers), np.float32)
    if kept.ndim != 2 or kept.shape[1] != n_numbers or not np.isfinite(kept).all():
        return np.zeros((0, n_numbers), np.float32)
    return np.asarray(kept[:MAX_GROWN], np.float32)
