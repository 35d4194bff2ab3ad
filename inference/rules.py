"""What a policy says of one label: thresholds, zones, how often it must be seen, what is advised, and why in words.

A rule is written in layers (`RuleLayer`): `*`, then `ads.*`, then `ads.contact`, each optionally for one modality or scene only.
What the most specific layer leaves out comes from the next one. Over time the numbers are applied by `streams/violations.py`.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from inference.samples import Modality, Scene
from inference.verdicts import Box, Decision, Finding

IN_ZONE_SHARE = 0.5
"""A box belongs to a zone when at least this share of its area lies in it."""

CLOSE_SHARE = 0.8
"""Where a rule names no `close_below`, it is this share of `review`."""


class ActionHint(StrEnum):
    """What the platform may do; advice. A platform's own hints begin with `x_`."""

    PASS = "pass"
    MASK = "mask"
    SELF_ONLY = "self_only"
    HOLD = "hold"
    DROP = "drop"
    WARN = "warn"
    CUT_STREAM = "cut_stream"


@dataclass(frozen=True, slots=True)
class Zone:
    """A rectangle on the frame, in fractions of its width and height."""

    x: float
    """Left edge, 0..1."""
    y: float
    """Top edge, 0..1."""
    w: float
    """Width, 0..1."""
    h: float
    """Height, 0..1."""

    def covers(self, box: Box) -> bool:
        """Tell whether at least half of the box lies in the zone; a box without area counts by its corner."""
        wide = max(0.0, min(self.x + self.w, box.x + box.w) - max(self.x, box.x))
        high = max(0.0, min(self.y + self.h, box.y + box.h) - max(self.y, box.y))
        if box.area <= 0.0:
            return self.x <= box.x < self.x + self.w and self.y <= box.y < self.y + self.h
        return wide * high >= IN_ZONE_SHARE * box.area


