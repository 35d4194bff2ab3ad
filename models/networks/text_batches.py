"""Rows of training data as steps of numbers: each step mixes all sources and is laid out by length, so that little is padding.

Pure and without a network library; the same seed and epoch give the same steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.data import Row
from models.text_codec import LENGTHS, Alphabet, Ids, windows


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """Rows of one length, ready for the network."""

    ids: Ids
    """Shape (n, L)."""
    places: NDArray[np.int64]
    """Which of the rows given each is, shape (n,)."""


class EncodedRows:
    """Rows encoded once; in training the first window of each stands for the row."""

    def __init__(self, rows: Sequence[Row], alphabet: Alphabet, *, every_window: bool = False) -> None:
        parts = [list(windows(row.text)) if every_window else [next(windows(row.text))] for row in rows]
        self.ids = [alphabet.encode(part) for row_parts in parts for part in row_parts]
        self.starts = np.cumsum([0, *(len(row_parts) for row_parts in parts[:-1])])
        """Place of each row's first window among `ids`."""
        self.targets = np.array([[np.nan if one is None else one for one in row.targets] for row in rows], np.float32)

    def __len__(self) -> int:
        return len(self.ids)

    def by_length(self, places: NDArray[np.int64]) -> list[Encoded]:
        """Lay the rows at `places` out by length, at most one block for each length."""
        sizes = np.array([len(self.ids[place]) for place in places])
        blocks = ((places[sizes == length]) for length in LENGTHS)
        return [Encoded(np.stack([self.ids[place] for place in block]), block) for block in blocks if len(block)]

    def steps(self, *, n_rows: int, seed: tuple[int, int]) -> Iterator[list[Encoded]]:
        """Yield the steps of one epoch in an order that the seed decides.

        Args:
            n_rows: rows of a step; the last, smaller step is left out where there is another.
            seed: of the run, and the epoch's number.
        """
        order = np.random.default_rng(seed).permutation(len(self))
        for start in range(0, max(1, len(order) - n_rows + 1), n_rows):
            yield self.by_length(order[start : start + n_rows])
