"""Reads policy files: YAML documents in, drafts with their line numbers out, or every mistake at once.

Owns the form of a policy file. Inheritance and who serves whom are `inference/policy_book.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inference.errors import ConfigError
from inference.located_yaml import Located, Problems, Section, nearest, read_documents
from inference.rules import ActionHint, Reason, RuleLayer, Zone, Zones, template_problem
from inference.samples import Modality, Scene
from inference.verdicts import Decision
from models.errors import UnknownLabel
from models.taxonomy import Taxonomy

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
"""Ids of policies, businesses and detectors."""

_LONGEST_S = 86_400.0
"""No time in a policy is longer than a day."""

MAX_WINDOW = 60
"""Largest n of m-of-n; what a violation's window keeps in memory is bounded by it."""


@dataclass(slots=True)
class PolicyDraft:
    """One policy as it is written, before inheritance; absent fields are absent."""

    id: str
    version: int
    line: int
    file: str
    inherits: str | None = None
    biz: tuple[str, ...] = ()
    scenes: tuple[Scene, ...] = ()
    shadow: tuple[str, ...] = ()
    sampling: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `SamplingPolicy` that are written here."""
    cadence: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Fields of `Cadence` that are written here, by detector."""
    layers: tuple[RuleLayer, ...] = ()
    shipped: bool = False
    """Whether it comes with the product; a tenant's policy goes before it where both serve a business."""

    @property
    def where(self) -> str:
        """File and line, for messages."""
        return f"{self.file}, line {self.line}"


