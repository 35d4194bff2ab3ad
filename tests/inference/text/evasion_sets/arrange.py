"""Disguises by arrangement: something between the characters, repetition, reversal, hidden characters, several messages."""

from __future__ import annotations

from tests.inference.text.evasion_sets.characters import Form, Tables

ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff\u180e\u2063"
FILLERS = "\u3164\u115f\u2800\uffa0\U000e0020\U000e0041"
"""Letters, a Braille pattern and tags that show nothing."""
BIDI = "\u200e\u200f\u202a\u202b\u202c\u202d\u2066\u2068\u2069"
COMBINING = "\u0301\u0308\u0336\u0338\u20dd\u20e3\u0332\ufe0f\u034f"
MARKS = (
    "*",
    ".",
    "-",
    "_",
    "/",
    "|",
    "~",
    "·",
    "^",
    "#",
    "@",
    "+",
    "=",
    "丶",
    "'",
    "°",
    "¥",
    "$",
    "…",
    "--",
    "..",
    "、",
    "&",
    "%",
    "`",
    "★",
    "→",
    "︱",
    "﹏",
    "㇏",
    "------",
    "......",
    "。。。",
    "——",
    "~~",
    "☆",
    "●",
    "│",
    "♪",
    "×",
    "÷",
)
SENTENCE_MARKS = ("，", "。", "！", ",")
SPACES = (" ", "  ", "\u3000", "\u00a0", "\u2009", " ", " ", "\n", "     ")
EMOJI = ("🔥", "❤", "❤️", "😂", "👍", "🌹", "✨", "💋", "😊", "🎉", "👉", "⭐", "🤝🏻", "👨‍👩‍👧", "🇨🇳", "😂😂", "🈶", "🍑")
DIGITS = "0123456789"
LETTERS = "abcdefghkmnopqrtuwxyzABDGKX"


def joined_by(form: Form, tables: Tables, options: tuple[str, ...] | str, *, alike: float = 0.7) -> str:
    """Join the pieces of a form with separators.

    Args:
        form: at least two pieces.
        options: what may stand between.
        alike: how often every gap has the same separator.
    """
    rng = tables.rng
    if rng.random() < alike or len(form) == 2:
        return rng.choice(options).join(form)
    out = form[0]
    gaps = [rng.choice(options) if rng.random() < 0.7 else "" for _ in form[1:]]
    if not any(gaps):
        gaps[0] = rng.choice(options)
    for gap, piece in zip(gaps, form[1:], strict=True):
        out += gap + piece
    return out


BRACKETS = ("【】", "（）", "()", "《》", "[]", "「」", "“”", "<>")


def bracketed(form: Form, tables: Tables) -> str:
    """Put pieces in brackets, all or the last one: 【代】【练】, 代(练)."""
    pair = tables.rng.choice(BRACKETS)
    left, right = pair[0], pair[1]
    if tables.rng.random() < 0.5:
        return "".join(left + piece + right for piece in form)
    return "".join(form[:-1]) + left + form[-1] + right


def sprinkled(form: Form, tables: Tables, options: str) -> str:
    """Put hidden characters between the pieces, one to three at a place."""
    gaps = ["".join(tables.rng.choices(options, k=tables.rng.randint(1, 3))) for _ in form[1:]]
    return form[0] + "".join(gap + piece for gap, piece in zip(gaps, form[1:], strict=True))


def repeated(form: Form, tables: Tables) -> Form:
    """Write pieces two to four times: 代代练练练."""
    rng = tables.rng
    counts = [rng.choice((1, 2, 2, 3, 4)) for _ in form]
    if max(counts) == 1:
        counts[rng.randrange(len(counts))] = 3
    return tuple(piece * count for piece, count in zip(form, counts, strict=True))


def pairs_repeated(form: Form, tables: Tables) -> Form:
    """Write two neighbours twice: 扫码扫码进群, 赌赌博博 for terms of two."""
    if len(form) == 2:
        return (
            (form[0] * 2, form[1] * 2) if tables.rng.random() < 0.5 else (form[0], form[0] * tables.rng.choice((1, 2)), form[1] * 3)
        )
    at = tables.rng.randrange(len(form) - 1)
    return (*form[:at], form[at] + form[at + 1] + form[at], *form[at + 1 :])


def messages(form: Form, tables: Tables) -> tuple[str, ...]:
    """Cut a form into two to four messages."""
    rng = tables.rng
    n_parts = min(len(form), rng.choice((2, 2, 2, 3, 4)))
    cuts = sorted(rng.sample(range(1, len(form)), n_parts - 1))
    return tuple("".join(form[first:last]) for first, last in zip([0, *cuts], [*cuts, len(form)], strict=True))
