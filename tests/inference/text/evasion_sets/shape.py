"""Disguises by shape: other scripts and code points, look-alikes, characters taken apart."""

from __future__ import annotations

import unicodedata
from functools import cache

from tests.inference.text.evasion_sets.characters import Form, Tables, is_han
from tests.inference.text.evasion_sets.sound import swapped, syllables

CONFUSABLE = {
    "a": "аα", "b": "Ьв", "c": "сϲ", "d": "ԁ", "e": "еε", "g": "ɡ", "h": "һ", "i": "іι", "k": "кκ", "l": "ӏΙ", "m": "мᴍ",
    "n": "ոп", "o": "оο", "p": "рρ", "q": "ԛ", "s": "ѕ", "t": "тτ", "u": "υս", "v": "νѵ", "w": "ԝω", "x": "хχ", "y": "уγ",
    "Q": "Ԛ", "N": "Ν", "M": "МΜ", "S": "Ѕ", "L": "Ⅼ",
}  # fmt: skip
"""Cyrillic, Greek, Armenian and phonetic letters that look like Latin ones."""

KANA = {
    "力": "カ",
    "口": "ロ",
    "二": "ニ",
    "卜": "ト",
    "夕": "タ",
    "工": "エ",
    "八": "ハ",
    "一": "ー",
    "千": "チ",
    "才": "オ",
    "匕": "ヒ",
}
"""Katakana that look like Han characters or parts of them."""


def traditional(term: str, tables: Tables) -> Form | None:
    """加群 -> 加羣; one character or all."""
    return swapped(term, tables, lambda char: (char.traditional,) if char.traditional else (), tables.rng.choice((1, 9)))


@cache
def _compatible() -> dict[str, list[str]]:
    """Map a character to the code points that are a compatibility form of it."""
    forms: dict[str, list[str]] = {}
    for code in (
        *range(0x2E80, 0x2FE0),
        *range(0x3192, 0x33FF),
        *range(0xF900, 0xFB00),
        *range(0x1F210, 0x1F252),
        *range(0x2F800, 0x2FA1E),
    ):
        char = chr(code)
        plain = unicodedata.normalize("NFKC", char).strip("()〔〕")
        if len(plain) == 1 and plain != char:
            forms.setdefault(plain, []).append(char)
    return forms


def other_code_points(term: str, tables: Tables) -> Form | None:
    """白痴 -> ⽩痴: radicals, compatibility ideographs, circled and bracketed Han."""
    forms = _compatible()
    options = {char: forms.get(char, []) + forms.get(tables[char].traditional or char, []) for char in term if is_han(char)}
    places = [at for at, char in enumerate(term) if options.get(char)]
    if not places:
        return None
    chosen = set(tables.rng.sample(places, tables.rng.randint(1, len(places))))
    return tuple(tables.rng.choice(options[char]) if at in chosen else char for at, char in enumerate(term))


def full_width(letters: str) -> str:
    """Write ASCII in full width."""
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in letters)


def circled(letters: str) -> str:
    """Write letters and digits in circles."""
    small = {**{chr(97 + at): chr(0x24D0 + at) for at in range(26)}, **{chr(65 + at): chr(0x24B6 + at) for at in range(26)}}
    digits = {"0": "⓪", **{str(at): chr(0x2460 + at - 1) for at in range(1, 10)}}
    return "".join({**small, **digits}.get(char, char) for char in letters)


MATHEMATICAL = (0x1D400, 0x1D468, 0x1D4D0, 0x1D56C, 0x1D5A0, 0x1D5D4, 0x1D608, 0x1D63C, 0x1D670)
"""First capital of the mathematical alphabets without gaps: bold, italic, script, Fraktur, sans-serif ones, typewriter."""


def mathematical(letters: str, start: int) -> str:
    """Write letters in one of the mathematical alphabets."""
    return "".join(
        chr(start + ord(char) - 65) if "A" <= char <= "Z" else chr(start + 26 + ord(char) - 97) if "a" <= char <= "z" else char
        for char in letters
    )


def bracketed(letters: str) -> str:
    """Write letters in brackets: ⒟⒧."""
    return "".join(chr(0x249C + ord(char) - 97) if "a" <= char <= "z" else char for char in letters.lower())


def squared(letters: str) -> str:
    """Write letters in dark squares: 🅳🅻."""
    return "".join(chr(0x1F170 + ord(char) - 97) if "a" <= char <= "z" else char for char in letters.lower())


def flags(letters: str) -> str:
    """Write letters as regional indicators, a zero-width space between them, so that no two make a flag."""
    return "\u200b".join(chr(0x1F1E6 + ord(char) - 97) if "a" <= char <= "z" else char for char in letters.lower())


def raised(letters: str) -> str:
    """Write letters as modifier letters: ᵈˡ."""
    return letters.lower().translate(dict(zip(map(ord, "abcdefghijklmnoprstuvwxyz"), "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ", strict=True)))


def double_struck(letters: str) -> str:
    """Write letters double-struck: 𝕕𝕝, some of which stand outside their block."""
    holes = {"C": "ℂ", "H": "ℍ", "N": "ℕ", "P": "ℙ", "Q": "ℚ", "R": "ℝ", "Z": "ℤ"}
    return "".join(holes.get(char, mathematical(char, 0x1D538)) for char in letters)


def small_capitals(letters: str) -> str:
    """Write letters as phonetic small capitals."""
    return letters.lower().translate(dict(zip(map(ord, "abcdefghijklmnopqrtuvwyz"), "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘǫʀᴛᴜᴠᴡʏᴢ", strict=True)))


def confusable(letters: str, tables: Tables) -> str:
    """Swap half of the Latin letters for look-alikes of other scripts, one at least."""
    places = [at for at, char in enumerate(letters) if char in CONFUSABLE]
    chosen = set(tables.rng.sample(places, max(1, len(places) // 2))) if places else set()
    return "".join(tables.rng.choice(CONFUSABLE[char]) if at in chosen else char for at, char in enumerate(letters))


def lookalike_han(term: str, tables: Tables) -> Form | None:
    """代练 -> 伐练; one character, or two of a longer term."""
    return swapped(term, tables, lambda char: char.lookalikes, 1 if len(term) < 4 else tables.rng.choice((1, 2)))


def lookalike_letters(term: str, tables: Tables) -> Form | None:
    """The pinyin, or the letters of the term, in Cyrillic and Greek."""
    form = syllables(term, tables) or tuple(term)
    if any(map(is_han, term)) and not term.isascii() and tables.rng.random() < 0.3 and "Q" in term:
        form = tuple(term)
    swapped_form = tuple(confusable(piece, tables) if piece.isascii() else piece for piece in form)
    return swapped_form if swapped_form != form else None


def lookalike_kana(term: str, tables: Tables) -> Form | None:
    """加群 -> カ口群: parts in katakana."""
    form = split_beside(term, tables) or split_above(term, tables)
    whole = tuple(KANA.get(char, char) for char in term)
    if whole != tuple(term):
        return whole
    kana = tuple("".join(KANA.get(char, char) for char in piece) for piece in form or ())
    return kana if kana and kana != form else None


def split_beside(term: str, tables: Tables) -> Form | None:
    """加群 -> 力口君羊; one character or all that can be."""
    return swapped(term, tables, lambda char: char.split_beside, tables.rng.choice((1, 9)))


def split_above(term: str, tables: Tables) -> Form | None:
    """智障 -> 知日障."""
    return swapped(term, tables, lambda char: char.split_above, tables.rng.choice((1, 9)))
