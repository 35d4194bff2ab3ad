"""Which recogniser a deployment names, as one line of its settings: `ctc:NAME` or `sherpa:FOLDER`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from models.manifest import NAME


class RecogniserKind(StrEnum):
    """Who runs it."""

    CTC = "ctc"
    """Our own lanes; NAME is a live model of the store with the task `speech.ctc`."""
    SHERPA = "sherpa"
    """sherpa-onnx; FOLDER holds a model as it is published."""


@dataclass(frozen=True, slots=True)
class RecogniserAddress:
    """A recogniser's kind and where it is."""

    kind: RecogniserKind
    place: str
    """Name in the store, or path of a folder."""

    @classmethod
    def parse(cls, text: str) -> RecogniserAddress:
        """Read it.

        Raises:
            ValueError: it is no address; says what one looks like.
        """
        kind, parted, place = text.strip().partition(":")
        if not parted or kind not in {one.value for one in RecogniserKind} or not place:
            raise ValueError(f"{text!r} names no recogniser; write ctc:name, a live model of the store, or sherpa:/path/to/folder")
        if kind == RecogniserKind.CTC.value and not NAME.fullmatch(place):
            raise ValueError(f"{place!r} in {text!r} is no model's name; write lower-case letters, digits, - and _")
        return cls(RecogniserKind(kind), place)

    @property
    def folder(self) -> Path:
        """The place as a folder."""
        return Path(self.place).expanduser()

    def __str__(self) -> str:
        return f"{self.kind}:{self.place}"
