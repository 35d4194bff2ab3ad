"""Whether a word list is fit to be used: it is replayed on lines that ordinary viewers wrote, and what it hits there is counted.

Pure but for reading the corpus. What a hit is, is the checker's business; whether it matters, the policy's.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from inference.errors import ConfigError
from inference.samples import Scene
from inference.text.list_files import read_utf8
from inference.text.terms import Mode, Term
from inference.verdicts import Decision, Finding, Span, Verdict

ORDINARY = Path(__file__).with_name("ordinary_danmaku.txt")
"""The shipped corpus, written for this purpose: greetings, games, gifts, questions, scores, and phrases that look like trouble."""

DEFAULT_BUDGET = 0.002
"""Share of ordinary lines that a list may hit: four of the shipped corpus."""

TEXT_COLUMN = "text"

Find = Callable[[str, Scene], Sequence[Finding]]
"""What the lists find in a text: `TextChecker.findings`."""

Decide = Callable[[Sequence[Finding], Scene], Verdict]
"""What the policy says of it."""


@dataclass(frozen=True, slots=True)
class CorpusLine:
    """One ordinary text."""

    number: int
    """Line of its file, from 1."""
    text: str


@dataclass(frozen=True, slots=True)
class FalseHit:
    """One place of an ordinary line that the list would not let pass."""

    line: CorpusLine
    spans: tuple[Span, ...]
    """Of the line's text."""
    score: float
    decision: Decision


@dataclass(frozen=True, slots=True)
class TermHits:
    """What one term hits."""

    term: str
    label: str
    n_lines: int
    """Ordinary lines it hits."""
    hits: tuple[FalseHit, ...]
    """In the corpus' order."""


@dataclass(frozen=True, slots=True)
class ListReport:
    """What a list did to a corpus."""

    n_lines: int
    """Lines looked at."""
    n_hit: int
    """Lines on which at least one term is not passed."""
    terms: tuple[TermHits, ...]
    """Terms with hits, worst first."""

    @property
    def rate(self) -> float:
        """Share of the lines that are hit, 0..1."""
        return self.n_hit / self.n_lines

    def within(self, budget: float) -> bool:
        """Tell whether the list is fit for a budget, a share of the lines."""
        return self.rate <= budget


def replay_list(ref: str, corpus: Sequence[CorpusLine], find: Find, decide: Decide, *, scene: Scene = Scene.DANMAKU) -> ListReport:
    """Look at every line of a corpus with a list and count what is not passed.

    Args:
        ref: `name@version` of the list; what others find does not count.
        corpus: at least one line.
        find: looks at one text, with that list in force.
        decide: the policy; hits that it passes do no harm.
        scene: where the lines come from.
    """
    found: defaultdict[tuple[str, str], list[FalseHit]] = defaultdict(list)
    hit_lines = set[int]()
    for place, line in enumerate(corpus):
        findings = find(line.text, scene)
        for judged in decide(findings, scene).judged if findings else ():
            match = judged.finding.match
            if match is not None and match.list == ref and judged.decision is not Decision.PASS:
                hit_lines.add(place)
                hit = FalseHit(line, match.spans, judged.finding.score, judged.decision)
                found[match.term, judged.finding.label].append(hit)
    terms = [TermHits(term, label, len({hit.line for hit in hits}), tuple(hits)) for (term, label), hits in found.items()]
    terms.sort(key=lambda hits: (-hits.n_lines, hits.term))
    return ListReport(len(corpus), len(hit_lines), tuple(terms))


def n_untried(terms: Iterable[Term], scene: Scene, now: datetime) -> int:
    """Count the terms that cannot hit anything: they do not count in the scene, or not any more."""
    return sum(not term.counts_at(now) or bool(term.scenes and scene not in term.scenes) for term in terms)


def silenced_terms(terms: Iterable[Term], before: Find, after: Find) -> tuple[Term, ...]:
    """Return the terms that an allow-list switches off: found in their own text before it counts, and not after.

    Args:
        terms: of the word list that is looked at; combinations and patterns, which are no text, are left out.
        before: finds with that word list alone.
        after: finds with the allow-list in force too.
    """

    def sees(find: Find, term: Term) -> bool:
        scene = min(term.scenes, default=Scene.DANMAKU)
        return any(finding.match is not None and finding.match.term == term.text for finding in find(term.text, scene))

    words = [term for term in terms if term.mode not in (Mode.COMBINATION, Mode.REGEX)]
    return tuple(term for term in words if sees(before, term) and not sees(after, term))


def read_corpus(path: Path = ORDINARY) -> tuple[CorpusLine, ...]:
    """Read ordinary lines: a text with one a line, or a CSV with a column `text`; blank lines are left out.

    Lines that begin with `#` before the first text are remarks; later ones are what somebody wrote.

    Raises:
        ConfigError: the file cannot be read, has no such column, or holds no text.
    """
    text = read_utf8(path, "corpus")
    lines = _csv_lines(path, text) if path.suffix.lower() == ".csv" else _plain_lines(text)
    if not lines:
        raise ConfigError(f"corpus {path} holds no text; give ordinary lines, one a line")
    return tuple(lines)


def _plain_lines(text: str) -> list[CorpusLine]:
    lines: list[CorpusLine] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and (lines or not line.startswith("#")):
            lines.append(CorpusLine(number, line.strip()))
    return lines


def _csv_lines(path: Path, text: str) -> list[CorpusLine]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        columns = reader.fieldnames or ()
        if TEXT_COLUMN not in columns:
            raise ConfigError(f"corpus {path} has the columns {', '.join(columns) or 'none'}; it needs one called {TEXT_COLUMN!r}")
        rows = [(reader.line_num, row[TEXT_COLUMN] or "") for row in reader]
    except csv.Error as exc:
        raise ConfigError(f"corpus {path}, line {reader.reader.line_num}: no CSV: {exc}; close every quote") from None
    return [CorpusLine(number, said.strip()) for number, said in rows if said.strip()]
