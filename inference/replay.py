"""Replays stored findings through two policies and tells where their verdicts differ; compares two policies' rules. Pure.

Verdicts are compared, sample by sample. How often a rule must be seen before a violation opens is not replayed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields

import msgspec

from inference.errors import InvalidSample
from inference.policy import Policy
from inference.rules import Rule
from inference.samples import Modality, Scene
from inference.verdicts import Decision, Finding, Judged


@dataclass(frozen=True, slots=True)
class StoredSample:
    """One line of a findings file: what detectors found on one sample."""

    findings: tuple[Finding, ...]
    room_id: str = ""
    pts_s: float = 0.0
    """Session timeline, seconds."""
    scene: Scene | None = None
    """Where a text came from; None for media."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One sample that the two policies do not judge alike."""

    line: int
    """In the findings file, counted from 1."""
    sample: StoredSample
    before: Decision
    after: Decision
    cause: Judged
    """The finding that the two judge differently, as the candidate judges it."""


@dataclass(slots=True)
class Replay:
    """What a replay came to."""

    n_samples: int = 0
    before: Counter[Decision] = field(default_factory=Counter)
    after: Counter[Decision] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)


def read_sample(line: bytes, number: int) -> StoredSample:
    """Read one line of a findings file.

    Raises:
        InvalidSample: it is not a stored sample; names the line and what is wrong.
    """
    try:
        return msgspec.json.decode(line, type=StoredSample)
    except msgspec.DecodeError as error:
        raise InvalidSample(f"findings, line {number}: {error}") from error


def replay(lines: Iterable[bytes], before: Policy, after: Policy) -> Replay:
    """Judge every stored sample by both policies; empty lines are passed over.

    Raises:
        InvalidSample: a line is not a stored sample.
        UnknownLabel: a finding's label is not in the taxonomy.
    """
    outcome = Replay()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        sample = read_sample(line, number)
        old = before.decide(sample.findings, scene=sample.scene)
        new = after.decide(sample.findings, scene=sample.scene)
        outcome.n_samples += 1
        outcome.before[old.decision] += 1
        outcome.after[new.decision] += 1
        if old.decision is not new.decision:
            harsher = new if new.decision.rank > old.decision.rank else old
            cause = harsher.judged[0]
            said = next(one for one in new.judged if one.finding.label == cause.finding.label)
            outcome.differences.append(Difference(number, sample, old.decision, new.decision, said))
    return outcome


def differing_rules(before: Policy, after: Policy) -> Iterator[str]:
    """Tell, label by label, which numbers of the rules differ, each as `label modality [scene]: field old -> new`."""
    scenes = sorted({scene for policy in (before, after) for layer in policy.layers for scene in layer.scenes})
    for label in before.taxonomy:
        for modality in sorted(label.modalities):
            plain = _rule_changes(before, after, label.code, Modality(modality), None)
            if plain:
                yield f"{label.code} {modality}: {plain}"
            for scene in scenes:
                changes = _rule_changes(before, after, label.code, Modality(modality), scene)
                if changes and changes != plain:
                    yield f"{label.code} {modality} in {scene}: {changes}"


def differing_rhythm(before: Policy, after: Policy) -> Iterator[str]:
    """Tell which numbers of sampling and cadence differ."""
    for one in fields(before.sampling):
        old, new = getattr(before.sampling, one.name), getattr(after.sampling, one.name)
        if old != new:
            yield f"sampling.{one.name}: {old} -> {new}"
    for detector in sorted({*before.cadence, *after.cadence}):
        was, now = before.cadence.get(detector), after.cadence.get(detector)
        if was != now:
            yield f"cadence.{detector}: {_shown(was)} -> {_shown(now)}"


def _rule_changes(before: Policy, after: Policy, label: str, modality: Modality, scene: Scene | None) -> str:
    old, new = before.rule_for(label, modality, scene), after.rule_for(label, modality, scene)
    if old is None or new is None:
        return "" if old is new else f"{'no rule' if old is None else old.pattern} -> {'no rule' if new is None else new.pattern}"
    changes = ((one.name, getattr(old, one.name), getattr(new, one.name)) for one in fields(Rule) if one.name != "pattern")
    return ", ".join(f"{name} {_shown(was)} -> {_shown(now)}" for name, was, now in changes if was != now)


def _shown(value: object) -> str:
    return "none" if value is None else str(value)
