"""A mark laid on pictures: tints, opacity, compositing in I420, and the views of a mark that is enrolled.

Numpy only. An enrolled mark is shown to the network as it would be found: several made-up frames behind it, the same planes, the
same crop; so what is enrolled and what is seen are numbers of one kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.logo_codec import SIDE_MULTIPLE_PX, Bytes, Floats, crops, planes_of, resized

VIEW_WIDTHS_PX = (72, 144, 256)
"""Widths at which a mark is shown, in pixels of a frame 1280 wide."""
_BACKGROUNDS = ((30.0, 90.0), (90.0, 160.0), (150.0, 225.0))
"""Luma that the made-up frames move between."""
_N_FRAMES = 4
_VARIED = 22.0
"""Standard deviation of luma from which a mark has drawing inside, so that one flat tint would hide it."""


class Tint(StrEnum):
    """What a platform does to a mark's colours."""

    OWN = "own"
    WHITE = "white"
    GREY = "grey"


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    """A mark ready to be laid on I420 frames at even places; straight alpha, sides even."""

    luma: Floats
    """Shape (h, w)."""
    alpha: Floats
    """0..1, shape (h, w)."""
    chroma: Floats
    """Shape (2, h / 2, w / 2)."""
    chroma_alpha: Floats
    """Shape (h / 2, w / 2)."""


def tinted(rgba: Bytes, tint: Tint, *, level: int | None = None) -> Bytes:
    """Recolour a mark; drawing inside it stays visible as steps of grey.

    Args:
        rgba: straight alpha, shape (H, W, 4).
        tint: what to do.
        level: 0..255, brightest level instead of the tint's own.
    """
    if tint is Tint.OWN:
        return rgba
    top = float(level if level is not None else 255 if tint is Tint.WHITE else 165)
    luma = rgba[:, :, :3].astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    seen = luma[rgba[:, :, 3] > 127]
    out = rgba.copy()
    if seen.size == 0 or seen.std() < _VARIED:
        out[:, :, :3] = int(top)
        return out
    low, high = np.percentile(seen, (2, 98))
    grey = top * (0.45 + 0.55 * np.clip((luma - low) / max(high - low, 1.0), 0.0, 1.0))
    out[:, :, :3] = grey[:, :, None].astype(np.uint8)
    return out


def scaled(rgba: Bytes, width: int, height: int) -> Bytes:
    """Resize with straight alpha; colours do not bleed from where nothing is seen."""
    alpha = rgba[:, :, 3].astype(np.float32)
    small = resized(alpha, width, height)
    out = np.empty((height, width, 4), np.uint8)
    for channel in range(3):
        weighed = resized(rgba[:, :, channel] * (alpha / 255.0), width, height) * 255.0
        out[:, :, channel] = np.clip(weighed / np.maximum(small, 1.0), 0.0, 255.0)
    out[:, :, 3] = np.clip(small + 0.5, 0.0, 255.0)
    return out


def overlay_of(rgba: Bytes, *, opacity: float, shift: tuple[int, int] = (0, 0)) -> Overlay:
    """Turn a mark into the terms of a frame.

    Args:
        rgba: straight alpha, shape (H, W, 4).
        opacity: 0..1, on top of the mark's own alpha.
        shift: pixels right and down of the even place it will be laid at, 0 or 1 each.
    """
    height, width = rgba.shape[:2]
    right, down = shift
    rows, columns = (height + down + 1) // 2 * 2, (width + right + 1) // 2 * 2
    whole = np.zeros((rows, columns, 4), np.float32)
    whole[down : down + height, right : right + width] = rgba
    red, green, blue = whole[:, :, 0], whole[:, :, 1], whole[:, :, 2]
    alpha = whole[:, :, 3] * np.float32(opacity / 255.0)
    luma = 16.0 + 0.257 * red + 0.504 * green + 0.098 * blue
    colours = (-0.148 * red - 0.291 * green + 0.439 * blue, 0.439 * red - 0.368 * green - 0.071 * blue)
    weight = _quartered(alpha)
    chroma = np.stack([_quartered(colour * alpha) / np.maximum(weight, 1e-6) + 128.0 for colour in colours])
    return Overlay(luma.astype(np.float32), alpha, chroma.astype(np.float32), weight)


