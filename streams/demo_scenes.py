"""What the demo's rooms show: a made-up game that scrolls, and the things that must be found painted on it.

Pictures are drawn with numpy and OpenCV, seeded, so that every run and every test sees the same frames. The adverts are shipped as
PNG files because a fresh machine may have no Chinese font (`demo_assets/make_assets.py` draws them).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

import cv2
import numpy as np

from inference.samples import Pixels

SIZE = (1280, 720)
"""Width and height of every demo room, pixels."""
FPS = 15
"""Frames per second of every demo room."""
QR_PAYLOAD = "https://boost.example/join?anchor=8421"
"""What the QR room's code says; `.example` never resolves."""

_MAP_PX = (2400, 1440)
_TILE_PX = 48


@dataclass(frozen=True, slots=True)
class Painted:
    """A picture laid over the game."""

    pixels: Pixels
    """RGB, uint8, shape (H, W, 3)."""
    alpha: Pixels
    """Opacity 0..255, uint8, shape (H, W)."""
    x: int
    """Left edge on the frame, pixels."""
    y: int
    """Top edge on the frame, pixels."""

    def over(self, frame: Pixels) -> None:
        """Blend onto the frame, in place."""
        height, width = self.alpha.shape
        place = frame[self.y : self.y + height, self.x : self.x + width]
        share = self.alpha[..., None].astype(np.float32) / 255
        place[:] = (place * (1 - share) + self.pixels * share).astype(np.uint8)


class Game:
    """A top-down world that the camera wanders over, with sprites and a status bar; no text but Latin digits."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._map = self._draw_map()
        self._sprites = self._rng.uniform(0, 1, size=(9, 4))

    def frame(self, index: int, painted: Painted | None = None) -> Pixels:
        """Draw the frame of that index, RGB uint8 (720, 1280, 3)."""
        t = index / FPS
        x = int((_MAP_PX[0] - SIZE[0]) * (0.5 + 0.5 * np.sin(t * 0.7)))
        y = int((_MAP_PX[1] - SIZE[1]) * (0.5 + 0.5 * np.sin(t * 0.43 + 1)))
        frame = self._map[y : y + SIZE[1], x : x + SIZE[0]].copy()
        self._draw_sprites(frame, t)
        self._draw_status(frame, t)
        if painted is not None:
            painted.over(frame)
        return frame

    def _draw_map(self) -> Pixels:
        rows, columns = _MAP_PX[1] // _TILE_PX, _MAP_PX[0] // _TILE_PX
        ground = np.array([[46, 92, 50], [58, 110, 60], [84, 120, 70], [122, 104, 74], [70, 96, 128]], np.uint8)
        coarse = cv2.resize(
            self._rng.random((rows // 4, columns // 4)).astype(np.float32), (columns, rows), interpolation=cv2.INTER_CUBIC
        )
        kinds = np.clip((coarse * 5).astype(int), 0, 4)
        world = cv2.resize(ground[kinds], _MAP_PX, interpolation=cv2.INTER_NEAREST)
        grain = self._rng.normal(0, 4, size=(_MAP_PX[1], _MAP_PX[0], 1))
        return np.asarray(np.clip(world + grain, 0, 255), dtype=np.uint8)

    def _draw_sprites(self, frame: Pixels, t: float) -> None:
        for i, (phase, speed, row, hue) in enumerate(self._sprites):
            centre_x = int((phase + t * (0.03 + 0.08 * speed)) % 1.0 * SIZE[0])
            centre_y = int((0.15 + 0.65 * row + 0.05 * np.sin(t * 2 + i)) * SIZE[1])
            colour = (int(200 * hue) + 40, 220 - int(150 * hue), 90 + 12 * i)
            cv2.ellipse(frame, (centre_x, centre_y + 22), (20, 8), 0, 0, 360, (20, 30, 20), -1)
            cv2.circle(frame, (centre_x, centre_y), 20, colour, -1, cv2.LINE_AA)
            cv2.circle(frame, (centre_x + 6, centre_y - 6), 6, (250, 250, 250), -1, cv2.LINE_AA)

    def _draw_status(self, frame: Pixels, t: float) -> None:
        life = 0.5 + 0.4 * np.sin(t * 0.9)
        cv2.rectangle(frame, (24, 664), (344, 696), (16, 16, 20), -1)
        cv2.rectangle(frame, (28, 668), (28 + int(312 * life), 692), (190, 50, 50), -1)
        cv2.rectangle(frame, (936, 664), (1256, 696), (16, 16, 20), -1)
        cv2.rectangle(frame, (940, 668), (940 + int(312 * (1 - life)), 692), (50, 90, 200), -1)


def advert(name: str, *, x: int, y: int) -> Painted:
    """Load one of the shipped painted adverts, e.g. `advert_wechat.png`, to lie at (x, y)."""
    raw = np.frombuffer(files("streams").joinpath("demo_assets", name).read_bytes(), np.uint8)
    rgba = cv2.cvtColor(np.asarray(cv2.imdecode(raw, cv2.IMREAD_UNCHANGED)), cv2.COLOR_BGRA2RGBA)
    return Painted(np.ascontiguousarray(rgba[..., :3]), np.ascontiguousarray(rgba[..., 3]), x, y)


def watermark(name: str, *, width_px: int, opacity: float, x: int, y: int) -> Painted:
    """Load a shipped mark, e.g. `competitor.png`, so wide and so see-through (0..1), to lie at (x, y)."""
    mark = advert(name, x=x, y=y)
    size = (width_px, round(mark.alpha.shape[0] * width_px / mark.alpha.shape[1]))
    pixels = np.asarray(cv2.resize(mark.pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    alpha = cv2.resize(mark.alpha, size, interpolation=cv2.INTER_AREA).astype(np.float32) * opacity
    return Painted(pixels, alpha.astype(np.uint8), x, y)


def qr_code(payload: str, *, side_px: int, x: int, y: int) -> Painted:
    """Draw a QR code with its quiet zone to lie at (x, y)."""
    code = np.asarray(cv2.QRCodeEncoder.create().encode(payload), dtype=np.uint8)
    code = np.pad(code, max(0, 4 - _quiet_modules(code)), constant_values=255)
    square = cv2.resize(code, (side_px, side_px), interpolation=cv2.INTER_NEAREST)
    pixels = np.asarray(cv2.cvtColor(square, cv2.COLOR_GRAY2RGB), dtype=np.uint8)
    return Painted(pixels, np.full((side_px, side_px), 255, np.uint8), x, y)


def _quiet_modules(code: Pixels) -> int:
    """Count the white rows above a code; OpenCV 4 and 5 differ in how many they draw."""
    return int(np.argmax((code < 128).any(axis=1)))
