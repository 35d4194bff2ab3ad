"""Model inputs as they travel: one picture, one clip of sound, one text, each with where and when it was taken.

Pixels stay in the form the decoder made them until a detector asks for the size it needs (`Picture.rgb`), so that what is never
scored is never converted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

MAX_PIXELS = 25_000_000
"""Largest picture that is looked at, in pixels (5000 x 5000); a larger one is refused before it is decoded."""

SAMPLE_RATE_HZ = 16_000
"""The one rate of sound inside: mono float32 PCM."""

Pixels = NDArray[np.uint8]
Pcm = NDArray[np.float32]


class Modality(StrEnum):
    """What kind of evidence a finding rests on."""

    IMAGE = "image"
    AUDIO = "audio"
    TEXT = "text"


class Scene(StrEnum):
    """Where a text comes from; rules and word lists may differ by scene."""

    DANMAKU = "danmaku"
    NICKNAME = "nickname"
    ROOM_TITLE = "room_title"
    ANNOUNCEMENT = "announcement"
    PRIVATE_MSG = "private_msg"
    ASR = "asr"
    OCR = "ocr"


class Picture(Protocol):
    """Pixels in whatever form they came; every call returns an array of its own, safe to keep after the picture is gone."""

    @property
    def width(self) -> int:
        """Pixels per row."""
        ...

    @property
    def height(self) -> int:
        """Number of rows."""
        ...

    def rgb(self, size: tuple[int, int] | None = None) -> Pixels:
        """Return RGB uint8 (H, W, 3), scaled to `size` = (width, height), or as large as it is."""
        ...

    def luma(self, size: tuple[int, int]) -> Pixels:
        """Return brightness uint8 (H, W), area-averaged to `size` = (width, height)."""
        ...


def _interpolation(source: tuple[int, int], target: tuple[int, int]) -> int:
    """Area averaging when shrinking to half or less (no aliasing of small text), bilinear otherwise (five times cheaper)."""
    return cv2.INTER_AREA if target[0] * 2 <= source[0] or target[1] * 2 <= source[1] else cv2.INTER_LINEAR


def averaged(plane: Pixels, size: tuple[int, int]) -> Pixels:
    """Shrink a plane, or pixels, to `size` = (width, height) by area averaging; by halves first where that comes out even.

    Halves are five times as fast as one step, and differ from it by rounding only.
    """
    width, height = size
    while plane.shape[1] % (2 * width) == 0 and plane.shape[0] % (2 * height) == 0:
        half = (plane.shape[1] // 2, plane.shape[0] // 2)
        plane = np.asarray(cv2.resize(plane, half, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class RgbPicture:
    """A picture that arrived as RGB pixels: pushed, checked over HTTP, or made in a test."""

    pixels: Pixels
    """RGB, uint8, shape (H, W, 3)."""

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[-1] != 3 or self.pixels.dtype != np.uint8:
            raise ValueError(f"pixels must be uint8 (H, W, 3), got {self.pixels.dtype} {self.pixels.shape}")

    def __repr__(self) -> str:
        return f"RgbPicture({self.width}x{self.height})"

    @property
    def width(self) -> int:
        """Pixels per row."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Number of rows."""
        return int(self.pixels.shape[0])

    def rgb(self, size: tuple[int, int] | None = None) -> Pixels:
        """Return RGB uint8 (H, W, 3), scaled to `size` = (width, height), or a copy as large as it is."""
        own = (self.width, self.height)
        if size is None or size == own:
            return self.pixels.copy()
        return np.asarray(cv2.resize(self.pixels, size, interpolation=_interpolation(own, size)), dtype=np.uint8)

    def luma(self, size: tuple[int, int]) -> Pixels:
        """Return brightness uint8 (H, W), area-averaged to `size` = (width, height)."""
        return np.asarray(cv2.cvtColor(averaged(self.pixels, size), cv2.COLOR_RGB2GRAY), dtype=np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class FrameSample:
    """One decoded or pushed picture of a room, waiting to be scored."""

    room_id: str
    session_id: str
    """The broadcast it belongs to; one room has one session at a time."""
    pts_s: float
    """Where on the session's timeline, seconds; never goes back within a session."""
    captured_at: datetime
    """Aware UTC moment at which the picture's packet was read (or pushed)."""
    captured_s: float
    """The same moment on the machine's monotonic clock."""
    picture: Picture
    tiled: bool = False
    """Whether detectors that can look at pictures within the picture (a PK screen, a grid, a webcam) do so, as the policy asks."""

    def __repr__(self) -> str:
        return f"FrameSample({self.room_id} @ {self.pts_s:.2f}s, {self.picture.width}x{self.picture.height})"


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class AudioClip:
    """One window of a room's sound, `[start_s, start_s + duration_s)`; neighbouring windows overlap.

    hop 4 s, window 8 s:   |----- clip 0 -----|
                                     |----- clip 1 -----|
    """

    room_id: str
    session_id: str
    start_s: float
    """Where on the session's timeline the window begins, seconds."""
    captured_at: datetime
    """Aware UTC moment at which the window's last packet was read."""
    captured_s: float
    """The same moment on the machine's monotonic clock."""
    pcm: Pcm
    """Mono PCM at 16 kHz, float32 in [-1, 1], shape (T,)."""
    last: bool = False
    """True for the clip that ends the session; it may be shorter than the window."""

    def __post_init__(self) -> None:
        if self.pcm.ndim != 1 or self.pcm.dtype != np.float32:
            raise ValueError(f"pcm must be float32 (T,), got {self.pcm.dtype} {self.pcm.shape}")

    def __repr__(self) -> str:
        return f"AudioClip({self.room_id} [{self.start_s:.2f}, {self.end_s:.2f})s)"

    @property
    def duration_s(self) -> float:
        """Length of the window, seconds."""
        return len(self.pcm) / SAMPLE_RATE_HZ

    @property
    def end_s(self) -> float:
        """End of the window on the session's timeline, seconds (exclusive)."""
        return self.start_s + self.duration_s
