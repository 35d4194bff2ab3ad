"""The text network's opinion: folded texts in, findings out, batched across requests by a lane, repeats answered from memory.

How a text becomes numbers is `models/text_codec.py`, shared with training; which labels its answers stand for and how they are
calibrated says the model's manifest; what is done about them, the policy. The words of the lists are found elsewhere, so findings
of this module have no spans.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.clock import Clock
from inference.errors import DeadlineExceeded
from inference.lanes import Lane
from inference.samples import Modality
from inference.sessions import Rows, Session
from inference.verdicts import Finding, ModelRef
from models.manifest import Manifest
from models.text_codec import Alphabet, compact, has_letters, windows

NAME = "classifier"
"""How findings, metrics and `degraded` call it."""

MAX_REMEMBERED = 16_384
"""Texts whose answer is remembered; the least recently asked for is forgotten first."""

Findings = tuple[Finding, ...]
_NOTHING: Findings = ()


class Memory:
    """Answers of texts scored lately; safe from any thread."""

    def __init__(self, size: int = MAX_REMEMBERED) -> None:
        if size < 1:
            raise ValueError(f"memory size must be at least 1, got {size}")
        self._size = size
        self._known: OrderedDict[str, Findings] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, text: str) -> Findings | None:
        """Return what was answered, or None where nothing is remembered."""
        with self._lock:
            found = self._known.get(text)
            if found is not None:
                self._known.move_to_end(text)
            return found

    def put(self, text: str, findings: Findings) -> None:
        """Remember an answer."""
        with self._lock:
            self._known[text] = findings
            self._known.move_to_end(text)
            if len(self._known) > self._size:
                self._known.popitem(last=False)


class Reader:
    """Knows one model: which numbers a text becomes, and which findings its answers are. Pure; serves every thread."""

    def __init__(self, manifest: Manifest, alphabet: Alphabet, ref: ModelRef) -> None:
        # A hair below, because inverting a calibration rounds.
        self._floors = [(row, row.raw_threshold - 1e-9) for row in manifest.classes if row.label is not None]
        self._alphabet = alphabet
        self._ref = ref
        self.input = manifest.inputs[0].name
        self.output = manifest.outputs[0].name

    @property
    def labels(self) -> frozenset[str]:
        """Every taxonomy code it may report."""
        return frozenset(row.label for row, _ in self._floors if row.label is not None)

    def rows(self, text: str) -> list[Rows]:
        """Return the samples of one compact text, one for each window."""
        return [{self.input: self._alphabet.encode(part)} for part in windows(text)]

    def findings(self, raw: Sequence[NDArray[np.float32]]) -> Findings:
        """Turn the answers of a text's windows into findings: each label scored by its worst window, above the model's floor."""
        highest = (raw[0] if len(raw) == 1 else np.max(raw, axis=0)).tolist()
        if all(highest[row.index] < floor for row, floor in self._floors):
            return _NOTHING  # nearly all texts; calibrating costs more than looking
        scored = ((row, float(row.calibration.apply(highest[row.index]))) for row, _ in self._floors)
        return tuple(
            Finding(row.label, score, Modality.TEXT, NAME, model=self._ref)
            for row, score in scored
            if row.label is not None and score >= row.threshold
        )


@dataclass(frozen=True, slots=True)
class _Asked:
    """One call's texts: what is known of them already, and what must be scored."""

    compacts: list[str]
    known: dict[str, Findings]
    fresh: list[str]

    def answers(self) -> list[Findings]:
        return [self.known[text] for text in self.compacts]


class _Scorer:
    """What both ways of scoring share: repeats and texts without letters never reach the network."""

    def __init__(self, reader: Reader, memory: Memory | None) -> None:
        self._reader = reader
        self._memory = Memory() if memory is None else memory

    @property
    def labels(self) -> frozenset[str]:
        """Every taxonomy code it may report."""
        return self._reader.labels

    def _asked(self, texts: Sequence[str]) -> _Asked:
        compacts = [compact(text) if has_letters(text) else "" for text in texts]
        known: dict[str, Findings] = {"": _NOTHING}
        fresh: list[str] = []
        for text in dict.fromkeys(compacts):
            if text and (found := self._memory.get(text)) is not None:
                known[text] = found
            elif text:
                fresh.append(text)
        return _Asked(compacts, known, fresh)

    def _learn(self, asked: _Asked, text: str, answers: Sequence[Rows]) -> None:
        found = self._reader.findings([rows[self._reader.output] for rows in answers])
        asked.known[text] = found
        self._memory.put(text, found)


class TextClassifier(_Scorer):
    """Scores texts through a lane. The coroutine may be awaited on any event loop."""

    def __init__(self, lane: Lane, reader: Reader, *, clock: Clock, memory: Memory | None = None) -> None:
        super().__init__(reader, memory)
        self._lane = lane
        self._clock = clock

    @property
    def ref(self) -> ModelRef:
        """The model that answers."""
        return self._lane.session.ref

    async def score(self, canonical_texts: Sequence[str], *, deadline_s: float | None = None) -> list[Findings]:
        """Score texts; all of them are batched together, and with those of other callers.

        Args:
            canonical_texts: folded by the text engine (`Normaliser.canonical`), each of any length.
            deadline_s: absolute moment of the monotonic clock at which the call ends, answered or not.

        Returns:
            the findings of each text, in order; () for nearly all, and at once for texts without letters and for repeats.

        Raises:
            DeadlineExceeded: the deadline passed before all were scored.
            Overloaded: the lane's queue is full.
            NotReady: the lane is not up.
            ModelError: the model failed on a batch.
        """
        asked = self._asked(canonical_texts)
        if asked.fresh:
            left_s = None if deadline_s is None else max(0.0, deadline_s - self._clock.now_s())
            try:
                async with asyncio.timeout(left_s) as limit:
                    await self._score(asked, deadline_s)
            except TimeoutError:
                if not limit.expired():
                    raise
                raise DeadlineExceeded(f"{NAME}: {len(asked.fresh)} texts were not scored within {left_s:.3f} s") from None
        return asked.answers()

    async def _score(self, asked: _Asked, deadline_s: float | None) -> None:
        tickets = [
            (text, [self._lane.submit(rows, deadline_s=deadline_s) for rows in self._reader.rows(text)]) for text in asked.fresh
        ]
        # One after the other without a task each: all of them are under way already.
        for text, windows_of_text in tickets:
            self._learn(asked, text, [await ticket for ticket in windows_of_text])


class DirectClassifier(_Scorer):
    """Scores texts on the calling thread, for a command that has no device; one thread at a time."""

    def __init__(self, session: Session, reader: Reader, *, memory: Memory | None = None) -> None:
        super().__init__(reader, memory)
        self._session = session

    def score(self, canonical_texts: Sequence[str]) -> list[Findings]:
        """Score folded texts, in order; whatever the session raises comes through."""
        asked = self._asked(canonical_texts)
        for text in asked.fresh:
            answers = [self._session.run({name: row[np.newaxis] for name, row in rows.items()}) for rows in self._reader.rows(text)]
            self._learn(asked, text, [{name: row[0] for name, row in answer.items()} for answer in answers])
        return asked.answers()
