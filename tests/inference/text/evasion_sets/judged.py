"""What the shipped engine says of rows: the decision that `POST /v1/text/check` would give, message by message."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import count

from ahocorasick_rs import AhoCorasick

from inference.cli import TextOnly
from inference.schemas import TextAnswer, TextRequest
from inference.settings import InferenceSettings
from inference.testing import ManualClock
from inference.text_answers import TextAnswers
from inference.verdicts import Decision
from models.taxonomy import Taxonomy
from tests.inference.text.evasion_sets.rows import Row, table

BETWEEN_MESSAGES_S = 1.0
BETWEEN_ROWS_S = 120.0


@dataclass(frozen=True, slots=True)
class Judged:
    """One row and what was said of it."""

    row: Row
    answer: TextAnswer
    """That of the message with the gravest decision."""
    right: bool
    """Whether a finding that is not passed names the row's term or a label of its category."""

    @property
    def flagged(self) -> bool:
        """Whether any message was not passed."""
        return self.answer.decision is not Decision.PASS

    @property
    def blocked(self) -> bool:
        """Whether any message was blocked."""
        return self.answer.decision is Decision.BLOCK

    @property
    def span_true(self) -> bool:
        """Whether a finding that is not passed matched exactly what is the term in the text."""
        return any(finding.matched == self.row.span for finding in self.answer.findings if finding.decision is not Decision.PASS)


class Judge:
    """The shipped lists and the shipped policy, as `livewarden check` has them, with a clock that stands where it is put."""

    def __init__(self) -> None:
        taxonomy = Taxonomy.load()
        self._clock = ManualClock()
        self._answers = TextAnswers(TextOnly.load(InferenceSettings()), self._clock, taxonomy=taxonomy)
        self._labels = {line["term"]: line["labels"].split() for line in table("terms.tsv")}
        self._ids = count()

    def judge(self, row: Row) -> Judged:
        """Send the messages of a row as those of one new user in a new room."""
        name = f"row-{next(self._ids)}"
        self._clock.advance(BETWEEN_ROWS_S)
        answers = []
        for message in row.messages:
            self._clock.advance(BETWEEN_MESSAGES_S)
            answers.append(self._answers.answer(TextRequest(message, uid=name, room_id=name), self._clock.now_s()))
        gravest = max(answers, key=lambda answer: (_gravity(answer.decision), answer.score))
        return Judged(row, gravest, self._is_right(row, gravest))

    def all(self, rows: Iterable[Row]) -> Iterator[Judged]:
        """Judge rows in their order."""
        return map(self.judge, rows)

    def _is_right(self, row: Row, answer: TextAnswer) -> bool:
        wanted = self._labels.get(row.term, ["*"])
        return any(
            finding.decision is not Decision.PASS
            and (finding.term == row.term or any(fnmatch(finding.label, pattern) for pattern in wanted))
            for finding in answer.findings
        )


def _gravity(decision: Decision) -> int:
    return (Decision.PASS, Decision.REVIEW, Decision.BLOCK).index(decision)


class ExactMatch:
    """The floor: the terms of the base list as they are written, in small letters."""

    def __init__(self) -> None:
        self._automaton = AhoCorasick([line["term"].lower() for line in table("terms.tsv")])

    def flags(self, row: Row) -> bool:
        """Whether a message has a term in it."""
        return any(self._automaton.find_matches_as_indexes(message.lower()) for message in row.messages)
