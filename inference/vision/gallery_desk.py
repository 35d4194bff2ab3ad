"""Teaching titles and pictures: what staff send is read, thinned out, examined, and put in force.

Frames of a clip come as pictures, in the order of time; reading clips is not done here. Examining says whether a title can be told
by looks at all: from ordinary frames, and from titles taught before.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import cv2
import msgspec
import numpy as np

from inference.errors import InvalidSample
from inference.pictures import decode_picture, read_header, refuse_print_colours
from inference.samples import Pixels
from inference.vision.eyes import looks_of
from inference.vision.gallery_book import HASHES_FILE, GalleryBook, GalleryStore, Title, TitleEntry, looks_file
from inference.vision.gallery_page import NEAR, Looks, TitleLooks, page_of
from inference.vision.hashes import spellings_of
from inference.vision.pdq import Words, distance, hash_of
from models.errors import UnknownLabel

MAX_PICTURES = 60
"""Pictures kept of one title; of more, every n-th."""
MAX_SENT = 600
"""Pictures read of one teaching."""
MAX_ENTRIES = 5000
"""Entries in force at once."""
MAX_TITLE, MAX_ALIASES = 80, 40
GOOD_PICTURES = 8
"""Fewer pictures than this are noted: maps, menus and levels differ."""
MIN_SIDE_PX = 64
"""Shortest side of a picture that shows anything of a title."""
KEPT_SIDE_PX = 640
"""Pictures are kept no larger than this."""
SAME_BITS = 16
"""Pictures whose hashes differ in fewer bits teach the same."""
PLAIN_SPREAD = 3.0
"""Grey levels (standard deviation) of a picture of one colour all over, a clip's black frame for example: it teaches nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleOrder:
    """What staff ask for; checked by `GalleryDesk`."""

    label: str
    title: str = ""
    """Empty: the name."""
    aliases: tuple[str, ...] = ()
    exact: bool = False
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    owner: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What a title is taught with."""

    shown: Iterable[Pixels]
    """Its pictures, RGB uint8 (H, W, 3)."""
    against: Iterable[Pixels] = field(default_factory=tuple)
    """Pictures that look like it and are not."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """What teaching came to."""

    title: Title
    notes: tuple[str, ...]
    """What staff should know, in words."""


class GalleryDesk:
    """Examines and enrols. Blocks on disk and eye: call it on a thread; one caller at a time."""

    def __init__(self, store: GalleryStore, book: GalleryBook, *, check_label: Callable[[str], object]) -> None:
        """Put a desk before a store.

        Args:
            store: where titles are kept.
            book: the eye, ordinary frames and clock; a book of the desk's own, or the worker's.
            check_label: raises UnknownLabel for a code that the taxonomy does not have.
        """
        self.store = store
        self._book = book
        self._check_label = check_label

    def teach(self, name: str, lesson: Lesson, order: TitleOrder) -> Learnt:
        """Put a title in force; one that is enrolled gets a new version.

        Raises:
            InvalidSample: the name, an option or a picture cannot be used.
            ConfigError: the store cannot be read or written.
        """
        entry = self._entry(name, order)
        live = {one.name for one in self.store.live()}
        if len(live | {name}) > MAX_ENTRIES:
            raise InvalidSample(f"{len(live)} gallery entries are in force; at most {MAX_ENTRIES}, remove one first")
        shown, against = _thinned(lesson.shown, "pictures"), _thinned(lesson.against, "counter-examples")
        if not shown:
            raise InvalidSample("no pictures; give some screenshots of the title, about 10, or a clip")
        hashes = _hashes(shown)
        if order.exact and not len(hashes):
            raise InvalidSample("the picture is too plain to be known again by its hash; give one with more detail")
        eye = self._book.eye
        own, others = looks_of(eye, shown), looks_of(eye, against)
        looks = TitleLooks(own[: len(shown)], others, own[len(shown) :])
        files = {f"{index}.jpg": _jpeg(one) for index, one in enumerate(shown)}
        counter = {f"against-{index}.jpg": _jpeg(one) for index, one in enumerate(against)}
        numbers = {HASHES_FILE: _npy(hashes), looks_file(eye): _npy(own)}
        if against:
            numbers[looks_file(eye, against=True)] = _npy(others)
        entry = msgspec.structs.replace(entry, pictures=tuple(files), against=tuple(counter))
        notes = () if order.exact else self._notes(name, looks)
        return Learnt(self.store.publish(name, entry, {**files, **counter, **numbers}), notes)

    def _entry(self, name: str, order: TitleOrder) -> TitleEntry:
        for called in (order.title, *order.aliases):
            if len(called) > MAX_TITLE:
                raise InvalidSample(f"a name of {len(called)} characters; at most {MAX_TITLE}")
        if len(order.aliases) > MAX_ALIASES:
            raise InvalidSample(f"{len(order.aliases)} aliases; at most {MAX_ALIASES}")
        for moment in (order.starts_at, order.ends_at):
            if moment is not None and moment.tzinfo is None:
                raise InvalidSample(
                    f"the moment {moment.isoformat()} has no zone; write it as {moment.isoformat()}+08:00 or with Z"
                )
        if order.starts_at and order.ends_at and order.starts_at >= order.ends_at:
            raise InvalidSample(f"it would end at {order.ends_at.isoformat()}, before it begins at {order.starts_at.isoformat()}")
        try:
            self._check_label(order.label)
        except UnknownLabel as exc:
            raise InvalidSample(f"label: {exc}") from exc
        return TitleEntry(
            label=order.label,
            title=order.title or name,
            pictures=(),
            aliases=tuple(dict.fromkeys(order.aliases)),
            exact=order.exact,
            starts_at=order.starts_at,
            ends_at=order.ends_at,
            owner=order.owner,
            enrolled_at=self._book.clock.utc(),
        )

    def _notes(self, name: str, looks: TitleLooks) -> tuple[str, ...]:
        """Say what is weak about a title's pictures."""
        notes = []
        if len(looks.shown) < GOOD_PICTURES:
            notes.append(
                f"{len(looks.shown)} different pictures: what looks otherwise (other maps, menus) may be missed; about 10 are good"
            )
        ordinary = self._book.ordinary.looks()
        if not page_of([looks], ordinary).scales[0].distinct:
            notes.append(
                "ordinary frames look as much like it as its own pictures do; expect false hits, or teach more like pictures"
            )
        self._book.teach(self.store.live())
        for title in self._book.gallery.by_look:
            if title.name != name and (share := self._share_like(title.name, looks.shown)) >= 0.3:
                notes.append(f"{share:.0%} of its pictures look like {title.name!r}: either may be found for the other")
        return tuple(notes)

    def _share_like(self, other: str, shown: Looks) -> float:
        gallery = self._book.gallery
        found = [gallery.page.likeness(look) for look in shown]
        like = [one for one in found if one is not None and one.score > NEAR and gallery.by_look[one.place].name == other]
        return len(like) / len(shown)


