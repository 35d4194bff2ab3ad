"""Counts hits among the last n samples of one detector: the m-of-n window behind every violation. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from inference.rules import Rule
from inference.samples import Modality
from inference.verdicts import Decision, Judged

HIT_AGE_S = 120.0
"""Hits further apart than this do not agree, however few samples lie between them: nobody was looking in between. A cadence that
needs longer for the rule's window of samples is given that long."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One sample that showed the label."""

    pts_s: float
    judged: Judged
    evidence: tuple[Any, ...] = ()
    """References to stored media of this sample; carried, never opened."""

    @property
    def decision(self) -> Decision:
        """What the policy says of it."""
        return self.judged.decision


@dataclass(slots=True)
class HitWindow:
    """The last samples of one detector under one label; `None` stands for a sample that did not show it."""

    samples: deque[Hit | None] = field(default_factory=deque)
    size: int = 1
    """How many samples are kept: n of the rule that judged the newest hit. A sample that shows nothing has no rule of its own."""
    keep_s: float = HIT_AGE_S
    """How far a hit may lie before the newest, seconds."""

    def add(self, hit: Hit, rule: Rule, *, keep_s: float = HIT_AGE_S) -> None:
        """Take a sample that showed the label; what is older than the rule's window, or than `keep_s`, leaves."""
        self.samples.append(hit)
        self.size, self.keep_s = rule.window, keep_s
        oldest_s = max(one.pts_s for one in self.hits) - keep_s
        self.samples = deque(sample for sample in self.samples if sample is None or sample.pts_s >= oldest_s)
        self._trim()

    def miss(self) -> None:
        """Take a sample that did not show it."""
        self.samples.append(None)
        self._trim()

    @property
    def hits(self) -> list[Hit]:
        """The samples that showed the label, in the order they came."""
        return [sample for sample in self.samples if sample is not None]

    def agreed(self, rule: Rule) -> Hit | None:
        """Return the hit that carries what m of the last n samples agree on, or None where they do not.

        The decision is the harshest that m samples reach: with two of three, one block and one review agree on a review. A newest
        hit that is sure, and a message, which is no sample of anything, need nobody to agree.
        """
        ranked = sorted(self.hits, key=lambda hit: (hit.decision.rank, hit.judged.finding.score), reverse=True)
        agreed = ranked[rule.hits - 1].decision if len(ranked) >= rule.hits else None
        newest = self.samples[-1] if self.samples else None
        if newest is not None and _stands_alone(newest, rule) and (agreed is None or newest.decision.rank > agreed.rank):
            return newest
        return next((hit for hit in ranked if hit.decision is agreed), None)

    def is_stale(self, now_s: float) -> bool:
        """Tell whether no hit in it could agree with one that comes now."""
        return all(now_s - hit.pts_s > self.keep_s for hit in self.hits)

    def _trim(self) -> None:
        while len(self.samples) > self.size:
            self.samples.popleft()


def _stands_alone(hit: Hit, rule: Rule) -> bool:
    finding = hit.judged.finding
    return finding.modality is Modality.TEXT or (rule.sure is not None and finding.score >= rule.sure)
