"""Danmaku completion: learns what is said in each room and across the platform, and offers whole sentences for what is being typed.

`learn` only notes a line; `fold_in` indexes a bounded number of noted lines, and so does `offer`. Nothing is offered that fewer
than n users have said, that could identify somebody, or that the check, asked again under the present lists, does not pass. Pure:
time, check and generation are arguments.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from heapq import merge

from inference.text.contacts import find_contacts
from inference.text.normalise import Normaliser
from inference.text.popularity import PopularTexts, TableBounds
from inference.text.typed import Letters

MIN_TEXT, MAX_TEXT = 2, 30
"""Code points of a sentence, as written."""

MIN_PREFIX = 2
"""Code points of a prefix after folding; fewer match too much to mean anything."""

MAX_NAME = 256
"""Characters of the longest room id that is noted."""

MAX_FOLDED = 32
"""Lines indexed in one call of `fold_in`, some 10 to 20 microseconds each."""

MAX_FOLDED_BY_OFFER = 8
"""Lines indexed on the way of an offer, so that it knows what was said just now."""

MAX_CHECKS = 20
"""Texts checked again in one offer; where new lists refuse more than that, the next offer goes on."""

MAX_KEPT_CHECKS = 65_536
"""Verdicts kept of one generation; overflow rule: all are forgotten."""

MAX_GENERATIONS = 4
"""Generations whose verdicts are kept; overflow rule: the one asked for longest ago goes."""

ROOM_HALF, PLATFORM_HALF = 2.0, 50.0
"""Sayings, faded, with which a sentence has half the score it can have."""

PLATFORM_SHARE = 0.5
"""Highest score of a sentence of the platform; a room's has 1. What two people said just now in the room goes before everything."""

_DIGIT = "[0-9〇零洞一幺壹二两贰三叁四肆五伍六陆七柒八捌九玖]"
_DIGITS = re.compile(rf"(?:{_DIGIT}[\W_]*){{5}}")
_LINK = re.compile(r"://|www|[a-z0-9-][.。点][a-z]{2}")
_ID = re.compile(r"(?=[a-z_-]*[0-9])(?=[0-9_-]*[a-z])[a-z0-9_-]{6}")
_NOT_ALNUM = re.compile(r"[\W_]+")
_RUN = re.compile(r"(.)\1+", re.DOTALL)


