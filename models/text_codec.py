"""From a folded text to the numbers that the text network reads: the one way there is, for training and for serving.

Knows characters and lengths only, and no network library. Folding (width, case, script, look-alikes) comes before and is the text
engine's; what the network makes of the numbers is `networks/text.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models.errors import ManifestError

Ids = NDArray[np.int32]
"""One number per character, shape (T,), or (n, T) for a batch."""

LENGTHS = (16, 32, 64, 128)
"""Lengths a text is padded to, in characters; most danmaku fit the first."""

OVERLAP = 16
"""Characters that neighbouring windows of a longer text share, so that no short phrase is cut in both."""

PAD = 0
"""Number of the filling behind a text."""

N_STRANGERS = 63
"""Numbers 1..63 are shared by the characters outside the alphabet, so that two rare ones seldom look the same."""

FIRST = N_STRANGERS + 1
"""Number of the first character of the alphabet."""

MAX_RUN = 3
"""Equal characters in a row that are kept: five laughs say no more than three."""

_RUN = re.compile(rf"(.)\1{{{MAX_RUN},}}", re.DOTALL)
_SPACES = re.compile(r"\s+")
_BMP = 0x10000


def compact(folded: str) -> str:
    """Shorten runs and blanks of a folded text; texts that come out equal are the same to the network."""
    return _RUN.sub(lambda run: run[1] * MAX_RUN, _SPACES.sub(" ", folded)).strip()


def has_letters(folded: str) -> bool:
    """Tell whether a text has a letter of any script; digits, signs and emoji alone say nothing the network could judge."""
    return any(map(str.isalpha, folded))


def windows(text: str) -> Iterator[str]:
    """Yield a compact text in pieces of at most the longest length, each sharing `OVERLAP` characters with the one before.

    0         128
    |-- window 0 --|
              |-- window 1 --|
              112       240
    """
    longest = LENGTHS[-1]
    step = longest - OVERLAP
    for start in range(0, max(1, len(text) - OVERLAP), step):
        yield text[start : start + longest]


class Alphabet:
    """Which number each character has; one instance serves every thread, it never changes after it is made."""

    def __init__(self, characters: str) -> None:
        """Number the characters in their order.

        Args:
            characters: of the basic plane, each once.

        Raises:
            ManifestError: one is there twice, or outside the basic plane.
        """
        codes = [ord(char) for char in characters]
        if len(set(codes)) != len(codes) or any(code >= _BMP for code in codes):
            raise ManifestError("an alphabet has each character once and none above U+FFFF")
        self.characters = characters
        strangers = 1 + np.arange(_BMP) % N_STRANGERS
        self._table: Ids = strangers.astype(np.int32)
        self._table[codes] = FIRST + np.arange(len(codes), dtype=np.int32)

    def __len__(self) -> int:
        return FIRST + len(self.characters)

    def __repr__(self) -> str:
        return f"Alphabet({len(self.characters)} characters)"

    def encode(self, text: str) -> Ids:
        """Turn a compact text of at most the longest length into numbers, padded to the next length.

        Returns:
            int32, shape (L,), L one of `LENGTHS`.

        Raises:
            ValueError: the text is longer than the longest length; cut it with `windows`.
        """
        size = length_for(len(text))
        ids = np.zeros(size, np.int32)
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        # Characters above the basic plane (emoji, rare Han) are strangers by their low half.
        ids[: len(codes)] = self._table[codes & (_BMP - 1)] if codes.size and codes.max() < _BMP else self._mixed(codes)
        return ids

    def _mixed(self, codes: NDArray[np.uint32]) -> Ids:
        ids: Ids = self._table[codes & (_BMP - 1)]
        high = codes >= _BMP
        ids[high] = 1 + codes[high] % N_STRANGERS
        return ids


def length_for(n_characters: int) -> int:
    """Return the length a text is padded to.

    Raises:
        ValueError: it is longer than the longest.
    """
    for length in LENGTHS:
        if n_characters <= length:
            return length
    raise ValueError(f"text of {n_characters} characters; cut it to at most {LENGTHS[-1]} with `windows`")
