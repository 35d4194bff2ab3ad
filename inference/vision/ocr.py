"""Text on the picture: find lines, read those that changed, and have the text engine look at what they say.

    frame -> det lane -> boxes -> (seen before? its text) or crop -> [cls lane] -> rec lane -> lines -> text engine -> findings

Reading costs twice what finding does, so a line that stands still is read once (`lines.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.detectors import Extras, LineReader, Outputs, StagedDetector, TextLine, TextReader, timings_of
from inference.host import Host
from inference.lanes import Lane
from inference.samples import FrameSample, Modality, Pixels, Scene
from inference.sessions import Rows
from inference.tickets import Ticket, Timing
from inference.verdicts import Box, Finding
from inference.vision.crops import cut_line, line_tensor
from inference.vision.ctc import PROBABILITIES, SYMBOLS, CtcAlphabet, Reading
from inference.vision.lines import LineMemory, ReadLine, look_of
from inference.vision.paragraphs import JoinedText, join_lines
from inference.vision.tensors import tensor_of
from inference.vision.textboxes import BoxRules, TextBox, find_text_boxes
from models.manifest import Manifest

BOX_NAME = "text"


@dataclass(frozen=True, slots=True)
class LaneModel:
    """A lane and the manifest of what runs in it."""

    lane: Lane
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class OcrModels:
    """The nets that read; `rec` runs in a lane over a `GreedySession`."""

    det: LaneModel
    rec: LaneModel
    alphabet: CtcAlphabet
    cls: LaneModel | None = None
    """Turns lines that stand on their head; None (the default) takes every line as it is."""


@dataclass(frozen=True, slots=True)
class OcrLimits:
    """What one frame, and all rooms, may cost."""

    side_px: int = 640
    """Longest side of the picture that lines are looked for on; larger finds smaller text and costs by the square."""
    max_lines: int = 48
    """Lines read per frame, largest first; the rest is counted as dropped."""
    max_rooms: int = 4096
    """Rooms whose lines are remembered."""


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """A frame ready to be searched for text."""

    room_id: str
    pts_s: float
    pixels: Pixels
    """RGB uint8 (H, W, 3), as large as the frame: lines are cut out of it."""
    tensor: NDArray[np.float32]
    """For the detection net, shape (3, h, w), multiples of its stride."""


@dataclass(slots=True, eq=False)
class _Line:
    """One box on its way to a text."""

    box: TextBox
    known: ReadLine | None
    """What stood there before and still does."""
    crop: Pixels | None = None
    """To be read; None for a known line."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class OcrOutputs(Outputs):
    """What stands on the frame."""

    lines: tuple[TextLine, ...]
    """From top to bottom, each read with at least the recogniser's threshold."""
    n_read: int = 0
    """Lines that went through the recogniser; the others were known."""
    n_dropped: int = 0


