"""The text check: a text in, findings with spans true to it out, and with a policy's answer a whole result.

It owns the current generation of lists and swaps it in one assignment; callers on any thread see the old or the new one, never a
mixture. Decisions are the policy's (`inference/policy.py`), passed in.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from inference.errors import InvalidSample, SampleTooLarge
from inference.samples import Modality, Scene
from inference.text.building import building
from inference.text.contacts import Contact, ContactType, find_contacts
from inference.text.lexicon import BASE_ALLOW, BASE_LIST, BASE_VERSION, Term, WordList, read_phrases
from inference.text.matcher import Language, Matcher, Reading
from inference.text.normalise import Normaliser
from inference.text.reasons import LabelBook, Reason, reason_for
from inference.text.verify import Meant
from inference.verdicts import Decision, Finding, Span, TextMatch, Verdict
from models.taxonomy import Taxonomy

MAX_TEXT = 10_000
"""Code points of the longest text that is looked at."""

MAX_FOLDED = 32_768
"""Texts whose fold is remembered; all are forgotten when there are more."""

MAX_FOLDED_LENGTH = 32
"""Code points of the longest of them."""

LEVEL_SCORES = {1: 0.70, 2: 0.86, 3: 0.97}
"""Score of a term found as written, by level: worth a look, unwelcome, never. What was seen through takes its share off it."""

WITH_CONTACT = 0.99
"""Score of an advertising term with a contact right behind it: nobody writes that by accident."""

CONTACT_LIST = "contacts@1"
CONTACT_SCORES = {ContactType.WECHAT: 0.92, ContactType.QQ: 0.92, ContactType.PHONE: 0.9, ContactType.URL: 0.7}
"""Score of a contact without a term before it; a room number alone is none."""

Decide = Callable[[Sequence[Finding], Scene], Verdict]
"""The policy's part: what it says of the findings of one text in one scene."""


@dataclass(frozen=True, slots=True)
class TextSample:
    """One text, waiting to be checked."""

    text: str
    """As sent."""
    scene: Scene = Scene.DANMAKU

    def __post_init__(self) -> None:
        require_text(self.text)


@dataclass(frozen=True, slots=True)
class TextResult:
    """What is said of one text."""

    verdict: Verdict
    contacts: tuple[Contact, ...]
    masked_text: str
    """The text with `*` over every span that is not passed, as long as the text."""
    reason: Reason


NOTHING = Reading()
"""The one reading of every text in which nothing was found."""

_INVISIBLE = frozenset({"Cf", "Cc", "Cs", "Co", "Cn", "Mn", "Me"})


def require_text(text: str) -> None:
    """Refuse a text that cannot be looked at.

    Raises:
        SampleTooLarge: more than 10,000 code points.
        InvalidSample: half of a surrogate pair, or NUL.
    """
    if len(text) > MAX_TEXT:
        raise SampleTooLarge(f"text of {len(text)} code points; at most {MAX_TEXT}")
    if "\x00" in text:
        raise InvalidSample(f"text has NUL at {text.index(chr(0))}; leave it out")
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise InvalidSample(
            f"text has half a surrogate pair U+{ord(text[exc.start]):04X} at {exc.start}; send whole characters"
        ) from exc


def require_texts(texts: Sequence[str]) -> None:
    """Refuse several texts where one of them cannot be looked at; raises as `require_text` for the first of those."""
    joined = "".join(texts)
    try:
        joined.encode()
        if "\x00" not in joined and max(map(len, texts), default=0) <= MAX_TEXT:
            return
    except UnicodeEncodeError:
        pass
    for text in texts:
        require_text(text)


def masked(text: str, spans: Iterable[Span]) -> str:
    """Return the text with `*` over the spans, as many code points long as it was."""
    chars = list(text)
    for span in spans:
        chars[span.start : span.end] = "*" * (min(span.end, len(chars)) - span.start)
    return "".join(chars)


