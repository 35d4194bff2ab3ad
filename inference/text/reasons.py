"""One sentence in Chinese and one in English that say why a text was judged so.

It owns the wording; names of labels come from the taxonomy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from inference.verdicts import Decision, Finding, Verdict

_DISGUISES: Mapping[str, tuple[str, str]] = {
    "alias": ("变体写法", "another spelling"),
    "homophone": ("谐音", "a homophone"),
    "pinyin": ("拼音", "pinyin"),
    "separator": ("插入符号", "inserted symbols"),
    "initials": ("首字母", "initials"),
    "split": ("拆字", "characters taken apart"),
    "shape": ("形近字", "look-alike characters"),
    "reversed": ("倒写", "reversed order"),
    "leet": ("数字字母代字", "digits or letters as characters"),
    "inserted": ("插入字母数字", "inserted letters or digits"),
    "repeat": ("重复字符", "repeated characters"),
    "emoji": ("表情代字", "emoji as words"),
    "traditional": ("繁体字", "traditional characters"),
    "width": ("异体字符", "compatibility characters"),
    "invisible": ("隐形字符", "invisible characters"),
}


class Named(Protocol):
    """A label's names, as the taxonomy gives them."""

    @property
    def zh(self) -> str:
        """Chinese name."""
        ...

    @property
    def en(self) -> str:
        """English name."""
        ...


class LabelBook(Protocol):
    """The part of the taxonomy that the text engine needs."""

    def __getitem__(self, code: str) -> Named:
        """Return the label of a code; raises a ValueError that names the nearest known codes."""
        ...


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, in two languages; empty where nothing was found."""

    zh: str = ""
    en: str = ""


def reason_for(verdict: Verdict, labels: LabelBook) -> Reason:
    """Say why a verdict is what it is, by its leading finding."""
    leading = verdict.leading
    if leading is None or leading.decision is Decision.PASS:
        return Reason()
    finding = leading.finding
    label = labels[finding.label]
    zh, en = _what(finding)
    return Reason(f"{label.zh}：{zh}", f"{label.en}: {en}")


def _what(finding: Finding) -> tuple[str, str]:
    """Say what was found, in Chinese and English."""
    match = finding.match
    if match is None:
        return f"{finding.detector} 检出，置信度 {finding.score:.2f}", f"found by {finding.detector}, score {finding.score:.2f}"
    known = [_DISGUISES[name] for name in match.transforms if name in _DISGUISES]
    if finding.detector == "contact":
        return f"文本含联系方式（{match.term}）", f"the text holds a contact ({match.term})"
    zh = f"命中词表 {match.list} 的“{match.term}”"
    en = f"matches '{match.term}' of list {match.list}"
    if known:
        zh += f"（{'、'.join(name for name, _ in known)}）"
        en += f" through {', '.join(name for _, name in known)}"
    also = also_alike(finding)
    return zh + also[0], en + also[1]


def also_alike(finding: Finding) -> tuple[str, str]:
    """Say in Chinese and English which ordinary words sound like what was heard; empty where none do."""
    if finding.heard is None or not finding.heard.alike:
        return "", ""
    words = finding.heard.alike
    return (f"；同音的还有“{'、'.join(words)}”，须人工听", f"; sounds the same as {', '.join(words)}: listen to it")
