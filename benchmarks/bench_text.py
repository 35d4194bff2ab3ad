"""How much does seeing through disguises cost over plain matching?

    python benchmarks/bench_text.py [--lines 50000] [--rounds 3]

One thread, in process, danmaku lines (real where the shared data folder is beside the checkout, else generated): the whole text
path (every view, verification, contacts, behaviour counters) against one plain pass of ahocorasick_rs and of pyahocorasick over the
same lines and terms, round by round in turn. A ratio of 0.2 means a fifth of the plain pass's lines per second. Then what a check
takes while the largest list is built anew, and how the time for long and hostile texts grows with their length.
"""

from __future__ import annotations

import argparse
import csv
import gc
import itertools
import platform
import random
import resource
import statistics
import threading
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
BATCH = 64
QUIET_S = 3.0
PACE_S = 0.002
LENGTHS = (1_250, 2_500, 5_000, 10_000)


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
    """Check every line one by one, counters included; what an earlier pass remembered is forgotten first."""
    checker.forget()
    conversation = LocalConversation()
    n_hit = 0
    for index, line in enumerate(lines):
        n_hit += bool(checker.read(line, Scene.DANMAKU).findings)
        conversation.observe("room", f"uid{index % 997}", checker.fold(line), line, index / 100)
    return n_hit


def in_batches(checker: TextChecker, lines: Sequence[str], size: int) -> int:
    """Check every line in batches, counters included."""
    checker.forget()
    conversation = LocalConversation()
    n_hit = 0
    for at in range(0, len(lines), size):
        batch = lines[at : at + size]
        n_hit += sum(bool(reading.findings) for reading in checker.read_many(batch, Scene.DANMAKU))
        uids = [f"uid{(at + index) % 997}" for index in range(len(batch))]
        conversation.observe_many(["room"] * len(batch), uids, [checker.fold(line) for line in batch], batch, at / 100)
    return n_hit


def compare(word_list: WordList, language: Language, lines: Sequence[str], n_rounds: int) -> None:
    """Measure one lexicon and print its row."""
    before_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started_s = time.perf_counter()
    checker = TextChecker(language, Taxonomy.load(), [word_list], [])
    build_s = time.perf_counter() - started_s
    gc.collect()
    grown_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before_mib

    texts = [term.text for term in word_list.terms]
    plain = AhoCorasick(texts)
    other = ahocorasick.Automaton()
    for text in texts:
        other.add_word(text, text)
    other.make_automaton()
    passes: dict[str, Callable[[], object]] = {
        "ours": lambda: whole_path(checker, lines),
        "batch": lambda: in_batches(checker, lines, BATCH),
        "rs": lambda: [plain.find_matches_as_indexes(line, overlapping=True) for line in lines],
        "py": lambda: [list(other.iter(line)) for line in lines],
    }
    speeds: dict[str, list[float]] = {name: [] for name in passes}
    for _ in range(n_rounds):
        for name, run in passes.items():
            speeds[name].append(lines_per_s(run, len(lines)))
    mid = {name: statistics.median(values) for name, values in speeds.items()}
    by_round = {
        name: statistics.median(ours / base for ours, base in zip(speeds[name[0]], speeds[name[1]], strict=True))
        for name in (("ours", "rs"), ("batch", "rs"), ("ours", "py"), ("batch", "py"))
    }
    n_hit = whole_path(checker, lines)
    print(
        f"| {len(texts):,} | {checker.n_patterns:,} | {mid['ours']:,.0f} | {mid['batch']:,.0f} | {mid['rs']:,.0f} "
        f"| {by_round['ours', 'rs']:.3f} | {by_round['batch', 'rs']:.3f} | {mid['py']:,.0f} "
        f"| {by_round['ours', 'py']:.2f} | {by_round['batch', 'py']:.2f} "
        f"| {build_s:.2f} | {grown_mib:.0f} | {1000 * n_hit / len(lines):.1f} |",
        flush=True,
    )


