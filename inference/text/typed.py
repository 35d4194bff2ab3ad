"""How a text begins for somebody who types it on a Latin keyboard: its pinyin spelt out, and its initials.

Made of main readings only; which texts are looked through is `popularity.py`'s business.
"""

from __future__ import annotations

from inference.text.syllables import MAX_SYLLABLE, Syllables

MAX_SOUNDED = 8
"""Letters, digits and Han of a text that can be typed in pinyin; nobody completes a sentence whose half is already written."""

BEFORE = "\n"
"""Stands before each way to type a text; no canonical text has it, so that a search for it and a prefix finds beginnings only."""


MAX_REMEMBERED = 65_536
"""Texts whose spelling is remembered; overflow rule: all are forgotten."""


class Letters:
    """Spells canonical texts in pinyin and remembers how; one thread at a time."""

    def __init__(self, syllables: Syllables) -> None:
        self._is_spelt = syllables.is_spelt
        self._syllable_of = {char: readings[0] for char, readings in syllables.readings.items()}
        self._spelt: dict[str, str] = {}

    def of(self, canon: str) -> str:
        """Return the ways to type the beginning of a canonical text, each behind `BEFORE`, initials first; "" where it has no Han.

        Those of `主播666` are `zb666` and `zhubo666`: letters and digits stand for themselves, anything else is not typed.
        """
        known = self._spelt.get(canon)
        if known is not None:
            return known
        if len(self._spelt) >= MAX_REMEMBERED:
            self._spelt.clear()
        spelt = self._spelt[canon] = self._spell(canon)
        return spelt

    def _spell(self, canon: str) -> str:
        initials, spelt, n_han = "", "", 0
        for char in filter(str.isalnum, canon):
            syllable = self._syllable_of.get(char)
            if syllable is None and not char.isascii():
                break
            n_han += syllable is not None
            initials += syllable[0] if syllable else char
            spelt += syllable or char
            if len(initials) == MAX_SOUNDED:
                break
        return f"{BEFORE}{initials}{BEFORE}{spelt}" if n_han and len(initials) > 1 else ""

    def pairs(self, prefix: str) -> set[str]:
        """Return the pairs of initials, each behind `BEFORE`, that the texts meant by a prefix of ASCII letters may begin with.

        `zhub` may be the initials `zh…`, or the syllable `zhu` and one that begins with `b`. One whole syllable tells no pair.
        """
        found = {BEFORE + prefix[:2]}
        for end in range(2, min(len(prefix), MAX_SYLLABLE + 1)):
            if self._is_spelt(prefix[:end]):
                found.add(BEFORE + prefix[0] + prefix[end])
        return found
