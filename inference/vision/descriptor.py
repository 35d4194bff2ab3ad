"""Colour and texture of a picture in 1,024 numbers, without any weights: what the gallery compares where no network is there.

A histogram of hue, saturation and brightness, and of local binary patterns at three scales; square roots of shares, so that two
pictures are as alike as the cosine of their numbers says.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.samples import Pixels

N_NUMBERS = 1024
SIZE = (320, 180)
"""Width and height a picture is brought to."""
_COLOURS = (16, 4, 4)
"""Bins of hue, saturation and brightness."""
_SCALES = (1, 2, 4)
_TEXTURE = 1 / np.sqrt(len(_SCALES))
"""Weight of each scale's patterns, so that together they count as much as colour."""
_NEIGHBOURS = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))


def describe(pixels: Pixels) -> NDArray[np.float32]:
    """Describe a picture, RGB uint8 (H, W, 3); float32, shape (N_NUMBERS,), of length about 1.4."""
    small = np.asarray(cv2.resize(pixels, SIZE, interpolation=cv2.INTER_AREA), np.uint8)
    hsv = cv2.cvtColor(small, cv2.COLOR_RGB2HSV)
    colours = cv2.calcHist([hsv], [0, 1, 2], None, list(_COLOURS), [0, 180, 0, 256, 0, 256]).ravel()
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    parts = [np.sqrt(colours / colours.sum())]
    for scale in _SCALES:
        size = (SIZE[0] // scale, SIZE[1] // scale)
        parts.append(_TEXTURE * _patterns(np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)))
    return np.concatenate(parts).astype(np.float32)


def _patterns(grey: Pixels) -> NDArray[np.float64]:
    """Count how the eight neighbours of each pixel compare with it; square roots of shares, shape (256,)."""
    height, width = grey.shape
    middle = grey[1:-1, 1:-1]
    code = np.zeros(middle.shape, np.uint8)
    for bit, (y, x) in enumerate(_NEIGHBOURS):
        code |= (grey[y : y + height - 2, x : x + width - 2] >= middle).astype(np.uint8) << bit
    counts = np.bincount(code.ravel(), minlength=256)
    return np.asarray(np.sqrt(counts / counts.sum()), np.float64)
