"""The labels everything maps to: codes, names, severity, modalities and what other vendors call them.

The taxonomy is data (`taxonomy.yaml`), never code; every detector, list, policy and manifest is checked against it when it is
loaded. What is done about a label is for the policy, not here.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from types import MappingProxyType

from models.errors import ManifestError, UnknownLabel
from models.fields import Fields, read_yaml

_MODALITIES: Mapping[str, str] = {"V": "image", "A": "audio", "T": "text"}
"""The taxonomy's letters, and the values of `inference.samples.Modality`."""


@dataclass(frozen=True, slots=True)
class Family:
    """Labels that belong together on a chart and in a policy."""

    code: str
    """E.g. `porn`."""
    zh: str
    en: str
    aliases: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What a vendor calls the family, by vendor: `tencent`, `shumei`, `yidun`."""


@dataclass(frozen=True, slots=True)
class Label:
    """One thing a finding can be about."""

    code: str
    """Stable, e.g. `porn.explicit`."""
    family: str
    """Code of its family; not always the first part of the code (`drugs` is contraband)."""
    zh: str
    en: str
    modalities: frozenset[str]
    """`image`, `audio`, `text`: where it can be found; equal to the members of `inference.samples.Modality`."""
    severity: int
    """1 low, 2 medium, 3 high (a person looks now), 4 critical (cut-off may be advised)."""
    severity_by_list: bool = False
    """True where the tenant's own list says the severity and `severity` is only what holds until it does (`custom.*`)."""
    aliases: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What a vendor calls it, by vendor: the label's own alias, else its family's."""

    def __post_init__(self) -> None:
        if not 1 <= self.severity <= 4:
            raise ManifestError(f"severity of {self.code} must be 1..4, got {self.severity}")


def matches(pattern: str, code: str, *, family: str = "") -> bool:
    """Tell whether a pattern covers a code.

    Args:
        pattern: `*`, an exact code, or a prefix or family with `.*`, e.g. `ads.*`.
        code: the label's code.
        family: its family, so that `contraband.*` covers `drugs`; without it only the code's own prefix counts.
    """
    if pattern in ("*", code):
        return True
    if not pattern.endswith(".*"):
        return False
    stem = pattern[:-2]
    return code.startswith(f"{stem}.") or stem == family


class Taxonomy:
    """All labels, by code; read-only."""

    def __init__(self, families: Iterable[Family], labels: Iterable[Label], *, version: int = 1) -> None:
        self.version = version
        """Rises when a code is added; codes are never renamed."""
        self.families: Mapping[str, Family] = MappingProxyType({family.code: family for family in families})
        self._labels: Mapping[str, Label] = MappingProxyType({label.code: label for label in labels})

    @staticmethod
    @cache
    def load() -> Taxonomy:
        """Read the taxonomy that ships with the product; parsed once a process."""
        text = resources.files("models").joinpath("taxonomy.yaml").read_text(encoding="utf-8")
        return Taxonomy.parse(text, where="taxonomy.yaml")

    @staticmethod
    def parse(text: str, *, where: str) -> Taxonomy:
        """Read a taxonomy from YAML text.

        Raises:
            ManifestError: the text is not a taxonomy; names the place.
        """
        top = Fields(read_yaml(text, where=where), where=where)
        version = top.integer("version")
        families: list[Family] = []
        labels: dict[str, Label] = {}
        for code, value in top.mapping("families").items():
            family, rows = _read_family(code, Fields(value, where=f"{where}: {code}"))
            families.append(family)
            for label in rows:
                if label.code in labels:
                    raise ManifestError(f"{where}: label {label.code!r} is there twice")
                labels[label.code] = label
        top.end()
        return Taxonomy(families, labels.values(), version=version)

    def __getitem__(self, code: str) -> Label:
        label = self._labels.get(code)
        if label is None:
            raise UnknownLabel(self._unknown(code))
        return label

    def __contains__(self, code: object) -> bool:
        return code in self._labels

    def __iter__(self) -> Iterator[Label]:
        return iter(self._labels.values())

    def __len__(self) -> int:
        return len(self._labels)

    def __repr__(self) -> str:
        return f"Taxonomy(version {self.version}, {len(self.families)} families, {len(self)} labels)"

    def check(self, codes: Iterable[str], *, where: str) -> None:
        """Refuse codes that are not there.

        Args:
            codes: what a manifest, list or policy names.
            where: how the message names it, e.g. `policy.yaml: rules[2]`.

        Raises:
            UnknownLabel: naming the first unknown code and the nearest known ones.
        """
        for code in codes:
            if code not in self._labels:
                raise UnknownLabel(f"{where}: {self._unknown(code)}")

    def matches(self, pattern: str, code: str) -> bool:
        """Tell whether a pattern covers a known code, by its prefix or its family.

        Raises:
            UnknownLabel: the code is not there.
        """
        return matches(pattern, code, family=self[code].family)

    def expand(self, pattern: str) -> tuple[Label, ...]:
        """List the labels that a pattern covers, in the taxonomy's order.

        Raises:
            UnknownLabel: it covers none, so it is surely misspelt.
        """
        found = tuple(label for label in self if matches(pattern, label.code, family=label.family))
        if not found:
            raise UnknownLabel(self._unknown(pattern))
        return found

    def by_alias(self, vendor: str, name: str | int) -> tuple[Label, ...]:
        """Look up what another vendor calls a label.

        Args:
            vendor: `tencent`, `shumei` or `yidun`; case does not matter.
            name: the vendor's name or number, e.g. `Porn`, `EROTIC`, 100; case does not matter.

        Returns:
            the labels of that name, in the taxonomy's order: one label, or a whole family.

        Raises:
            UnknownLabel: no label has that alias.
        """
        wanted = str(name).casefold()
        found = tuple(label for label in self if label.aliases.get(vendor.casefold(), "").casefold() == wanted)
        if not found:
            known = sorted({label.aliases[vendor.casefold()] for label in self if vendor.casefold() in label.aliases})
            hint = f"known: {', '.join(known)}" if known else "known vendors: shumei, tencent, yidun"
            raise UnknownLabel(f"unknown {vendor} label {str(name)!r}; {hint}")
        return found

    def _unknown(self, code: str) -> str:
        known = list(self._labels)
        near = difflib.get_close_matches(code, known, n=3, cutoff=0.5)
        last = code.rpartition(".")[2]
        near += [label.code for label in self if last in (label.family, label.code.rpartition(".")[2]) and label.code not in near]
        near = near[:3]
        hint = f"nearest: {', '.join(near)}" if near else f"families: {', '.join(self.families)}"
        return f"unknown label {code!r}; {hint}"


def _read_family(code: str, fields: Fields) -> tuple[Family, list[Label]]:
    aliases = _aliases(fields)
    family = Family(code=code, zh=fields.text("zh"), en=fields.text("en"), aliases=MappingProxyType(aliases))
    labels = [
        _read_label(name, family, Fields(value, where=f"{fields.where}: {name}"))
        for name, value in fields.mapping("labels").items()
    ]
    fields.end()
    return family, labels


def _read_label(code: str, family: Family, fields: Fields) -> Label:
    letters = fields.text("m")
    unknown = set(letters) - set(_MODALITIES)
    if unknown or not letters:
        raise ManifestError(f"{fields.where}: m must be letters of V, A, T, got {letters!r}")
    label = Label(
        code=code,
        family=family.code,
        zh=fields.text("zh"),
        en=fields.text("en"),
        modalities=frozenset(_MODALITIES[letter] for letter in letters),
        severity=fields.integer("sev"),
        severity_by_list=fields.flag("by_list", False),
        aliases=MappingProxyType({**family.aliases, **_aliases(fields)}),
    )
    fields.end()
    return label


def _aliases(fields: Fields) -> dict[str, str]:
    return {vendor.casefold(): str(name) for vendor, name in fields.mapping("alias").items()}