class OcrDetector(StagedDetector[FrameSample, Page, OcrOutputs]):
    """Reports what the text engine finds in lines on the picture, and in lines that belong together."""

    name = "ocr"
    modality = Modality.IMAGE
    takes = FrameSample

    def __init__(
        self,
        models: OcrModels,
        read: TextReader,
        *,
        host: Host,
        text_labels: frozenset[str],
        read_line: LineReader | None = None,
        limits: OcrLimits | None = None,
    ) -> None:
        """Bind to the lanes.

        Args:
            models: lanes and manifests.
            read: the text engine.
            host: threads and clock.
            text_labels: every code the text engine may report.
            read_line: what else a single line may be, such as an enrolled logo's lettering.
            limits: bounds of cost.

        Raises:
            ManifestError: a number of the post-processing is missing.
        """
        super().__init__(host, text_labels)
        self._models = models
        self._read = read
        self._read_line = read_line or (lambda _: ())
        self._limits = limits or OcrLimits()
        self._rules = BoxRules.of(models.det.manifest)
        self._text_threshold = models.rec.manifest.number("text_threshold")
        self._turn_threshold = models.cls.manifest.number("turn_threshold") if models.cls else 1.0
        self._memory = LineMemory(max_rooms=self._limits.max_rooms)

    def forget(self, room_id: str) -> None:
        """Drop the lines remembered of a room."""
        self._memory.forget(room_id)

    def prepare(self, sample: FrameSample) -> Page:
        """Scale the picture down (never up) and normalise it."""
        pixels = sample.picture.rgb()
        numbers = self._models.det.manifest.preprocess
        size = search_size(pixels, self._limits.side_px, numbers.multiple_of_px)
        small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
        return Page(sample.room_id, sample.pts_s, pixels, tensor_of(small, numbers))

    async def infer(self, prepared: Page, *, deadline_s: float | None) -> OcrOutputs:
        """Find, recall, read."""
        found, timings = await self._score(self._models.det, [prepared.tensor], deadline_s)
        probability = found[0][self._models.det.manifest.outputs[0].name][0]
        lines, n_dropped = await self._host.run(self.name, lambda: self._lines(prepared, probability), deadline_s=deadline_s)
        unread = [line for line in lines if line.crop is not None]
        readings: list[Reading] = []
        if unread:
            timings += await self._straighten(unread, deadline_s)
            rec = self._models.rec
            tensors = await self._tensors(unread, rec.manifest, deadline_s)
            rows, more = await self._score(rec, tensors, deadline_s)
            timings += more
            readings = [self._models.alphabet.read(row[SYMBOLS], row[PROBABILITIES]) for row in rows]
        read = await self._host.run(self.name, lambda: self._remember(prepared, lines, readings), deadline_s=None)
        return OcrOutputs(lines=read, n_read=len(unread), n_dropped=n_dropped, timings=timings)

    def findings(self, outputs: OcrOutputs, sample: FrameSample) -> tuple[Finding, ...]:
        """What the text engine says of each line, then of lines together where it says more."""
        found: list[Finding] = []
        for line in outputs.lines:
            said = (*self._read(line.text, Scene.OCR), *self._read_line(line))
            found += [self._finding(one, (line,), line.text, line.score, sample) for one in said]
        alone = {_meaning(finding) for finding in found}
        aspect = sample.picture.width / sample.picture.height
        for joined in join_lines(outputs.lines, aspect=aspect):
            found += [one for one in self._of_joined(joined, sample) if _meaning(one) not in alone]
        return tuple(found)

    def extras(self, outputs: OcrOutputs, sample: FrameSample) -> Extras:
        """The lines."""
        return Extras(lines=outputs.lines, n_dropped=outputs.n_dropped)

    def _of_joined(self, joined: JoinedText, sample: FrameSample) -> list[Finding]:
        return [
            self._finding(finding, joined.lines, joined.text, joined.score, sample)
            for finding in self._read(joined.text, Scene.OCR)
        ]

    def _finding(self, finding: Finding, lines: Sequence[TextLine], text: str, read_score: float, sample: FrameSample) -> Finding:
        score = finding.score * read_score
        return replace(
            finding,
            score=score,
            modality=self.modality,
            detector=self.name,
            pts_s=sample.pts_s,
            model=self._models.rec.lane.session.ref,
            boxes=tuple(replace(line.box, score=score, name=BOX_NAME) for line in lines),
            text=text,
        )

    # ---- CPU work between the lanes

    def _lines(self, page: Page, probability: NDArray[np.float32]) -> tuple[list[_Line], int]:
        size = (page.pixels.shape[1], page.pixels.shape[0])
        found = find_text_boxes(probability, self._rules, frame_size=size, max_boxes=self._limits.max_lines)
        lines = [_Line(box, self._memory.recall(page.room_id, page.pixels, box, now_s=page.pts_s)) for box in found.boxes]
        for line in lines:
            if line.known is None:
                line.crop = cut_line(page.pixels, line.box)
        return lines, found.n_dropped

    async def _tensors(self, lines: Sequence[_Line], manifest: Manifest, deadline_s: float | None) -> list[NDArray[np.float32]]:
        numbers = manifest.preprocess
        crops = [line.crop for line in lines if line.crop is not None]
        fixed = {} if numbers.width_px is None else {"widths_px": (numbers.width_px,)}
        return await self._host.run(
            self.name, lambda: [line_tensor(crop, numbers, **fixed) for crop in crops], deadline_s=deadline_s
        )

    async def _straighten(self, lines: Sequence[_Line], deadline_s: float | None) -> tuple[Timing, ...]:
        """Turn the crops that stand on their head, where there is a net that tells."""
        if self._models.cls is None:
            return ()
        manifest = self._models.cls.manifest
        tensors = await self._tensors(lines, manifest, deadline_s)
        rows, timings = await self._score(self._models.cls, tensors, deadline_s)
        for line, row in zip(lines, rows, strict=True):
            if line.crop is not None and row[manifest.outputs[0].name][1] > self._turn_threshold:
                line.crop = np.asarray(cv2.rotate(line.crop, cv2.ROTATE_180), dtype=np.uint8)
        return timings

    async def _score(
        self, model: LaneModel, tensors: Sequence[NDArray[np.float32]], deadline_s: float | None
    ) -> tuple[list[Rows], tuple[Timing, ...]]:
        name = model.manifest.inputs[0].name
        tickets: list[Ticket] = [model.lane.submit({name: tensor}, deadline_s=deadline_s) for tensor in tensors]
        rows = await asyncio.gather(*tickets)
        return list(rows), timings_of(tickets)

    def _remember(self, page: Page, lines: Sequence[_Line], readings: Sequence[Reading]) -> tuple[TextLine, ...]:
        """Pair boxes with texts, known and read; keep them for the next frame."""
        fresh = iter(readings)
        kept: list[ReadLine] = []
        for line in lines:
            if line.known is not None:
                kept.append(line.known)
            elif line.crop is not None:
                look = look_of(cut_line(page.pixels, line.box))  # as recall will see it: before it was turned
                kept.append(ReadLine(line.box, next(fresh), look, page.pts_s))
        self._memory.keep(page.room_id, tuple(kept))
        size = (page.pixels.shape[1], page.pixels.shape[0])
        return tuple(
            TextLine(one.reading.text, _box(line.box, size), one.reading.score)
            for line, one in zip(lines, kept, strict=True)
            if one.reading.text.strip() and one.reading.score >= self._text_threshold
        )


def search_size(pixels: Pixels, side_px: int, multiple_px: int) -> tuple[int, int]:
    """Tell (width, height) that lines are looked for at: longest side at most `side_px`, both multiples of the net's stride."""
    height, width = pixels.shape[:2]
    ratio = min(1.0, side_px / max(width, height))

    def whole(side: int) -> int:
        return max(multiple_px, round(int(side * ratio) / multiple_px) * multiple_px)

    return whole(width), whole(height)


def _box(box: TextBox, size: tuple[int, int]) -> Box:
    """Upright rectangle around a line, as fractions of the frame."""
    low = np.clip(box.corners.min(axis=0) / size, 0.0, 1.0)
    high = np.clip((box.corners.max(axis=0) + 1) / size, 0.0, 1.0)
    x, y = float(low[0]), float(low[1])
    return Box(x, y, min(float(high[0]) - x, 1.0 - x), min(float(high[1]) - y, 1.0 - y), box.score, BOX_NAME)


def _meaning(finding: Finding) -> tuple[str, str | None, str | None]:
    """What makes two findings of a frame the same: label, sublabel, term."""
    return finding.label, finding.sublabel, finding.match.term if finding.match else None
