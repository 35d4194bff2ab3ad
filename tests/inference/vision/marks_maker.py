"""Marks and a stand-in for the network that sees them, for tests of enrolment."""

from __future__ import annotations

import cv2
import numpy as np

from inference.samples import Pixels
from inference.vision.logo_book import MarkReader, Vectors


def mark_png(seed: int, *, size: tuple[int, int] = (120, 60)) -> bytes:
    """Draw a see-through mark of coloured polygons, the same for the same seed."""
    random = np.random.default_rng(seed)
    rgba = np.zeros((size[1], size[0], 4), np.uint8)
    for _ in range(5):
        corners = random.integers((0, 0), size, size=(3, 2), dtype=np.int32)
        cv2.fillPoly(rgba, [corners], (*random.integers(40, 255, 3).tolist(), 255))
    rgba[[0, -1], :, 3] = rgba[:, [0, -1], 3] = 255
    return cv2.imencode(".png", rgba)[1].tobytes()


def by_thumbnail(rgba: Pixels) -> Vectors:
    """See a mark as its small brightness, twice; unit vectors, so that equal pictures have cosine 1."""
    grey = cv2.cvtColor(rgba[..., :3], cv2.COLOR_RGB2GRAY).astype(np.float32) * (rgba[..., 3] / 255)
    small = cv2.resize(grey, (12, 6), interpolation=cv2.INTER_AREA).ravel().astype(np.float32)
    small -= small.mean()
    return np.stack([small, small]) / max(1e-6, float(np.linalg.norm(small)))


READER = MarkReader(by_thumbnail, "0123456789abcdef")
