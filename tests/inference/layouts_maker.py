"""Frames put together as streams do it: bars, PK screens, grids, small pictures over large ones."""

from __future__ import annotations

import cv2
import numpy as np

from inference.samples import Pixels

WIDTH, HEIGHT = 1280, 720


def fitted(pixels: Pixels, width: int, height: int) -> Pixels:
    """Scale a picture until it covers a size, and cut its middle out."""
    ratio = max(width / pixels.shape[1], height / pixels.shape[0])
    size = (max(width, round(pixels.shape[1] * ratio)), max(height, round(pixels.shape[0] * ratio)))
    scaled = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR)
    y, x = (size[1] - height) // 2, (size[0] - width) // 2
    return np.ascontiguousarray(scaled[y : y + height, x : x + width])


def letterboxed(pixels: Pixels, height: int) -> Pixels:
    canvas = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    top = (HEIGHT - height) // 2
    canvas[top : top + height] = fitted(pixels, WIDTH, height)
    return canvas


def with_blurred_sides(pixels: Pixels, width: int) -> Pixels:
    """A telephone's picture over a smeared copy of itself."""
    upright = fitted(pixels, width, HEIGHT)
    canvas = np.asarray(cv2.GaussianBlur(cv2.resize(upright, (WIDTH, HEIGHT)), (0, 0), 24), np.uint8)
    left = (WIDTH - width) // 2
    canvas[:, left : left + width] = upright
    return canvas


def side_by_side(left: Pixels, right: Pixels, *, at: int = WIDTH // 2) -> Pixels:
    return np.hstack([fitted(left, at, HEIGHT), fitted(right, WIDTH - at, HEIGHT)])


def grid(pictures: list[Pixels], n: int) -> Pixels:
    rows = [np.hstack([fitted(one, WIDTH // n, HEIGHT // n) for one in pictures[row * n : row * n + n]]) for row in range(n)]
    return np.asarray(cv2.resize(np.vstack(rows), (WIDTH, HEIGHT)), np.uint8)


def inset(pixels: Pixels, small: Pixels, *, x: int, y: int, width: int, height: int) -> Pixels:
    canvas = fitted(pixels, WIDTH, HEIGHT)
    canvas[y : y + height, x : x + width] = fitted(small, width, height)
    return canvas
