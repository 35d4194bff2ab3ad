"""The voice-activity net's own manifest, for doubles of its lane."""

from __future__ import annotations

from pathlib import Path

from models.manifest import Manifest

_PATH = Path(__file__).resolve().parents[3] / "models" / "manifests" / "silero-vad.yaml"


def manifest() -> Manifest:
    """The shipped one."""
    return Manifest.load(_PATH)
