"""Streams that show nothing: a black picture, a picture that stands still. From brightness on a coarse grid, without a model.

How long it must last is the policy's (`hits` of `window` looks at the detector's cadence): a finding says what one look shows. A
picture that belongs to no room is no stream, and nothing is said of it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from inference.detectors import Outputs, StagedDetector
from inference.host import Host
from inference.samples import FrameSample, Modality, Pixels
from inference.verdicts import Finding

BLACK, FROZEN = "quality.black", "quality.frozen"
GRID = (64, 36)
"""Cells across and down that brightness is measured on."""
BLACK_MEAN = 12.0
"""Mean brightness of a black picture, of 255, at most."""
BLACK_CELL = 40
"""Brightness of its brightest cell: a faint clock on black is no picture, a subtitle is."""
STILL_CHANGE = 3
"""Levels that a cell of a frozen picture may differ by: what encoding the same picture again changes."""
STILL_S = 20.0
"""A picture that did not change for this long is frozen, seconds."""
SCORE = 0.95
MAX_ROOMS = 8192
"""Rooms whose picture is remembered; overflow rule: the one looked at longest ago goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityOutputs(Outputs):
    """What one look showed."""

    black: bool
    still_s: float
    """How long the picture has been the same, seconds."""


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """A room's picture since it last changed."""

    session_id: str
    cells: Pixels
    since_s: float


class QualityDetector(StagedDetector[FrameSample, QualityOutputs, QualityOutputs]):
    """Reports `quality.black` and `quality.frozen`."""

    name = "quality"
    modality = Modality.IMAGE
    takes = FrameSample

    def __init__(self, *, host: Host) -> None:
        super().__init__(host, frozenset({BLACK, FROZEN}))
        self._rooms: OrderedDict[str, _Seen] = OrderedDict()
        self._lock = threading.Lock()

    def forget(self, room_id: str) -> None:
        """Drop the picture remembered of a room."""
        with self._lock:
            self._rooms.pop(room_id, None)

    def prepare(self, sample: FrameSample) -> QualityOutputs:
        """Measure brightness, and compare it with the room's picture before."""
        if not sample.room_id:
            return QualityOutputs(black=False, still_s=0.0)
        cells = sample.picture.luma(GRID)
        black = float(cells.mean()) <= BLACK_MEAN and int(cells.max()) <= BLACK_CELL
        return QualityOutputs(black=black, still_s=self._still_s(sample, cells))

    async def infer(self, prepared: QualityOutputs, *, deadline_s: float | None) -> QualityOutputs:
        """Nothing to wait for."""
        return prepared

    def findings(self, outputs: QualityOutputs, sample: FrameSample) -> tuple[Finding, ...]:
        """At most one: a black picture that stands still is black."""
        label = BLACK if outputs.black else FROZEN if outputs.still_s >= STILL_S else None
        if label is None:
            return ()
        return (Finding(label=label, score=SCORE, modality=self.modality, detector=self.name, pts_s=sample.pts_s),)

    def _still_s(self, sample: FrameSample, cells: Pixels) -> float:
        with self._lock:
            seen = self._rooms.get(sample.room_id)
            if seen is None or seen.session_id != sample.session_id or seen.since_s > sample.pts_s or not _same(seen.cells, cells):
                self._rooms[sample.room_id] = seen = _Seen(sample.session_id, cells, sample.pts_s)
                while len(self._rooms) > MAX_ROOMS:
                    self._rooms.popitem(last=False)
            self._rooms.move_to_end(sample.room_id)
            return sample.pts_s - seen.since_s


def _same(one: Pixels, other: Pixels) -> bool:
    return int(np.abs(one.astype(np.int16) - other).max()) <= STILL_CHANGE
