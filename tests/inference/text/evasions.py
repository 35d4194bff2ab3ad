"""The evasion sets: disguised terms that must not pass, ordinary sentences that must.

Positives are generated (`evasion_sets/make.py`, kept in `positives.tsv`) and written by hand (`handwritten.tsv`); negatives are
written by hand. Nothing here knows the engine.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from tests.inference.text.evasion_sets.rows import Half, Row, read

POSITIVE_FILES = ("positives.tsv", "handwritten.tsv")
NEGATIVE_FILES = ("negatives_by_term.tsv", "negatives_of_life.tsv")


def positives() -> list[Row]:
    """Return every disguised term; `Row.kind` is its technique."""
    return [row for name in POSITIVE_FILES for row in read(name, "technique")]


def negatives() -> list[Row]:
    """Return every ordinary sentence; `Row.kind` says why an engine might stumble over it."""
    return [row for name in NEGATIVE_FILES for row in read(name, "kind")]


def of_half(rows: Iterable[Row], half: Half) -> list[Row]:
    """Keep one half."""
    return [row for row in rows if row.half is half]


def by_kind(rows: Iterable[Row]) -> dict[str, Sequence[Row]]:
    """Group rows by technique or kind, in the order they come."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.kind].append(row)
    return dict(groups)