class Source(StrEnum):
    """Where a sentence is popular."""

    ROOM = "room"
    PLATFORM = "platform"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One sentence offered."""

    text: str
    """As most people write it."""
    score: float
    """0..1: how popular it is now."""
    source: Source
    canon: str
    """The text without disguise; begins as what was typed, or sounds so."""


@dataclass(frozen=True, slots=True)
class SuggestSettings:
    """Bounds of memory and how popularity fades."""

    room: TableBounds = field(default_factory=lambda: TableBounds(max_texts=200, half_life_s=600.0, min_users=2))
    """Of each room."""
    platform: TableBounds = field(
        default_factory=lambda: TableBounds(max_texts=50_000, half_life_s=86_400.0, min_users=3, max_alike=1_024)
    )
    """Of all rooms together."""
    max_rooms: int = 2_000
    """Rooms remembered; overflow rule: the one longest without a new line goes."""
    max_waiting: int = 4_096
    """Lines noted and not yet indexed; overflow rule DROP_OLDEST, counted in `n_dropped`."""

    def __post_init__(self) -> None:
        if self.max_rooms < 1 or self.max_waiting < 1:
            raise ValueError(f"max_rooms and max_waiting must be at least 1, got {self.max_rooms} and {self.max_waiting}")


def worth_offering(form: str, canon: str) -> bool:
    """Tell whether a text may ever be shown to others than its sayer, whatever the lists say.

    Not: too short or long, with characters that show nothing or turn the direction, with five digits (in any script, whatever
    stands between), with a contact, an address, a name behind `@` or something that looks like an id, without a letter or digit.
    """
    return (
        MIN_TEXT <= len(form) <= MAX_TEXT
        and len(canon) >= MIN_TEXT
        and form.isprintable()
        and "@" not in canon
        and any(map(str.isalnum, canon))
        and not (_DIGITS.search(canon) or _LINK.search(canon) or _ID.search(canon))
        and not find_contacts(canon)
    )


class Suggester:
    """Learns and offers. `learn` may be called from any thread; everything else from one at a time."""

    def __init__(self, normaliser: Normaliser, settings: SuggestSettings | None = None) -> None:
        self.settings = settings or SuggestSettings()
        self._canonical = normaliser.canonical
        self._letters = Letters(normaliser.syllables)
        self._platform = PopularTexts(self.settings.platform, self._letters)
        self._rooms: OrderedDict[str, PopularTexts] = OrderedDict()
        self._heard: deque[tuple[str, int, str, float]] = deque(maxlen=self.settings.max_waiting)
        self._noting = threading.Lock()
        self._verdicts: OrderedDict[Hashable, dict[str, bool]] = OrderedDict()
        self.n_dropped = 0
        """Lines forgotten before they were indexed, because more were said than `fold_in` was called for."""
        self.n_rooms_forgotten = 0
        """Rooms that made place for others."""

    @property
    def n_waiting(self) -> int:
        """Lines noted and not yet indexed."""
        return len(self._heard)

    @property
    def n_rooms(self) -> int:
        """Rooms remembered."""
        return len(self._rooms)

    @property
    def n_texts(self) -> int:
        """Texts remembered, those of rooms and those of the platform."""
        return len(self._platform) + sum(map(len, self._rooms.values()))

    def learn(self, room_id: str, uid: str, text: str, now_s: float) -> None:
        """Note a line that the check has passed and others have been shown; cheap, for it is called for every danmaku.

        Args:
            room_id: where it was said; without one nothing is learnt.
            uid: who said it; without one nothing is learnt. Only its hash is kept.
            text: as written.
            now_s: monotonic seconds; must not go back.
        """
        if MIN_TEXT <= len(text) <= MAX_TEXT and uid and room_id and len(room_id) <= MAX_NAME:
            line = (room_id, hash(uid), text, now_s)
            with self._noting:
                if len(self._heard) == self._heard.maxlen:
                    self.n_dropped += 1
                self._heard.append(line)

    def fold_in(self, max_lines: int = MAX_FOLDED) -> int:
        """Index lines noted, oldest first, at most so many; returns how many there were."""
        with self._noting:
            lines = [self._heard.popleft() for _ in range(min(max_lines, len(self._heard)))]
        for line in lines:
            self._index(*line)
        return len(lines)

    def fold(self, prefix: str) -> str:
        """Return what is looked for when this has been typed: the canonical text, without blanks before it."""
        return self._canonical(prefix).lstrip()

    def offer(
        self, room_id: str, prefix: str, now_s: float, *, limit: int, passes: Callable[[str], bool], generation: Hashable
    ) -> list[Suggestion]:
        """Offer sentences that go on from a prefix, the most popular first; none for a prefix of one character.

        Args:
            room_id: whose sentences are offered besides the platform's.
            prefix: what has been typed, in any width, case and script; two characters or, in pinyin, two letters.
            now_s: monotonic seconds, as in `learn`.
            limit: sentences offered at most.
            passes: whether the check passes a text now. Asked for no more than `MAX_CHECKS` texts.
            generation: stands for everything that `passes` depends on and must change after that does, never before: verdicts are
                remembered under it.
        """
        self.fold_in(MAX_FOLDED_BY_OFFER)
        typed = self.fold(prefix)
        if len(typed.rstrip()) < MIN_PREFIX:
            return []
        vetted = _Vetted(passes, self._verdicts_of(generation))
        offered: dict[str, Suggestion] = {}
        for one in merge(*self._ranked(room_id, typed, now_s), key=lambda one: -one.score):
            if len(offered) >= limit or vetted.spent:
                break
            gist = _gist(one.canon)
            if gist not in offered and vetted.passes(one.text):
                offered[gist] = one
        return list(offered.values())

    def _ranked(self, room_id: str, typed: str, now_s: float) -> Iterator[Iterator[Suggestion]]:
        room = self._rooms.get(room_id)
        if room is not None:
            yield _scored(room, typed, now_s, Source.ROOM)
        yield _scored(self._platform, typed, now_s, Source.PLATFORM)

    def _verdicts_of(self, generation: Hashable) -> dict[str, bool]:
        verdicts = self._verdicts.setdefault(generation, {})
        self._verdicts.move_to_end(generation)
        if len(self._verdicts) > MAX_GENERATIONS:
            self._verdicts.popitem(last=False)
        if len(verdicts) + MAX_CHECKS > MAX_KEPT_CHECKS:
            verdicts.clear()
        return verdicts

    def _index(self, room_id: str, user: int, text: str, now_s: float) -> None:
        form = text.strip()
        canon = self._canonical(form).strip()
        known = self._platform.known(canon)
        if not (worth_offering(form, canon) if known is None else len(form) >= MIN_TEXT and form.isprintable()):
            return
        canon = known or canon  # one copy in all rooms
        self._platform.say(canon, form, user, now_s)
        self._room(room_id).say(canon, form, user, now_s)

    def _room(self, room_id: str) -> PopularTexts:
        room = self._rooms.get(room_id)
        if room is None:
            if len(self._rooms) >= self.settings.max_rooms:
                self._rooms.popitem(last=False)
                self.n_rooms_forgotten += 1
            room = self._rooms[room_id] = PopularTexts(self.settings.room, self._letters)
        else:
            self._rooms.move_to_end(room_id)
        return room


class _Vetted:
    """The check of one offer, with the verdicts of its generation and a bound on new ones."""

    def __init__(self, passes: Callable[[str], bool], verdicts: dict[str, bool]) -> None:
        self._passes = passes
        self._verdicts = verdicts
        self._n_left = MAX_CHECKS

    @property
    def spent(self) -> bool:
        return self._n_left <= 0

    def passes(self, text: str) -> bool:
        verdict = self._verdicts.get(text)
        if verdict is None:
            self._n_left -= 1
            verdict = self._verdicts[text] = self._passes(text)
        return verdict


def _scored(texts: PopularTexts, typed: str, now_s: float, source: Source) -> Iterator[Suggestion]:
    half, share = (ROOM_HALF, 1.0) if source is Source.ROOM else (PLATFORM_HALF, PLATFORM_SHARE)
    for one in texts.best(typed, now_s):
        yield Suggestion(one.form, round(share * one.weight / (one.weight + half), 4), source, one.canon)


def _gist(canon: str) -> str:
    """Return what makes two sentences one offer: letters and digits, runs of one character as one."""
    return _RUN.sub(r"\1", _NOT_ALNUM.sub("", canon)) or canon
