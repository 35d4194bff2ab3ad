"""Replays stored findings through two policies and tells where their verdicts differ; compares two policies' rules. Pure.

Verdicts are compared, sample by sample. How often a rule must be seen before a violation opens is not replayed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields

from inference.policy import Policy
from inference.rules import Rule
from inference.samples import Modality, Scene
from inference.stored_samples import NumberedSample, StoredSample
from inference.verdicts import Decision, Judged


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
    by_label: dict[str, Counter[tuple[Decision, Decision]]] = field(default_factory=dict)
    """Findings of each label, by what the two policies say of them."""


@dataclass(frozen=True, slots=True)
class Change:
    """One number that differs between two policies."""

    place: str
    """`sampling`, `cadence.porn`, or a label with its modality and scene: `ads.url image in ocr`."""
    name: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.place}: {self.name} {self.before} -> {self.after}"


def replay(samples: Iterable[NumberedSample], before: Policy, after: Policy) -> Replay:
    """Judge every stored sample by both policies.

    Raises:
        UnknownLabel: a finding's label is not in the taxonomy.
    """
    outcome = Replay()
    for one in samples:
        sample = one.sample
        old = before.decide(sample.findings, scene=sample.scene)
        new = after.decide(sample.findings, scene=sample.scene)
        outcome.n_samples += 1
        outcome.before[old.decision] += 1
        outcome.after[new.decision] += 1
        _count_labels(outcome, sample, before, after)
        if old.decision is not new.decision:
            harsher = new if new.decision.rank > old.decision.rank else old
            cause = harsher.judged[0]
            said = next(judged for judged in new.judged if judged.finding.label == cause.finding.label)
            outcome.differences.append(Difference(one.line, sample, old.decision, new.decision, said))
    return outcome


def differences(before: Policy, after: Policy) -> Iterator[Change]:
    """Tell everything that differs: sampling, cadence, then label by label the numbers of its rule."""
    yield from _changed("sampling", before.sampling, after.sampling)
    for detector in sorted({*before.cadence, *after.cadence}):
        yield from _changed(f"cadence.{detector}", before.cadence.get(detector), after.cadence.get(detector))
    scenes = sorted({scene for policy in (before, after) for layer in policy.layers for scene in layer.scenes})
    for label in before.taxonomy:
        for modality in sorted(label.modalities):
            plain = _rule_changes(before, after, f"{label.code} {modality}", None)
            yield from plain
            for scene in scenes:
                changes = _rule_changes(before, after, f"{label.code} {modality}", scene)
                known = {(change.name, change.before, change.after) for change in plain}
                yield from (change for change in changes if (change.name, change.before, change.after) not in known)


def _rule_changes(before: Policy, after: Policy, ground: str, scene: Scene | None) -> list[Change]:
    label, _, modality = ground.partition(" ")
    old, new = (policy.rule_for(label, Modality(modality), scene) for policy in (before, after))
    return list(_changed(f"{ground} in {scene}" if scene else ground, old, new))


def _changed(place: str, old: object, new: object) -> Iterator[Change]:
    """Compare two dataclasses of one kind, field by field; a rule's pattern is where it stands, not what it says."""
    if old is None or new is None:
        if old is not new:
            yield Change(place, "all", "none" if old is None else _named(old), "none" if new is None else _named(new))
        return
    for name in (one.name for one in fields(old) if one.name != "pattern"):  # type: ignore[arg-type]
        was, now = getattr(old, name), getattr(new, name)
        if was != now:
            yield Change(place, name, _shown(was), _shown(now))


def _named(value: object) -> str:
    return f"rule {value.pattern}" if isinstance(value, Rule) else str(value)


def _shown(value: object) -> str:
    return "none" if value is None else str(value)


def _count_labels(outcome: Replay, sample: StoredSample, before: Policy, after: Policy) -> None:
    """Count each finding by what the two say of it beside the others of its sample."""
    old, new = (policy.decide_each(sample.findings, scene=sample.scene) for policy in (before, after))
    for was, now in zip(old, new, strict=True):
        counts = outcome.by_label.setdefault(was.finding.label, Counter())
        counts[(was.decision, now.decision)] += 1
