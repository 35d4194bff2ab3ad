"""All policies of a deployment: shipped ones and a tenant's files, inheritance between them, who serves which room or text.

Reads files when it is made and when it is told to reload; a failed one leaves all as it was and says why. Watching files is
the caller's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from inference.errors import ConfigError, NotFound
from inference.located_yaml import nearest
from inference.policy import Cadence, Policy, PolicyScope, SamplingPolicy
from inference.policy_file import PolicyDraft, parse_policies, read_policies
from inference.rules import settle
from inference.samples import Modality, Scene
from inference.verdicts import Finding, Verdict
from models.taxonomy import Taxonomy

ANY_BIZ = "*"
_SHIPPED = "default_policy.yaml"


@dataclass(frozen=True, slots=True)
class ReloadReport:
    """What a reload did."""

    problem: str | None = None
    """Why nothing was changed, or None."""
    changed: tuple[str, ...] = ()
    """Ids of policies that are new, gone or different."""
    unversioned: tuple[str, ...] = ()
    """Those of them that kept their version although they differ: alerts cannot tell old from new."""


@dataclass(frozen=True, slots=True)
class _Shelf:
    """One consistent set of policies; swapped as a whole."""

    policies: Mapping[str, Policy]
    drafts: Mapping[str, PolicyDraft]
    for_rooms: Mapping[str, Policy] = field(default_factory=dict)
    """By business."""
    for_scenes: Mapping[tuple[str, Scene], Policy] = field(default_factory=dict)
    """By business and scene."""


class PolicyBook:
    """The policies in force. Safe to read from several threads while another reloads: one reference is swapped."""

    def __init__(self, paths: Sequence[Path], taxonomy: Taxonomy) -> None:
        """Read the shipped policies and these files; see `load`."""
        self.paths = tuple(paths)
        self.taxonomy = taxonomy
        self._shelf = _read_shelf(self.paths, taxonomy)
        self.generation = 0
        """Times the policies were swapped."""

    @staticmethod
    def load(paths: Sequence[Path] = (), *, taxonomy: Taxonomy) -> PolicyBook:
        """Read the shipped policies and a tenant's files.

        Raises:
            ConfigError: a file or a policy in it cannot work; every mistake is named with its line and what would be right.
        """
        return PolicyBook(paths, taxonomy)

    def __iter__(self) -> Iterator[Policy]:
        return iter(self._shelf.policies.values())

    def __getitem__(self, policy_id: str) -> Policy:
        """Look a policy up by its id.

        Raises:
            NotFound: there is none; names the known ones.
        """
        policies = self._shelf.policies
        if policy_id not in policies:
            raise NotFound(f"no policy {policy_id!r}; {nearest(policy_id, policies)}")
        return policies[policy_id]

    def for_room(self, biz: str, policy: str | None = None) -> Policy:
        """Choose a room's policy: the one it names, else its business's, else everybody's.

        Raises:
            NotFound: the named policy is not there.
        """
        if policy is not None:
            return self[policy]
        for_rooms = self._shelf.for_rooms
        return for_rooms.get(biz) or for_rooms[ANY_BIZ]

    def for_text(self, biz: str, scene: Scene, policy: str | None = None) -> Policy:
        """Choose the policy of a text check: the one it names, else the one of its business and scene, else the room's.

        Raises:
            NotFound: the named policy is not there.
        """
        if policy is not None:
            return self[policy]
        for_scenes = self._shelf.for_scenes
        chosen = for_scenes.get((biz, scene)) or for_scenes.get((ANY_BIZ, scene))
        own_room = self._shelf.for_rooms.get(biz)
        # A business with a policy for its rooms, but none for this scene, gets the scene's: scenes differ more than businesses.
        return chosen or own_room or self._shelf.for_rooms[ANY_BIZ]

    def verdict(
        self, policy: Policy, findings: Iterable[Finding], *, scene: Scene | None = None, beside: Sequence[Finding] = ()
    ) -> Verdict:
        """Decide as `Policy.decide` does, and record with it what the policy's candidates would have said.

        Raises:
            UnknownLabel: a finding's label is not in the taxonomy.
        """
        findings = tuple(findings)
        verdict = policy.decide(findings, scene=scene, beside=beside)
        if not policy.shadow:
            return verdict
        policies = self._shelf.policies  # a candidate may have gone with a reload while the room still holds the older policy
        candidates = [policies[candidate] for candidate in policy.shadow if candidate in policies]
        shadow = {candidate.id: candidate.decide(findings, scene=scene, beside=beside).decision for candidate in candidates}
        return replace(verdict, shadow=MappingProxyType(shadow))

    def reload(self) -> ReloadReport:
        """Read all files again; swap everything, or nothing when anything is wrong."""
        try:
            new = _read_shelf(self.paths, self.taxonomy)
        except ConfigError as error:
            return ReloadReport(problem=str(error))
        old, self._shelf = self._shelf, new
        self.generation += 1
        changed = sorted(set(old.policies) ^ set(new.policies) | _different(old, new))
        unversioned = [one for one in changed if _version(old, one) == _version(new, one)]
        return ReloadReport(changed=tuple(changed), unversioned=tuple(unversioned))


def _different(old: _Shelf, new: _Shelf) -> set[str]:
    return {one for one in set(old.policies) & set(new.policies) if _content(old.policies[one]) != _content(new.policies[one])}


def _content(policy: Policy) -> tuple[object, ...]:
    """What makes two policies differ; where a rule stands in its file does not."""
    layers = tuple((layer.place, dict(layer.given)) for layer in policy.layers)
    return (policy.version, policy.sampling, dict(policy.cadence), policy.scope, layers)


def _version(shelf: _Shelf, policy_id: str) -> int | None:
    return shelf.policies[policy_id].version if policy_id in shelf.policies else None


def _read_shelf(paths: Sequence[Path], taxonomy: Taxonomy) -> _Shelf:
    shipped = resources.files("inference").joinpath(_SHIPPED).read_text(encoding="utf-8")
    drafts = [replace(draft, shipped=True) for draft in parse_policies(shipped, file=_SHIPPED, taxonomy=taxonomy)]
    problems: list[str] = []
    for path in paths:
        try:
            drafts += read_policies(path, taxonomy)
        except ConfigError as error:
            problems.append(str(error))
    _raise(problems)
    return assemble(drafts, taxonomy)


def _raise(problems: Iterable[str]) -> None:
    """Raise all problems as one error, each once."""
    unique = list(dict.fromkeys(problems))
    if unique:
        raise ConfigError("\n".join(unique))


def assemble(drafts: Sequence[PolicyDraft], taxonomy: Taxonomy) -> _Shelf:
    """Resolve inheritance, check every rule as it will hold, and settle who serves whom.

    Raises:
        ConfigError: every policy that cannot work is named with its line.
    """
    by_id: dict[str, PolicyDraft] = {}
    problems: list[str] = []
    for draft in drafts:
        twin = by_id.setdefault(draft.id, draft)
        if twin is not draft:
            fix = "choose another id with 'inherits: " + draft.id + "'" if twin.shipped else "rename one"
            problems.append(f"{draft.where}: policy id {draft.id!r} is taken ({twin.where}); {fix}")
    for draft in drafts:
        problems += _unknown_ids(draft, by_id)
    _raise(problems)
    lines = {draft.id: _ancestry(draft, by_id) for draft in drafts}
    policies = {policy_id: _build(line, taxonomy, problems) for policy_id, line in lines.items()}
    for policy_id, policy in policies.items():
        problems += _rule_problems(policy, by_id[policy_id])
    rooms, scenes = _serve(drafts, policies, problems)
    _raise(problems)
    return _Shelf(MappingProxyType(policies), MappingProxyType(by_id), rooms, scenes)


def _unknown_ids(draft: PolicyDraft, by_id: Mapping[str, PolicyDraft]) -> Iterator[str]:
    named = [("inherits", draft.inherits)] if draft.inherits else []
    for key, name in [*named, *(("shadow", candidate) for candidate in draft.shadow)]:
        if name == draft.id:
            yield f"{draft.where}: {key}: policy {draft.id!r} names itself; remove it"
        elif name not in by_id:
            yield f"{draft.where}: {key}: no policy {name!r}; {nearest(name, by_id)}"


def _ancestry(draft: PolicyDraft, by_id: Mapping[str, PolicyDraft]) -> list[PolicyDraft]:
    """List a policy's parents, eldest first, then itself.

    Raises:
        ConfigError: the parents go round in a circle.
    """
    line = [draft]
    while line[-1].inherits is not None:
        parent = by_id[line[-1].inherits]
        if parent in line:
            circle = " -> ".join(one.id for one in [*line, parent])
            raise ConfigError(f"{draft.where}: inherits goes round in a circle: {circle}; remove one of them")
        line.append(parent)
    return line[::-1]


def _build(line: Sequence[PolicyDraft], taxonomy: Taxonomy, problems: list[str]) -> Policy:
    own = line[-1]
    sampling = SamplingPolicy(**{key: value for draft in line for key, value in draft.sampling.items()})
    given: dict[str, dict[str, float]] = {}
    for draft in line:
        for detector, numbers in draft.cadence.items():
            given.setdefault(detector, {}).update(numbers)
    cadence: dict[str, Cadence] = {}
    for detector, numbers in given.items():
        if len(numbers) == 2:
            cadence[detector] = Cadence(numbers["every_s"], numbers["floor_s"])
        else:
            problems.append(f"{own.where}: cadence.{detector}: needs both every_s and floor_s")
    checked = [("sampling", sampling.problem()), *((f"cadence.{name}", one.problem()) for name, one in cadence.items())]
    for key, problem in checked:
        if problem is not None:
            problems.append(f"{own.where}: {key}: {problem}")
    layers = tuple(layer for draft in line for layer in draft.layers)
    scope = PolicyScope(own.biz, own.scenes, own.shadow)
    return Policy(own.id, own.version, taxonomy, layers, sampling, MappingProxyType(cadence), scope)


def _rule_problems(policy: Policy, own: PolicyDraft) -> Iterator[str]:
    """Check every rule as it will hold: layers that are each fine may contradict each other when laid over one another."""
    scenes = {scene for layer in policy.layers for scene in layer.scenes}
    checked: set[tuple[str, ...]] = set()
    for label in policy.taxonomy:
        for modality in sorted(label.modalities):
            for scene in (None, *sorted(scenes)):
                layers = policy.layers_for(label.code, Modality(modality), scene)
                places = tuple(layer.where for layer in layers)
                if not layers or places in checked:
                    continue
                checked.add(places)
                problem = settle(layers).problem()
                if problem is not None:
                    last = max(layers, key=lambda layer: layer.rank)
                    yield f"{last.where}: {problem} (policy {own.id!r}, as it holds for {label.code})"


def _serve(
    drafts: Sequence[PolicyDraft], policies: Mapping[str, Policy], problems: list[str]
) -> tuple[Mapping[str, Policy], Mapping[tuple[str, Scene], Policy]]:
    """Settle who serves which business and scene; a tenant's policy goes before a shipped one, two of a kind are refused."""
    chosen: dict[tuple[str, Scene | None], PolicyDraft] = {}
    for draft in drafts:
        for key in ((biz, scene) for biz in draft.biz for scene in (draft.scenes or (None,))):
            other = chosen.get(key)
            if other is None or (other.shipped and not draft.shipped):
                chosen[key] = draft
            elif other is not draft:
                served = f"business {key[0]!r}" + (f" in scene '{key[1]}'" if key[1] else "")
                problems.append(f"{draft.where}: {served} is served by {other.id!r} already ({other.where}); keep one")
    rooms = {biz: policies[draft.id] for (biz, scene), draft in chosen.items() if scene is None}
    scenes = {(biz, scene): policies[draft.id] for (biz, scene), draft in chosen.items() if scene is not None}
    return MappingProxyType(rooms), MappingProxyType(scenes)
