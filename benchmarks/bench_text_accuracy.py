"""How much does the text check see through, and how often does it hit what is innocent?

    python -m benchmarks.bench_text_accuracy [--misses N] [--false N] [--show-held-out] [--danmaku] [--json]

The shipped lists under the shipped policy, as `POST /v1/text/check` answers, over the evasion sets of the tests, beside plain exact
matching of the same terms. Recall counts rows that are not passed for the right term or label; `flagged` those not passed for
whatever reason. Rows fall into two halves: single misses and false hits are shown of `dev` only, unless asked for.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.report import machine_line
from tests.inference.text.evasion_sets.judged import ExactMatch, Judge, Judged
from tests.inference.text.evasion_sets.rows import Half, Row, shown
from tests.inference.text.evasions import by_kind, negatives, positives

DANMAKU = Path(__file__).resolve().parents[2] / "shared" / "data" / "text" / "douyu_danmaku" / "data.csv"


@dataclass(frozen=True, slots=True)
class Figures:
    """One line of a table; shares are of n."""

    name: str
    n: int
    right: float
    """Not passed, for the right term or label."""
    flagged: float
    """Not passed."""
    blocked: float
    mean_score: float
    spans: float | None
    """Matched exactly the disguised term, of those flagged that name it; None where none does."""
    exact: float
    """What exact matching flags."""
    dev: float
    """Recall (positives) or false hits (negatives) of the half that is open."""
    held_out: float
    """The same of the other half."""


def figures(name: str, judged: Sequence[Judged], exact: ExactMatch, *, innocent: bool = False) -> Figures:
    """Count one group of rows."""
    hit = [one.flagged if innocent else one.right for one in judged]
    spanned = [one for one in judged if one.flagged and one.row.span]
    halves = {half: share([hits for hits, one in zip(hit, judged, strict=True) if one.row.half is half]) for half in Half}
    return Figures(
        name,
        len(judged),
        right=share(one.right for one in judged),
        flagged=share(one.flagged for one in judged),
        blocked=share(one.blocked for one in judged),
        mean_score=round(statistics.fmean([one.answer.score for one in judged] or [0.0]), 3),
        spans=share(one.span_true for one in spanned) if spanned else None,
        exact=share(exact.flags(one.row) for one in judged),
        dev=halves[Half.DEV],
        held_out=halves[Half.HELD_OUT],
    )


def share(flags: Iterable[bool]) -> float:
    """Return the share that is true, 0 of none."""
    counted = list(flags)
    return round(sum(counted) / len(counted), 4) if counted else 0.0


def positive_table(rows: Sequence[Figures]) -> str:
    """Write recall by technique."""
    lines = ["| technique | n | recall | dev | held out | flagged | blocked | mean score | span true | exact matching |"]
    lines.append("|---|---|---|---|---|---|---|---|---|---|")
    lines += [
        f"| {row.name} | {row.n} | {row.right:.3f} | {row.dev:.3f} | {row.held_out:.3f} | {row.flagged:.3f} | {row.blocked:.3f}"
        f" | {row.mean_score:.2f} | {'' if row.spans is None else f'{row.spans:.2f}'} | {row.exact:.3f} |"
        for row in rows
    ]
    return "\n".join(lines)


def negative_table(rows: Sequence[Figures]) -> str:
    """Write false hits by kind."""
    lines = [
        "| kind of negative | n | false hits | share | dev | held out | blocked | exact matching |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.name} | {row.n} | {round(row.flagged * row.n)} | {row.flagged:.3f} | {row.dev:.3f} | {row.held_out:.3f}"
        f" | {row.blocked:.3f} | {row.exact:.3f} |"
        for row in rows
    ]
    return "\n".join(lines)


def say(one: Judged) -> str:
    """Write one row with what was found in it."""
    found = ", ".join(f"{finding.term}~{shown(finding.matched)} {finding.score:.2f}" for finding in one.answer.findings)
    return f"  {f'[{one.row.term}] ' if one.row.term else ''}{shown(one.row.text)}" + (f"  <- {found}" if found else "")


def print_examples(groups: dict[str, list[Judged]], n_most: int, *, wrong: str, show_held_out: bool) -> None:
    """Print the rows of each group that came out wrong, the worst first."""
    for name, judged in groups.items():
        bad = [one for one in judged if (not one.right if wrong == "missed" else one.flagged)]
        seen = [one for one in bad if show_held_out or one.row.half is Half.DEV]
        seen.sort(key=lambda one: one.answer.score if wrong == "missed" else -one.answer.score)
        if seen:
            print(f"\n{name}: {len(bad)} {wrong}")
            print("\n".join(map(say, seen[:n_most])))


@dataclass(frozen=True, slots=True)
class DanmakuFigures:
    """What became of real danmaku; shares are of n."""

    n: int
    review: float
    block: float
    by_term: dict[str, int]
    """Flagged lines by what was found."""


def check_danmaku(judge: Judge, *, quiet: bool) -> DanmakuFigures:
    """Check real danmaku, each line by itself, and list what is flagged."""
    with DANMAKU.open(encoding="utf-8", newline="") as file:
        lines = [line["text"] for line in csv.DictReader(file) if line["text"] and "\x00" not in line["text"]]
    flagged: dict[str, list[Judged]] = defaultdict(list)
    decisions: Counter[str] = Counter()
    for judged in judge.all(Row("danmaku", "", (line,)) for line in lines):
        decisions[str(judged.answer.decision)] += 1
        if judged.flagged:
            flagged[", ".join(sorted({finding.term or finding.label for finding in judged.answer.findings}))].append(judged)
    by_term = {term: len(those) for term, those in sorted(flagged.items(), key=lambda item: -len(item[1]))}
    shares = DanmakuFigures(len(lines), decisions["review"] / len(lines), decisions["block"] / len(lines), by_term)
    if not quiet:
        print(f"\nreal danmaku: {shares.n} lines, {shares.review:.3%} to review, {shares.block:.3%} blocked")
        for term in by_term:
            print_lines(term, flagged[term])
    return shares


def print_lines(term: str, flagged: Sequence[Judged]) -> None:
    """Print the flagged lines of a term, equal ones once with their number."""
    print(f"\n{term}: {len(flagged)}")
    times = Counter(one.row.text for one in flagged)
    for one in {one.row.text: one for one in flagged}.values():
        print(f"  {one.answer.decision} {times[one.row.text]} x {say(one)}")


def judged_groups(judge: Judge, rows: Iterable[Row]) -> dict[str, list[Judged]]:
    """Judge rows by technique or kind."""
    return {kind: list(judge.all(group)) for kind, group in by_kind(rows).items()}


def summary(name: str, groups: dict[str, list[Judged]], exact: ExactMatch, *, innocent: bool) -> list[Figures]:
    """Return the line of each group, and that of all together."""
    lines = [figures(kind, judged, exact, innocent=innocent) for kind, judged in groups.items()]
    return [*lines, figures(name, [one for judged in groups.values() for one in judged], exact, innocent=innocent)]


def arguments() -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.add_argument("--misses", type=int, default=0, metavar="N", help="show N missed rows of each technique")
    parser.add_argument("--false", type=int, default=0, metavar="N", help="show N false hits of each kind")
    parser.add_argument("--show-held-out", action="store_true", help="show rows of the half that is kept back, too")
    parser.add_argument(
        "--danmaku", action="store_true", help="check the real danmaku beside the checkout, and list what is flagged"
    )
    return parser.parse_args()


def main() -> None:
    """Run all and print it."""
    options = arguments()
    judge, exact = Judge(), ExactMatch()
    started_s = time.perf_counter()
    hits = judged_groups(judge, positives())
    innocent = judged_groups(judge, negatives())
    took_s = time.perf_counter() - started_s
    found = summary("overall", hits, exact, innocent=False)
    false = summary("overall", innocent, exact, innocent=True)
    if options.json:
        danmaku = asdict(check_danmaku(judge, quiet=True)) if options.danmaku and DANMAKU.is_file() else None
        lines = {"positives": [asdict(row) for row in found], "negatives": [asdict(row) for row in false], "danmaku": danmaku}
        json.dump({"machine": machine_line(), **lines}, sys.stdout, indent=2, ensure_ascii=False)
        print()
        return
    print(f"{machine_line()}; {found[-1].n + false[-1].n} rows in {took_s:.1f} s\n")
    print(f"{positive_table(found)}\n\n{negative_table(false)}")
    if options.misses:
        print_examples(hits, options.misses, wrong="missed", show_held_out=options.show_held_out)
    if options.false:
        print_examples(innocent, options.false, wrong="false hits", show_held_out=options.show_held_out)
    if options.danmaku and DANMAKU.is_file():
        check_danmaku(judge, quiet=False)


if __name__ == "__main__":
    main()
