"""Make the data tables beside this file from public dictionaries; run by a maintainer, never by the product.

    uv run --no-project --with pypinyin --with opencc-python-reimplemented --with jieba python inference/text/build_tables.py

It owns the three generated files of `tables/`; what is written by hand there (folds, aliases, labels) it leaves alone.

Source:
    OpenCC character tables (Apache-2.0), pypinyin readings (MIT), jieba unigram counts (MIT).
"""

from __future__ import annotations

import gzip
import importlib
import re
from collections import defaultdict
from pathlib import Path

TABLES = Path(__file__).with_name("tables")

HAN = range(0x4E00, 0xA000)
"""The block that danmaku are written in; rarer blocks have no word counts and hardly a reading."""

MIN_COUNT = 10
"""Words seen more rarely in the 60 million words of the counts do not move a word boundary."""

CHAT_READINGS = {"伽": "jia"}
"""Characters that chat reads otherwise than dictionaries do first: 伽微 is 加微."""

N_READINGS = 3
"""Readings kept per character; the rest are names and classical forms."""


def _package(name: str) -> Path:
    """Return the folder of an installed package."""
    origin = importlib.import_module(name).__file__
    if origin is None:
        raise SystemExit(f"package {name} has no folder; install it as the first lines of this file say")
    return Path(origin).parent


def simplified() -> str:
    """Return two lines of equal length: traditional characters, and the simplified one under each."""
    pairs: dict[str, str] = {}
    for line in (_package("opencc") / "dictionary" / "TSCharacters.txt").read_text("utf-8").splitlines():
        source, _, targets = line.partition("\t")
        target = targets.split(" ")[0].strip()
        if len(source) == len(target) == 1 and source != target:
            pairs[source] = target
    return "".join(sorted(pairs)) + "\n" + "".join(pairs[char] for char in sorted(pairs)) + "\n"


def syllables(skip: frozenset[str]) -> str:
    """Return one line a toneless syllable: the syllable, characters read so first, characters that can be read so."""
    pinyin = importlib.import_module("pypinyin")
    main: defaultdict[str, list[str]] = defaultdict(list)
    other: defaultdict[str, list[str]] = defaultdict(list)
    for code in HAN:
        char = chr(code)
        found = pinyin.pinyin(char, style=pinyin.Style.NORMAL, heteronym=True, errors="ignore")
        readings = list(dict.fromkeys(found[0] if found else []))[:N_READINGS]
        if char in CHAT_READINGS:
            readings = [CHAT_READINGS[char]]
        if char in skip or not readings or not re.fullmatch(r"[a-zü]+", readings[0]):
            continue
        main[readings[0].replace("ü", "v")].append(char)
        for reading in readings[1:]:
            if re.fullmatch(r"[a-zü]+", reading):
                other[reading.replace("ü", "v")].append(char)
    return "".join(f"{key}\t{''.join(main[key])}\t{''.join(other[key])}\n" for key in sorted(main.keys() | other.keys()))


def words() -> str:
    """Return one line a word of one to four characters: the word and how often it was counted."""
    lines = []
    for line in (_package("jieba") / "dict.txt").read_text("utf-8").splitlines():
        word, count, _ = line.split(" ")
        if re.fullmatch("[\u4e00-\u9fff]{1,4}", word) and int(count) >= MIN_COUNT:
            lines.append(f"{word}\t{count}\n")
    return "".join(sorted(lines))


def main() -> None:
    """Write the three generated tables."""
    TABLES.mkdir(exist_ok=True)
    table = simplified()
    (TABLES / "simplified.txt").write_text(table, "utf-8")
    (TABLES / "syllables.tsv").write_text(syllables(frozenset(table.splitlines()[0])), "utf-8")
    (TABLES / "words.tsv.gz").write_bytes(gzip.compress(words().encode(), mtime=0))


if __name__ == "__main__":
    main()