def lay(frame: Bytes, overlay: Overlay, left: int, top: int) -> None:
    """Lay an overlay on an I420 frame in place; what lies beyond the rim is cut off.

    Args:
        frame: uint8, shape (H * 3 / 2, W).
        overlay: with even sides.
        left: even, may be negative.
        top: even, may be negative.
    """
    height, width = frame.shape[0] * 2 // 3, frame.shape[1]
    _mix(frame[:height], overlay.luma, overlay.alpha, left, top)
    chroma = frame[height:].reshape(2, height // 2, width // 2)
    for plane, colour in zip(chroma, overlay.chroma, strict=True):
        _mix(plane, colour, overlay.chroma_alpha, left // 2, top // 2)


def views(rgba: Bytes, *, tints: Sequence[Tint] = tuple(Tint), opacities: Sequence[float] = (0.55, 0.9)) -> Floats:
    """Show a mark to the network in every tint, small to large, on what is dark, middling and bright behind it.

    Args:
        rgba: straight alpha, cut to what is seen of the mark, shape (H, W, 4).
        tints: colours it may be met in.
        opacities: 0..1, taken in turns.

    Returns:
        crops, tint by tint, float32 in 0..255, shape (n, 6, 40, 96).
    """
    kinds = [(width, _BACKGROUNDS[(at + turn) % 3]) for turn in range(2) for at, width in enumerate(VIEW_WIDTHS_PX)]
    shown = [
        view(tinted(rgba, tint), width=width, opacity=opacities[at % len(opacities)], levels=levels, seed=at)
        for tint in tints
        for at, (width, levels) in enumerate(kinds)
    ]
    return np.stack(shown)


def view(rgba: Bytes, *, width: int, opacity: float, levels: tuple[float, float], seed: int) -> Floats:
    """Show a mark once, on a few made-up frames.

    Args:
        rgba: straight alpha, shape (H, W, 4).
        width: pixels of the mark in a frame 1280 wide.
        opacity: 0..1.
        levels: luma that the frames move between, 0..255.
        seed: of the made-up frames.

    Returns:
        one crop, float32 in 0..255, shape (6, 40, 96).
    """
    height = max(4, round(rgba.shape[0] * width / rgba.shape[1]))
    overlay = overlay_of(scaled(rgba, width, height), opacity=opacity)
    room = (max(6, width // 5), max(6, height // 5))
    sides = [
        (length + 2 * more + SIDE_MULTIPLE_PX - 1) // SIDE_MULTIPLE_PX * SIDE_MULTIPLE_PX
        for length, more in ((width, room[0]), (height, room[1]))
    ]
    left, top = (sides[0] - width) // 4 * 2, (sides[1] - height) // 4 * 2
    random = np.random.default_rng(seed)
    frames = []
    for _ in range(_N_FRAMES):
        frame = _behind(random, (sides[0], sides[1]), levels)
        lay(frame, overlay, left, top)
        frames.append(frame)
    box = np.array([[left, top, left + width, top + height]], np.float32)
    shown: Floats = crops(planes_of(frames), box)[0]
    return shown


def _behind(random: np.random.Generator, size: tuple[int, int], levels: tuple[float, float]) -> Bytes:
    """Make up a frame: soft patches of luma and colour."""
    width, height = size
    coarse = random.uniform(*levels, (3, 5)) * 0.5 + random.uniform(*levels) * 0.5
    frame = np.empty((height * 3 // 2, width), np.uint8)
    frame[:height] = np.clip(resized(coarse, width, height) + random.integers(-5, 6, (height, width), dtype=np.int8), 0, 255)
    tone = random.uniform(110.0, 146.0, (2, 1))
    frame[height:].reshape(2, -1)[:] = tone.astype(np.uint8)
    return frame


def _quartered(plane: NDArray[Any]) -> Floats:
    mean: Floats = ((plane[0::2, 0::2] + plane[0::2, 1::2] + plane[1::2, 0::2] + plane[1::2, 1::2]) * np.float32(0.25)).astype(
        np.float32
    )
    return mean


def _mix(plane: Bytes, colour: Floats, alpha: Floats, left: int, top: int) -> None:
    rows = slice(max(0, top), min(plane.shape[0], top + alpha.shape[0]))
    columns = slice(max(0, left), min(plane.shape[1], left + alpha.shape[1]))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    mine = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
    under = plane[rows, columns].astype(np.float32)
    under += (colour[mine] - under) * alpha[mine]
    plane[rows, columns] = np.clip(under + 0.5, 0.0, 255.0)