@dataclass(frozen=True, slots=True)
class Zones:
    """Where on the frame a rule looks."""

    include: tuple[Zone, ...] = ()
    """Boxes must lie in one of these; empty: the whole frame."""
    exclude: tuple[Zone, ...] = ()
    """Boxes in one of these do not count, e.g. the platform's own watermark."""

    def admit(self, box: Box) -> bool:
        """Tell whether the rule looks at this box."""
        if any(zone.covers(box) for zone in self.exclude):
            return False
        return not self.include or any(zone.covers(box) for zone in self.include)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, in words for a person; also the template of it, with `{placeholders}`."""

    zh: str
    en: str

    def filled(self, facts: Mapping[str, str]) -> Reason:
        """Fill the placeholders in; those without a fact become empty."""
        known = {name: facts.get(name, "") for name in PLACEHOLDERS}
        return Reason(self.zh.format_map(known), self.en.format_map(known))


PLACEHOLDERS = ("label", "label_zh", "label_en", "sublabel", "hits", "window", "score", "detector", "text", "term")
"""What a reason template may name."""

_FORMATTER = string.Formatter()


def template_problem(template: str) -> str | None:
    """Say what is wrong with a reason template, or None.

    Only plain `{names}` are allowed: `str.format` would otherwise reach into attributes of what it is given.
    """
    try:
        parts = list(_FORMATTER.parse(template))
    except ValueError as error:
        return f"{error}; write {{{{ or }}}} for a brace"
    for _, name, spec, conversion in parts:
        if name is not None and (name not in PLACEHOLDERS or spec or conversion):
            return f"unknown placeholder {{{name}}}; known: {', '.join(PLACEHOLDERS)}"
    return None


@dataclass(frozen=True, slots=True)
class Rule:
    """All numbers for one label, with nothing left open."""

    pattern: str = ""
    """The label pattern of the most specific layer, e.g. `ads.*`; alerts name the rule by it."""
    review: float = 0.5
    """Calibrated score from which a person should look, 0..1."""
    block: float | None = 0.9
    """Calibrated score from which acting at once is advised; None: never."""
    close_below: float | None = None
    """While a violation is open, a score of at least this keeps it open; None: a share of `review`."""
    hits: int = 2
    """m: how many of the last n samples of one detector must be hits before a violation opens."""
    window: int = 3
    """n."""
    sure: float | None = None
    """Score from which a single hit opens at once; None: never."""
    quiet_s: float = 20.0
    """An open violation closes after this long without being seen, seconds of the session's timeline."""
    cool_down_s: float = 60.0
    """After closing, nothing milder or equal opens under the same label for this long, seconds."""
    update_every_s: float = 30.0
    """While open, at most one update in this time unless the decision rises, seconds."""
    severity: int | None = None
    """1 low .. 4 critical; None: the taxonomy's."""
    review_hint: str = ActionHint.WARN.value
    """Advice that goes with a review."""
    block_hint: str = ActionHint.HOLD.value
    """Advice that goes with a block."""
    zones: Zones = Zones()
    min_area: float = 0.0
    """Boxes smaller than this share of the frame do not count, 0..1."""
    max_per_hour: int | None = None
    """A room's blocks under this label within an hour; more are downgraded to review. None: no bound."""
    alone_max: Decision | None = None
    """The harshest answer while no other modality agrees, e.g. `review` for a keyword that was only heard. None: no bound."""
    alone_max_severity: int | None = None
    """The worst severity while no other modality agrees, 1..4. None: no bound."""
    reason: Reason = Reason(
        zh="最近{window}个样本中{hits}个命中：{label_zh}",
        en="{hits} of the last {window} samples: {label_en}",
    )

    @property
    def keeps_open(self) -> float:
        """Score that keeps an open violation open."""
        return self.review * CLOSE_SHARE if self.close_below is None else self.close_below

    def decision(self, score: float) -> Decision:
        """Answer to a score by the two thresholds alone."""
        if self.block is not None and score >= self.block:
            return Decision.BLOCK
        return Decision.REVIEW if score >= self.review else Decision.PASS

    def capped(self, decision: Decision, *, alone: bool) -> Decision:
        """Answer after `alone_max`."""
        if alone and self.alone_max is not None and decision.rank > self.alone_max.rank:
            return self.alone_max
        return decision

    def capped_severity(self, severity: int, *, alone: bool) -> int:
        """Severity after `alone_max_severity`."""
        return severity if not alone or self.alone_max_severity is None else min(severity, self.alone_max_severity)

    def hint(self, decision: Decision) -> str:
        """Advice that goes with a decision."""
        if decision is Decision.PASS:
            return ActionHint.PASS.value
        return self.block_hint if decision is Decision.BLOCK else self.review_hint

    def within(self, finding: Finding) -> Finding | None:
        """Reduce a finding to the boxes that this rule looks at.

        A finding that never had boxes (a whole-picture score, sound, text) is left as it is: there is nothing to place.

        Returns:
            The finding with the admitted boxes, its score no higher than the best of them; None where none is left.
        """
        if not finding.boxes:
            return finding
        boxes = tuple(box for box in finding.boxes if box.area >= self.min_area and self.zones.admit(box))
        if len(boxes) == len(finding.boxes):
            return finding
        if not boxes:
            return None
        return replace(finding, boxes=boxes, score=min(finding.score, max(box.score for box in boxes)))

    def problem(self) -> str | None:
        """Say which numbers contradict each other, or None."""
        if self.block is not None and self.block < self.review:
            return f"block {self.block:g} is below review {self.review:g}; raise block or lower review"
        if self.keeps_open > self.review:
            return f"close_below {self.keeps_open:g} is above review {self.review:g}; lower it or leave it out"
        if self.hits > self.window:
            return f"hits {self.hits} of window {self.window} can never be reached; lower hits or raise window"
        if self.sure is not None and self.sure < self.review:
            return f"sure {self.sure:g} is below review {self.review:g}; raise it or leave it out"
        return None


@dataclass(frozen=True, slots=True)
class RuleLayer:
    """One rule as it is written: where it applies and what it says; all else comes from less specific layers."""

    pattern: str
    """`*`, a family or prefix with `.*`, or a code."""
    modalities: frozenset[Modality]
    """Where it applies; empty: everywhere."""
    scenes: frozenset[Scene]
    """Where it applies; empty: everywhere, also where there is no scene."""
    given: Mapping[str, Any]
    """Fields of `Rule` that are written here, by name."""
    where: str
    """File and line, for messages."""

    @property
    def place(self) -> tuple[str, frozenset[Modality], frozenset[Scene]]:
        """What two layers of one policy must not have in common."""
        return (self.pattern, self.modalities, self.scenes)

    @property
    def rank(self) -> tuple[int, int, int]:
        """How specific it is: the label first, then a named scene, then a named modality."""
        kind = 0 if self.pattern == "*" else 1 if self.pattern.endswith(".*") else 2
        return (kind * 100 + self.pattern.count("."), int(bool(self.scenes)), int(bool(self.modalities)))

    def applies(self, modality: Modality, scene: Scene | None) -> bool:
        """Tell whether the conditions hold; whether the label fits is the taxonomy's to say."""
        return (not self.modalities or modality in self.modalities) and (not self.scenes or scene in self.scenes)


def settle(layers: Sequence[RuleLayer]) -> Rule:
    """Lay layers over each other, least specific first; among equals a later one wins, so a child's goes over its parent's."""
    ordered = sorted(layers, key=lambda layer: layer.rank)
    given: dict[str, Any] = {}
    for layer in ordered:
        given.update(layer.given)
    return Rule(pattern=ordered[-1].pattern, **given)