class TextChecker:
    """Checks texts; one instance serves every thread."""

    def __init__(self, language: Language, labels: LabelBook, lists: Sequence[WordList], allow: Sequence[str]) -> None:
        self._language = language
        self._labels = labels
        self._matcher = self._built(lists, allow)
        self._fold = language.normaliser.fold
        self._folded: dict[str, str] = {}
        self.generation = 0
        """Times the lists were swapped."""

    @classmethod
    def load(
        cls, lists: Sequence[Path] = (), allow: Sequence[Path] = (), *, labels: LabelBook | None = None, base: bool = True
    ) -> TextChecker:
        """Read the base list, the tenant's lists and allow-lists, and compile them.

        Args:
            lists: word lists of the tenant, see `WordList.read`.
            allow: phrases that suppress the hits they overlap, one a line.
            labels: the taxonomy; the shipped one by default.
            base: False leaves out the list and the allowed phrases that are shipped.

        Raises:
            ConfigError: a list cannot be read or has a line that cannot be understood.
        """
        book = Taxonomy.load() if labels is None else labels
        return cls(Language.load(), book, read_lists(lists, book, base=base), read_allowed(allow, base=base))

    def terms(self) -> tuple[Term, ...]:
        """Return every term of every list in use."""
        return self._matcher.terms

    @property
    def in_force(self) -> Matcher:
        """The present generation of lists; it never changes, a reload makes another one."""
        return self._matcher

    @property
    def n_patterns(self) -> int:
        """Patterns searched for."""
        return self._matcher.n_patterns

    def reload(self, lists: Sequence[Path] = (), allow: Sequence[Path] = (), *, base: bool = True) -> None:
        """Read the lists again and swap them in; checks under way finish with the old ones.

        Raises:
            ConfigError: a list is bad; the old lists stay.
        """
        read = read_lists(lists, self._labels, base=base)
        self._matcher = self._built(read, read_allowed(allow, base=base))
        self.generation += 1

    def _built(self, lists: Sequence[WordList], allow: Sequence[str]) -> Matcher:
        with building():
            return Matcher(self._language, lists, allow)

    def forget(self) -> None:
        """Empty what is remembered of texts, as if none had been seen; for measurements."""
        self._matcher.forget()
        self._folded.clear()

    @property
    def normaliser(self) -> Normaliser:
        """What folds texts."""
        return self._language.normaliser

    @property
    def words(self) -> Mapping[str, float]:
        """A dictionary: word to the natural logarithm of its share."""
        return self._language.tables.word_costs

    def fold(self, text: str) -> str:
        """Return the text without disguise, letters and digits only: what makes two texts the same."""
        known = self._folded.get(text)
        if known is not None:
            return known
        canon = text.translate(self._fold)
        folded = canon if canon.isalnum() else "".join(filter(str.isalnum, canon)) or canon
        if len(text) <= MAX_FOLDED_LENGTH:
            if len(self._folded) >= MAX_FOLDED:
                self._folded.clear()
            self._folded[text] = folded
        return folded

    def findings(self, text: str, scene: Scene) -> tuple[Finding, ...]:
        """Find what the lists and the contact shapes find in a text, in its order; () for nearly all texts."""
        return self.read(text, scene).findings

    def read(self, text: str, scene: Scene) -> Reading:
        """Find terms and contacts in a text of any length; linear in it, and never raises whatever the text."""
        matcher = self._matcher
        return NOTHING if matcher.glance.is_clean(text) else self._full(matcher, text, scene)

    def read_many(self, texts: Sequence[str], scene: Scene) -> list[Reading]:
        """Read several texts of one scene, in order; the same as `read` one by one, for less."""
        matcher = self._matcher
        readings = [NOTHING] * len(texts)
        for index in matcher.glance.unclean(texts):
            readings[index] = self._full(matcher, texts[index], scene)
        return readings

    def _full(self, matcher: Matcher, text: str, scene: Scene) -> Reading:
        key = (text, scene)
        known = matcher.read.get(key)
        if known is not None:
            return known
        canon = self._language.normaliser.canonical(text)
        contacts = find_contacts(canon)
        meant = matcher.meant(text, canon, scene, datetime.now(UTC))
        reading = NOTHING
        if meant or contacts:
            text_map = _TextMap(text, canon, self._language.normaliser.origins(text), self._language.tables.traditional)
            reading = Reading(tuple(text_map.findings(meant, contacts)), contacts)
        matcher.remember(key, reading)
        return reading

    def check(self, sample: TextSample, decide: Decide) -> TextResult:
        """Check one text: find, let the policy decide, mask what it does not pass, say why."""
        reading = self.read(sample.text, sample.scene)
        verdict = decide(reading.findings, sample.scene)
        return TextResult(verdict, reading.contacts, masked(sample.text, unwelcome(verdict)), reason_for(verdict, self._labels))


