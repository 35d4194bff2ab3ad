"""Titles and pictures that are looked for: what staff said of each, and the page that the detector reads.

The page is written anew whenever what is enrolled changes, a title's dates begin or end, or enough ordinary frames have passed.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import cv2
import msgspec
import numpy as np

from inference.clock import Clock
from inference.enrolment import Enrolled, EnrolmentStore, Follower
from inference.errors import ConfigError
from inference.samples import Pixels
from inference.vision.eyes import Eye, looks_of
from inference.vision.gallery_page import GalleryPage, Looks, TitleLooks, page_of
from inference.vision.hashes import HashIndex
from inference.vision.ordinary import OrdinaryFrames
from inference.vision.pdq import Words
from inference.vision.title_names import TitleNames

HASHES_FILE = "hashes.npy"
"""Beside the pictures: their hashes, uint64, shape (n, 4)."""


class TitleEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What staff said of a title or a picture; its pictures lie beside it."""

    label: str
    """Code of the taxonomy, e.g. `banned_game.regulated`."""
    title: str
    """How people call it, in any script."""
    pictures: tuple[str, ...]
    """Names of the JPEG files."""
    against: tuple[str, ...] = ()
    """Names of pictures that look like it and are not."""
    aliases: tuple[str, ...] = ()
    """Other names, looked for on the screen and in room titles as the title is."""
    exact: bool = False
    """True: only the very pictures are looked for, not what looks like them."""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    """In effect within `[starts_at, ends_at)`; None: without end."""
    owner: str = ""
    enrolled_at: datetime

    def in_effect(self, now: datetime) -> bool:
        """Tell whether it counts at a moment, aware UTC."""
        return (self.starts_at is None or self.starts_at <= now) and (self.ends_at is None or now < self.ends_at)


Title = Enrolled[TitleEntry]
GalleryStore = EnrolmentStore[TitleEntry]


def gallery_store(data_dir: Path) -> GalleryStore:
    """Return the store of a deployment."""
    return EnrolmentStore(data_dir / "gallery", TitleEntry, "gallery entry")


def looks_file(eye: Eye, *, against: bool = False) -> str:
    """Name the file beside a title's pictures that holds an eye's looks of them."""
    return f"{'against' if against else 'looks'}-{eye.model}.npy"


@dataclass(frozen=True, slots=True, eq=False)
class Taught:
    """A title with its numbers."""

    title: Title
    looks: TitleLooks
    hashes: Words


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """Everything the detector compares with, at one moment."""

    by_look: tuple[Title, ...] = ()
    """Titles of `page`, in order."""
    page: GalleryPage = field(default_factory=GalleryPage)
    by_hash: tuple[Title, ...] = ()
    """Owners in `index`, in order."""
    index: HashIndex = field(default_factory=HashIndex)
    names: TitleNames = field(default_factory=TitleNames)

    @property
    def empty(self) -> bool:
        """True where nothing is looked for."""
        return not self.by_look and not len(self.index)


def gallery_of(taught: Sequence[Taught], ordinary: Looks) -> Gallery:
    """Write the gallery of some titles."""
    seen = [one for one in taught if not one.title.entry.exact and len(one.looks.shown)]
    words = [one.hashes for one in taught if len(one.hashes)]
    owners = [np.full(len(one.hashes), place, np.int32) for place, one in enumerate(taught) if len(one.hashes)]
    index = HashIndex.of(np.concatenate(words), np.concatenate(owners)) if words else HashIndex()
    titles = tuple(one.title for one in taught)
    names = TitleNames.of([(title.entry.title, title.entry.label, (title.entry.title, *title.entry.aliases)) for title in titles])
    return Gallery(tuple(one.title for one in seen), page_of([one.looks for one in seen], ordinary), titles, index, names)


class GalleryBook:
    """Turns the page. `teach` and `refresh` are one caller's at a time, `gallery` anybody's on any thread."""

    def __init__(self, eye: Eye, ordinary: OrdinaryFrames, clock: Clock) -> None:
        self.eye = eye
        self.ordinary = ordinary
        self.clock = clock
        self.gallery = Gallery()
        self._lock = threading.Lock()
        self._known: dict[tuple[str, datetime], Taught] = {}
        self._in_effect: frozenset[tuple[str, datetime]] = frozenset()

    def teach(self, titles: tuple[Title, ...]) -> None:
        """Put these titles in force.

        Raises:
            ConfigError: a file of one cannot be read; the gallery before stays.
        """
        with self._lock:
            known = {_key(title): self._known.get(_key(title)) or self._read(title) for title in titles}
            self._known = known
            self._turn()

    def refresh(self) -> bool:
        """Write the page anew where time or passed frames ask for it; True where they did."""
        self.ordinary.save(now_s=self.clock.now_s())
        with self._lock:
            if self._now_in_effect() == self._in_effect and not self.ordinary.worth_a_look:
                return False
            self._turn()
            return True

    def _now_in_effect(self) -> frozenset[tuple[str, datetime]]:
        now = self.clock.utc()
        return frozenset(key for key, taught in self._known.items() if taught.title.entry.in_effect(now))

    def _turn(self) -> None:
        self._in_effect = self._now_in_effect()
        self.gallery = gallery_of([one for key, one in self._known.items() if key in self._in_effect], self.ordinary.looks())

    def _read(self, title: Title) -> Taught:
        entry = title.entry
        shown = self._looks(title, entry.pictures, against=False)
        against = self._looks(title, entry.against, against=True)
        try:
            hashes = np.load(title.folder / HASHES_FILE, allow_pickle=False)
        except (OSError, ValueError) as exc:
            raise ConfigError(
                f"gallery entry {title.ref}: cannot read {title.folder / HASHES_FILE} ({exc}); enrol it again"
            ) from exc
        n = len(entry.pictures)
        return Taught(title, TitleLooks(shown[:n], against, shown[n:]), np.asarray(hashes, np.uint64).reshape(-1, 4))

    def _looks(self, title: Title, pictures: Sequence[str], *, against: bool) -> Looks:
        """Return stored looks, or look anew where they are another eye's."""
        if not pictures:
            return np.zeros((0, 0), np.float32)
        try:
            stored = np.load(title.folder / looks_file(self.eye, against=against), allow_pickle=False)
        except (OSError, ValueError):
            stored = np.zeros((0, 0), np.float32)
        if len(stored) != 2 * len(pictures):
            return looks_of(self.eye, [picture_of(title, name) for name in pictures])
        return np.asarray(stored, np.float32)


class GalleryFollower(Follower[TitleEntry]):
    """Follows the store, the dates and the ordinary frames."""

    def __init__(self, store: GalleryStore, book: GalleryBook) -> None:
        super().__init__(store, book.teach)
        self._book = book

    def follow(self) -> bool:
        """Teach again if anything changed; raises as `Follower.follow`."""
        return super().follow() or self._book.refresh()


def picture_of(title: Title, name: str) -> Pixels:
    """Read one of a title's pictures, RGB.

    Raises:
        ConfigError: it cannot be read.
    """
    pixels = cv2.imread(str(title.folder / name), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ConfigError(f"gallery entry {title.ref}: picture {title.folder / name} cannot be read; enrol it again")
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)


def _key(title: Title) -> tuple[str, datetime]:
    return title.ref, title.entry.enrolled_at
