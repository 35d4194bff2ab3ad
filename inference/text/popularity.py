"""Which texts are said most: a table of bounded size, for one room or for the platform, in which what is no longer said fades.

Space-Saving with exponential decay: a text that comes into a full table takes the place of a weak one and inherits its weight as
far as staying goes, so that what makes up more than its share of what is said is not lost. Pure: the time is an argument. What may
be learnt and what may be offered is `suggest.py`'s business.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from inference.text.typed import BEFORE, Letters

WINDOW = 256
"""Texts among which the weakest is looked for when a table is full; a larger table is gone through window by window. A text that
makes up more than 1/256 of what is said stays for sure."""

MAX_FORMS = 4
"""Ways to write one text that are counted; one more takes the place of the rarest."""

MAX_USERS = 16
"""Different users that can be asked for."""

MIN_WEIGHT = 0.1
"""Sayings, faded: below, a text is no longer popular. Said twice, that is after a little more than four half-lives."""


@dataclass(frozen=True, slots=True)
class TableBounds:
    """How much one table keeps, how fast it fades, and what it lets out."""

    max_texts: int
    """Texts kept; overflow rule: a weak one goes, as told in `WINDOW`."""
    half_life_s: float
    """Seconds after which a saying counts half."""
    min_users: int
    """Different users who must have said a text before it is shown to another."""
    max_alike: int | None = None
    """Texts kept with the same first two characters, the weakest goes: no search gets long. None: a small table, searched whole."""

    def __post_init__(self) -> None:
        if self.max_texts < 1 or (self.max_alike is not None and self.max_alike < 1):
            raise ValueError(f"max_texts and max_alike must be at least 1, got {self.max_texts} and {self.max_alike}")
        if not self.half_life_s > 0:
            raise ValueError(f"half_life_s must be above 0, got {self.half_life_s}")
        if not 1 <= self.min_users <= MAX_USERS:
            raise ValueError(f"min_users must be 1..{MAX_USERS}, got {self.min_users}")


@dataclass(frozen=True, slots=True)
class Popular:
    """One text that enough users have said."""

    canon: str
    """Canonical text: what makes two sayings the same."""
    form: str
    """How it is written most often."""
    weight: float
    """Sayings, faded; those of before it last came into the table are not counted."""


class PopularTexts:
    """The texts of one room or of the platform; one thread at a time."""

    def __init__(self, bounds: TableBounds, letters: Letters) -> None:
        self.bounds = bounds
        self._letters = letters
        self._n_start = 0 if bounds.max_alike is None else 2
        # Arrays, and dicts of strings and numbers only: the garbage collector does not look into those, and what it has to walk
        # through holds up every request. Lists of 250,000 texts cost 50 ms in each full collection (benchmarks/bench_suggest.py).
        self._filed: dict[str, dict[str, int]] = {}
        """The slots of the texts with one beginning, by text; those with one pair of initials, by all ways to type the text."""
        self._canons: dict[int, str] = {}
        self._forms: dict[int, str] = {}
        """Of texts that were first written in another form than the canonical."""
        self._rivals: dict[int, dict[str, int]] = {}
        """Of texts that were written in several forms: how often in each."""
        self._n_sayings = array("L")
        self._last_user = array("q")
        self._users = [array("q") for _ in range(bounds.min_users - 1)]
        self._n_lacking = array("B")
        """Users who have yet to say it."""
        self._own = array("d")
        """Weights as logarithms of what they would be worth at time 0: they need no touch as they fade, and compare as they are."""
        self._estimates = array("d")
        """The same with what was inherited."""
        self._hand = 0

    def __len__(self) -> int:
        return len(self._canons)

    def known(self, canon: str) -> str | None:
        """Return the table's own copy of a canonical text, or None."""
        slot = self._slot_of(canon)
        return None if slot is None else self._canons[slot]

    def say(self, canon: str, form: str, user: int, now_s: float) -> None:
        """Count one saying; of one user's sayings in a row, only the first.

        Args:
            canon: canonical text, two characters at least, without line feeds.
            form: as it was written.
            user: hash of who said it.
            now_s: monotonic seconds; must not go back by more than a few half-lives.
        """
        slot = self._slot_of(canon)
        if slot is None:
            self._admit(canon, form, user, now_s / self.bounds.half_life_s)
        elif self._last_user[slot] != user:
            self._again(slot, form, user, now_s / self.bounds.half_life_s)

    def best(self, prefix: str, now_s: float) -> Iterator[Popular]:
        """Yield the texts that go on from a canonical prefix, or from one typed in pinyin, most popular first.

        The table must not change before the last was taken.
        """
        now = now_s / self.bounds.half_life_s
        for slot in sorted(self._matching(prefix), key=self._own.__getitem__, reverse=True):
            weight = 2.0 ** (self._own[slot] - now)
            if weight < MIN_WEIGHT:
                return
            yield Popular(self._canons[slot], self._form(slot), weight)

    def _slot_of(self, canon: str) -> int | None:
        alike = self._filed.get(canon[: self._n_start])
        return None if alike is None else alike.get(canon)

    def _matching(self, prefix: str) -> set[int]:
        """Return the slots of texts that enough users have said and that say more than the prefix."""
        lacking, filed, begun = self._n_lacking, self._filed, BEFORE + prefix
        alike = filed.get(prefix[: self._n_start], {})
        found = {slot for canon, slot in alike.items() if canon.startswith(prefix) and not lacking[slot]}
        if prefix.isascii() and self._n_start:
            for pair in self._letters.pairs(prefix):
                found.update(slot for typed, slot in filed.get(pair, {}).items() if begun in typed and not lacking[slot])
        elif prefix.isascii():
            spelt = self._letters.of
            found.update(slot for canon, slot in alike.items() if not lacking[slot] and begun in spelt(canon))
        found.discard(alike.get(prefix, -1))
        return found

    def _form(self, slot: int) -> str:
        rivals = self._rivals.get(slot)
        if rivals is not None:
            return max(rivals, key=rivals.__getitem__)
        return self._forms.get(slot) or self._canons[slot]

    def _again(self, slot: int, form: str, user: int, said: float) -> None:
        self._last_user[slot] = user
        self._n_sayings[slot] += 1
        self._own[slot] = _plus(self._own[slot], said)
        self._estimates[slot] = _plus(self._estimates[slot], said)
        self._count_form(slot, form)
        n_lacking = self._n_lacking[slot]
        if n_lacking:
            n_known = self.bounds.min_users - n_lacking
            if all(users[slot] != user for users in self._users[:n_known]):
                self._n_lacking[slot] = n_lacking - 1
                if n_lacking > 1:
                    self._users[n_known][slot] = user

    def _count_form(self, slot: int, form: str) -> None:
        rivals = self._rivals.get(slot)
        if rivals is None:
            only = self._form(slot)
            if form != only:
                self._rivals[slot] = {only: self._n_sayings[slot] - 1, form: 1}
            return
        if form not in rivals and len(rivals) >= MAX_FORMS:
            del rivals[min(rivals, key=rivals.__getitem__)]
        rivals[form] = rivals.get(form, 0) + 1

    def _admit(self, canon: str, form: str, user: int, said: float) -> None:
        slot, estimate = self._place(canon[: self._n_start]), said
        if slot is None:
            slot = len(self._canons)
            self._append()
        else:
            estimate = _plus(self._estimates[slot], said)
            self._leave(slot)
        self._canons[slot] = canon
        if form != canon:
            self._forms[slot] = form
        self._n_sayings[slot], self._last_user[slot] = 1, user
        self._n_lacking[slot] = self.bounds.min_users - 1
        if self._users:
            self._users[0][slot] = user
        self._own[slot], self._estimates[slot] = said, estimate
        for start, key in self._places(canon):
            if not self._is_full(start):
                self._filed.setdefault(start, {})[key] = slot

    def _append(self) -> None:
        for column in (self._n_sayings, self._last_user, self._n_lacking, *self._users):
            column.append(0)
        self._own.append(0.0)
        self._estimates.append(0.0)

    def _place(self, start: str) -> int | None:
        """Return the slot whose text must go for a new one with this beginning, None while there is room."""
        if self._is_full(start):
            return min(self._filed[start].values(), key=self._estimates.__getitem__)
        if len(self._canons) < self.bounds.max_texts:
            return None
        hand = self._hand
        window = self._estimates[hand : hand + WINDOW]
        self._hand = hand + WINDOW if hand + WINDOW < len(self._canons) else 0
        return hand + window.index(min(window))

    def _is_full(self, start: str) -> bool:
        """Tell whether a beginning has as many texts as it may; more with the same initials are found by their characters only."""
        return self.bounds.max_alike is not None and len(self._filed.get(start, ())) >= self.bounds.max_alike

    def _leave(self, slot: int) -> None:
        canon = self._canons[slot]
        for start, key in self._places(canon):
            alike = self._filed.get(start, {})
            alike.pop(key, None)
            if not alike:
                self._filed.pop(start, None)
        self._forms.pop(slot, None)
        self._rivals.pop(slot, None)

    def _places(self, canon: str) -> tuple[tuple[str, str], ...]:
        """Return under which beginnings a text is filed, and as what."""
        if not self._n_start:
            return (("", canon),)
        own, typed = (canon[: self._n_start], canon), self._letters.of(canon)
        return (own, (typed[: self._n_start + 1], typed + BEFORE + canon)) if typed else (own,)


def _plus(weight: float, other: float) -> float:
    """Add two weights that are given as logarithms to base 2."""
    return max(weight, other) + math.log2(1.0 + 2.0 ** -abs(weight - other))
