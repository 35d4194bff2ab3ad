"""Counts hits among the last n samples of one detector: the m-of-n window behind every violation. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from inference.rules import Rule
from inference.samples import Modality
from inference.verdicts import Judged


@dataclass(frozen=True, slots=True)
class Hit:
    """One sample that showed the label."""

    pts_s: float
    judged: Judged


@dataclass(slots=True)
class HitWindow:
    """The last samples of one detector under one label; `None` stands for a sample that did not show it."""

    samples: deque[Hit | None] = field(default_factory=deque)

    def add(self, hit: Hit | None, rule: Rule) -> None:
        """Take the next sample; what is older than the rule's window leaves."""
        self.samples.append(hit)
        while len(self.samples) > rule.window:
            self.samples.popleft()

    @property
    def hits(self) -> list[Hit]:
        """The samples that showed the label, in order."""
        return [sample for sample in self.samples if sample is not None]

    def agrees(self, rule: Rule) -> bool:
        """Tell whether m of the last n agree, or the newest is enough by itself: a sure hit, or a message, which is no sample."""
        newest = self.samples[-1] if self.samples else None
        if newest is None:
            return len(self.hits) >= rule.hits
        finding = newest.judged.finding
        alone = finding.modality is Modality.TEXT or (rule.sure is not None and finding.score >= rule.sure)
        return alone or len(self.hits) >= rule.hits

    @property
    def strongest(self) -> Hit:
        """The hit with the harshest decision, then the highest score; asked only while there is a hit."""
        return max(self.hits, key=lambda hit: (hit.judged.decision.rank, hit.judged.finding.score))
