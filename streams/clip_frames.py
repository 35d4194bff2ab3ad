"""Frames of a clip that staff teach a title with, evenly spread. For the command line; what streams bring is decoded elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from inference.errors import InvalidSample
from inference.samples import MAX_PIXELS, Pixels

N_FRAMES = 120
"""Frames taken of a clip; those that look alike are thinned out by who asked."""


def frames_of_clip(path: Path) -> Iterator[Pixels]:
    """Give frames of a clip, RGB uint8 (H, W, 3), from its beginning to its end.

    Raises:
        InvalidSample: no frame of it can be read, or they are larger than 25 megapixels.
    """
    clip = cv2.VideoCapture(str(path))
    n_given = 0
    try:
        width, height = int(clip.get(cv2.CAP_PROP_FRAME_WIDTH)), int(clip.get(cv2.CAP_PROP_FRAME_HEIGHT))
        if width * height > MAX_PIXELS:
            raise InvalidSample(f"{path}: frames of {width}x{height}; at most {MAX_PIXELS} pixels")
        step = max(1, int(clip.get(cv2.CAP_PROP_FRAME_COUNT)) // N_FRAMES)
        number = 0
        while n_given < N_FRAMES and clip.grab():
            read, bgr = clip.retrieve() if number % step == 0 else (False, None)
            if read and bgr is not None:
                n_given += 1
                yield np.ascontiguousarray(bgr[..., ::-1], np.uint8)
            number += 1
    finally:
        clip.release()
    if not n_given:
        raise InvalidSample(f"no frame can be read from {path}; give screenshots, or a clip in a common format")