def latencies_ms(checker: TextChecker, lines: Sequence[str], is_over: Callable[[], bool]) -> list[float]:
    """Check lines at a gentle pace, 500 a second, until it is over; returns how late each was answered, waiting included."""
    took_ms: list[float] = []
    for line in itertools.cycle(lines):
        if is_over():
            return took_ms
        due_s = time.perf_counter() + PACE_S
        time.sleep(PACE_S)
        checker.read(line, Scene.DANMAKU)
        took_ms.append((time.perf_counter() - due_s) * 1000)
    return took_ms


def reload_pause(word_list: WordList, language: Language, lines: Sequence[str]) -> None:
    """Print what checks take while nothing else happens, and while the same list is built anew on a thread and swapped in."""
    checker = TextChecker(language, Taxonomy.load(), [word_list], [])
    until_s = time.perf_counter() + QUIET_S
    quiet = latencies_ms(checker, lines, lambda: time.perf_counter() > until_s)
    builder = threading.Thread(target=lambda: TextChecker(language, Taxonomy.load(), [word_list], []))
    started_s = time.perf_counter()
    builder.start()
    during = latencies_ms(checker, lines, lambda: not builder.is_alive())
    took_s = time.perf_counter() - started_s
    print(f"\n{len(word_list.terms):,} terms built on a thread while 500 lines/s are checked: {took_s:.1f} s")
    print("| checks | p50 ms | p99 ms | longest ms |\n|---|---|---|---|")
    for name, took_ms in (("alone", quiet), ("during the build", during)):
        cuts = statistics.quantiles(took_ms, n=100)
        print(f"| {name} | {cuts[49]:.3f} | {cuts[98]:.2f} | {max(took_ms):.1f} |", flush=True)


def curve(checker: TextChecker) -> None:
    """Print what long and hostile texts cost: twice the length, twice the time."""
    made: dict[str, Callable[[int], str]] = {
        "ordinary talk": lambda n: "主播今天这把打得真不错啊，" * (n // 13),
        "one term again and again": lambda n: "赌博" * (n // 2),
        "half a term again and again": lambda n: "加微" * (n // 2),
        "one character": lambda n: "加" * n,
        "combining marks": lambda n: "a\u0301" * (n // 2),
        "pinyin without an end": lambda n: "dubo" * (n // 4),
        "leet": lambda n: "5@oma" * (n // 5),
        "emoji as words": lambda n: "赌🐴" * (n // 2),
        "marks inside a term": lambda n: "赌\u0301\u0301\u0301博\u0301\u0301" * (n // 7),
        "inserted letters": lambda n: "赌x博" * (n // 3),
        "wide gaps": lambda n: ("赌" + " " * 15 + "博") * (n // 17),
    }
    print(f"\n| text | {' | '.join(f'{n:,} characters, ms' for n in LENGTHS)} |\n|---|---|---|---|---|")
    for name, make in made.items():
        took_ms = []
        for n in LENGTHS:
            started_s = time.perf_counter()
            checker.read(make(n), Scene.DANMAKU)
            took_ms.append((time.perf_counter() - started_s) * 1000)
        print(f"| {name} | {' | '.join(f'{ms:.1f}' for ms in took_ms)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--terms", type=int, nargs="+", default=[0, 10_000, 100_000])
    options = parser.parse_args()

    lines, source = danmaku(options.lines)
    language = Language.load()
    print(f"{len(lines):,} lines of {source}, median of {options.rounds} rounds, one thread, Python {platform.python_version()}")
    print(
        f"| terms | patterns | ours, line/s | batches of {BATCH} | ahocorasick_rs | ours by it | batches by it | pyahocorasick "
        "| ours by it | batches by it | build s | MiB more | hit/1000 |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|"
    )
    for n_terms in options.terms:
        compare(lexicon(n_terms, language), language, lines, options.rounds)
    reload_pause(lexicon(max(options.terms), language), language, lines)
    curve(TextChecker.load())


if __name__ == "__main__":
    main()
