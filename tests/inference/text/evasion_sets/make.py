"""Write `positives.tsv`: `python -m tests.inference.text.evasion_sets.make`. Same seed, same file."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.inference.text.evasion_sets import arrange, contacts
from tests.inference.text.evasion_sets.characters import Tables
from tests.inference.text.evasion_sets.combined import PAIRS, TRIPLES
from tests.inference.text.evasion_sets.rows import Row, read, table, write
from tests.inference.text.evasion_sets.techniques import TECHNIQUES, Disguise

SEED = 7
N_TRIES = 12
PER_TERM = {
    **dict.fromkeys(("zero_width", "bidi", "soft_hyphen", "combining", "fillers", "circled", "mathematical", "sentence_marks"), 1),
    **dict.fromkeys(("brackets", "pinyin_joined", "full_width"), 1),
    **dict.fromkeys(("homophone_all", "dialect", "lookalike_han", "stand_in", "punctuation", "split_beside", "emoji_word"), 3),
    **dict.fromkeys(("homophone_one", "combined_three", "cross_message"), 4),
    "combined_two": 6,
    "digit_for_han": 8,
    "case": 8,
}
"""Forms of each term where it is not two."""

FEW_FORMS = {"traditional", "reversed", "case", "initials", "initials_mixed", "split_above", "lookalike_kana"}
"""Techniques with so few forms that each stands in two sentences."""

OUTER = "".join(arrange.BRACKETS)
"""Brackets around the first and the last character are not part of the term."""

N_CONTACTS = 40
"""Contacts of each type."""

UNCLEAR_ALONE = {
    "reversed",
    "homophone_one",
    "homophone_all",
    "dialect",
    "initials",
    "initials_mixed",
    "pinyin_joined",
    "pinyin_spaced",
    "pinyin_capitals",
    "pinyin_toned",
    "lookalike_han",
    "lookalike_letters",
    "full_width",
    "circled",
    "mathematical",
    "letter_forms",
    "leet",
    "combined_two",
    "combined_three",
}
"""Techniques whose forms of two-character terms a reader understands only inside a sentence."""


class Carriers:
    """Sentences that a term stands in."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._of = {line["term"]: line["carriers"].split(" | ") for line in table("carriers.tsv")}

    def place(self, technique: str, term: str, form: str) -> Row:
        """Put a form into a sentence, or leave it alone where it is clear alone."""
        short = form.isascii() and len(form) < 4
        unclear = short or (len(term) < 3 and technique in UNCLEAR_ALONE)
        if not unclear and self._rng.random() < 0.2:
            return Row(technique, term, (form,), form.strip(OUTER))
        return Row(technique, term, (self._rng.choice(self._of[term]).format(form),), form.strip(OUTER))

    def around(self, term: str, parts: tuple[str, ...]) -> tuple[str, ...]:
        """Put the beginning of a sentence before the first message and its end behind the last one, where that stays short."""
        before, after = self._rng.choice(self._of[term]).split("{}")
        if self._rng.random() < 0.5 or len(before) > 3 or len(after) > 3:
            return parts
        return (before + parts[0], *parts[1:-1], parts[-1] + after)


def forms(term: str, disguise: Disguise, tables: Tables, n_wanted: int) -> list[str]:
    """Return up to `n_wanted` different forms of a term, none of them the term or an ordinary word."""
    made: dict[str, None] = {}
    for _ in range(N_TRIES):
        form = disguise(term, tables)
        if form and form != term and form not in tables.ordinary:
            made.setdefault(form)
        if len(made) == n_wanted:
            break
    return list(made)


def single(tables: Tables, carriers: Carriers, terms: list[str]) -> Iterator[Row]:
    """Every technique on every term."""
    for technique, disguise in TECHNIQUES.items():
        for term in terms:
            if technique in ("initials", "initials_mixed") and len(term) < 3:
                continue
            for form in forms(term, disguise, tables, PER_TERM.get(technique, 2)):
                for _ in range(2 if technique in FEW_FORMS else 1):
                    yield carriers.place(technique, term, form)


def combined(tables: Tables, carriers: Carriers, terms: list[str]) -> Iterator[Row]:
    """Some of the combinations on every term."""
    for technique, kinds in (("combined_two", PAIRS), ("combined_three", TRIPLES)):
        for term in terms:
            for name in tables.rng.sample(sorted(kinds), min(PER_TERM[technique], len(kinds))):
                for form in forms(term, kinds[name], tables, 1):
                    yield carriers.place(technique, term, form)


def sequences(tables: Tables, carriers: Carriers, terms: list[str]) -> Iterator[Row]:
    """Terms cut into messages."""
    for term in terms:
        for _ in range(PER_TERM["cross_message"]):
            parts = arrange.messages(tuple(term), tables)
            yield Row("cross_message", term, carriers.around(term, parts))


def positives() -> list[Row]:
    """Return every generated row, no text twice and none that was written by hand."""
    terms = [line["term"] for line in table("carriers.tsv")]
    tables = Tables(SEED)
    carriers = Carriers(random.Random(SEED))
    rows = [
        *single(tables, carriers, terms),
        *combined(tables, carriers, terms),
        *sequences(tables, carriers, terms),
        *contacts.rows(tables, N_CONTACTS),
    ]
    left_out = tables.ordinary | {row.text for row in read("handwritten.tsv", "technique")}
    return list({row.text: row for row in reversed(rows) if row.text not in left_out}.values())[::-1]


if __name__ == "__main__":
    write("positives.tsv", positives())
