"""What a detector found and what the policy says of it: findings in, verdict out.

A *finding* is a taxonomy label scored above the detector's floor; a *verdict* is the policy's answer to a set of findings. Neither
knows rooms over time (that is `streams/violations.py`) nor the wire (`streams/alerts.py`, `inference/schemas.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from inference.samples import Modality


class Decision(StrEnum):
    """The three answers, mildest first; advice, never an act of ours."""

    PASS = "pass"
    REVIEW = "review"
    BLOCK = "block"

    @property
    def rank(self) -> int:
        """0 pass, 1 review, 2 block; a larger one wins."""
        return _RANKS[self]


_RANKS: Mapping[Decision, int] = {Decision.PASS: 0, Decision.REVIEW: 1, Decision.BLOCK: 2}


def worst(decisions: Iterable[Decision]) -> Decision:
    """Return the harshest of the decisions; PASS for none."""
    return max(decisions, key=lambda decision: decision.rank, default=Decision.PASS)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a frame, in fractions of the frame's width and height."""

    x: float
    """Left edge, 0..1."""
    y: float
    """Top edge, 0..1."""
    w: float
    """Width, 0..1."""
    h: float
    """Height, 0..1."""
    score: float = 1.0
    """Calibrated score of this box, 0..1."""
    name: str = ""
    """What is in the box, in the detector's words: a class, a logo's name, `text`."""

    @property
    def area(self) -> float:
        """Share of the frame's area, 0..1."""
        return self.w * self.h


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open range `[start, end)` of code points in a text as it was sent."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"span must be 0 <= start <= end, got [{self.start}, {self.end})")

    def overlaps(self, other: Span) -> bool:
        """Tell whether the two ranges share a code point."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class ModelRef:
    """Which model said it, on which provider."""

    name: str
    version: str
    sha256: str
    provider: str = "CPUExecutionProvider"
    """ONNX Runtime's name of the execution provider that really ran."""

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class TextMatch:
    """Where in a text a term was found, and what had to be seen through to find it."""

    list: str
    """The word list and its version, e.g. `base@3`."""
    term: str
    """The term as the list writes it."""
    spans: tuple[Span, ...]
    """Ranges of the text as sent, in order, not overlapping."""
    matched: str
    """The text of the spans as sent."""
    transforms: tuple[str, ...] = ()
    """Names of the disguises seen through, outermost first; empty for a literal match."""


@dataclass(frozen=True, slots=True)
class Heard:
    """When something was said, and the sounds it was taken from."""

    start_s: float
    """Session timeline, seconds."""
    end_s: float
    """Session timeline, seconds, exclusive."""
    units: str = ""
    """What the acoustic model itself heard there, as toneless pinyin, e.g. `jia wei xin`; empty where a recogniser wrote words."""
    alike: tuple[str, ...] = ()
    """Ordinary words that sound the same, commonest first: one of them may have been meant."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One taxonomy label scored above its detector's floor, on one sample."""

    label: str
    """Code of the taxonomy, e.g. `ads.qr_code`."""
    score: float
    """Calibrated, 0..1."""
    modality: Modality
    detector: str
    """Name of the detector that reports it: `porn`, `ocr`, `codes`, `lexicon`, `contact`, ..."""
    pts_s: float = 0.0
    """Where on the room's timeline, seconds; 0 for a single text or picture."""
    sublabel: str | None = None
    """What the label leaves open: the logo's name, the game's title; part of a violation's identity."""
    model: ModelRef | None = None
    boxes: tuple[Box, ...] = ()
    text: str | None = None
    """The line read from the picture or heard, where that is what the finding is about."""
    qr: str | None = None
    """Payload of the code on the picture."""
    match: TextMatch | None = None
    heard: Heard | None = None
    """When it was said, for what was heard."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.score <= 1.0:
            raise ValueError(f"score must be within 0..1, got {self.score} for {self.label}")


@dataclass(frozen=True, slots=True)
class Judged:
    """One finding and what the policy's rule says of it."""

    finding: Finding
    decision: Decision
    rule: str
    """The rule that decided, by the label pattern it is written under, e.g. `ads.*`."""
    severity: int
    """1 low .. 4 critical."""
    action_hint: str


@dataclass(frozen=True, slots=True)
class PolicyRef:
    """Which policy decided."""

    id: str
    version: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """The policy's answer to the findings of one sample."""

    decision: Decision
    policy: PolicyRef
    judged: tuple[Judged, ...] = ()
    """Every finding with its own decision, harshest and highest score first."""
    shadow: Mapping[str, Decision] = field(default_factory=dict)
    """What candidate policies would have said, by policy id."""

    @property
    def leading(self) -> Judged | None:
        """The finding that carries the decision, or None where nothing was found."""
        return self.judged[0] if self.judged else None
