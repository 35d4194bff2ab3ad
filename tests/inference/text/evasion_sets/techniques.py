"""Every technique by its name: from a term to one disguised form of it, by chance of the tables' generator."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from tests.inference.text.evasion_sets import arrange, shape, sound
from tests.inference.text.evasion_sets.characters import Form, Tables, is_han

Write = Callable[[str, Tables], Form | None]
"""From a term to its pieces as written; None where the technique does not apply to the term."""

Disguise = Callable[[str, Tables], str | None]
"""From a term to the text of it; None likewise."""

VOWELS = {"a": "4@", "i": "1!", "o": "0", "e": "3", "s": "5$", "l": "1", "z": "2", "g": "9", "b": "8"}


def as_is(term: str, _tables: Tables) -> Form:
    """Write a term as it stands in the list."""
    return tuple(term)


def known(technique: str) -> Write:
    """Take whole forms from the table of substitutions; what stands there is one piece."""

    def write(term: str, tables: Tables) -> Form | None:
        forms = tables.substitutions.get((technique, term))
        return (tables.rng.choice(forms),) if forms else None

    return write


def glued(write: Write, glue: str = "") -> Disguise:
    """Join pieces without anything between, or with one mark."""

    def disguise(term: str, tables: Tables) -> str | None:
        form = write(term, tables)
        return None if form is None else glue.join(form)

    return disguise


def separated(write: Write, options: tuple[str, ...] | str) -> Disguise:
    """Join pieces with something between."""

    def disguise(term: str, tables: Tables) -> str | None:
        form = write(term, tables)
        return arrange.joined_by(form, tables, options) if form is not None and len(form) > 1 else None

    return disguise


def between_han(options: str, n_most: int) -> Disguise:
    """Put digits or letters between two Han characters, and nowhere else."""

    def disguise(term: str, tables: Tables) -> str | None:
        if not all(map(is_han, term)):
            return None
        filling = "".join(tables.rng.choices(options, k=tables.rng.randint(1, n_most)))
        return arrange.joined_by(tuple(term), tables, (filling,))

    return disguise


def sprinkled(write: Write, options: str) -> Disguise:
    """Put hidden characters between pieces."""

    def disguise(term: str, tables: Tables) -> str | None:
        form = write(term, tables)
        return arrange.sprinkled(form, tables, options) if form is not None and len(form) > 1 else None

    return disguise


def lettered(restyle: Callable[[str, Tables], str], write: Write = sound.syllables) -> Disguise:
    """Write the pinyin, or the letters of a Latin term, in another style."""

    def disguise(term: str, tables: Tables) -> str | None:
        if "QQ" in term and tables.rng.random() < 0.6:
            return restyle(term, tables)
        form = write(term, tables)
        text = "".join(form) if form else term
        return restyle(text, tables)

    return disguise


def pinyin_capitals(term: str, tables: Tables) -> str | None:
    """Write Dai Lian, DaiLian, DAILIAN."""
    form = sound.syllables(term, tables)
    if form is None:
        return None
    return tables.rng.choice(("".join(form).upper(), "".join(map(str.capitalize, form)), " ".join(map(str.capitalize, form))))


def numbered_tones(term: str, tables: Tables) -> str | None:
    """Write dai4lian4."""
    form = sound.toned(term, tables)
    if form is None:
        return None
    return "".join(sound_with_number(piece) for piece in form)


def sound_with_number(piece: str) -> str:
    """Turn the tone mark of a syllable into a number behind it."""
    marks = {"\u0304": "1", "\u0301": "2", "\u030c": "3", "\u0300": "4"}
    taken = unicodedata.normalize("NFD", piece)
    return "".join(char for char in taken if char not in marks) + "".join(marks[char] for char in taken if char in marks)


def leet(text: str, tables: Tables) -> str:
    """Swap one letter, or two of a longer word, for a digit or sign that looks like it."""
    places = [at for at, char in enumerate(text.lower()) if char in VOWELS]
    chosen = set(tables.rng.sample(places, min(len(places), 1 if len(text) < 9 else 2)))
    return "".join(tables.rng.choice(VOWELS[char.lower()]) if at in chosen else char for at, char in enumerate(text))


def reversed_form(term: str, _tables: Tables) -> Form | None:
    """微信加 -> from the last character to the first."""
    return tuple(reversed(term))


def any_case(term: str, tables: Tables) -> str | None:
    """Change the case of a term's own letters."""
    if not any(char.isascii() and char.isalpha() for char in term):
        return None
    made = "".join(tables.rng.choice((char.lower(), char.upper())) for char in term)
    return made if made != term else None


