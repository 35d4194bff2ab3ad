"""How much does seeing through disguises cost over plain matching?

    python benchmarks/bench_text.py [--lines 50000] [--rounds 3]

One thread, in process, danmaku lines (real where the shared data folder is beside the checkout, else generated): the whole text
path (every view, verification, contacts, behaviour counters) against one plain pass of ahocorasick_rs and of pyahocorasick over the
same lines and terms, round by round in turn. A ratio of 0.2 means a fifth of the plain pass's lines per second.
"""

from __future__ import annotations

import argparse
import csv
import platform
import random
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import ahocorasick
from ahocorasick_rs import AhoCorasick

from inference.samples import Scene
from inference.text.check import TextChecker
from inference.text.lexicon import BASE_LIST, Mode, Term, WordList
from inference.text.local_conversation import LocalConversation
from inference.text.matcher import Language
from models.taxonomy import Taxonomy

DANMAKU = Path(__file__).resolve().parents[2] / "shared" / "data" / "text" / "douyu_danmaku" / "data.csv"
SEED = 20


def danmaku(n_lines: int) -> tuple[list[str], str]:
    """Return danmaku lines and where they are from; real ones are repeated up to `n_lines`."""
    if DANMAKU.is_file():
        with DANMAKU.open(encoding="utf-8", newline="") as file:
            lines = [row["text"] for row in csv.DictReader(file)]
        return (lines * (n_lines // len(lines) + 1))[:n_lines], "real danmaku"
    rng = random.Random(SEED)
    words = [
        "主播",
        "加油",
        "666",
        "哈哈哈",
        "这波",
        "可以",
        "？？？",
        "什么",
        " ",
        "上单",
        "带飞",
        "好看",
        "wsl",
        "❤",
        "，",
        "大哥",
    ]
    return ["".join(rng.choices(words, k=rng.randint(1, 6))) for _ in range(n_lines)], "generated danmaku"


def lexicon(n_terms: int, language: Language) -> WordList:
    """Return the base list, filled up to `n_terms` with made-up terms of two to six common characters."""
    base = WordList.read(BASE_LIST, Taxonomy.load().__getitem__, name="base")
    rng = random.Random(SEED)
    chars = sorted({char for word in language.tables.word_costs for char in word if language.tables.word_costs[word] > -10})
    made = dict.fromkeys("".join(rng.choices(chars, k=rng.choice((2, 3, 3, 4, 4, 5, 6)))) for _ in range(int(n_terms * 1.2)))
    terms = [*base.terms, *(Term(text, "custom.word", 2, mode=Mode.PINYIN) for text in made)][: max(n_terms, len(base.terms))]
    return WordList("bench", 1, tuple(terms))


def lines_per_s(run: Callable[[], object], n_lines: int) -> float:
    """Time one pass."""
    started_s = time.perf_counter()
    run()
    return n_lines / (time.perf_counter() - started_s)


def whole_path(checker: TextChecker, lines: Sequence[str]) -> int:
    """Check every line, counters included."""
    conversation = LocalConversation()
    n_hit = 0
    for index, line in enumerate(lines):
        n_hit += bool(checker.findings(line, Scene.DANMAKU))
        conversation.observe("room", f"uid{index}", checker.fold(line), line, index / 100)
    return n_hit


def compare(word_list: WordList, language: Language, lines: Sequence[str], n_rounds: int) -> None:
    """Measure one lexicon and print its row."""
    before_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started_s = time.perf_counter()
    checker = TextChecker(language, Taxonomy.load(), [word_list], [])
    build_s = time.perf_counter() - started_s
    grown_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before_mib

    texts = [term.text for term in word_list.terms]
    plain = AhoCorasick(texts)
    other = ahocorasick.Automaton()
    for text in texts:
        other.add_word(text, text)
    other.make_automaton()
    passes: dict[str, Callable[[], object]] = {
        "ours": lambda: whole_path(checker, lines),
        "findings": lambda: [checker.findings(line, Scene.DANMAKU) for line in lines],
        "rs": lambda: [plain.find_matches_as_indexes(line, overlapping=True) for line in lines],
        "py": lambda: [list(other.iter(line)) for line in lines],
    }
    speeds: dict[str, list[float]] = {name: [] for name in passes}
    for _ in range(n_rounds):
        for name, run in passes.items():
            speeds[name].append(lines_per_s(run, len(lines)))
    mid = {name: statistics.median(values) for name, values in speeds.items()}
    n_hit = whole_path(checker, lines)
    print(
        f"| {len(texts):>7,} | {checker.n_patterns:>9,} | {mid['ours']:>9,.0f} | {mid['findings']:>9,.0f} "
        f"| {mid['rs']:>10,.0f} | {mid['ours'] / mid['rs']:>8.3f} | {mid['py']:>9,.0f} | {mid['ours'] / mid['py']:>8.2f} "
        f"| {build_s:>7.2f} | {grown_mib:>7.0f} | {1000 * n_hit / len(lines):>8.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()

    lines, source = danmaku(options.lines)
    language = Language.load()
    print(f"{len(lines):,} lines of {source}, median of {options.rounds} rounds, one thread, Python {platform.python_version()}")
    heads = (
        "terms",
        "patterns",
        "ours line/s",
        "no count",
        "ahocorasick_rs",
        "ours/rs",
        "pyahoco.",
        "ours/py",
        "build s",
        "MiB more",
    )
    print("|", " | ".join((*heads, "hit/1000")), "|")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for n_terms in (0, 10_000, 100_000):
        compare(lexicon(n_terms, language), language, lines, options.rounds)


if __name__ == "__main__":
    main()
