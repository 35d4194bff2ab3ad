"""Enrolling logos: pictures are read and examined, told what is wrong with them, and put in force.

A logo that looks like one already enrolled would be found in its place, so it is refused unless the caller insists. When two are
too alike is in `LogoLimits`, measured with the network (`benchmarks/bench_logo.py`).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
import numpy as np

from inference.enrolment import Enrolled
from inference.errors import InvalidSample
from inference.vision.logo_book import LogoBook, LogoEntry, LogoStore, MarkReader, Vectors, pictures_of, read_zone
from inference.vision.marks import MAX_MARK_PX, Mark, detail_of, preview, read_mark
from inference.vision.title_names import MIN_CHARACTERS, MIN_LATIN, is_telling
from models.errors import UnknownLabel
from models.logo_prototypes import whole_of

MAX_PICTURES = 8
"""Pictures of one logo: variants for dark and for light ground, old and new."""
MAX_LOGOS = 2000
"""Logos in force at once."""
MAX_TITLE = 80
MAX_WORDS = 8
PREVIEW = "preview.png"
"""File beside the pictures that shows what is looked for."""


@dataclass(frozen=True, slots=True)
class LogoLimits:
    """When a logo is too much like something else, cosines of embeddings."""

    alike: float = 0.8
    """As like to another enrolled logo: the two could not be told apart."""
    near: float = 0.65
    """Near enough to another one to say so."""
    common: float = 0.72
    """As like to a plain shape or to what frames show anyway: 6 % of made-up marks are, discs and rings most of them."""


LIMITS = LogoLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoOrder:
    """What staff ask for; checked by `LogoDesk`."""

    label: str = "competitor.logo"
    title: str = ""
    """Empty: the name."""
    min_area: float = 0.0
    zones: tuple[str, ...] = ()
    """Named or measured, see `read_zone`."""
    words: tuple[str, ...] = ()
    """What it says, see `LogoEntry.words`."""
    owner: str = ""
    force: bool = False
    """Enrol although it is like another one."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """Another enrolled logo that this one looks like."""

    name: str
    cosine: float


@dataclass(frozen=True, slots=True, eq=False)
class Examined:
    """What was learnt of a logo's pictures."""

    marks: tuple[Mark, ...]
    vectors: Vectors
    """How the network sees them, shape (n, d)."""
    alike: tuple[Likeness, ...]
    """Other logos that are near, nearest first."""
    notes: tuple[str, ...]
    """What staff should know, in words."""

    @property
    def preview(self) -> bytes:
        """What will be looked for, drawn from the first picture; PNG."""
        return preview(self.marks[0])


