"""A made-up banned title for the demo: a fruit machine whose reels turn; drawn like `demo_scenes.Game`, seeded."""

from __future__ import annotations

import cv2
import numpy as np

from inference.samples import Pixels
from streams.demo_scenes import FPS, SIZE

N_REELS, N_ROWS = 5, 3
_CELL_PX = 176
_LEFT, _TOP = 200, 96
_FRUITS = ((206, 38, 44), (244, 200, 40), (104, 52, 160), (58, 160, 66), (240, 130, 30), (60, 120, 220), (230, 80, 150))
"""A colour each: cherry, lemon, plum, melon, orange, bell, heart."""


class Slots:
    """Reels that stop and start, a frame of lights, a counter."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._strips = self._rng.integers(0, len(_FRUITS), size=(N_REELS, 24))
        self._speeds = self._rng.uniform(3.0, 6.0, size=N_REELS)
        self._ground = self._draw_ground()

    def frame(self, index: int) -> Pixels:
        """Draw the frame of that index, RGB uint8 (720, 1280, 3)."""
        t = index / FPS
        frame = self._ground.copy()
        for reel in range(N_REELS):
            # Each reel turns for two seconds of three, one after the other.
            turned = self._speeds[reel] * (t - max(0.0, (t + 0.3 * reel) % 3.0 - 2.0))
            self._draw_reel(frame, reel, turned)
        self._draw_lights(frame, index)
        return frame

    def _draw_ground(self) -> Pixels:
        rows = np.linspace(0, 1, SIZE[1], dtype=np.float32)[:, None]
        wine, night = np.array([112, 14, 40], np.float32), np.array([40, 6, 52], np.float32)
        ground = np.repeat((wine * (1 - rows) + night * rows)[:, None], SIZE[0], axis=1).astype(np.uint8)
        for ray in range(18):
            angle = ray * np.pi / 9
            far = (int(640 + 1200 * np.cos(angle)), int(360 + 1200 * np.sin(angle)))
            cv2.line(ground, (640, 360), far, (150, 28, 56), 26, cv2.LINE_AA)
        left, top, right, bottom = _LEFT - 26, _TOP - 26, _LEFT + N_REELS * _CELL_PX + 26, _TOP + N_ROWS * _CELL_PX + 26
        cv2.rectangle(ground, (left, top), (right, bottom), (222, 176, 52), -1)
        return ground

    def _draw_reel(self, frame: Pixels, reel: int, turned: float) -> None:
        left = _LEFT + reel * _CELL_PX
        window = np.full((N_ROWS * _CELL_PX, _CELL_PX - 8, 3), 248, np.uint8)
        first, shift = int(turned), turned - int(turned)
        for row in range(-1, N_ROWS):
            fruit = int(self._strips[reel, (first + row) % self._strips.shape[1]])
            _draw_fruit(window, fruit, int((row + shift + 0.5) * _CELL_PX))
        frame[_TOP : _TOP + window.shape[0], left : left + window.shape[1]] = window

    def _draw_lights(self, frame: Pixels, index: int) -> None:
        for place in range(20):
            lit = (place + index // 3) % 3 == 0
            colour = (255, 246, 170) if lit else (120, 80, 20)
            for y in (_TOP - 13, _TOP + N_ROWS * _CELL_PX + 13):
                cv2.circle(frame, (_LEFT + 20 + place * 44, y), 8, colour, -1, cv2.LINE_AA)
        cv2.putText(frame, f"{7777 + index * 13:07d}", (520, 690), cv2.FONT_HERSHEY_DUPLEX, 1.4, (255, 214, 80), 2, cv2.LINE_AA)


def _draw_fruit(window: Pixels, fruit: int, y: int) -> None:
    colour, x = _FRUITS[fruit], (_CELL_PX - 8) // 2
    if fruit == 5:
        corners = np.array([(x, y - 60), (x + 56, y + 40), (x - 56, y + 40)], np.int32)
        cv2.fillPoly(window, [corners], colour, cv2.LINE_AA)
    elif fruit % 2:
        cv2.ellipse(window, (x, y), (62, 44), 30 * fruit, 0, 360, colour, -1, cv2.LINE_AA)
    else:
        for side in (-26, 26):
            cv2.circle(window, (x + side, y + 8), 40, colour, -1, cv2.LINE_AA)
    cv2.line(window, (x, y - 30), (x + 24, y - 64), (40, 110, 40), 8, cv2.LINE_AA)
    cv2.circle(window, (x - 20, y - 8), 9, (255, 255, 255), -1, cv2.LINE_AA)
