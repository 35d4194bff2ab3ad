"""The logos that are looked for: what staff said of each, and how a network sees it. One immutable page at a time.

Embeddings are unit vectors; two of them are as alike as their dot product says (cosine, -1..1). A logo has many, one for each way
it may be met: sizes, strengths, tints.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

import msgspec
import numpy as np
from numpy.typing import NDArray

from inference.enrolment import Enrolled, EnrolmentStore
from inference.errors import ConfigError, InvalidSample
from inference.rules import Zone
from inference.samples import Pixels
from inference.verdicts import Box
from inference.vision.marks import read_mark
from inference.vision.title_names import TitleNames
from models.logo_matching import MarkIndex

Vectors = NDArray[np.float32]
"""Unit vectors, float32, shape (n, d)."""

CORNERS: Mapping[str, Zone] = MappingProxyType(
    {
        "top-left": Zone(0.0, 0.0, 0.4, 0.35),
        "top-right": Zone(0.6, 0.0, 0.4, 0.35),
        "bottom-left": Zone(0.0, 0.65, 0.4, 0.35),
        "bottom-right": Zone(0.6, 0.65, 0.4, 0.35),
        "top": Zone(0.0, 0.0, 1.0, 0.35),
        "bottom": Zone(0.0, 0.65, 1.0, 0.35),
    }
)
"""Places that may be named instead of measured."""


class LogoEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What staff said of a logo; its pictures lie beside it."""

    label: str
    """Code of the taxonomy, e.g. `competitor.logo`."""
    title: str
    """How people call it, in any script."""
    pictures: tuple[str, ...]
    """Names of the PNG files, trimmed marks with their transparency."""
    min_area: float = 0.0
    """Smaller boxes than this share of the frame do not count, 0..1."""
    zones: tuple[tuple[float, float, float, float], ...] = ()
    """Where it counts: x, y, width, height in fractions of the frame; empty: everywhere."""
    words: tuple[str, ...] = ()
    """What it says, as it stands on the screen: read there it is a witness beside its look."""
    owner: str = ""
    """Who enrolled it."""
    enrolled_at: datetime

    def admits(self, box: Box) -> bool:
        """Tell whether a box is large enough and in a place that counts."""
        zones = [Zone(*sides) for sides in self.zones]
        return box.area >= self.min_area and (not zones or any(zone.covers(box) for zone in zones))


LogoStore = EnrolmentStore[LogoEntry]


def logo_store(data_dir: Path) -> LogoStore:
    """Return the store of a deployment."""
    return EnrolmentStore(data_dir / "logos", LogoEntry, "logo")


def read_zone(text: str) -> tuple[float, float, float, float]:
    """Read a place, named or measured.

    Args:
        text: a name of `CORNERS`, or `x,y,width,height` in fractions of the frame.

    Raises:
        InvalidSample: it is neither, or not within the frame.
    """
    named = CORNERS.get(text.strip())
    if named is not None:
        return (named.x, named.y, named.w, named.h)
    try:
        x, y, w, h = (float(part) for part in text.split(","))
    except ValueError:
        x = y = w = h = -1.0
    if not (0 <= x < 1 and 0 <= y < 1 and 0 < w <= 1 - x + 1e-9 and 0 < h <= 1 - y + 1e-9):
        raise InvalidSample(f"zone {text!r}; give {', '.join(CORNERS)}, or x,y,width,height in fractions, e.g. 0.6,0,0.4,0.3")
    return (x, y, w, h)


@dataclass(frozen=True, slots=True)
class MarkReader:
    """How a network sees marks."""

    embed: Callable[[Pixels], Vectors]
    """From a mark's RGBA pixels to its embeddings, one for each way it may be met."""
    model: str
    """Which network that is: start of its sha256. Embeddings of another one mean nothing to it."""
    strangers: Vectors | None = None
    """How it sees what nobody enrolls, shape (m, d): what is as like one of these as like a logo is none."""

    @property
    def vectors_file(self) -> str:
        """Name of the file beside a logo's pictures that holds its embeddings by this network, shape (n, d)."""
        return f"prototypes-{self.model[:12]}.npy"

    def read(self, logo: Enrolled[LogoEntry]) -> Vectors:
        """Return a logo's embeddings: those stored at its enrolment, or made anew from its pictures.

        Raises:
            ConfigError: a picture cannot be read.
        """
        try:
            stored = np.load(logo.folder / self.vectors_file, allow_pickle=False)
        except (OSError, ValueError):
            return np.concatenate([self.embed(pixels) for pixels in pictures_of(logo)])
        return np.asarray(stored, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class LogoPage:
    """The logos in force at one moment."""

    logos: Mapping[str, Enrolled[LogoEntry]]
    """By name."""
    index: MarkIndex
    """Their embeddings, to be compared with what is seen."""
    words: TitleNames
    """What they say, to be compared with what is read."""

    def __repr__(self) -> str:
        return f"LogoPage({len(self.logos)} logos)"


def page_of(logos: Sequence[tuple[Enrolled[LogoEntry], Vectors]], strangers: Vectors | None = None) -> LogoPage:
    """Write a page from logos and their embeddings."""
    index = MarkIndex({logo.name: vectors for logo, vectors in logos}, strangers)
    words = TitleNames.of([(logo.name, logo.entry.label, logo.entry.words) for logo, _ in logos])
    return LogoPage({logo.name: logo for logo, _ in logos}, index, words)


class LogoBook:
    """Turns the page whenever what is enrolled changes. `teach` is one caller's at a time, `page` anybody's on any thread."""

    def __init__(self, reader: MarkReader) -> None:
        self._reader = reader
        self._lock = threading.Lock()
        self._known: dict[tuple[str, datetime], Vectors] = {}
        """Embeddings of what is in force by version and date: only what is new is read."""
        self.page = page_of([])

    def teach(self, logos: tuple[Enrolled[LogoEntry], ...]) -> None:
        """Put these logos in force.

        Raises:
            ConfigError: a picture of one cannot be read; the page before stays.
        """
        with self._lock:
            keys = [(logo.ref, logo.entry.enrolled_at) for logo in logos]
            vectors = [
                self._known[key] if key in self._known else self._reader.read(logo) for key, logo in zip(keys, logos, strict=True)
            ]
            self._known = dict(zip(keys, vectors, strict=True))
            self.page = page_of(list(zip(logos, vectors, strict=True)), self._reader.strangers)


def pictures_of(logo: Enrolled[LogoEntry]) -> list[Pixels]:
    """Read a logo's pictures, RGBA.

    Raises:
        ConfigError: one cannot be read.
    """
    found = []
    for name in logo.entry.pictures:
        try:
            found.append(read_mark((logo.folder / name).read_bytes()).rgba)
        except (OSError, InvalidSample) as exc:
            raise ConfigError(f"logo {logo.ref}: picture {logo.folder / name} cannot be read ({exc}); enrol it again") from exc
    return found
