"""One policy: how often a room is looked at, and what findings mean there.

Pure: findings in, verdict out. Where policies come from is `inference/policy_book.py`; how verdicts become violations over time is
`streams/violations.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from inference.rules import PLACEHOLDERS, Reason, Rule, RuleLayer, settle
from inference.samples import Modality, Scene
from inference.text.reasons import also_alike
from inference.verdicts import Decision, Finding, Judged, PolicyRef, Verdict, worst
from models.taxonomy import Taxonomy

_WORDS: Mapping[Modality, Scene] = {Modality.IMAGE: Scene.OCR, Modality.AUDIO: Scene.ASR}
"""Where words come from, by what they were found in."""

MAX_REASON_TEXT = 40
"""Code points of a read or heard line that a reason quotes."""


@dataclass(frozen=True, slots=True)
class SamplingPolicy:
    """How often a room's media are sampled; what of it is scored is said by `Cadence`, per detector."""

    interval_s: float = 2.0
    """One picture in this time, seconds."""
    jitter: float = 0.3
    """Share of the interval by which a sample may come early or late, so that nobody can hide between samples, 0..1."""
    max_age_s: float = 1.8
    """Absolute deadline of a picture or clip from capture to verdict, seconds; what is older is dropped before compute."""
    force_every_s: float = 30.0
    """A picture that did not change is scored again after this long all the same, seconds."""
    tiles: bool = True
    """Whether pictures within the picture (PK screens, grids, webcams) are looked at one by one, too; each costs a look."""
    audio: bool = True
    """Whether sound is listened to at all."""
    audio_window_s: float = 8.0
    """Length of one clip, seconds."""
    audio_hop_s: float = 4.0
    """From the start of one clip to the start of the next, seconds."""

    def problem(self) -> str | None:
        """Say which numbers contradict each other, or None."""
        if self.audio_hop_s > self.audio_window_s:
            return f"audio.hop_s {self.audio_hop_s:g} is above audio.window_s {self.audio_window_s:g}; sound would go unheard"
        if self.force_every_s < self.interval_s:
            return f"force_every_s {self.force_every_s:g} is below interval_s {self.interval_s:g}; raise it"
        return None


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often one detector looks at a room."""

    every_s: float
    """One look in this time while there is capacity, seconds."""
    floor_s: float
    """A room not looked at for this long goes before every room that was, seconds."""

    def problem(self) -> str | None:
        """Say which numbers contradict each other, or None."""
        if self.floor_s < self.every_s:
            return f"floor_s {self.floor_s:g} is below every_s {self.every_s:g}; raise floor_s"
        return None


@dataclass(frozen=True, slots=True)
class PolicyScope:
    """Whom a policy serves, and who is tried out beside it."""

    biz: tuple[str, ...] = ()
    """Businesses; `*` is every one. Empty: only by name or as a parent."""
    scenes: tuple[Scene, ...] = ()
    """Empty: rooms, and every scene that no other policy names. Else: text checks of these scenes only."""
    shadow: tuple[str, ...] = ()
    """Ids of candidate policies whose answers are recorded, never acted on."""


@dataclass(frozen=True, slots=True)
class _Ground:
    """What a rule is looked up by."""

    label: str
    modality: Modality
    scene: Scene | None


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """The thresholds of one deployment, business or scene."""

    id: str
    version: int
    taxonomy: Taxonomy
    layers: tuple[RuleLayer, ...]
    """Rules as written, parents' before children's."""
    sampling: SamplingPolicy = SamplingPolicy()
    cadence: Mapping[str, Cadence] = field(default_factory=dict)
    """By detector name; a detector that is not here does not look at this policy's rooms."""
    scope: PolicyScope = PolicyScope()
    _settled: dict[_Ground, Rule | None] = field(default_factory=dict)
    """Rules already looked up; as large as the taxonomy at most, and derived, so the policy stays a value."""

    def __repr__(self) -> str:
        return f"Policy({self.id} version {self.version}, {len(self.layers)} rule layers)"

    @property
    def ref(self) -> PolicyRef:
        """How verdicts and alerts name this policy."""
        return PolicyRef(self.id, self.version)

    @property
    def shadow(self) -> tuple[str, ...]:
        """Ids of candidate policies whose answers are recorded, never acted on."""
        return self.scope.shadow

    def layers_for(self, label: str, modality: Modality, scene: Scene | None = None) -> tuple[RuleLayer, ...]:
        """List the layers that speak of a label there.

        Raises:
            UnknownLabel: the taxonomy does not have the label.
        """
        matches = self.taxonomy.matches
        return tuple(layer for layer in self.layers if layer.applies(modality, scene) and matches(layer.pattern, label))

    def rule_for(self, label: str, modality: Modality, scene: Scene | None = None) -> Rule | None:
        """Look up the rule for a label, or None where this policy says nothing of it (it passes).

        Raises:
            UnknownLabel: the taxonomy does not have the label.
        """
        ground = _Ground(label, modality, scene)
        if ground not in self._settled:
            layers = self.layers_for(label, modality, scene)
            self._settled[ground] = settle(layers) if layers else None
        return self._settled[ground]

    def rule_of(self, finding: Finding, *, scene: Scene | None = None) -> Rule | None:
        """Look up the rule for a finding; words read from a picture or heard bring their own scene where none is given.

        Raises:
            UnknownLabel: the taxonomy does not have its label.
        """
        return self.rule_for(finding.label, finding.modality, scene_of(finding, scene))

    def severity(self, label: str, rule: Rule) -> int:
        """How bad it is: as the rule says, or the taxonomy."""
        return self.taxonomy[label].severity if rule.severity is None else rule.severity

    def decide(self, findings: Iterable[Finding], *, scene: Scene | None = None, beside: Sequence[Finding] = ()) -> Verdict:
        """Answer to the findings of one sample.

        Args:
            findings: of one look of one or several detectors.
            scene: where a text came from; None for media, whose words are OCR or ASR by the finding's modality.
            beside: what was found a moment ago on other samples of the room: it may second a finding, and is not judged itself.

        Returns:
            Every finding with its own decision, harshest and highest score first; PASS where nothing was found or no rule speaks.

        Raises:
            UnknownLabel: a finding's label is not in the taxonomy.
        """
        findings = tuple(findings)
        judged = [self._judge(finding, scene, (*findings, *beside)) for finding in findings]
        judged.sort(key=lambda one: (-one.decision.rank, -one.finding.score, -one.severity, one.finding.label))
        return Verdict(worst(one.decision for one in judged), self.ref, tuple(judged))

    def decide_each(self, findings: Sequence[Finding], *, scene: Scene | None = None) -> list[Judged]:
        """Answer to each finding of one sample by itself, in their order.

        Raises:
            UnknownLabel: a finding's label is not in the taxonomy.
        """
        return [self._judge(finding, scene, findings) for finding in findings]

    def reason(self, judged: Judged, *, scene: Scene | None = None, hits: int = 1, window: int = 1) -> Reason:
        """Say why, in words for a person, after the template of the finding's rule."""
        finding = judged.finding
        label = self.taxonomy[finding.label]
        rule = self.rule_of(finding, scene=scene) or Rule()
        quoted = finding.match.matched if finding.match else finding.text or finding.qr or ""
        values = (
            label.code,
            label.zh,
            label.en,
            finding.sublabel or "",
            str(hits),
            str(window),
            f"{finding.score:.2f}",
            finding.detector,
            quoted if len(quoted) <= MAX_REASON_TEXT else f"{quoted[: MAX_REASON_TEXT - 1]}…",
            finding.match.term if finding.match else "",
        )
        filled, alike = rule.reason.filled(dict(zip(PLACEHOLDERS, values, strict=True))), also_alike(finding)
        return Reason(filled.zh + alike[0], filled.en + alike[1])

    def _judge(self, finding: Finding, scene: Scene | None, beside: Sequence[Finding]) -> Judged:
        rule = self.rule_of(finding, scene=scene)
        if rule is None:
            return Judged(finding, Decision.PASS, "", self.taxonomy[finding.label].severity, Rule().hint(Decision.PASS))
        seen = rule.within(finding)
        severity = self.severity(finding.label, rule)
        if seen is None:
            return Judged(finding, Decision.PASS, rule.pattern, severity, rule.hint(Decision.PASS))
        alone = not any(self._seconds(finding, other, scene) for other in beside)
        decision = rule.capped(rule.decision(seen.score), alone=alone)
        return Judged(seen, decision, rule.pattern, rule.capped_severity(severity, alone=alone), rule.hint(decision))

    def _seconds(self, finding: Finding, other: Finding, scene: Scene | None) -> bool:
        """Tell whether another modality says the same: a label of the same family, at least worth a review."""
        if other.modality == finding.modality or self.taxonomy[other.label].family != self.taxonomy[finding.label].family:
            return False
        rule = self.rule_of(other, scene=scene)
        seen = rule.within(other) if rule else None
        return rule is not None and seen is not None and rule.decision(seen.score) is not Decision.PASS


def scene_of(finding: Finding, scene: Scene | None) -> Scene | None:
    """Tell where a finding's words come from: as given, else from what they were found in; None where it has no words."""
    return _WORDS.get(finding.modality) if scene is None and (finding.match or finding.text) else scene
