"""Runs of Latin letters and digits around a place in a canonical text."""

from __future__ import annotations

import itertools
from collections.abc import Callable

MAX_TOKEN = 64
"""Characters on either side that are looked at; a longer run is no word, and looking for its ends again and again would cost."""

MAX_ID = 24
"""Characters of the longest id that is looked for behind a term."""


def is_latin(char: str) -> bool:
    """Tell whether a canonical character is a Latin letter."""
    return "a" <= char <= "z"


def latin_token(canon: str, first: int, last: int) -> tuple[int, int]:
    """Return the bounds of the runs of Latin letters that a stretch begins and ends in, [start, end)."""
    return _token(canon, first, last, is_latin)


def alnum_token(canon: str, first: int, last: int) -> tuple[int, int]:
    """Return the bounds of the runs of Latin letters and ASCII digits that a stretch begins and ends in, [start, end)."""
    return _token(canon, first, last, lambda char: char.isascii() and char.isalnum())


def _token(canon: str, first: int, last: int, belongs: Callable[[str], bool]) -> tuple[int, int]:
    left, right = first, last + 1
    if belongs(canon[first]):
        while left and first - left < MAX_TOKEN and belongs(canon[left - 1]):
            left -= 1
    if belongs(canon[last]):
        while right < len(canon) and right - last < MAX_TOKEN and belongs(canon[right]):
            right += 1
    return left, right


def id_end(canon: str, start: int) -> int:
    """Return where an id that begins at `start` ends: letters, digits, `_` and `-`."""
    end = start
    while end < len(canon) and end - start < MAX_ID and canon[end].isascii() and (canon[end].isalnum() or canon[end] in "_-"):
        end += 1
    return end


def single_letters(text: str) -> bool:
    """Tell whether Latin letters stand one by one: d.a.i g.o.u."""
    return not any(is_latin(one) and is_latin(other) for one, other in itertools.pairwise(text))
