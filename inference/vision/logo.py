"""Enrolled logos and watermarks anywhere on the frame: what holds still while the scene moves, compared with what staff enrolled.

    frames of the room ─ planes ─ finder lane ─ places ─ teller lane ─ boxes moved ─ teller lane ─ embeddings
                                                  gathered with the looks before, place by place ─ page of logos

A look takes the frame alone and, every other time, the room's frames at the looks before, too: overlay pixels hold still, so many
frames show what is faint, and one shows what moves. What is seen look after look is surer than on any one. Neither network knows a
logo; enrolling one changes the page alone.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import cv2
import numpy as np

from inference.detectors import Outputs, StagedDetector, timings_of
from inference.host import Host
from inference.samples import FrameSample, Modality, Picture, Pixels
from inference.tickets import Ticket
from inference.verdicts import Box, Finding
from inference.vision.logo_book import LogoBook, LogoEntry
from inference.vision.logo_memory import LogoMemory, LookAt
from inference.vision.ocr import LaneModel
from inference.vision.recent_frames import RecentFrames
from models.calibration import Calibration
from models.logo_boxes import moved, places_of
from models.logo_codec import LONGEST_PX, N_FRAMES, SIDE_MULTIPLE_PX, Floats, Planes, crops, frames_of_look, packed, planes_of
from models.logo_matching import MOST_SCORE, N_NUMBERS, Match, Seen, matches_of, still_there, to_check

KEPT_S = 45.0
"""Frames farther apart than this say nothing of each other, seconds."""
MAX_ROOMS = 64
"""Rooms whose frames are kept: 9.7 MB each at 1280x720; more rooms see single frames, and find less."""
LIKENESS_FLOOR = 0.3
"""Cosine below which nothing is said of a place."""


@dataclass(frozen=True, slots=True, eq=False)
class LogoLook:
    """A look before the networks."""

    planes: Planes
    newest: Pixels | None
    """The newest frame, where `planes` are of several."""
    at: LookAt


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LogoOutputs(Outputs):
    """What the networks saw on one look, gathered with the looks before."""

    seen: Seen
    size: tuple[int, int]
    """Width and height of the frame that they saw, pixels."""


class LogoDetector(StagedDetector[FrameSample, LogoLook | None, LogoOutputs]):
    """One finding for each enrolled logo that is seen, under its label, with its name as `sublabel`."""

    name = "logo"
    modality = Modality.IMAGE
    takes = FrameSample

    def __init__(self, finder: LaneModel, teller: LaneModel, book: LogoBook, *, host: Host, labels: frozenset[str]) -> None:
        """Bind to two lanes.

        Args:
            finder: the network that finds overlays.
            teller: the one that says what a place shows.
            book: what is looked for.
            host: threads and clock.
            labels: codes that staff may enrol a logo under.

        Raises:
            ManifestError: a number is missing.
        """
        super().__init__(host, labels)
        self._finder, self._teller = finder.lane, teller.lane
        self._finds, self._tells = finder.manifest, teller.manifest
        self._book = book
        self._frames = RecentFrames(n_frames=N_FRAMES, max_age_s=KEPT_S, max_rooms=MAX_ROOMS)
        self._memory = LogoMemory(MAX_ROOMS)
        self._calibration = calibration_of(self._tells.number("review"), self._tells.number("block"))

    def forget(self, room_id: str) -> None:
        """Let a room's frames go, and what was seen on them."""
        self._frames.forget(room_id)
        self._memory.forget(room_id)

    def prepare(self, sample: FrameSample) -> LogoLook | None:
        """Gather the frame with the room's last ones; None where no logo is enrolled."""
        if not len(self._book.page.index):
            return None
        frame = frame_of(sample.picture)
        recent = self._frames.add(sample.room_id, sample.session_id, sample.pts_s, frame)
        frames = frames_of_look(recent.frames, recent.number)
        newest = frame if len(frames) > 1 else None
        return LogoLook(planes_of(frames), newest, LookAt(sample.room_id, sample.session_id, sample.pts_s))

    async def infer(self, prepared: LogoLook | None, *, deadline_s: float | None) -> LogoOutputs:
        """Find places, tell what they show, move the boxes as told, and tell for good."""
        if prepared is None:
            return LogoOutputs(seen=_NOTHING, size=(1, 1))
        planes, (height, width) = prepared.planes, prepared.planes.luma.shape
        ticket = self._finder.submit({self._finds.inputs[0].name: packed(planes)}, deadline_s=deadline_s)
        grid = (await ticket)[self._finds.outputs[0].name]
        places = places_of(
            grid[:1],
            grid[1:],
            floor=self._finds.number("floor"),
            most=int(self._finds.number("most")),
            overlap=self._finds.number("overlap"),
        )
        tickets = [ticket]
        if not len(places.boxes):
            self._memory.add(prepared.at, (width, height), _NOTHING)
            return LogoOutputs(seen=_NOTHING, size=(width, height), timings=timings_of(tickets))
        first = await self._tell(planes, places.boxes, tickets, deadline_s)
        boxes = moved(places.boxes, first[:, N_NUMBERS + 1 :])
        told = await self._tell(planes, boxes, tickets, deadline_s)
        seen = Seen(boxes, places.scores, told[:, N_NUMBERS], told[:, :N_NUMBERS])
        if prepared.newest is not None:
            seen = await self._present(seen, prepared.newest, tickets, deadline_s)
        seen = self._memory.add(prepared.at, (width, height), seen)
        return LogoOutputs(seen=seen, size=(width, height), timings=tuple(one.timing for one in tickets if one.timing is not None))

    async def _present(self, seen: Seen, newest: Pixels, tickets: list[Ticket], deadline_s: float | None) -> Seen:
        """Leave out what is like an enrolled logo and no longer there."""
        checked = to_check(seen, self._book.page.index)
        if not len(checked):
            return seen
        alone = await self._host.run(self.name, lambda: planes_of([newest]), deadline_s=deadline_s)
        return still_there(seen, checked, await self._tell(alone, seen.boxes[checked], tickets, deadline_s))

    async def _tell(self, planes: Planes, boxes: Floats, tickets: list[Ticket], deadline_s: float | None) -> Floats:
        """Ask the teller of every box; the first ticket stands for all in `tickets`."""
        shown = await self._host.run(self.name, lambda: crops(planes, boxes), deadline_s=deadline_s)
        asked = [self._teller.submit({self._tells.inputs[0].name: crop}, deadline_s=deadline_s) for crop in shown]
        answers = await asyncio.gather(*asked)
        tickets.append(max(asked, key=lambda one: one.timing.done_s if one.timing is not None else 0.0))
        return np.stack([answer[self._tells.outputs[0].name] for answer in answers])

    def findings(self, outputs: LogoOutputs, sample: FrameSample) -> tuple[Finding, ...]:
        """Name the logos that the places look like; of several places like one logo all boxes are kept."""
        page = self._book.page
        found: dict[str, list[Box]] = {}
        for match in matches_of(outputs.seen, page.index, floor=LIKENESS_FLOOR):
            entry = page.logos[match.mark].entry
            box = self._box(match, outputs.size, entry)
            if entry.admits(box):
                found.setdefault(match.mark, []).append(box)
        return tuple(
            Finding(
                label=page.logos[name].entry.label,
                score=max(box.score for box in boxes),
                modality=Modality.IMAGE,
                detector=self.name,
                pts_s=sample.pts_s,
                sublabel=name,
                model=self._teller.session.ref,
                boxes=tuple(boxes),
            )
            for name, boxes in found.items()
        )

    def _box(self, match: Match, size: tuple[int, int], entry: LogoEntry) -> Box:
        left, top, right, bottom = (float(side) for side in match.box)
        x, y = max(0.0, left / size[0]), max(0.0, top / size[1])
        w, h = min(1.0, right / size[0]) - x, min(1.0, bottom / size[1]) - y
        return Box(x, y, max(0.0, w), max(0.0, h), score=float(self._calibration.apply(match.score)), name=entry.title)


_NOTHING = Seen(
    np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.float32), np.zeros((0, N_NUMBERS), np.float32)
)


def calibration_of(review: float, block: float) -> Calibration:
    """Turn what a match is worth, see `Match.score`, into scores: 0.6 and 0.9 where the network's own thresholds lie."""
    return Calibration.of([[0.0, 0.0], [review - 0.2, 0.35], [review, 0.6], [block, 0.9], [MOST_SCORE, 0.99]])


def frame_of(picture: Picture) -> Pixels:
    """Bring a picture to the size and layout that the networks are fed from: I420, longest side 1280, sides multiples of 16."""
    scale = LONGEST_PX / max(picture.width, picture.height)
    width, height = (max(1, round(side * scale / SIDE_MULTIPLE_PX)) * SIDE_MULTIPLE_PX for side in (picture.width, picture.height))
    return np.asarray(cv2.cvtColor(picture.rgb((width, height)), cv2.COLOR_RGB2YUV_I420), np.uint8)