def read_policies(path: Path, taxonomy: Taxonomy) -> list[PolicyDraft]:
    """Read every policy of a file; documents are separated by `---`.

    Raises:
        ConfigError: the file cannot be read, or something in it cannot work; every mistake is named with its line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"policy file {path} cannot be read: {error.strerror}; correct the setting policies") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"policy file {path} is not UTF-8 at byte {error.start}; save it as UTF-8") from error
    return parse_policies(text, file=str(path), taxonomy=taxonomy)


def parse_policies(text: str, *, file: str, taxonomy: Taxonomy) -> list[PolicyDraft]:
    """Read every policy of a YAML text.

    Raises:
        ConfigError: something in it cannot work; every mistake is named with its line.
    """
    problems = Problems(file)
    documents = [document for document in read_documents(text, problems) if document.value is not None]
    if not documents and not problems.lines:
        problems.add(1, "", "holds no policy; write at least id and version")
    drafts = [_read_policy(document, problems, taxonomy) for document in documents]
    if problems.lines:
        raise ConfigError("\n".join(problems.lines))
    return [draft for draft in drafts if draft is not None]


def _read_policy(document: Located, problems: Problems, taxonomy: Taxonomy) -> PolicyDraft | None:
    top = Section(document, "", problems)
    if not isinstance(document.value, dict):
        return None
    draft = PolicyDraft(id=_name(top, "id") or "", version=_version(top), line=document.line, file=problems.file)
    draft.inherits = _name(top, "inherits", optional=True)
    draft.biz = top.texts("biz") or ()
    draft.scenes = top.choices("scenes", Scene) or ()
    draft.shadow = top.texts("shadow") or ()
    draft.sampling = _read_sampling(top.section("sampling"))
    draft.cadence = _read_cadence(top.section("cadence"))
    draft.layers = _read_rules(top.sections("rules"), taxonomy)
    top.end()
    return draft


def _name(section: Section, key: str, *, optional: bool = False) -> str | None:
    n_before = len(section.problems.lines)
    name = section.text(key)
    if name is None:
        if not optional and len(section.problems.lines) == n_before:
            section.problems.add(section.line, section.where(key), "is missing")
        return None
    if not _NAME.fullmatch(name):
        section.problems.add(
            section.line, section.where(key), f"must be small letters, digits, '_', '.', '-', at most 64, got {name!r}"
        )
    return name


def _version(top: Section) -> int:
    n_before = len(top.problems.lines)
    version = top.integer("version", 1, 1_000_000_000)
    if version is None and len(top.problems.lines) == n_before:
        top.problems.add(top.line, "version", "is missing; begin with 1 and raise it with every change")
    return version or 0


def _read_sampling(section: Section | None) -> Mapping[str, Any]:
    if section is None:
        return {}
    given: dict[str, Any] = {
        "interval_s": section.number("interval_s", 0.1, 600.0),
        "jitter": section.number("jitter", 0.0, 0.9),
        "max_age_s": section.number("max_age_s", 0.1, 60.0),
        "force_every_s": section.number("force_every_s", 0.1, _LONGEST_S),
        "tiles": section.flag("tiles"),
    }
    audio = section.section("audio")
    if audio is not None:
        given["audio"] = audio.flag("enabled")
        given["audio_window_s"] = audio.number("window_s", 0.5, 60.0)
        given["audio_hop_s"] = audio.number("hop_s", 0.25, 60.0)
        audio.end()
    section.end()
    return _present(given)


def _read_cadence(section: Section | None) -> Mapping[str, Mapping[str, float]]:
    if section is None:
        return {}
    cadence: dict[str, Mapping[str, float]] = {}
    for detector in section.keys():  # noqa: SIM118  a Section is no mapping
        if not _NAME.fullmatch(detector):
            section.problems.add(section.line, section.where(detector), "is not the name of a detector, e.g. porn")
        part = section.section(detector)
        if part is None:
            section.problems.add(section.line, section.where(detector), "needs every_s and floor_s")
            continue
        given = {"every_s": part.number("every_s", 0.1, 3600.0), "floor_s": part.number("floor_s", 0.1, 3600.0)}
        part.end()
        cadence[detector] = _present(given)
    return cadence


def _read_rules(sections: list[Section], taxonomy: Taxonomy) -> tuple[RuleLayer, ...]:
    layers: dict[object, RuleLayer] = {}
    for section in sections:
        layer = _read_rule(section, taxonomy)
        twin = layers.get(layer.place)
        if twin is not None:
            section.problems.add(
                section.line, section.path, f"{layer.pattern!r} has a rule under these conditions already ({twin.where})"
            )
        layers[layer.place] = layer
    return tuple(layers.values())


def _read_rule(section: Section, taxonomy: Taxonomy) -> RuleLayer:
    pattern = _read_pattern(section, taxonomy)
    modalities = frozenset(section.choices("modality", Modality) or ())
    scenes = frozenset(section.choices("scene", Scene) or ())
    given: dict[str, Any] = {
        "review": section.number("review", 0.0, 1.0),
        "close_below": section.number("close_below", 0.0, 1.0),
        "hits": section.integer("hits", 1, MAX_WINDOW),
        "window": section.integer("window", 1, MAX_WINDOW),
        "quiet_s": section.number("quiet_s", 0.1, _LONGEST_S),
        "cool_down_s": section.number("cool_down_s", 0.0, _LONGEST_S),
        "update_every_s": section.number("update_every_s", 1.0, _LONGEST_S),
        "severity": section.integer("severity", 1, 4),
        "min_area": section.number("min_area", 0.0, 1.0),
        **_read_hints(section.section("action_hint")),
        "zones": _read_zones(section.section("zones")),
        "reason": _read_reason(section.section("reason")),
    }
    given = {**_present(given), **_read_bounds(section)}
    section.end()
    return RuleLayer(pattern, modalities, scenes, given, where=f"{section.problems.file}, line {section.line}: {section.path}")


def _read_bounds(section: Section) -> dict[str, Any]:
    """Take the fields that a word may lift again after a less specific layer set them; lifted, they are there and None."""
    readers: Mapping[str, tuple[str, Callable[[], object]]] = {
        "block": ("never", lambda: section.number("block", 0.0, 1.0)),
        "sure": ("never", lambda: section.number("sure", 0.0, 1.0)),
        "max_per_hour": ("none", lambda: section.integer("max_per_hour", 0, 100_000)),
        "alone_max": ("none", lambda: section.choice("alone_max", Decision)),
        "alone_max_severity": ("none", lambda: section.integer("alone_max_severity", 1, 4)),
    }
    bounds: dict[str, Any] = {}
    for key, (word, read) in readers.items():
        if section.lifts(key, word):
            bounds[key] = None
        elif (value := read()) is not None:
            bounds[key] = value
    return bounds


def _read_pattern(section: Section, taxonomy: Taxonomy) -> str:
    n_before = len(section.problems.lines)
    pattern = section.text("label")
    if pattern is None:
        if len(section.problems.lines) == n_before:
            section.problems.add(section.line, section.where("label"), "is missing; name a label, a family as 'ads.*', or '*'")
        return "*"
    try:
        taxonomy.expand(pattern)
    except UnknownLabel as error:
        section.problems.add(section.line, section.where("label"), str(error))
    return pattern


def _read_hints(section: Section | None) -> Mapping[str, Any]:
    if section is None:
        return {}
    hints: dict[str, Any] = {}
    for decision in (Decision.REVIEW, Decision.BLOCK):
        hint = section.text(decision.value)
        known = [member.value for member in ActionHint]
        if hint is not None and hint not in known and not re.fullmatch(r"x_[a-z0-9_]{1,30}", hint):
            fix = f"{nearest(hint, known)} a platform's own begin with x_"
            section.problems.add(section.line, section.where(decision.value), f"unknown action hint {hint!r}; {fix}")
        hints[f"{decision.value}_hint"] = hint
    section.end()
    return hints


def _read_zones(section: Section | None) -> Zones | None:
    if section is None:
        return None
    include = tuple(_read_zone(part) for part in section.sections("include"))
    exclude = tuple(_read_zone(part) for part in section.sections("exclude"))
    section.end()
    return Zones(include, exclude)


def _read_zone(section: Section) -> Zone:
    sides = {key: section.number(key, 0.0, 1.0) for key in ("x", "y", "w", "h")}
    section.end()
    missing = [key for key, value in sides.items() if value is None]
    if missing:
        section.problems.add(section.line, section.path, f"needs {', '.join(missing)} as a share of the frame, 0 to 1")
    return Zone(**{key: value or 0.0 for key, value in sides.items()})


def _read_reason(section: Section | None) -> Reason | None:
    if section is None:
        return None
    texts: dict[str, str] = {}
    for language in ("zh", "en"):
        template = section.text(language)
        problem = "is missing; both zh and en are needed" if template is None else template_problem(template)
        if problem is not None:
            section.problems.add(section.line, section.where(language), problem)
        texts[language] = template or ""
    section.end()
    return Reason(zh=texts["zh"], en=texts["en"])


def _present(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if value is not None}