def repeated(write: Write) -> Write:
    """Repeat pieces of a form."""

    def form(term: str, tables: Tables) -> Form | None:
        made = write(term, tables)
        return None if made is None else arrange.repeated(made, tables)

    return form


def pairs(term: str, tables: Tables) -> str | None:
    """Repeat a pair of characters inside the term."""
    return "".join(arrange.pairs_repeated(tuple(term), tables))


def sentence_marks(term: str, tables: Tables) -> str | None:
    """Put the same sentence mark into every gap of a term of three characters and more: 加，微，信."""
    return tables.rng.choice(arrange.SENTENCE_MARKS).join(term) if len(term) > 2 else None


def in_brackets(term: str, tables: Tables) -> str:
    """Put characters in brackets."""
    return arrange.bracketed(tuple(term), tables)


def digit_for_han(term: str, tables: Tables) -> str | None:
    """Write 六合彩 as 6合彩, ⑥合彩, Ⅵ合彩."""
    digits = {"一": "1①１Ⅰ㈠壹❶𝟏¹١", "六": "6⑥６Ⅵⅵ陆㈥❻𝟔⁶٦", "百": ("100", "１００", "①⓪⓪", "佰")}
    first = digits.get(term[0])
    return None if first is None else tables.rng.choice(first) + term[1:]


LETTER_FORMS = (shape.bracketed, shape.squared, shape.small_capitals, shape.flags, shape.raised)


def mathematical(text: str, tables: Tables) -> str:
    """Write letters in one of the mathematical alphabets."""
    start = tables.rng.choice((*shape.MATHEMATICAL, None))
    return shape.double_struck(text) if start is None else shape.mathematical(text, start)


TECHNIQUES: dict[str, Disguise] = {
    "traditional": glued(shape.traditional),
    "full_width": lettered(lambda text, _t: shape.full_width(text)),
    "circled": lettered(lambda text, tables: shape.circled(text.upper() if tables.rng.random() < 0.4 else text)),
    "mathematical": lettered(mathematical),
    "letter_forms": lettered(lambda text, tables: tables.rng.choice(LETTER_FORMS)(text)),
    "compatibility": glued(shape.other_code_points),
    "case": any_case,
    "zero_width": sprinkled(as_is, arrange.ZERO_WIDTH),
    "bidi": sprinkled(as_is, arrange.BIDI),
    "fillers": sprinkled(as_is, arrange.FILLERS),
    "soft_hyphen": sprinkled(as_is, "\u00ad"),
    "combining": sprinkled(as_is, arrange.COMBINING),
    "punctuation": separated(as_is, arrange.MARKS),
    "brackets": in_brackets,
    "sentence_marks": sentence_marks,
    "spaces": separated(as_is, arrange.SPACES),
    "emoji": separated(as_is, arrange.EMOJI),
    "digits_between": between_han(arrange.DIGITS, 2),
    "letters_between": between_han(arrange.LETTERS, 2),
    "repetition": glued(repeated(as_is)),
    "pairs": pairs,
    "homophone_one": glued(sound.homophone_one),
    "homophone_all": glued(sound.homophone_all),
    "dialect": glued(sound.dialect),
    "pinyin_joined": glued(sound.syllables),
    "pinyin_spaced": separated(sound.syllables, (" ", " ", " ", "-", ".", "'")),
    "pinyin_toned": lambda term, tables: (
        numbered_tones(term, tables)
        if tables.rng.random() < 0.2
        else glued(sound.toned, tables.rng.choice(("", " ")))(term, tables)
    ),
    "pinyin_capitals": pinyin_capitals,
    "pinyin_mixed": glued(sound.mixed),
    "initials": glued(sound.initials),
    "initials_mixed": glued(sound.initials_mixed),
    "lookalike_han": glued(shape.lookalike_han),
    "lookalike_letters": glued(shape.lookalike_letters),
    "lookalike_kana": glued(shape.lookalike_kana),
    "split_beside": glued(shape.split_beside),
    "split_above": glued(shape.split_above),
    "emoji_word": glued(known("emoji_word")),
    "stand_in": glued(known("stand_in")),
    "digit_for_han": digit_for_han,
    "leet": lettered(leet),
    "reversed": glued(reversed_form),
}
"""Single techniques. Terms over several messages and contacts are made in `make.py`, combinations in `combined.py`."""
