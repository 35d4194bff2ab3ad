"""Known pictures among many: hashes in an index that finds every near one in a fraction of a millisecond.

A hash is cut into 16 bands of 16 bits. If two differ in at most 31 bits, some band of theirs differs in at most one: so it is
enough to look up each band as it is and with each of its bits turned, and to compare what lies there in full.

    query -> 16 bands x 17 spellings -> entries of a table each -> some hundreds of 100,000 -> distance in full
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.samples import Pixels
from inference.vision.pdq import Hashed, Words, distance, hash_of

MAX_DISTANCE = 31
"""Bits by which hashes of one picture differ at most, as the algorithm's authors advise; the index finds all up to here."""
CROPS = (0.015, 0.03, 0.045, 0.06, 0.075)
"""Parts of a side that enrolled pictures are cropped by on all sides: a hash bears a crop of about one hundredth."""
SIDES = (0.02, 0.04, 0.06)
"""Parts that they are cropped by on one side alone."""
_BANDS, _BAND_BITS = 16, 16
_SPELLINGS = np.array([0, *(1 << bit for bit in range(_BAND_BITS))], np.uint32)


@dataclass(frozen=True, slots=True)
class Near:
    """An enrolled hash near one that was looked up."""

    owner: int
    """Whose it is: as given with the hashes."""
    distance: int
    """Bits that differ, 0..31."""


@dataclass(frozen=True, slots=True, eq=False)
class HashIndex:
    """Hashes, ready to be searched; never changes."""

    words: Words = field(default_factory=lambda: np.zeros((0, 4), np.uint64))
    """Shape (n, 4)."""
    owners: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    """Whose each hash is, shape (n,)."""
    _order: NDArray[np.int32] = field(default_factory=lambda: np.zeros((_BANDS, 0), np.int32))
    """Places of the hashes by the value of each band, shape (bands, n)."""
    _starts: NDArray[np.int32] = field(default_factory=lambda: np.zeros((_BANDS, (1 << _BAND_BITS) + 1), np.int32))
    """Where each value begins in `_order`, shape (bands, values + 1)."""

    @classmethod
    def of(cls, words: Words, owners: NDArray[np.int32]) -> HashIndex:
        """Index hashes, shape (n, 4), with whose each is, shape (n,); 100,000 take a fraction of a second and 11 MB.

        Raises:
            ValueError: not as many owners as hashes.
        """
        if words.shape != (len(owners), 4):
            raise ValueError(f"{len(owners)} owners for hashes of shape {words.shape}")
        if not len(owners):
            return cls()
        bands = np.ascontiguousarray(words).view(np.uint16)  # (n, bands)
        order = np.argsort(bands, axis=0, kind="stable").T.astype(np.int32)
        values = np.arange((1 << _BAND_BITS) + 1)
        starts = np.stack([np.searchsorted(bands[order[band], band], values) for band in range(_BANDS)])
        return cls(np.ascontiguousarray(words), owners.astype(np.int32), np.ascontiguousarray(order), starts.astype(np.int32))

    def __len__(self) -> int:
        return len(self.owners)

    def __repr__(self) -> str:
        return f"HashIndex({len(self)} hashes)"

    def nearest(self, word: Words, *, at_most: int = MAX_DISTANCE) -> Near | None:
        """Return the nearest hash that differs by at most so many bits; None where none does.

        Args:
            word: a hash, shape (4,).
            at_most: bits, up to `MAX_DISTANCE`.

        Raises:
            ValueError: `at_most` is above what the index can promise to find.
        """
        if at_most > MAX_DISTANCE:
            raise ValueError(f"at_most {at_most}; the index finds all up to {MAX_DISTANCE} bits only")
        places = self._candidates(word)
        if not len(places):
            return None
        bits = distance(word, self.words[places])
        best = int(bits.argmin())
        if bits[best] > at_most:
            return None
        return Near(int(self.owners[places[best]]), int(bits[best]))

    def _candidates(self, word: Words) -> NDArray[np.int32]:
        """Return the places of hashes one band of which is, but for one bit, as in the word; some of them more than once."""
        values = np.ascontiguousarray(word).view(np.uint16).astype(np.uint32)[:, None] ^ _SPELLINGS  # (bands, spellings)
        bands = np.arange(_BANDS)[:, None]
        first, end = self._starts[bands, values].ravel(), self._starts[bands, values + 1].ravel()
        counts = end - first
        # One range after the other, without a loop: each entry's place is its own number, moved by where its range begins.
        ends = np.cumsum(counts)
        moved = np.repeat(first - np.r_[0, ends[:-1]], counts) + np.arange(ends[-1])
        rows = np.repeat(np.repeat(np.arange(_BANDS), len(_SPELLINGS)), counts)
        return np.asarray(self._order[rows, moved])


def spellings_of(pixels: Pixels) -> list[Hashed]:
    """Hash a picture as it may come back: whole, a little cropped, mirrored; hashes that say nothing are left out."""
    kept: list[Hashed] = []
    for part in _parts(pixels):
        for turned in (part, np.ascontiguousarray(part[:, ::-1])):
            hashed = hash_of(turned)
            if hashed.telling and all(int(distance(hashed.words, one.words)) > 2 for one in kept):
                kept.append(hashed)
    return kept


def _parts(pixels: Pixels) -> Iterator[Pixels]:
    """Give the whole, then parts of it; small first, since a hash keeps nothing fine."""
    height, width = pixels.shape[:2]
    size = (min(width, 1024), min(height, 1024))
    whole = pixels if size == (width, height) else np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    yield whole
    height, width = whole.shape[:2]
    crops = [(share, share, share, share) for share in CROPS]
    for share in SIDES:
        crops += [(share, 0.0, 0.0, 0.0), (0.0, share, 0.0, 0.0), (0.0, 0.0, share, 0.0), (0.0, 0.0, 0.0, share)]
    for left, top, right, bottom in crops:
        rows = slice(round(height * top), height - round(height * bottom))
        part = whole[rows, round(width * left) : width - round(width * right)]
        if part.size:
            yield np.ascontiguousarray(part)
