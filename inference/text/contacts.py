"""Contacts written in a text: WeChat, QQ, telephone, web address, room number, in any disguise that folding sees through.

It works on the canonical view and says where there; scores, long numbers and 666 are no contacts. Whether one is unwelcome is the
policy's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

_CHINESE_DIGITS = str.maketrans("〇零洞一幺壹二两贰三叁四肆五伍六陆七柒拐八捌九玖", "000111222334455667778899")

N_KINDS_OF_DIGIT = 3
"""Different digits a number must have; 66666666 and 2333333 are applause."""

_GAP = r"[^0-9a-z\u3400-\u9fff]{0,4}"
_DIGIT = rf"{_GAP}[0-9]"
_SPLIT = r"[^0-9a-z\u3400-\u9fff]{0,3}"


class ContactType(StrEnum):
    """What kind of contact."""

    WECHAT = "wechat"
    QQ = "qq"
    PHONE = "phone"
    URL = "url"
    ROOM = "room"


@dataclass(frozen=True, slots=True)
class Contact:
    """One contact and where it stands in the canonical text."""

    type: ContactType
    value: str
    """Folded: ASCII digits and small letters, separators left out."""
    first: int
    """Index of the first canonical character of the cue or, without one, of the value."""
    last: int
    """Index of the last canonical character of the value (inclusive)."""


_GATE = re.compile("[0-9]")
_PHONE = re.compile(rf"(?<![0-9])(?:\+?86{_GAP})?(1[\W_]{{0,4}}[3-9](?:{_DIGIT}){{9}})(?!{_DIGIT})")
_FILLER = rf"(?:号码?|我|是|id|账号|的|裙|群|聊|{_GAP}){{0,4}}"
_WECHAT_CUE = re.compile(
    r"微信|薇信|威信|维信|徽信|葳信|卫星|微亻言|微芯|v信|w信|wechat|weixin|(?<![a-z])(?:vx|wx|vvx)|(?<![a-z])v(?![a-z]{2})"
    r"|(?:[加+➕嘉佳伽家私]|加我|私我|找我)\s?[v薇微徽溦威葳]|(?<![\u3400-\u9fff])[薇微徽溦威葳](?![\u3400-\u9fff])"
)
_QQ_CUE = re.compile(
    r"(?<![a-z])q{1,2}(?![a-z])|扣扣|抠抠|叩叩|企鹅|🐧|球球|秋秋|蔻蔻|寇寇|扣[裙群]|(?<![\u3400-\u9fff])[扣抠叩](?=[:：\s])|[裙群]号"
)
_ROOM_CUE = re.compile(r"房间号?|直播间|房号|room")
_AFTER_CUE = re.compile(_FILLER)
_WECHAT_VALUE = re.compile(
    rf"[a-z][a-z0-9_-]{{5,19}}(?![a-z0-9])|[0-9](?:{_DIGIT}){{5,10}}(?![a-z0-9])"
    rf"|(?=(?:[a-z_-]{_SPLIT}){{0,19}}[0-9])[a-z0-9](?:{_SPLIT}[a-z0-9_-]){{4,19}}(?![a-z0-9])"
)
_QQ_VALUE = re.compile(rf"[1-9](?:{_DIGIT}){{4,10}}(?!{_DIGIT})")
_ROOM_VALUE = re.compile(rf"[0-9](?:{_DIGIT}){{2,9}}(?!{_DIGIT})")
_URL = re.compile(
    r"(?:https?\s?:\s?//\s?)?(?<![a-z0-9.@-])(?:[a-z0-9](?:[a-z0-9-]{0,62})(?:[.。]|点(?=[a-z]))){1,4}"
    r"(?:com|cn|net|org|top|xyz|vip|cc|tv|me|live|link|club|shop|site|icu|io|gg|info|wang|pro|fun|ltd|app)"
    r"(?![a-z0-9])(?:[:/?#][a-z0-9./?#=&%_~:+-]{0,200})?"
)
_URL_GATE = re.compile(r"[.。点][a-z]")
_CUED = (
    (ContactType.WECHAT, _WECHAT_CUE, _WECHAT_VALUE),
    (ContactType.QQ, _QQ_CUE, _QQ_VALUE),
    (ContactType.ROOM, _ROOM_CUE, _ROOM_VALUE),
)
_NOT_DIGIT = re.compile(r"[^0-9]")
_NOT_ID = re.compile(r"[^a-z0-9_-]")


def looks_like_id(letters: str) -> bool:
    """Tell whether a run of letters, digits, `_` and `-` could be somebody's id rather than a word."""
    return len(letters) >= 4 and any(char.isdecimal() for char in letters)


def find_contacts(canon: str) -> tuple[Contact, ...]:
    """Find the contacts in a canonical text, in order, not overlapping; linear in its length."""
    found: list[Contact] = []
    if _URL_GATE.search(canon):
        found.extend(_addresses(canon))
    if not canon.isascii() or not canon.isalpha():
        digits = canon.translate(_CHINESE_DIGITS)
        if _GATE.search(digits):
            found.extend(_numbers(digits))
    found.sort(key=lambda contact: (contact.first, -contact.last))
    kept: list[Contact] = []
    for contact in found:
        if not kept or contact.first > kept[-1].last:
            kept.append(contact)
    return tuple(kept)


def _addresses(canon: str) -> Iterator[Contact]:
    for match in _URL.finditer(canon):
        value = re.sub(r"\s", "", match[0]).replace("。", ".").replace("点", ".")
        yield Contact(ContactType.URL, value, match.start(), match.end() - 1)


def _numbers(digits: str) -> Iterator[Contact]:
    """Find contacts made of digits (and ids with a cue) in a canonical text whose Chinese digits are ASCII."""
    for match in _PHONE.finditer(digits):
        value = _NOT_DIGIT.sub("", match[1])
        if len(set(value)) >= N_KINDS_OF_DIGIT:
            yield Contact(ContactType.PHONE, value, match.start(), match.end() - 1)
    for kind, cue, shape in _CUED:
        for match in cue.finditer(digits):
            behind = _AFTER_CUE.match(digits, match.end())
            found = shape.match(digits, behind.end() if behind else match.end())
            if found is None:
                continue
            value = (_NOT_ID if kind is ContactType.WECHAT else _NOT_DIGIT).sub("", found[0])
            if kind is ContactType.ROOM or not _is_applause(value):
                yield Contact(kind, value, match.start(), found.end() - 1)


def _is_applause(value: str) -> bool:
    """Tell whether a value is a word without a digit, or a number made of one or two digits over and over."""
    if not any(char.isdecimal() for char in value):
        return True
    return value.isdecimal() and len(set(value)) < N_KINDS_OF_DIGIT
