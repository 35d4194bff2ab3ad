"""How `livewarden lexicon` shows things: rows for a table or a pipe, lines for a person, objects for machines.

Lays out; prints nothing and decides nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from rich.text import Text

from inference.speech.pronouncing import Pronouncer
from inference.speech.vocabulary import Vocabulary
from inference.text.lexicon import AllowList, WordList
from inference.text.list_check import FalseHit, ListReport
from inference.text.normalise import Normaliser
from inference.text.stored_lists import StoredList
from inference.text.tables import Tables
from inference.verdicts import Judged, Span

MAX_HITS_SHOWN = 20
"""Offending lines that a person is shown; the counts tell of the rest."""

HITS_PER_TERM = 5
"""Lines of one term where there are many, so that a bad one does not hide the others."""

HIT_COLUMNS = ("term", "label", "lines", "line", "span", "score", "text")
VERSION_COLUMNS = ("list", "kind", "state", "lines", "imported", "owner", "from", "false hits")

Row = Sequence[str | Text]


def shown(text: str) -> str:
    """Return a text that cannot steer a terminal, as long as it was."""
    return text if text.isprintable() else "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def marked(text: str, spans: Sequence[Span]) -> Text:
    """Return a text with 【】 around its spans, and red where there are colours."""
    said, done = Text(), 0
    for span in spans:
        said.append(shown(text[done : span.start])).append(f"【{shown(text[span.start : span.end])}】", "bold red")
        done = span.end
    return said.append(shown(text[done:]))


def told_spans(spans: Sequence[Span]) -> str:
    """Write spans as half-open ranges."""
    return " ".join(f"[{span.start},{span.end})" for span in spans)


def hit_rows(report: ListReport) -> Iterator[Row]:
    """Lay out under `HIT_COLUMNS` which term hits which ordinary lines: worst terms first, 20 lines, 5 of a term where many do."""
    left = MAX_HITS_SHOWN
    share = max(HITS_PER_TERM, left // max(1, len(report.terms)))
    for term in report.terms:
        hits = term.hits[: min(share, left)]
        left -= len(hits)
        for hit in hits:
            score = f"{hit.score:.2f} {hit.decision}"
            said = marked(hit.line.text, hit.spans)
            yield shown(term.term), term.label, str(term.n_lines), str(hit.line.number), told_spans(hit.spans), score, said


def report_view(report: ListReport, *, budget: float) -> dict[str, Any]:
    """Describe a report for machines; at most 20 lines of each term."""
    return {
        "n_lines": report.n_lines,
        "n_hit": report.n_hit,
        "rate": round(report.rate, 6),
        "budget": budget,
        "fit": report.within(budget),
        "terms": [
            {
                "term": term.term,
                "label": term.label,
                "n_lines": term.n_lines,
                "hits": [_hit_view(hit) for hit in islice(term.hits, MAX_HITS_SHOWN)],
            }
            for term in report.terms
        ],
    }


def _hit_view(hit: FalseHit) -> dict[str, Any]:
    spans = [[span.start, span.end] for span in hit.spans]
    return {"line": hit.line.number, "text": hit.line.text, "spans": spans, "score": hit.score, "decision": hit.decision}


def contents(list_: WordList | AllowList, now: datetime) -> dict[str, int]:
    """Count what a list holds, by what it is about, for people and machines."""
    if isinstance(list_, AllowList):
        return {"phrases": len(list_.phrases)}
    labels = Counter(f"label {term.label}" for term in list_.terms)
    modes = Counter(f"mode {term.mode}" for term in list_.terms)
    n_expired = sum(not term.counts_at(now) for term in list_.terms)
    said = Vocabulary.of([list_], (), Pronouncer(Normaliser(Tables.load())))
    unsaid = {f"not listened for: {reason}": n for reason, n in sorted(said.left_out.items())}
    counts = dict(sorted(labels.items())) | dict(sorted(modes.items()))
    return counts | {"expired": n_expired, "listened for in speech": said.n_terms} | unsaid


def version_view(stored: StoredList) -> dict[str, Any]:
    """Describe one version of a list for machines."""
    notes = stored.notes()
    view: dict[str, Any] = {"name": stored.name, "version": stored.version, "kind": stored.kind, "live": stored.is_live}
    if notes is None:
        return view
    return view | {
        "n_lines": notes.n_lines,
        "imported_at": notes.at,
        "owner": notes.owner,
        "source": notes.source,
        "false_hit_rate": notes.false_hit_rate,
    }


def version_row(stored: StoredList) -> tuple[str, ...]:
    """Lay one version of a list out under `VERSION_COLUMNS`."""
    state = "live" if stored.is_live else "off"
    notes = stored.notes()
    if notes is None:
        return (stored.ref, stored.kind, state, "?", "?", "", "", "?")
    rate = "not checked" if notes.false_hit_rate is None else f"{notes.false_hit_rate:.2%}"
    at = notes.at.strftime("%Y-%m-%d %H:%M")
    return (stored.ref, stored.kind, state, str(notes.n_lines), at, shown(notes.owner), shown(notes.source), rate)


def judged_view(judged: Judged) -> dict[str, Any]:
    """Describe one finding of a tried text for machines."""
    finding, match = judged.finding, judged.finding.match
    view: dict[str, Any] = {"label": finding.label, "score": finding.score, "decision": judged.decision, "source": finding.detector}
    if match is None:
        return view
    spans = [[span.start, span.end] for span in match.spans]
    return view | {"list": match.list, "term": match.term, "spans": spans, "transforms": list(match.transforms)}


def judged_line(text: str, judged: Judged) -> str:
    """Write one finding of a tried text for a person."""
    finding, match = judged.finding, judged.finding.match
    said = f"{judged.decision:<7} {finding.score:.2f} {finding.label}"
    if match is None:
        return f"  {said}"
    through = f" through {', '.join(match.transforms)}" if match.transforms else ""
    return f"  {said}: {marked(text, match.spans)} {told_spans(match.spans)} is {shown(match.term)!r} of {match.list}{through}"
