"""Disguises by sound: homophones, pinyin whole and mixed, initials."""

from __future__ import annotations

from collections.abc import Callable

from tests.inference.text.evasion_sets.characters import Character, Form, Tables, is_han


def swapped(term: str, tables: Tables, options: Callable[[Character], tuple[str, ...]], n_most: int) -> Form | None:
    """Write up to `n_most` characters of a term as one of their options; None where no character has any."""
    places = [at for at, char in enumerate(term) if is_han(char) and options(tables[char])]
    if not places:
        return None
    chosen = set(tables.rng.sample(places, min(len(places), n_most)))
    return tuple(tables.rng.choice(options(tables[char])) if at in chosen else char for at, char in enumerate(term))


def homophone_one(term: str, tables: Tables) -> Form | None:
    """加微信 -> 加薇信; now and then by a character that nobody uses for it."""
    if tables.rng.random() < 0.35:
        return swapped(term, tables, lambda char: char.homophones_rare, 1)
    return homophone_usual(term, tables)


def homophone_usual(term: str, tables: Tables) -> Form | None:
    """加微信 -> 加薇信, by a character in use for it."""
    return swapped(term, tables, lambda char: char.homophones, 1)


def homophone_all(term: str, tables: Tables) -> Form | None:
    """代练 -> 带恋."""
    return swapped(term, tables, lambda char: char.homophones, len(term))


def dialect(term: str, tables: Tables) -> Form | None:
    """私服 -> 师服; a longer term may have a plain homophone besides."""
    return swapped(term, tables, lambda char: char.dialect, 1 if len(term) < 4 else tables.rng.choice((1, 2)))


def syllables(term: str, tables: Tables) -> Form | None:
    """代练 -> dai lian; Latin letters stay in small letters."""
    if not any(map(is_han, term)):
        return None
    return tuple(tables[char].toneless if is_han(char) else char.lower() for char in term)


def southern(term: str, tables: Tables) -> Form | None:
    """智障 -> zi zang: pinyin as those write it who do not tell zh from z, ch from c, sh from s; None where nothing changes."""
    form = syllables(term, tables)
    if form is None:
        return None
    made = tuple(piece[0] + piece[2:] if piece[:2] in ("zh", "ch", "sh") else piece for piece in form)
    return made if made != form else None


def toned(term: str, tables: Tables) -> Form | None:
    """代练 -> dài liàn."""
    if not any(map(is_han, term)):
        return None
    return tuple(tables[char].pinyin if is_han(char) else char.lower() for char in term)


def mixed(term: str, tables: Tables) -> Form | None:
    """代练 -> dai练: at least one character, and not all, by its pinyin."""
    places = [at for at, char in enumerate(term) if is_han(char)]
    if len(places) < 2:
        return None
    chosen = set(tables.rng.sample(places, tables.rng.randint(1, len(places) - 1)))
    return tuple(tables[char].toneless if at in chosen else char for at, char in enumerate(term))


def initials(term: str, tables: Tables) -> Form | None:
    """代练 -> dl."""
    if not any(map(is_han, term)):
        return None
    return tuple(tables[char].toneless[0] if is_han(char) else char.lower() for char in term)


def initials_mixed(term: str, tables: Tables) -> Form | None:
    """代练 -> d练: one character of a longer term, or of a short one, by its first letter alone."""
    places = [at for at, char in enumerate(term) if is_han(char)]
    if len(places) < 2:
        return None
    chosen = set(tables.rng.sample(places, 1))
    return tuple(tables[char].toneless[0] if at in chosen else char for at, char in enumerate(term))