class LogoDesk:
    """Examines and enrols. Blocks on disk and network: call it on a thread; one caller at a time."""

    def __init__(
        self,
        store: LogoStore,
        reader: MarkReader,
        *,
        check_label: Callable[[str], object],
        now: Callable[[], datetime],
        limits: LogoLimits = LIMITS,
    ) -> None:
        """Put a desk before a store.

        Args:
            store: where logos are kept.
            reader: how the network sees marks.
            check_label: raises for a code that the taxonomy does not have.
            now: aware UTC.
            limits: when two are too alike.
        """
        self.store = store
        self._reader = reader
        self._book = LogoBook(reader)
        self._check_label = check_label
        self._now = now
        self._limits = limits

    def examine(self, name: str, pictures: Sequence[bytes]) -> Examined:
        """Read a logo's pictures and compare them with what is enrolled under other names.

        Raises:
            InvalidSample: no picture, too many, or one that is unfit; names which.
            ConfigError: the store cannot be read.
        """
        marks = _read_all(pictures)
        self._book.teach(self.store.live())
        vectors = np.concatenate([self._reader.embed(mark.rgba) for mark in marks])
        whole = whole_of(vectors)
        alike = self._likenesses(name, whole)
        notes = [f"looks like {one.name!r} ({one.cosine:.2f}): either may be found for the other" for one in alike]
        for index, mark in enumerate(marks, start=1):
            shown = f"picture {index}: " if len(marks) > 1 else ""
            if mark.keyed:
                notes.append(
                    f"{shown}its flat background was taken off; send it with transparency if that is wrong (see the preview)"
                )
            if mark.opaque and max(mark.rgba.shape[:2]) >= MAX_MARK_PX:
                notes.append(f"{shown}large and opaque: cut it to the logo; whole frames and scenes are taught to the gallery")
            if detail_of(mark) < 0.08:
                notes.append(
                    f"{shown}a plain shape: small or faint it may be missed, or taken for scenery; lettering beside it helps"
                )
        common = float(self._book.page.index.strangeness(whole).max())
        if common >= self._limits.common:
            notes.append(
                f"like plain shapes or what frames show anyway ({common:.2f}): it may be missed; lettering beside it helps"
            )
        return Examined(marks, vectors, alike, tuple(notes))

    def enrol(self, name: str, pictures: Sequence[bytes], order: LogoOrder) -> tuple[Enrolled[LogoEntry], Examined]:
        """Examine and put in force; a name that is enrolled gets a new version.

        Raises:
            InvalidSample: the name, an option or a picture cannot be used, or the logo is too like another one.
            ConfigError: the store cannot be read or written.
        """
        entry = self._entry(name, order)
        examined = self.examine(name, pictures)
        if examined.alike and examined.alike[0].cosine >= self._limits.alike and not order.force:
            first = examined.alike[0]
            raise InvalidSample(
                f"too like the enrolled logo {first.name!r} (cosine {first.cosine:.2f}); add the picture to that one, "
                "or insist with force"
            )
        live = {one.name for one in self.store.live()}
        if len(live | {name}) > MAX_LOGOS:
            raise InvalidSample(f"{len(live)} logos are enrolled; at most {MAX_LOGOS}, remove one first")
        files = {f"{index}.png": mark.encoded() for index, mark in enumerate(examined.marks)}
        beside = {PREVIEW: examined.preview, self._reader.vectors_file: _npy(examined.vectors)}
        return self.store.publish(name, msgspec.structs.replace(entry, pictures=tuple(files)), {**files, **beside}), examined

    def _entry(self, name: str, order: LogoOrder) -> LogoEntry:
        """Write down what staff ask for, without the pictures."""
        if not 0.0 <= order.min_area < 1.0:
            raise InvalidSample(f"min_area {order.min_area:g}; give a share of the frame from 0 to below 1, e.g. 0.001")
        if len(order.title) > MAX_TITLE:
            raise InvalidSample(f"title of {len(order.title)} characters; at most {MAX_TITLE}")
        try:
            self._check_label(order.label)
        except UnknownLabel as exc:
            raise InvalidSample(f"label: {exc}") from exc
        zones = tuple(read_zone(zone) for zone in order.zones)
        words = tuple(filter(None, map(str.strip, order.words)))
        _check_words(words)
        return LogoEntry(
            label=order.label,
            title=order.title or name,
            pictures=(),
            min_area=order.min_area,
            zones=zones,
            words=words,
            owner=order.owner,
            enrolled_at=self._now(),
        )

    def _likenesses(self, name: str, vectors: Vectors) -> tuple[Likeness, ...]:
        index = self._book.page.index
        nearest = dict(zip(index.names, index.likeness(vectors).max(axis=0).tolist(), strict=True))
        nearest.pop(name, None)
        near = [Likeness(other, cosine) for other, cosine in nearest.items() if cosine >= self._limits.near]
        return tuple(sorted(near, key=lambda one: -one.cosine))


def shown_pictures(logo: Enrolled[LogoEntry]) -> list[bytes]:
    """Return a logo's pictures as PNG; raises as `pictures_of`."""
    return [Mark(pixels).encoded() for pixels in pictures_of(logo)]


def _check_words(words: Sequence[str]) -> None:
    """Refuse words that would be read everywhere, or nowhere.

    Raises:
        InvalidSample: too many, too long or too short.
    """
    if len(words) > MAX_WORDS:
        raise InvalidSample(f"{len(words)} kinds of words; at most {MAX_WORDS} of one logo")
    for said in words:
        if len(said) > MAX_TITLE:
            raise InvalidSample(f"words of {len(said)} characters; at most {MAX_TITLE}")
        if not is_telling(said):
            raise InvalidSample(
                f"words {said!r} are on many screens; at least {MIN_CHARACTERS} characters, of Latin letters and digits {MIN_LATIN}"
            )


def _npy(vectors: Vectors) -> bytes:
    out = io.BytesIO()
    np.save(out, vectors.astype(np.float32), allow_pickle=False)
    return out.getvalue()


def _read_all(pictures: Sequence[bytes]) -> tuple[Mark, ...]:
    if not 1 <= len(pictures) <= MAX_PICTURES:
        raise InvalidSample(f"{len(pictures)} pictures; send 1 to {MAX_PICTURES} of one logo")
    marks = []
    for index, data in enumerate(pictures, start=1):
        try:
            marks.append(read_mark(data))
        except InvalidSample as exc:
            raise type(exc)(f"picture {index}: {exc}" if len(pictures) > 1 else str(exc)) from exc
    return tuple(marks)
