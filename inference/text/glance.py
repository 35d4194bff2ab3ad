"""The quick look that ends the matter for nearly every text: can anything of the lists be hidden in it at all?

It works on strings alone, searches the plain sounds first and then only those readings that the text gives a reason for, and asks
of whatever it finds whether the characters written there are ordinary company. It may say yes too often; of what `matcher.py` would
find it lets nearly all through (`tests/inference/text/test_glance.py` says how much). Many texts at once share their searches.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from inference.text.automaton import Automaton, Found, Hint, Sighting
from inference.text.company import Company
from inference.text.contacts import find_contacts
from inference.text.normalise import DIGIT_BASE, MARK, SEPARATOR, BatchSounds, Normaliser
from inference.text.plain_reading import PlainReading
from inference.text.regexes import Regex
from inference.text.syllables import CLASS_BASE
from inference.text.views import LEET, LEET_TOO, MIXED, called_sounds

MAX_SEEN = 32_768
"""Texts whose verdict is remembered, short ones only; chat repeats itself. All are forgotten when there are more."""

MAX_SEEN_LENGTH = 32
"""Characters of the longest text that is remembered."""

_DIGITS = f"{chr(DIGIT_BASE)}-{chr(DIGIT_BASE + 9)}"
_RUN = re.compile(r"([^\x00])\1+")
_PAIRS = re.compile(r"([^\x00]{2})\1+")
_NOT_HAN = re.compile("[^\u3400-\u9fff\x00]+")
_TOKEN = re.compile("[a-z]+")
_TONE = re.compile("(?<=[a-z])[0-5](?![0-9])")
_PARTED = re.compile(f"[^\x00-\xff][{_DIGITS}a-z]+[^\x00-\xff]")
_ID = re.compile(rf"[{_DIGITS}a-z]{{5}}")
_URL = re.compile(r"[.。点][a-z]")
_SPOKEN = re.compile(rf"(?<![{_DIGITS}])[{_DIGITS}]{{1,2}}(?![{_DIGITS}])|(?<![a-z])[a-z](?![a-z])")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a text is asked for beside the automaton's patterns."""

    regexes: Sequence[Regex] = ()
    """Patterns of the lists."""
    rare_parts: frozenset[str] = frozenset()
    """Characters that hardly stand in a text but as a part of another one written apart."""


