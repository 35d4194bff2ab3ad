"""Models that are part of the product: one version of each, in a folder of the package, with manifest and model card beside it.

Only where they lie; that such a version is live while the store has no live one of its own is `store.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from models.manifest import Manifest

FOLDER = Path(__file__).with_name("shipped_models")
"""`<name>/manifest.yaml`, the graph and the card of each."""

_MANIFEST = "manifest.yaml"


@dataclass(frozen=True, slots=True)
class Shipped:
    """The shipped models of one folder."""

    folder: Path = FOLDER

    def find(self, name: str) -> Manifest | None:
        """Read the manifest of a shipped model; None where there is none of that name."""
        path = self.folder / name / _MANIFEST
        return Manifest.load(path) if path.is_file() else None

    def __iter__(self) -> Iterator[Manifest]:
        return (Manifest.load(path) for path in sorted(self.folder.glob(f"[!._]*/{_MANIFEST}")))
