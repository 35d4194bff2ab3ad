"""Exposed body parts with boxes, from the NudeNet detector: letterbox, lane, vectorised decoding, one finding per label.

Bars around a picture are left away, and a frame of several pictures is looked at tile by tile, too, where the policy asks for it:
a border or a grid would halve every part's size and with it the score. The numbers of both ends
come from the manifest; which classes are findings, and how raw scores become calibrated ones, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.detectors import Outputs, StagedDetector, timings_of
from inference.errors import ConfigError
from inference.host import Host
from inference.lanes import Lane
from inference.samples import FrameSample, Modality, Pixels
from inference.verdicts import Box, Finding
from inference.vision.layout_memory import LayoutMemory
from inference.vision.nms import suppress
from inference.vision.tensors import tensor_of
from models.manifest import ClassSpec, Manifest

MAX_TILES = 4
"""Tiles looked at beside the whole content, largest first."""


@dataclass(frozen=True, slots=True, eq=False)
class Letterboxed:
    """A part of a picture at the model's size."""

    tensor: NDArray[np.float32]
    """Shape (3, size, size), 0..1, the part in the upper left corner, black elsewhere."""
    ratio: float = 1.0
    """Longest side of the part over the frame's."""
    offset: tuple[float, float] = (0.0, 0.0)
    """Where the part's corner is on the whole frame at the model's size, input pixels."""

    def on_whole(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Move the net's answers to where they would be had it looked at the whole frame; (4 + n classes, anchors)."""
        if self.ratio == 1.0 and self.offset == (0.0, 0.0):
            return rows
        boxes = rows[:4] * np.float32(self.ratio)
        boxes[:2] += np.array(self.offset, np.float32)[:, None]
        return np.concatenate([boxes, rows[4:]])


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PornOutputs(Outputs):
    """The net's answers to the parts of one picture, as if all were to the whole."""

    rows: NDArray[np.float32]
    """Shape (4 + n classes, anchors): cx, cy, w, h in input pixels of the whole frame, then the classes' raw scores."""


@dataclass(frozen=True, slots=True)
class Region:
    """One body part the net saw, finding or not."""

    part: ClassSpec
    """The manifest's class: its name, and the label it is reported under, if any."""
    raw_score: float
    """The net's own score, 0..1."""
    box: Box
    """With the calibrated score, named as the class."""


class PornDetector(StagedDetector[FrameSample, tuple[Letterboxed, ...], PornOutputs]):
    """Reports exposed sensitive parts only; `regions` gives everything the net saw, faces and covered parts included."""

    name = "porn"
    modality = Modality.IMAGE
    takes = FrameSample

    def __init__(self, lane: Lane, manifest: Manifest, *, host: Host) -> None:
        """Bind to the lane of the model.

        Raises:
            ConfigError: the manifest is not of a model with this layout.
        """
        super().__init__(host, manifest.labels)
        if manifest.preprocess.width_px is None or manifest.preprocess.width_px != manifest.preprocess.height_px:
            raise ConfigError(f"{manifest.ref}: the porn detector needs a square input, width_px equal to height_px")
        self._lane = lane
        self._classes = manifest.classes
        self._side = manifest.preprocess.width_px
        self._numbers = manifest.preprocess
        self._candidate = manifest.number("candidate_score")
        self._threshold = manifest.number("score_threshold")
        self._iou = manifest.number("iou_threshold")
        self._input = manifest.inputs[0].name
        self._output = manifest.outputs[0].name
        self._layouts = LayoutMemory()

    def forget(self, room_id: str) -> None:
        """Drop the layout remembered of a room."""
        self._layouts.forget(room_id)

    def prepare(self, sample: FrameSample) -> tuple[Letterboxed, ...]:
        """Cut out the content and what of its tiles is looked at; bring each to a square and to 0..1 as the model was trained."""
        pixels = sample.picture.rgb()
        layout = self._layouts.of(sample)
        return tuple(self._letterboxed(pixels, part) for part in layout.parts(MAX_TILES if sample.tiled else 0))

    async def infer(self, prepared: tuple[Letterboxed, ...], *, deadline_s: float | None) -> PornOutputs:
        """Wait for the lane; all parts may run in one batch."""
        tickets = [self._lane.submit({self._input: part.tensor}, deadline_s=deadline_s) for part in prepared]
        answers = await asyncio.gather(*tickets)
        rows = [part.on_whole(answer[self._output]) for answer, part in zip(answers, prepared, strict=True)]
        return PornOutputs(rows=np.concatenate(rows, axis=1), timings=timings_of(tickets))

    def regions(self, outputs: PornOutputs, sample: FrameSample) -> tuple[Region, ...]:
        """Everything the net saw after suppression across classes, best first."""
        width, height = sample.picture.width, sample.picture.height
        scores = outputs.rows[4:]
        best = scores.max(axis=0)
        anchors = np.flatnonzero(best >= self._candidate)
        boxes = _on_frame(outputs.rows[:4, anchors].T, width, height, self._side)
        kept = suppress(boxes, best[anchors], score_threshold=self._threshold, iou_threshold=self._iou)
        parts = scores[:, anchors[kept]].argmax(axis=0)
        fractions = boxes[kept] / np.array([width, height, width, height], np.float32)
        return tuple(
            _region(self._classes[part], float(score), box)
            for part, score, box in zip(parts, best[anchors[kept]], fractions, strict=True)
        )

    def findings(self, outputs: PornOutputs, sample: FrameSample) -> tuple[Finding, ...]:
        """One finding per label, with the boxes of every class that is reported under it; its score is the best box's."""
        by_label: dict[str, list[Box]] = {}
        for region in self.regions(outputs, sample):
            if region.part.label is not None and region.box.score >= region.part.threshold:
                by_label.setdefault(region.part.label, []).append(region.box)
        return tuple(self._finding(label, boxes, sample) for label, boxes in by_label.items())

    def _letterboxed(self, pixels: Pixels, part: Box) -> Letterboxed:
        height, width = pixels.shape[:2]
        left, top = round(part.x * width), round(part.y * height)
        right, bottom = max(left + 1, round((part.x + part.w) * width)), max(top + 1, round((part.y + part.h) * height))
        cut = np.ascontiguousarray(pixels[top:bottom, left:right])
        longest = max(width, height)
        scale = self._side / longest
        tensor = tensor_of(letterbox(cut, self._side), self._numbers)
        return Letterboxed(tensor, max(cut.shape[:2]) / longest, (left * scale, top * scale))

    def _finding(self, label: str, boxes: Sequence[Box], sample: FrameSample) -> Finding:
        return Finding(
            label=label,
            score=max(box.score for box in boxes),
            modality=self.modality,
            detector=self.name,
            pts_s=sample.pts_s,
            model=self._lane.session.ref,
            boxes=tuple(boxes),
        )


def letterbox(pixels: Pixels, side_px: int) -> Pixels:
    """Bring a picture to a square: black to the right or below, then bilinear.

    Where every side shrinks by a whole ratio of the square, the padding is left for the small picture: the same pixels, a third of
    the cost.

    Args:
        pixels: uint8 (H, W, 3).
        side_px: of the square.

    Returns:
        uint8 (side_px, side_px, 3).
    """
    height, width = pixels.shape[:2]
    longest = max(height, width)
    whole = longest > side_px and (width * side_px) % longest == 0 and (height * side_px) % longest == 0
    if whole:
        pixels = _resized(pixels, width * side_px // longest, height * side_px // longest)
        height, width = pixels.shape[:2]
        longest = side_px
    if height != width:
        border = cv2.copyMakeBorder(pixels, 0, longest - height, 0, longest - width, cv2.BORDER_CONSTANT)
        pixels = np.asarray(border, dtype=np.uint8)
    if longest != side_px:
        pixels = _resized(pixels, side_px, side_px)
    return pixels


def _resized(pixels: Pixels, width: int, height: int) -> Pixels:
    return np.asarray(cv2.resize(pixels, (max(1, width), max(1, height)), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _on_frame(anchors: NDArray[np.float32], width: int, height: int, side_px: int) -> NDArray[np.float32]:
    """Turn (cx, cy, w, h) of the input into (x, y, w, h) of the frame, cut to the frame as the net's own package cuts it."""
    scaled = anchors * np.float32(max(width, height) / side_px)
    limit = np.array([width, height], np.float32)
    corner = np.clip(scaled[:, :2] - scaled[:, 2:] / 2, 0.0, limit)
    return np.hstack([corner, np.clip(np.minimum(scaled[:, 2:], limit - corner), 0.0, None)])


def _region(part: ClassSpec, raw_score: float, box: NDArray[np.float32]) -> Region:
    x, y, w, h = (float(value) for value in box)
    w, h = min(w, 1.0 - x), min(h, 1.0 - y)
    return Region(part, raw_score, Box(x, y, w, h, float(part.calibration.apply(raw_score)), part.name))
