"""Whether a form that was found is meant: what rules it out at once, then what the evidence makes of it.

Pure; it takes what was found and gives back how sure it is. What a term is worth is the list's business, what follows is the
policy's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from inference.text.automaton import Sighting
from inference.text.contacts import looks_like_id
from inference.text.evidence import Case, Evidence, Kind
from inference.text.patterns import Form, Technique
from inference.text.segment import Segmenter
from inference.text.syllables import Syllables
from inference.text.tables import Tables, is_han
from inference.text.terms import Mode, Term
from inference.text.tokens import alnum_token, id_end, is_latin, latin_token, single_letters
from inference.text.views import View, ViewKind
from inference.text.written import Line, Way, writing_of

MAX_GAP = 16
"""Removed characters between two neighbouring pieces; whoever leaves more room is not read as one word."""

MAX_ABBREVIATION = 3
"""Letters of the longest form in Latin letters that has to stand alone, undisguised."""

MAX_INSERTED = 2
"""Letters and digits between two ideographs that may have been put in to disguise them."""

MEANT = 0.5
"""Probability from which a form is meant."""

MEANT_BY_KIND = {Kind.SOUND: 0.4, Kind.LATIN: 0.42, Kind.REVERSED: 0.45}
"""The same where people disguise most: what is uncertain there goes to a person by its score."""

LEFT = (0.82, 1.0)
"""What is left of a disguise's score where it is only just meant, and where it surely is."""

_MEASURES = frozenset("楼号个次点分强级区服天年月日人把局杀米秒岁块元万千百十倍层名位条票比届")
"""Characters behind a digit that make it a number."""


@dataclass(frozen=True, slots=True)
class Meant:
    """A form that stands: where in the canonical text, how sure, and what was seen through."""

    form: Form
    first: int
    """Index of its first canonical character."""
    last: int
    """Index of its last canonical character (inclusive)."""
    weight: float
    """What is left of the term's score, 0..1."""
    transforms: tuple[str, ...]
    """Disguises seen through, outermost first."""

    @property
    def term(self) -> Term:
        """The term; an allowed phrase has none and never gets so far."""
        assert self.form.term is not None  # for the type checker: `Matcher.meant` keeps allowed phrases apart
        return self.form.term


class Verifier:
    """Judges what was found one by one, cheapest test first; never changes after it is made."""

    def __init__(self, tables: Tables, segmenter: Segmenter) -> None:
        self._syllables: Syllables = tables.syllables
        self._english = tables.english
        self.evidence = Evidence(tables, segmenter)

    def judge(self, sighting: Sighting, view: View, line: Line) -> Meant | None:
        """Return how a form stands, or None where it is not meant."""
        case = self.case(sighting, view, line)
        if case is None:
            return None
        written, form = case.written, case.form
        if form.term is None:
            return Meant(form, written.first, written.last, 1.0, ())
        if form.term.mode is Mode.COMBINATION:  # its other parts are the evidence
            return Meant(form, written.first, written.last, form.weight, _seen_through(case)) if written.is_literal else None
        least = MEANT_BY_KIND.get(case.kind, MEANT)
        likely = self.evidence.probability(case, least=least)
        if likely < least:
            return None
        weight = form.weight
        listed = form.technique in (Technique.WRITTEN, Technique.ALIAS)
        if not (listed and written.is_literal):
            weight *= LEFT[0] + (LEFT[1] - LEFT[0]) * (likely - least) / (1.0 - least)
        return Meant(form, written.first, written.last, weight, _seen_through(case))

    def case(self, sighting: Sighting, view: View, line: Line) -> Case | None:
        """Return a form with everything that is known of it, or None where it is out of the question."""
        form = sighting.form
        written = writing_of(form, view.units[sighting.start : sighting.end], line.canon, self._syllables)
        case = Case.of(form, view.kind, line, written)
        if form.term is None:
            return case if written.is_literal else None
        return case if self._is_possible(case, form.term) else None

    def _is_possible(self, case: Case, term: Term) -> bool:
        """Make the tests that need no language: the term's mode, token boundaries, and what stands in between."""
        written, form = case.written, case.form
        if term.mode is Mode.EXACT and not (written.is_plain and not written.gaps and case.view is ViewKind.PLAIN):
            return False
        by_other = written.count(Way.HOMOPHONE, Way.ALIKE)
        if (by_other or written.count(Way.SPELT, Way.SPELT_ALIKE)) and term.mode is not Mode.PINYIN:
            return False
        if by_other and form.technique in (Technique.SHAPE, Technique.REVERSED):
            return False  # what sounds like a look-alike is neither
        if form.technique is Technique.SHAPE and not _looks(case):
            return False
        if form.needs_cue and not self.evidence.has_cue(case):
            return False
        if form.technique is Technique.PINYIN:
            return _joined(case) and self._is_spelt(case)
        if form.technique is Technique.INITIALS and not self._is_initials(case):
            return False
        if written.count(Way.NUMERAL) and not _is_called(case):
            return False
        if written.count(Way.SPELT, Way.SPELT_ALIKE) and not self._is_whole(case):
            return False
        return _joined(case) and not self._cuts_token(case) and not _part_of_token(case)

    def _is_spelt(self, case: Case) -> bool:
        """Tell whether a term in Latin letters stands by itself: at the ends of tokens, or of syllables of a pinyin token."""
        canon, first, last = case.line.canon, case.written.first, case.written.last
        left, right = latin_token(canon, first, last)
        token = canon[left:right]
        if token.isalpha() and token in self._english:
            return False
        split = self._syllables.split
        if left < first and not split(canon[left:first]):
            return False
        if last + 1 < right and not split(canon[last + 1 : right]):
            return looks_like_id(canon[last + 1 : right])
        if left < first or last + 1 < right:
            return split(token) is not None
        return not case.written.gaps or self._gaps_at_syllables(case) or single_letters(canon[first : last + 1])

    def _gaps_at_syllables(self, case: Case) -> bool:
        """Tell whether every token inside the form is made of whole syllables."""
        inside = re.findall(r"[a-z]+", case.line.canon[case.written.first : case.written.last + 1])
        return all(self._syllables.split(token) is not None for token in inside)

    def _is_whole(self, case: Case) -> bool:
        """Tell whether the runs of Latin letters in a form are whole tokens, or parts of ones that are pinyin all through."""
        canon = case.line.canon
        left, right = latin_token(canon, case.written.first, case.written.last)
        cut = left < case.written.first or right > case.written.last + 1
        token = canon[left:right]
        if token.isalpha() and token in self._english:
            return False
        return not cut or not case.is_two or case.written.count(Way.SPELT, Way.SPELT_ALIKE) < len(case.form.pieces)

    def _is_initials(self, case: Case) -> bool:
        """Tell whether initials are whole tokens, three and more of them where no character stands beside."""
        written, canon = case.written, case.line.canon
        if not written.is_literal or (case.is_two and any(not gap.isspace() for gap in written.gaps)):
            return False
        left, right = alnum_token(canon, written.first, written.last)
        if left < written.first or right > written.last + 1 or canon[left:right] in self._english:
            return False
        return case.kind is not Kind.LATIN or len(case.form.pieces) > 2

    def _cuts_token(self, case: Case) -> bool:
        """Tell whether a form begins or ends inside a run of Latin letters.

        A contact id written straight behind (加vxabc123) is not the same word; pinyin has its own test.
        """
        if case.view is ViewKind.SPELT:
            return False
        canon, first, last = case.line.canon, case.written.first, case.written.last
        if first > 0 and is_latin(canon[first]) and is_latin(canon[first - 1]):
            return not self._syllables.split(canon[latin_token(canon, first, last)[0] : first])
        if not (is_latin(canon[last]) and last + 1 < len(canon) and is_latin(canon[last + 1])):
            return False
        label = case.form.term.label if case.form.term else ""
        return not (label == "ads.contact" and looks_like_id(canon[last + 1 : id_end(canon, last + 1)]))


