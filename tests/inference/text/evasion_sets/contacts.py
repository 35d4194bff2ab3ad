"""Contacts in disguise: WeChat and QQ ids and phone numbers behind the words people put before them, in digits of every script."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.inference.text.evasion_sets.characters import Tables
from tests.inference.text.evasion_sets.rows import Row
from tests.inference.text.evasion_sets.shape import circled, full_width

CONTACT = "contact"
"""Stands where a term stands in rows about contacts."""

BEFORE_WECHAT = (
    *("加薇", "加V", "➕V", "+v ", "v信", "vx", "VX：", "wx ", "威信", "薇❤", "微❤", "加微 ", "伽薇", "佳V ", "加徽 ", "嘉薇"),
    *("微亻言 ", "私我薇", "卫星号", "V♥", "加我vx", "jia wei ", "家薇❤", "薇芯:", "Ｖ：", "加威♥", "微信号"),
)
BEFORE_QQ = (
    "加QQ",
    "扣扣",
    "Q",
    "q:",
    "🐧",
    "加🐧",
    "企鹅号",
    "蔻蔻",
    "扣：",
    "QQ群",
    "q裙 ",
    "扣扣裙",
    "Q Q ",
    "球球",
    "ＱＱ",
    "加q ",
    "抠抠",
    "Q群",
)
BEFORE_PHONE = ("", "", "电话", "打我", "联系", "手机", "☎️", "📱", "call我", "tel ")
BEHIND = ("", "", "", "", "秒回", " 有惊喜", "领资料", "，备注主播", "等你")
LETTERS = "abcdefghijkmnopqrstuvwxyz"


def styled(zero: int, *, first: int = 0) -> Callable[[str], str]:
    """Return what writes digits as a run of ten code points from `zero`; `first` 1 where the script has no zero, which stays."""
    return lambda digits: "".join(chr(zero + int(char)) if char.isdigit() and int(char) >= first else char for char in digits)


def in_words(digits: str, words: str) -> str:
    """Write digits as ten given characters."""
    return "".join(words[int(char)] if char.isdigit() else char for char in digits)


def keycaps(digits: str) -> str:
    """Write digits as keycap emoji."""
    return "".join(f"{char}\ufe0f\u20e3" if char.isdigit() else char for char in digits)


EVERYDAY: tuple[Callable[[str], str], ...] = (
    full_width,
    circled,
    styled(0x2775, first=1),
    keycaps,
    lambda digits: in_words(digits, "零一二三四五六七八九"),
    lambda digits: in_words(digits, "零壹贰叁肆伍陆柒捌玖"),
    lambda digits: in_words(digits, "零幺二三四五六七八九"),
)
"""What a Chinese keyboard offers; mixed within one number."""

STYLES: tuple[Callable[[str], str], ...] = (
    *EVERYDAY,
    *(styled(zero, first=1) for zero in (0x2473, 0x2487)),
    *map(styled, (0x0660, 0x06F0, 0x0966, 0x0E50, 0x1D7CE, 0x1D7D8, 0x1D7F6, 0x2080)),
    lambda digits: in_words(digits, "〇一二三四五六七八九"),
)
"""Every script of digits; each alone in its number."""


def written(plain: str, tables: Tables) -> str:
    """Write an id with its digits in one script, in two, or spaced out."""
    rng = tables.rng
    way = rng.randrange(4)
    style = rng.choice(STYLES)
    if way == 0:
        one, other = rng.sample(EVERYDAY, 2)
        return "".join((one, other)[at % 2](char) if char.isdigit() else char for at, char in enumerate(plain))
    if way == 1:
        return "".join(style(char) if char.isdigit() and rng.random() < 0.6 else char for char in plain)
    if way == 2:
        return rng.choice((" ", "-", ".", "、", "❤")).join(style(char) if rng.random() < 0.7 else char for char in plain)
    return style(plain)


def rows(tables: Tables, n_each: int) -> Iterator[Row]:
    """Yield contacts: `n_each` of each type, every one disguised."""
    rng = tables.rng
    for _ in range(n_each):
        wechat = "".join(rng.choices(LETTERS, k=rng.randint(3, 5))) + "".join(rng.choices("123456789", k=rng.randint(3, 6)))
        yield _row(rng.choice(BEFORE_WECHAT), wechat, tables)
        number = rng.choice("123456789") + "".join(rng.choices("0123456789", k=rng.randint(7, 9)))
        yield _row(rng.choice(BEFORE_QQ), number, tables)
        phone = rng.choice(("138", "139", "150", "186", "177", "199")) + "".join(rng.choices("0123456789", k=8))
        yield _row(rng.choice(BEFORE_PHONE), phone, tables)


def _row(before: str, plain: str, tables: Tables) -> Row:
    return Row("contact_digits", CONTACT, (before + written(plain, tables) + tables.rng.choice(BEHIND),))
