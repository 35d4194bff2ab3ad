"""PDQ, the 256-bit perceptual hash of pictures that platforms exchange: near pictures have hashes that differ in few bits.

The steps of the published algorithm in OpenCV and numpy, bit for bit what its own library gives for the same square; a test holds
the two against each other where that library is installed (group `peers`). On Linux it has to be compiled, which no installation of
ours should need.

Source:
    "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm", Facebook 2019, section PDQ.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.samples import Pixels

N_BITS = 256
N_WORDS = 4
"""64-bit words of a hash."""
SIDE_PX = 256
"""Pictures are brought to this square first: the hash keeps 16 x 16 waves, and reading a whole frame costs 30 times more."""
MIN_QUALITY = 50
"""Hashes of plainer pictures are alike whatever they show; the algorithm's authors throw away what is below."""

Words = NDArray[np.uint64]
"""A hash, or several: uint64, shape (4,) or (n, 4)."""

_CELLS = 64
_WAVES = 16


@dataclass(frozen=True, slots=True, eq=False)
class Hashed:
    """A picture's hash."""

    words: Words
    """uint64, shape (4,)."""
    quality: int
    """How much detail it rests on, 0..100."""

    @property
    def telling(self) -> bool:
        """False where the picture is too plain for its hash to mean anything."""
        return self.quality >= MIN_QUALITY


def hash_of(pixels: Pixels) -> Hashed:
    """Hash a picture, RGB uint8 (H, W, 3)."""
    square = np.asarray(cv2.resize(pixels, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), np.uint8)
    return hash_of_square(square)


def hash_of_square(square: Pixels) -> Hashed:
    """Hash a picture of `SIDE_PX` square: blur, 64 x 64 cells, 16 x 16 waves, each against their median."""
    luma = square.astype(np.float32) @ _LUMA
    # A mean over two pixels, twice in each direction, and then the third value of every four: what the algorithm does at this size,
    # its means reaching back by a pixel each.
    step = SIDE_PX // _CELLS
    blurred = cv2.sepFilter2D(luma, cv2.CV_32F, _TENT, _TENT, borderType=cv2.BORDER_REPLICATE)
    cells = blurred[step // 2 + 1 :: step, step // 2 + 1 :: step]
    waves = _DCT @ cells @ _DCT.T
    bits = waves.ravel() > np.median(waves)
    steps = (
        np.abs(np.trunc(np.diff(cells, axis=0) * (100 / 255))).sum() + np.abs(np.trunc(np.diff(cells, axis=1) * (100 / 255))).sum()
    )
    return Hashed(words_of(bits), int(min(100, steps // 90)))


def words_of(bits: NDArray[np.bool_]) -> Words:
    """Pack 256 bits, wave by wave, row by row."""
    return np.packbits(bits, bitorder="little").view(np.uint64).copy()


def distance(one: Words, others: Words) -> NDArray[np.int64]:
    """Count the bits by which a hash differs from n others; shape (n,)."""
    return np.asarray(np.bitwise_count(np.bitwise_xor(others, one)).sum(axis=-1, dtype=np.int64))


_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_TENT = np.array([0.25, 0.5, 0.25], np.float32)
_DCT = np.array(
    [
        [np.sqrt(2.0 / _CELLS) * np.cos(np.pi / (2 * _CELLS) * (wave + 1) * (2 * cell + 1)) for cell in range(_CELLS)]
        for wave in range(_WAVES)
    ],
    np.float32,
)
