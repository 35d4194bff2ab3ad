"""Count which characters follow each other in ordinary Chinese; run by a maintainer, never by the product.

    python inference/text/build_pairs.py FOLDER

Writes `tables/pairs.tsv.gz`. FOLDER holds the corpora: `cold/data.csv`, `swsr/data.csv`, `douyu_danmaku/data.csv`, each with a
column `text`. Only counts leave them, and a pair that was seen once or is part of a shipped way to write a concept does not.

Source:
    COLD (Apache-2.0), SWSR (MIT), DouyuCrawler danmaku (Apache-2.0); counts of words from `tables/words.tsv.gz` (jieba, MIT).
"""

from __future__ import annotations

import csv
import gzip
import itertools
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
TABLES = HERE / "tables"

EDGE = "·"
"""Stands for whatever is no Han character: a pair with it says how often a character begins or ends a stretch."""

WORDS_WEIGHT = 0.05
"""What one occurrence in the 60 million counted words adds, against one in the corpora: about as much text as they hold."""

MIN_COUNT = 1.6
"""Weighted count of the rarest pair that is kept; below, a pair says no more than its two characters do."""

STEP = 0.5
"""Natural logarithms of a count are stored in these steps."""

LEVELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"
"""The steps as letters, rarest first."""


def corpus(folder: Path) -> Iterator[str]:
    """Yield the ordinary texts: everything but what the corpora themselves call offensive."""
    for name in ("cold", "swsr", "douyu_danmaku"):
        with (folder / name / "data.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row.get("label", "0") == "0":
                    yield row["text"]


def count(texts: Iterator[str]) -> Counter[str]:
    """Count pairs; texts said again and again count three times at most, floods are no language."""
    source, target = (TABLES / "simplified.txt").read_text("utf-8").splitlines()
    simple = str.maketrans(source, target)
    seen: Counter[str] = Counter()
    pairs: Counter[str] = Counter()
    for text in texts:
        seen[text] += 1
        if seen[text] > 3:
            continue
        chars = [char if "\u4e00" <= char <= "\u9fff" else EDGE for char in f"{EDGE}{text.translate(simple)}{EDGE}"]
        pairs.update(a + b for a, b in itertools.pairwise(chars) if (a, b) != (EDGE, EDGE))
    return pairs


def words() -> Counter[str]:
    """Count the pairs inside counted words, weighted."""
    pairs: Counter[str] = Counter()
    for line in gzip.decompress((TABLES / "words.tsv.gz").read_bytes()).decode().splitlines():
        word, n = line.split("\t")
        for a, b in itertools.pairwise(word):
            pairs[a + b] += int(n)
    return pairs


def listed() -> set[str]:
    """Return the pairs of the ways concepts are written in disguise: none of them may look ordinary for being frequent."""
    pairs: set[str] = set()
    for line in (TABLES / "aliases.tsv").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            concept, variants, *_ = line.split("\t")
            pairs.update(a + b for word in (concept, *variants.split(" ")) for a, b in itertools.pairwise(word))
    return pairs


def main() -> None:
    """Write the table: a line a first character, then steps, each followed by the characters that come so often behind it."""
    weighted: defaultdict[str, float] = defaultdict(float)
    for pair, n in count(corpus(Path(sys.argv[1]))).items():
        weighted[pair] += n
    for pair, n_words in words().items():
        weighted[pair] += n_words * WORDS_WEIGHT
    for pair in listed():
        weighted.pop(pair, None)
    followers: defaultdict[str, defaultdict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for pair, weight in weighted.items():
        if weight >= MIN_COUNT:
            step = min(len(LEVELS) - 1, round(math.log(weight) / STEP))
            followers[pair[0]][step].append(pair[1])
    lines = []
    for first in sorted(followers):
        steps = followers[first]
        lines.append(first + "\t" + "".join(LEVELS[step] + "".join(sorted(steps[step])) for step in sorted(steps)) + "\n")
    (TABLES / "pairs.tsv.gz").write_bytes(gzip.compress("".join(lines).encode(), mtime=0))
    n_kept = sum(len(chars) for steps in followers.values() for chars in steps.values())
    print(f"{n_kept} pairs")  # noqa: T201


if __name__ == "__main__":
    main()