def read_picture(data: bytes) -> Pixels:
    """Decode a picture that staff send.

    Raises:
        SampleTooLarge: over 20 MB or 25 megapixels.
        InvalidSample: no picture, animated, damaged, too small, or in the colours of print.
    """
    header = read_header(data)
    if min(header.width, header.height) < MIN_SIDE_PX:
        raise InvalidSample(f"picture of {header.width}x{header.height}; each side must be at least {MIN_SIDE_PX} pixels")
    refuse_print_colours(header, data)
    return decode_picture(data)


def _thinned(pictures: Iterable[Pixels], what: str) -> list[Pixels]:
    """Keep pictures that differ, evenly spread over what was sent; those of one colour are left out.

    Raises:
        InvalidSample: more than anybody means to send, one too small, or none that shows anything.
    """
    kept: list[Pixels] = []
    hashes: list[Words] = []
    n_plain = 0
    for number, pixels in enumerate(pictures):
        if number >= MAX_SENT:
            raise InvalidSample(f"more than {MAX_SENT} {what}; send fewer")
        if min(pixels.shape[:2]) < MIN_SIDE_PX:
            raise InvalidSample(f"picture of {pixels.shape[1]}x{pixels.shape[0]}; each side must be at least {MIN_SIDE_PX} pixels")
        if float(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).std()) < PLAIN_SPREAD:
            n_plain += 1
            continue
        words = hash_of(pixels).words
        if not hashes or int(distance(words, np.stack(hashes)).min()) >= SAME_BITS:
            hashes.append(words)
            kept.append(_fitted(pixels))
    if n_plain and not kept:
        raise InvalidSample(f"all {n_plain} {what} are of one colour all over; send some that show something")
    step = max(1, -(-len(kept) // MAX_PICTURES))
    return kept[::step]


def _fitted(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    ratio = min(1.0, KEPT_SIDE_PX / max(height, width))
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    return np.ascontiguousarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if ratio < 1 else pixels, np.uint8)


def _hashes(pictures: Sequence[Pixels]) -> Words:
    found = [hashed.words for one in pictures for hashed in spellings_of(one)]
    return np.stack(found) if found else np.zeros((0, 4), np.uint64)


def _jpeg(pixels: Pixels) -> bytes:
    _, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])
    return data.tobytes()


def _npy(numbers: Looks | Words) -> bytes:
    out = io.BytesIO()
    np.save(out, numbers, allow_pickle=False)
    return out.getvalue()
