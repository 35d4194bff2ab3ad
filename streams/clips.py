"""Cutting a room's sound into overlapping windows; pure arithmetic on PCM, no decoder in sight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from inference.samples import SAMPLE_RATE_HZ, Pcm
from streams.sampling import AudioPlan

GAP_S = 0.3
"""A hole in the sound longer than this ends the window; nothing is made up to fill it."""
MIN_CLIP_S = 0.5
"""A rest shorter than this is not worth a look."""


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """One window of sound, `[start_s, start_s + len(pcm) / 16000)`."""

    start_s: float
    pcm: Pcm
    """Mono, 16 kHz, float32, shape (T,)."""
    last: bool = False
    """True for the rest that ends the sound."""

    def __repr__(self) -> str:
        return f"Window({self.start_s:.2f}s, {len(self.pcm)} pcm)"


class ClipCutter:
    """Collects chunks and gives out a window each time a hop is complete.

    hop 4 s, window 8 s:   [0, 8) [4, 12) [8, 16) ... and the rest that no window has covered yet
    """

    def __init__(self, plan: AudioPlan) -> None:
        self._window = round(plan.window_s * SAMPLE_RATE_HZ)
        self._hop = round(plan.hop_s * SAMPLE_RATE_HZ)
        self._chunks: list[Pcm] = []
        self._n_held = 0
        self._n_seen = 0
        """How many of the held were in a window before."""
        self._start_s = 0.0

    def add(self, chunk: Pcm, *, start_s: float) -> list[Window]:
        """Take a chunk that begins at `start_s` on the timeline; return the windows it completes.

        A hole before it ends the window that was being collected, which is then given out short.
        """
        cut = self._cut_rest(last=False) if self._n_held and abs(start_s - self._end_s) > GAP_S else []
        if not self._n_held:
            self._start_s = start_s
        self._chunks.append(chunk)
        self._n_held += len(chunk)
        while self._n_held >= self._window:
            cut.append(self._take_window())
        return cut

    def joined(self, start_s: float) -> float:
        """Where a piece that arrived about then begins: right behind the sound held, unless there is a hole between them."""
        return self._end_s if self._n_held and abs(start_s - self._end_s) <= GAP_S else start_s

    def finish(self) -> list[Window]:
        """End the sound: give out what no window has covered yet, marked as the last."""
        return self._cut_rest(last=True)

    @property
    def _end_s(self) -> float:
        return self._start_s + self._n_held / SAMPLE_RATE_HZ

    def _take_window(self) -> Window:
        held = np.concatenate(self._chunks)
        window = Window(self._start_s, held[: self._window].copy())
        rest = held[self._hop :]
        self._chunks, self._n_held, self._n_seen = [rest], len(rest), self._window - self._hop
        self._start_s += self._hop / SAMPLE_RATE_HZ
        return window

    def _cut_rest(self, *, last: bool) -> list[Window]:
        unseen = self._n_held - self._n_seen
        rest = [Window(self._start_s, np.concatenate(self._chunks), last)] if unseen >= MIN_CLIP_S * SAMPLE_RATE_HZ else []
        self._chunks, self._n_held, self._n_seen = [], 0, 0
        return rest
