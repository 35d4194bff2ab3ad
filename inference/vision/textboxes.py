"""From a map of text probability to boxes around lines: threshold, contours, score, and growth to the full height of the letters.

The net is trained to mark the middle of a line only (Differentiable Binarization, Liao et al. 2020, arXiv:1911.08947), so each
rectangle grows by area * ratio / perimeter on every side.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.manifest import Manifest


@dataclass(frozen=True, slots=True)
class BoxRules:
    """The numbers of the post-processing; pixels are those of the map."""

    probability_threshold: float
    """A pixel of the map belongs to text above it."""
    dilate_px: int
    """Side of the square that joins broken strokes of the mask; 1 leaves it alone."""
    box_threshold: float
    """Mean probability inside a box below which it is dropped."""
    unclip_ratio: float
    min_side_px: int
    """Shortest side of a box before it grows."""
    max_candidates: int
    """Contours looked at per map, largest first."""

    @classmethod
    def of(cls, manifest: Manifest) -> BoxRules:
        """Read them from the manifest.

        Raises:
            ManifestError: one is missing.
        """
        return cls(
            probability_threshold=manifest.number("probability_threshold"),
            dilate_px=int(manifest.number("dilate_px")),
            box_threshold=manifest.number("box_threshold"),
            unclip_ratio=manifest.number("unclip_ratio"),
            min_side_px=int(manifest.number("min_side_px")),
            max_candidates=int(manifest.number("max_candidates")),
        )


@dataclass(frozen=True, slots=True, eq=False)
class TextBox:
    """One line of text as found, perhaps tilted."""

    corners: NDArray[np.float32]
    """Shape (4, 2), x and y in pixels of the frame: upper left, upper right, lower right, lower left of the text."""
    score: float
    """Mean probability inside, 0..1."""

    @property
    def width_px(self) -> float:
        """Length of the line."""
        return float(np.hypot(*(self.corners[1] - self.corners[0])))

    @property
    def height_px(self) -> float:
        """Height of the line."""
        return float(np.hypot(*(self.corners[3] - self.corners[0])))

    @property
    def centre_y(self) -> float:
        """Where it stands on the frame, pixels from the top."""
        return float(self.corners[:, 1].mean())


@dataclass(frozen=True, slots=True)
class TextBoxes:
    """Boxes from top to bottom, and what was not looked at."""

    boxes: tuple[TextBox, ...]
    n_dropped: int = 0
    """Candidates over a bound."""


def find_text_boxes(probability: NDArray[np.float32], rules: BoxRules, *, frame_size: tuple[int, int], max_boxes: int) -> TextBoxes:
    """Find lines of text.

    Args:
        probability: shape (H, W), 0..1.
        rules: the post-processing's numbers.
        frame_size: (width, height) in pixels that the corners are given in.
        max_boxes: of more boxes the largest stay, since an advert is written to be seen.

    Returns:
        the boxes from top to bottom.
    """
    contours, n_dropped = _contours(probability, rules)
    height, width = probability.shape
    scale = np.array([frame_size[0] / width, frame_size[1] / height], np.float32)
    found = [box for contour in contours if (box := _box(probability, contour, rules, scale, frame_size)) is not None]
    found.sort(key=lambda box: -box.width_px * box.height_px)
    n_dropped += max(0, len(found) - max_boxes)
    return TextBoxes(tuple(sorted(found[:max_boxes], key=lambda box: box.centre_y)), n_dropped)


def _contours(probability: NDArray[np.float32], rules: BoxRules) -> tuple[list[NDArray[np.int32]], int]:
    mask = (probability > rules.probability_threshold).astype(np.uint8)
    if rules.dilate_px > 1:
        mask = np.asarray(cv2.dilate(mask, np.ones((rules.dilate_px, rules.dilate_px), np.uint8)), dtype=np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    kept = [np.asarray(contour, dtype=np.int32) for contour in contours]
    if len(kept) <= rules.max_candidates:
        return kept, 0
    kept.sort(key=lambda contour: -int(np.prod(np.ptp(contour[:, 0], axis=0))))
    return kept[: rules.max_candidates], len(kept) - rules.max_candidates


def _box(
    probability: NDArray[np.float32],
    contour: NDArray[np.int32],
    rules: BoxRules,
    scale: NDArray[np.float32],
    frame_size: tuple[int, int],
) -> TextBox | None:
    centre, (width, height), angle = cv2.minAreaRect(contour)
    if min(width, height) < rules.min_side_px:
        return None
    score = _mean_inside(probability, np.asarray(cv2.boxPoints((centre, (width, height), angle)), np.float32))
    if score < rules.box_threshold:
        return None
    # Growing a rectangle by a distance on every side gives a rectangle: no polygon clipper is needed for it.
    grow = 2 * rules.unclip_ratio * width * height / (2 * (width + height))
    corners = np.asarray(cv2.boxPoints((centre, (width + grow, height + grow), angle)), np.float32) * scale
    limit = np.array(frame_size, np.float32) - 1
    box = TextBox(_in_reading_order(np.clip(corners, 0, limit)), min(1.0, score))
    return box if min(box.width_px, box.height_px) > rules.min_side_px else None


def _mean_inside(probability: NDArray[np.float32], corners: NDArray[np.float32]) -> float:
    height, width = probability.shape
    low = np.clip(np.floor(corners.min(axis=0)), 0, [width - 1, height - 1]).astype(np.int32)
    high = np.clip(np.ceil(corners.max(axis=0)), 0, [width - 1, height - 1]).astype(np.int32)
    part = probability[low[1] : high[1] + 1, low[0] : high[0] + 1]
    mask = np.zeros(part.shape, np.uint8)
    cv2.fillPoly(mask, [(corners - low).astype(np.int32)], 1)
    return float(cv2.mean(part, mask)[0])


def _in_reading_order(corners: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sort four corners: upper left, upper right, lower right, lower left."""
    by_x = corners[np.argsort(corners[:, 0], kind="stable")]
    left, right = by_x[:2], by_x[2:]
    upper_left, lower_left = left[np.argsort(left[:, 1], kind="stable")]
    upper_right, lower_right = right[np.argsort(right[:, 1], kind="stable")]
    return np.stack([upper_left, upper_right, lower_right, lower_left]).astype(np.float32)