class Glance:
    """Looks at texts for one generation of lists; safe to use from every thread."""

    def __init__(self, normaliser: Normaliser, automaton: Automaton, company: Company, plain: PlainReading, asked: Asked) -> None:
        self._normaliser = normaliser
        self._fold = normaliser.fold
        self._sounds = normaliser.sounds
        self._kept = {**normaliser.sounds, **{ord(sound): sound for sound in normaliser.syllables.main_classes().values()}}
        """As `_sounds`, but what is a class already stays one."""
        self._company = company.of
        self._stands = plain.stands
        self._regexes = asked.regexes
        self._rare_parts = asked.rare_parts
        self._automaton = automaton
        self._find = automaton.find
        self._batch = BatchSounds(normaliser)
        self._called = called_sounds(normaliser)
        self._aloud = str.maketrans(self._called)
        self._seen: dict[str, bool] = {}

    def is_clean(self, text: str) -> bool:
        """Tell whether nothing of the lists and no contact can be hidden in a text."""
        known = self._seen.get(text)
        if known is not None:
            return known
        sounds = text.translate(self._sounds)
        found = self._find(sounds, overlapping=True)
        asked = found or self._regexes or sounds.islower() or not self._rare_parts.isdisjoint(text)
        clean = not (asked and self._asks(text, sounds, found))
        if len(text) <= MAX_SEEN_LENGTH:
            if len(self._seen) >= MAX_SEEN:
                self._seen.clear()
            self._seen[text] = clean
        return clean

    def unclean(self, texts: Sequence[str]) -> list[int]:
        """Return the indexes of the texts that are not clean, ascending; the same as `is_clean` says one by one, for less."""
        seen = self._seen
        said = list(map(seen.get, texts))
        if None not in said:
            return [] if False not in said else [index for index, clean in enumerate(said) if not clean]
        open_ = [index for index, clean in enumerate(said) if clean is None]
        joined = SEPARATOR.join([texts[index] for index in open_])
        sounds = self._batch.sound(joined)
        lines = sounds.split(SEPARATOR)
        found_in = self._by_line(sounds, lines)
        if len(seen) + len(open_) > MAX_SEEN:
            seen.clear()
        for place, index in enumerate(open_):
            line, found = lines[place], found_in.get(place)
            text = texts[index]
            asked = found is not None or self._regexes or line.islower() or not self._rare_parts.isdisjoint(text)
            clean = said[index] = not (asked and self._asks(text, line, found or []))
            if len(text) <= MAX_SEEN_LENGTH:
                seen[text] = clean
        return [index for index, clean in enumerate(said) if not clean]

    def _by_line(self, sounds: str, lines: Sequence[str]) -> dict[int, Found]:
        """Search joined sounds once, and sort what was found to the lines it was found in."""
        found = self._find(sounds, overlapping=True)
        if not found:
            return {}
        starts: list[int] = []
        at = 0
        for line in lines:
            starts.append(at)
            at += len(line) + 1
        result: dict[int, Found] = {}
        for number, start, end in found:
            place = bisect.bisect_right(starts, start) - 1
            result.setdefault(place, []).append((number, start - starts[place], end - starts[place]))
        return result

    def forget(self) -> None:
        """Empty what is remembered of texts."""
        self._seen.clear()

    # the closer look

    def _asks(self, text: str, sounds: str, found: Found) -> bool:
        """Tell whether what a first search found, or letters, digits and signs, ask for a full reading."""
        if self._is_singled_out(text):
            return True
        automaton, hints = self._automaton, self._automaton.hints
        doubled = False
        chars = text if len(text) == len(sounds) else ""
        sightings: list[Sighting] = []
        for number, start, end in found:
            if number < automaton.n_forms:
                chars = chars or self._letters(text)
                if len(chars) != len(sounds):
                    return True
                sightings += [Sighting(form, start, end) for form in self._company(number, chars[start:end])]
            hint = hints.get(number)
            if hint is Hint.DOUBLED:
                doubled = True
            elif hint is Hint.PARTS or (hint is Hint.NUMERALS and find_contacts(self._normaliser.canonical(text))):
                return True
        if sightings and self._stands(text, sounds, sightings):
            return True
        if doubled and self._repeats(chars or self._letters(text)):
            return True
        return sounds.islower() and self._hides(text, sounds)

    def _is_singled_out(self, text: str) -> bool:
        """Tell whether a regex finds something, or a rare part of a character stands in a text."""
        if not self._rare_parts.isdisjoint(text):
            return True
        canon = text.translate(self._fold) if self._regexes else ""
        return any(regex.search(canon) for regex in self._regexes)

    def _letters(self, text: str) -> str:
        """Return the letters, digits and ideographs of a text, folded."""
        return "".join(filter(str.isalnum, self._normaliser.canonical(text)))

    def _meets(self, text: str) -> bool:
        """Tell whether a text without symbols holds characters that may be a form."""
        sounds = text.translate(self._sounds)
        n_forms = self._automaton.n_forms
        found = self._find(sounds, overlapping=True)
        aligned = len(sounds) == len(text)
        return any(number < n_forms and (not aligned or self._company(number, text[start:end])) for number, start, end in found)

    def _repeats(self, letters: str) -> bool:
        """Tell whether something may hide behind letters, or pairs of them, said more than once."""
        single = _RUN.sub(r"\1", letters)
        if 1 < len(single) < len(letters) and self._meets(single):
            return True
        paired = _PAIRS.sub(r"\1", letters)
        return len(paired) < len(letters) and self._meets(paired)

    def _hides(self, text: str, sounds: str) -> bool:
        """Tell whether something may hide behind letters, digits and signs."""
        if MARK in sounds:
            return True
        canon = text.translate(self._fold)
        if (_ID.search(sounds) or _URL.search(canon)) and find_contacts(canon):
            return True
        if max(sounds) >= CLASS_BASE:
            if _PARTED.search(sounds) and self._meets(_NOT_HAN.sub("", canon)):
                return True
            if self._is_called(canon, sounds):
                return True
        return _TOKEN.search(canon) is not None and any(map(self._has_form, self._readings(canon)))

    def _has_form(self, sounds: str) -> bool:
        n_forms = self._automaton.n_forms
        return any(number < n_forms for number, _, _ in self._find(sounds, overlapping=True))

    def _readings(self, canon: str) -> Iterable[str]:
        """Yield the sounds of a canonical text with pinyin spelt, and with digits as letters."""
        tokens = _TOKEN.findall(canon)
        if not tokens:
            return
        split = self._normaliser.syllables.split
        reads = [canon] if any(split(token) for token in tokens) else []
        if _TONE.search(canon):
            reads.append(_TONE.sub("", canon))
        reads += self._leet(canon)
        for read in reads:
            spelt = _TOKEN.sub(self._spelt, read)
            if spelt != canon:
                yield spelt.translate(self._kept)
            if read != canon:
                yield read.translate(self._sounds)

    def _is_called(self, canon: str, sounds: str) -> bool:
        """Tell whether digits or letters, called by name, make a form with its own characters around them."""
        if all(number >= self._automaton.n_forms for number, _, _ in self._find(sounds.translate(self._aloud), overlapping=True)):
            return False  # not even with every digit and letter called
        spoken = _SPOKEN.sub(self._call, sounds)
        if spoken == sounds:
            return False
        chars = "".join(filter(str.isalnum, canon))
        n_forms = self._automaton.n_forms
        found = self._find(spoken, overlapping=True)
        return any(
            number < n_forms and (len(chars) != len(spoken) or self._named(number, chars[start:end]))
            for number, start, end in found
        )

    def _named(self, number: int, written: str) -> bool:
        """Tell whether all but the digits and letters of what is written are a form's own characters."""
        return any(
            any(char == piece for char, piece in zip(written, form.pieces, strict=False))
            and all(char == piece or char.isascii() for char, piece in zip(written, form.pieces, strict=False))
            for form in self._automaton.forms(number)
        )

    def _leet(self, canon: str) -> Iterator[str]:
        """Yield a canonical text with the digits and signs of each mixed run as the letters they look like."""
        for match in MIXED.finditer(canon):
            if not match[0].isalpha():
                for table in (LEET, LEET_TOO):
                    yield canon[: match.start()] + match[0].translate(table) + canon[match.end() :]

    def _spelt(self, run: re.Match[str]) -> str:
        parts = self._normaliser.syllables.split(run[0])
        return run[0] if parts is None else "".join(map(self._normaliser.syllables.class_of, parts))

    def _call(self, run: re.Match[str]) -> str:
        return "".join(self._called.get(char, char) for char in run[0])
