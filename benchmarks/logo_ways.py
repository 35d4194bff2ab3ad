"""What a way to find marks said of happenings, whether it was right, and its row of the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from benchmarks.logo_happenings import LENGTH_S, LOOKS, Happening, Laid, Rect
from inference.policy_book import PolicyBook
from inference.samples import Modality
from models.calibration import Calibration
from models.logo_boxes import overlaps
from models.taxonomy import Taxonomy

PRECISION = 0.97
COLUMNS = (
    "threshold",
    "precision",
    "easy",
    "hard",
    "width < 7 %",
    "opacity < 0.6",
    "overlap >= 0.5",
    "false, unmarked",
    "ms a look",
)
HEADER = f"| way | {' | '.join(COLUMNS)} |\n{'|---' * (1 + len(COLUMNS))}|"
_ON_IT = 0.1
"""Least intersection over union of a finding that is right; how many reach 0.5 is a figure of its own."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a way said of one look."""

    mark: str
    score: float
    box: Rect
    number: int
    """Of the look."""

    def overlap(self, happening: Happening) -> float:
        """Intersection over union with the mark where it is at that look; 0 where there is none."""
        if not happening.places:
            return 0.0
        wanted = happening.places[LOOKS[self.number]]
        return float(overlaps(np.array([self.box], np.float32), np.array([wanted], np.float32))[0, 0])


@dataclass(frozen=True, slots=True)
class PublishRule:
    """When the shipped policy publishes an enrolled logo, in terms of `Said.score`."""

    least: float
    """Of a hit."""
    hits: int
    window: int
    sure: float
    """Of a hit that needs no other."""

    @staticmethod
    def shipped(calibration: Calibration) -> PublishRule:
        """Read it from the default policy."""
        policy = PolicyBook.load(taxonomy=Taxonomy.load()).for_room("")
        rule = policy.rule_for("competitor.logo", Modality.IMAGE)
        assert rule is not None
        sure = float("inf") if rule.sure is None else calibration.invert(rule.sure)
        return PublishRule(calibration.invert(rule.review), rule.hits, rule.window, sure)

    def __str__(self) -> str:
        return f"{self.hits} of {self.window} looks at {self.least:.2f}, or one at {self.sure:.2f}"


def published(said: Sequence[Said], rule: PublishRule) -> list[Said]:
    """What would be published: a mark counts by the last hit that is needed in some window of looks, or by a sure one."""
    out = []
    for mark in {one.mark for one in said}:
        best = {number: max(rows, key=lambda one: one.score) for number, rows in _by_look(said, mark).items()}
        out += [one for one in best.values() if one.score >= rule.sure]
        for last in range(len(LOOKS)):
            numbers = range(last - rule.window + 1, last + 1)
            window = sorted((best[number] for number in numbers if number in best), key=lambda one: -one.score)
            if len(window) >= rule.hits:
                out.append(replace(window[0], score=window[rule.hits - 1].score))
    return out


def _by_look(said: Sequence[Said], mark: str) -> dict[int, list[Said]]:
    looks: dict[int, list[Said]] = {}
    for one in said:
        if one.mark == mark:
            looks.setdefault(one.number, []).append(one)
    return looks


@dataclass(frozen=True, slots=True)
class Finding:
    """The best that a way said of one mark on one happening."""

    score: float
    laid: Laid | None
    """What it should have been, where it is right."""
    overlap: float


@dataclass(slots=True)
class Way:
    """One way to find marks and how it did."""

    name: str
    findings: list[Finding] = field(default_factory=list)
    false_unmarked: list[float] = field(default_factory=list)
    """Scores on happenings without an enrolled mark."""
    cpu_ms: list[float] = field(default_factory=list)
    """Of a look, mean over each happening."""

    def add(self, happening: Happening, said: Sequence[Said], *, enrolled: bool) -> None:
        """Take what all looks of a happening said; whether its mark is an enrolled one."""
        laid = happening.laid if enrolled else None
        best: dict[str, Said] = {}
        for one in said:
            if one.mark not in best or one.score > best[one.mark].score:
                best[one.mark] = one
        for mark, one in best.items():
            share = one.overlap(happening) if laid is not None else 0.0
            right = laid is not None and mark == str(laid.number) and share > _ON_IT
            self.findings.append(Finding(one.score, laid if right else None, share))
            if laid is None:
                self.false_unmarked.append(one.score)

    def precise_from(self) -> float:
        """Return the lowest score from which findings are as precise as wanted."""
        rows = sorted(self.findings, key=lambda row: -row.score)
        # Findings of one score stand or fall together.
        right = np.cumsum([row.laid is not None for row in rows])
        ends = [at for at in range(len(rows)) if at + 1 == len(rows) or rows[at + 1].score < rows[at].score]
        precise = [at for at in ends if right[at] / (at + 1) >= PRECISION]
        return rows[precise[-1]].score if precise else float("inf")

    def row(self, wanted: Sequence[Laid], n_unmarked: int, threshold: float) -> str:
        """Write threshold, precision, recall by grade and class, overlap, false findings and cost."""
        kept = [row for row in self.findings if row.score >= threshold]
        hits = [row for row in kept if row.laid is not None]

        def recall(choose) -> str:
            n = sum(1 for laid in wanted if choose(laid))
            return f"{sum(1 for row in hits if choose(row.laid)) / n:.2f} of {n}" if n else "-"

        hours = n_unmarked * LENGTH_S / 3600
        false = sum(score >= threshold for score in self.false_unmarked)
        columns = [
            self.name,
            f"{threshold:.3g}",
            f"{len(hits) / len(kept):.2f}" if kept else "-",
            recall(lambda laid: laid.grade == "easy"),
            recall(lambda laid: laid.grade == "hard"),
            recall(lambda laid: laid.width_share < 0.07),
            recall(lambda laid: laid.opacity < 0.6),
            f"{np.mean([row.overlap >= 0.5 for row in hits]):.2f}" if hits else "-",
            f"{false} in {hours:.2f} h",
            f"{np.median(self.cpu_ms):.0f}",
        ]
        return "| " + " | ".join(columns) + " |"
