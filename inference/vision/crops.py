"""Cutting a line of text out of a frame, straightening it, and bringing it to the recogniser's height and one of a few widths."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.samples import Pixels
from inference.vision.tensors import tensor_of
from inference.vision.textboxes import TextBox
from models.manifest import Preprocess

UPRIGHT_RATIO = 1.5
"""A box this much higher than wide is a line that runs down: it is laid on its side."""
MAX_CROP_HEIGHT_PX = 96
"""Higher lines are shrunk while they are cut out; a line over the whole of a 25 megapixel frame costs no more than any."""
MAX_CROP_WIDTH_PX = 8192
WIDTHS_PX = (96, 160, 240, 320, 480, 640, 960, 1440)
"""Widths a line is padded to, at the recogniser's height; a longer line is squeezed into the last."""


def cut_line(pixels: Pixels, box: TextBox) -> Pixels:
    """Cut out one line, upright.

    Args:
        pixels: RGB uint8 (H, W, 3).
        box: where on them.

    Returns:
        RGB uint8 (h, w, 3), h at most MAX_CROP_HEIGHT_PX for a line that runs across.
    """
    width, height = max(1.0, box.width_px), max(1.0, box.height_px)
    across = height < width * UPRIGHT_RATIO
    shrink = min(1.0, MAX_CROP_HEIGHT_PX / (height if across else width), MAX_CROP_WIDTH_PX / max(width, height))
    size = (max(1, int(width * shrink)), max(1, int(height * shrink)))
    target = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], np.float32)
    matrix = cv2.getPerspectiveTransform(box.corners, target)
    line = cv2.warpPerspective(pixels, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(line if across else np.rot90(line), dtype=np.uint8)


def line_tensor(line: Pixels, numbers: Preprocess, widths_px: tuple[int, ...] = WIDTHS_PX) -> NDArray[np.float32]:
    """Bring a line to a recogniser's input.

    Args:
        line: RGB uint8 (h, w, 3).
        numbers: the manifest's; `height_px` is the net's height.
        widths_px: rising widths that lines are padded to; a longer line is squeezed into the last.

    Returns:
        float32 (3, height, one of widths_px), padded right.
    """
    height = numbers.height_px or line.shape[0]
    width = min(widths_px[-1], max(1, math.ceil(height * line.shape[1] / line.shape[0])))
    padded = next(bucket for bucket in widths_px if bucket >= width)
    shrinks = line.shape[0] >= 2 * height
    small = cv2.resize(line, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    tensor = np.full((3, height, padded), numbers.pad_value, np.float32)
    tensor[:, :, :width] = tensor_of(np.asarray(small, dtype=np.uint8), numbers)
    return tensor