def _looks(case: Case) -> bool:
    """Tell whether every look-alike of a form is there itself; spelt in letters it looks like nothing."""
    pieces = zip(case.written.ways, case.form.pieces, case.form.meant, strict=False)
    return all(way in (Way.SAME, Way.REPEATED) for way, piece, own in pieces if piece != own)


def _is_called(case: Case) -> bool:
    """Tell whether digits and letters stand for syllables: not where they count something, and not beside further guesses."""
    canon, last = case.line.canon, case.written.last
    behind = canon[last + 1] if last + 1 < len(canon) else ""
    if canon[last].isdecimal() and behind and behind in _MEASURES:
        return False
    return max(case.written.ways) < Way.SPELT


def _joined(case: Case) -> bool:
    """Tell whether what stands inside a form may stand there: short gaps, and no clause ends in them."""
    written = case.written
    if any(len(gap) > MAX_GAP or sum(map(str.isalnum, gap)) > MAX_INSERTED for gap in written.gaps):
        return False
    if not written.has_clause:
        return True
    if len(written.gaps) > 1:
        return len(set(written.gaps)) == 1
    before, after = (side.strip() for side in case.around())
    return case.is_two and not before[-1:].isalnum() and not after[:1].isalnum()


def _part_of_token(case: Case) -> bool:
    """Tell whether a form of two or three Latin letters (sb, fw, 5b) is anything but a token of its own, as it is."""
    form, written = case.form, case.written
    if len(form.pieces) > MAX_ABBREVIATION or not all(piece.isascii() for piece in form.pieces):
        return False
    left, right = alnum_token(case.line.canon, written.first, written.last)
    return not written.is_plain or bool(written.gaps) or left < written.first or right > written.last + 1


def _seen_through(case: Case) -> tuple[str, ...]:
    """Name the disguises that a form and its reading undo, apart from those of single characters."""
    written = case.written
    gap = "".join(written.gaps)
    seen = {
        "homophone": written.count(Way.HOMOPHONE, Way.ALIKE) > 0,
        "pinyin": written.count(Way.SPELT, Way.SPELT_ALIKE) > 0 and any(map(is_han, case.form.pieces)),
        "emoji": written.count(Way.EMOJI) > 0,
        "split": written.count(Way.SPLIT) > 0,
        "leet": written.count(Way.NUMERAL) > 0 or case.view is ViewKind.LEET,
        "repeat": written.count(Way.REPEATED) > 0,
        "separator": any(not char.isalnum() for char in gap),
        "inserted": any(map(str.isalnum, gap)),
    }
    names = [case.form.transform] if case.form.transform else []
    return tuple(dict.fromkeys([*names, *(name for name, is_seen in seen.items() if is_seen)]))