def unwelcome(verdict: Verdict) -> list[Span]:
    """Return the spans of a verdict's findings that the policy does not pass."""
    return [
        span
        for judged in verdict.judged
        if judged.decision is not Decision.PASS and judged.finding.match is not None
        for span in judged.finding.match.spans
    ]


def read_lists(paths: Sequence[Path], labels: LabelBook, *, base: bool) -> list[WordList]:
    """Read word lists, the shipped one first.

    Raises:
        ConfigError: a list cannot be read or has a bad line.
    """
    own = [WordList.read(BASE_LIST, labels.__getitem__, name="base", version=BASE_VERSION)] if base else []
    return [*own, *(WordList.read(path, labels.__getitem__).require_clean(path) for path in paths)]


def read_allowed(paths: Sequence[Path], *, base: bool) -> list[str]:
    """Read allowed phrases, the shipped ones first.

    Raises:
        ConfigError: a file cannot be read.
    """
    return [phrase for path in ((BASE_ALLOW, *paths) if base else paths) for phrase in read_phrases(path)]


@dataclass(frozen=True, slots=True)
class _TextMap:
    """A text as sent beside its canonical view, to give places in the one as places in the other."""

    text: str
    canon: str
    origins: list[int]
    traditional: Collection[str]
    """Characters that have a simplified form."""

    def findings(self, meant: Sequence[Meant], contacts: Sequence[Contact]) -> list[Finding]:
        """Turn hits and contacts into findings; a contact behind an advertising term belongs to it."""
        own = {ads: contact for contact in contacts if (ads := _advertised(contact, meant)) is not None}
        found = [(hit.first, self._finding(hit, own.get(hit))) for hit in meant]
        taken = set(map(id, own.values()))
        for contact in contacts:
            if id(contact) not in taken and contact.type in CONTACT_SCORES:
                found.append((contact.first, self._contact_finding(contact)))
        found.sort(key=lambda place: place[0])
        return [finding for _, finding in found]

    def _finding(self, hit: Meant, contact: Contact | None) -> Finding:
        term = hit.term
        last = hit.last if contact is None else max(hit.last, contact.last)
        score = LEVEL_SCORES[term.level] * hit.weight if contact is None else WITH_CONTACT
        span = self._span(hit.first, last)
        gap = contact is not None and any(not char.isalnum() for char in self.canon[hit.last + 1 : last + 1])
        between = ("separator",) if gap and "separator" not in hit.transforms else ()
        transforms = (*hit.transforms, *between, *self._character_transforms(self._span(hit.first, hit.last)))
        match = TextMatch(hit.form.ref, term.text, (span,), self.text[span.start : span.end], transforms)
        return Finding(term.label, round(score, 4), Modality.TEXT, "lexicon", match=match)

    def _contact_finding(self, contact: Contact) -> Finding:
        span = self._span(contact.first, contact.last)
        label = "ads.url" if contact.type is ContactType.URL else "ads.contact"
        match = TextMatch(
            CONTACT_LIST, str(contact.type), (span,), self.text[span.start : span.end], self._character_transforms(span)
        )
        return Finding(label, CONTACT_SCORES[contact.type], Modality.TEXT, "contact", match=match)

    def _span(self, first: int, last: int) -> Span:
        return Span(self.origins[first], self.origins[last] + 1)

    def _character_transforms(self, span: Span) -> tuple[str, ...]:
        """Name the disguises of single characters inside a span."""
        shown = self.text[span.start : span.end]
        names = []
        traditional = self.traditional
        if any(unicodedata.category(char) in _INVISIBLE for char in shown):
            names.append("invisible")
        if any(char.isalnum() and unicodedata.normalize("NFKC", char) != char for char in shown):
            names.append("width")
        if any(char in traditional for char in shown):
            names.append("traditional")
        return tuple(names)


def _advertised(contact: Contact, meant: Sequence[Meant]) -> Meant | None:
    """Return the advertising hit that a contact follows or overlaps, if there is one."""
    for hit in meant:
        term = hit.term
        if term is not None and term.label.startswith("ads.") and hit.first <= contact.last and contact.first <= hit.last + 1:
            return hit
    return None
