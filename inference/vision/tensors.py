"""From pixels to what a net takes: channel order and numbers as the manifest says."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inference.samples import Pixels
from models.manifest import Colour, Preprocess


def tensor_of(pixels: Pixels, numbers: Preprocess) -> NDArray[np.float32]:
    """Normalise pixels: `(pixel * scale - mean) / std` per channel, in the model's channel order.

    Args:
        pixels: RGB uint8 (H, W, 3).
        numbers: the manifest's.

    Returns:
        float32 (3, H, W).
    """
    planes = (pixels[..., ::-1] if numbers.colour is Colour.BGR else pixels).transpose(2, 0, 1)
    std = np.array(numbers.std, np.float32)[:, None, None]
    mean = np.array(numbers.mean, np.float32)[:, None, None]
    tensor = np.multiply(planes, np.float32(numbers.scale) / std, dtype=np.float32)
    if mean.any():
        tensor -= mean / std
    return np.ascontiguousarray(tensor)
