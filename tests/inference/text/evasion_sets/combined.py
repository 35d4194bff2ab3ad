"""Two and three techniques on one term."""

from __future__ import annotations

from tests.inference.text.evasion_sets import arrange, shape, sound
from tests.inference.text.evasion_sets.characters import Form, Tables, is_han
from tests.inference.text.evasion_sets.techniques import Disguise, Write, reversed_form

INSERTED = (*arrange.MARKS[:16], " ", "  ", "🔥", "❤", "😂")


def both(first: Write, second: Write) -> Write:
    """Write each character by one of two techniques, each used where it can be."""

    def form(term: str, tables: Tables) -> Form | None:
        one, two = first(term, tables), second(term, tables)
        if one is None or two is None:
            return None
        start = tables.rng.randrange(2)
        made = tuple((one, two)[(at + start) % 2][at] for at in range(len(term)))
        changed = sum(piece != char for piece, char in zip(made, term, strict=True))
        return made if changed >= 2 else None

    return form


def spread(write: Write, options: tuple[str, ...] | str = INSERTED) -> Disguise:
    """Put something between the pieces of a form that differs from the term."""

    def disguise(term: str, tables: Tables) -> str | None:
        form = write(term, tables)
        if form is None or form == tuple(term) or len(form) < 2:
            return None
        return arrange.joined_by(form, tables, options)

    return disguise


def hidden(write: Write) -> Disguise:
    """Put hidden characters between the pieces."""

    def disguise(term: str, tables: Tables) -> str | None:
        form = write(term, tables)
        if form is None or form == tuple(term) or len(form) < 2:
            return None
        return arrange.sprinkled(form, tables, arrange.ZERO_WIDTH + arrange.BIDI)

    return disguise


def plainly(write: Write) -> Disguise:
    """Join the pieces of a form that differs from the term."""

    def disguise(term: str, tables: Tables) -> str | None:
        form = write(term, tables)
        return None if form is None or form == tuple(term) else "".join(form)

    return disguise


def wide(disguise: Disguise) -> Disguise:
    """Write the ASCII of a disguise in full width."""

    def widened(term: str, tables: Tables) -> str | None:
        text = disguise(term, tables)
        made = None if text is None else shape.full_width(text.replace(" ", ""))
        return made if made != text else None

    return widened


def repeated(write: Write) -> Write:
    """Repeat pieces of one character each."""

    def form(term: str, tables: Tables) -> Form | None:
        made = write(term, tables)
        if made is None or made == tuple(term):
            return None
        return tuple(piece * tables.rng.choice((1, 2, 3)) if len(piece) == 1 else piece for piece in made)

    return form


def only_han(write: Write) -> Write:
    """Leave out terms with Latin letters."""
    return lambda term, tables: write(term, tables) if all(map(is_han, term)) else None


PAIRS: dict[str, Disguise] = {
    "homophone+inserted": spread(sound.homophone_all),
    "one homophone+inserted": spread(sound.homophone_usual),
    "traditional+inserted": spread(shape.traditional),
    "mixed pinyin+inserted": spread(sound.mixed),
    "split+inserted": spread(shape.split_beside),
    "look-alike+inserted": spread(shape.lookalike_han),
    "homophone+hidden": hidden(sound.homophone_all),
    "homophone+split": plainly(both(sound.homophone_all, shape.split_beside)),
    "homophone+pinyin": plainly(both(sound.homophone_all, sound.syllables)),
    "homophone+traditional": plainly(both(sound.homophone_all, shape.traditional)),
    "look-alike+pinyin": plainly(both(shape.lookalike_han, sound.syllables)),
    "split+pinyin": plainly(both(shape.split_beside, sound.syllables)),
    "southern pinyin": spread(sound.southern, ("", "", " ")),
    "wide pinyin": wide(spread(sound.syllables, ("", ".", "-"))),
    "wide mixed": wide(plainly(sound.mixed)),
    "repeated homophone": plainly(repeated(sound.homophone_usual)),
    "reversed+inserted": spread(only_han(reversed_form)),
    "repeated+inserted": lambda term, tables: arrange.joined_by(arrange.repeated(tuple(term), tables), tables, INSERTED),
    "compatibility+inserted": spread(shape.other_code_points),
}

TRIPLES: dict[str, Disguise] = {
    "homophone+pinyin+inserted": spread(both(sound.homophone_all, sound.syllables)),
    "homophone+split+inserted": spread(both(sound.homophone_all, shape.split_beside)),
    "homophone+traditional+inserted": spread(both(sound.homophone_all, shape.traditional)),
    "traditional+pinyin+hidden": hidden(both(shape.traditional, sound.syllables)),
    "split+pinyin+inserted": spread(both(shape.split_beside, sound.syllables)),
    "repeated homophone+inserted": spread(repeated(sound.homophone_usual)),
    "wide mixed+inserted": wide(spread(sound.mixed, ("*", ".", "-", "~"))),
    "look-alike+traditional+inserted": spread(both(shape.lookalike_han, shape.traditional)),
    "mixed pinyin+inserted+hidden": lambda term, tables: _hidden_and_marked(sound.mixed(term, tables), tables),
}


def _hidden_and_marked(form: Form | None, tables: Tables) -> str | None:
    if form is None:
        return None
    return arrange.joined_by(form, tables, tuple("\u200b" + mark for mark in arrange.MARKS[:8]))
