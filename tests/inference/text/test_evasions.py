"""The shipped engine against the evasion sets: what is disguised is found, what is innocent passes.

The sets and how they were made: `evasions.py`. Figures by technique: `python -m benchmarks.bench_text_accuracy`.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.inference.text.evasion_sets.judged import Judge, Judged
from tests.inference.text.evasion_sets.rows import Half
from tests.inference.text.evasions import by_kind, negatives, positives

RECALL_OF_EACH = 0.85
REACHED = {"homophone_all": 0.75, "initials": 0.80, "initials_two": 0.75, "digit_for_han": 0.70}
"""What is seen through less often, and how often at least: every character by another common one (带达 for 代打) is ordinary
language nearly as often as a disguise, and so are bare initials; a hundred for 百 is not looked for."""

RECALL_OVERALL = 0.945
FALSE_HITS = 0.04
FALSE_HITS_OF_EACH = 0.16
"""Of one kind of innocent sentences, however contrived."""

POSITIVES = by_kind(positives())
NEGATIVES = by_kind(negatives())


@pytest.fixture(scope="module")
def found() -> dict[str, list[Judged]]:
    judge = Judge()
    return {technique: list(judge.all(rows)) for technique, rows in POSITIVES.items()}


@pytest.fixture(scope="module")
def judged_innocent() -> dict[str, list[Judged]]:
    judge = Judge()
    return {kind: list(judge.all(rows)) for kind, rows in NEGATIVES.items()}


def told(rows: Sequence[Judged]) -> str:
    """Name rows of the open half; of the other one only how many."""
    shown = [one.row.text for one in rows if one.row.half is Half.DEV]
    return f"{shown} and {len(rows) - len(shown)} rows that are held out"


@pytest.mark.parametrize("technique", POSITIVES)
def test_a_technique_is_seen_through(technique: str, found: dict[str, list[Judged]]) -> None:
    missed = [one for one in found[technique] if not one.right]

    recall = 1 - len(missed) / len(found[technique])

    assert recall >= REACHED.get(technique, RECALL_OF_EACH), f"{technique}: recall {recall:.3f}, missed {told(missed)}"


def test_disguises_are_seen_through_overall(found: dict[str, list[Judged]]) -> None:
    every = [one for judged in found.values() for one in judged]

    recall = sum(one.right for one in every) / len(every)

    assert recall >= RECALL_OVERALL


@pytest.mark.parametrize("kind", NEGATIVES)
def test_innocent_sentences_pass(kind: str, judged_innocent: dict[str, list[Judged]]) -> None:
    hit = [one for one in judged_innocent[kind] if one.flagged]

    allowed = max(2, int(FALSE_HITS_OF_EACH * len(judged_innocent[kind])))  # a kind of a dozen rows may have two

    assert len(hit) <= allowed, f"{kind}: {len(hit)} of {len(judged_innocent[kind])} not passed: {told(hit)}"


def test_innocent_sentences_pass_overall(judged_innocent: dict[str, list[Judged]]) -> None:
    every = [one for judged in judged_innocent.values() for one in judged]

    share = sum(one.flagged for one in every) / len(every)

    assert share <= FALSE_HITS
