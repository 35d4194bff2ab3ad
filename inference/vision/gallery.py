"""Banned titles, scenes and known pictures: what is on the frame compared with what staff taught, by hash and by look.

    frame -> content and tiles -> hash  -> one of the very pictures?
                               -> eye   -> nearest title, by how much?

A frame that is like nothing may join the ordinary frames that titles are told apart from. Names of titles on the screen and in the
room's title are found by `title_reader` and reported under the same label and title, so that all of it is one violation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from inference.detectors import Outputs, StagedDetector, TextReader
from inference.host import Host
from inference.samples import FrameSample, Modality, Pixels, Scene
from inference.verdicts import Box, Finding, Span, TextMatch
from inference.vision.eyes import Floats
from inference.vision.gallery_book import Gallery, GalleryBook, Title
from inference.vision.gallery_page import FLOOR, Looks
from inference.vision.layout_memory import LayoutMemory
from inference.vision.pdq import Hashed, hash_of

MAX_TILES = 2
"""Tiles looked at beside the content, largest first: a banned title is rarely played in the third."""
KNOWN_SCORE, KNOWN_SLOPE = 0.99, 0.004
"""Score of a very picture, and what each differing bit takes from it: 0.87 at the index's 31 bits."""
NAMED_SCORE = 0.7
"""A title's name in a text: somebody should look; it may be talked about, or searched for."""
PASSED_BELOW = 0.5
"""A frame with no higher score has passed: other games are a little like a title, and are what it must be told apart from."""
NAMES_LIST = "gallery"
"""What matches of names call the list they are on."""
_NAMED_SCENES = frozenset({Scene.OCR, Scene.ROOM_TITLE})
"""Where a name says what is shown; what viewers write about says nothing of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A part of a frame that is looked at."""

    box: Box
    prepared: Floats | None
    """For the eye; None where no title is told by look."""
    hashed: Hashed | None
    """None where no picture is known by hash."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class GalleryOutputs(Outputs):
    """What the parts of one frame look like, and the gallery it was prepared for."""

    gallery: Gallery
    parts: tuple[Part, ...]
    looks: Looks
    """One row a part; no rows where nothing is told by look."""


@dataclass(frozen=True, slots=True)
class _Hit:
    title: Title
    score: float
    box: Box


class GalleryDetector(StagedDetector[FrameSample, tuple[Gallery, tuple[Part, ...]], GalleryOutputs]):
    """Reports the label of each title that the frame shows, under the title's name."""

    name = "gallery"
    modality = Modality.IMAGE
    takes = FrameSample

    def __init__(self, book: GalleryBook, *, host: Host, labels: frozenset[str]) -> None:
        """Bind to a book.

        Args:
            book: what is looked for, and the eye.
            host: threads and clock.
            labels: every code that may be taught.
        """
        super().__init__(host, labels)
        self._book = book
        self._layouts = LayoutMemory()

    @property
    def gallery(self) -> Gallery:
        """What is looked for now."""
        return self._book.gallery

    def forget(self, room_id: str) -> None:
        """Drop the layout remembered of a room."""
        self._layouts.forget(room_id)

    def prepare(self, sample: FrameSample) -> tuple[Gallery, tuple[Part, ...]]:
        """Cut the frame into its parts, hash them and make them ready for the eye; nothing where nothing is enrolled."""
        gallery = self._book.gallery
        if gallery.empty:
            return gallery, ()
        pixels = sample.picture.rgb()
        boxes = self._layouts.of(sample).parts(MAX_TILES if sample.tiled else 0)
        return gallery, tuple(self._part(pixels, box, gallery) for box in boxes)

    async def infer(self, prepared: tuple[Gallery, tuple[Part, ...]], *, deadline_s: float | None) -> GalleryOutputs:
        """Wait for the eye."""
        gallery, parts = prepared
        asked = [part.prepared for part in parts if part.prepared is not None]
        if not asked:
            return GalleryOutputs(gallery=gallery, parts=parts, looks=np.zeros((0, 0), np.float32))
        glimpse = await self._book.eye.see(asked, deadline_s=deadline_s)
        return GalleryOutputs(gallery=gallery, parts=parts, looks=glimpse.looks, timings=glimpse.timings)

    def findings(self, outputs: GalleryOutputs, sample: FrameSample) -> tuple[Finding, ...]:
        """The surest hit of each title; the whole frame's look is offered to the ordinary frames where none is worth a question."""
        best: dict[str, _Hit] = {}
        for hit in _hits(outputs):
            known = best.get(hit.title.name)
            if known is None or hit.score > known.score:
                best[hit.title.name] = hit
        if len(outputs.looks) and all(hit.score < PASSED_BELOW for hit in best.values()):
            self._book.ordinary.take(sample.room_id, outputs.looks[0].copy(), now_s=self._host.clock.now_s())
        return tuple(self._finding(hit, sample) for hit in best.values())

    def _part(self, pixels: Pixels, box: Box, gallery: Gallery) -> Part:
        height, width = pixels.shape[:2]
        rows = slice(round(box.y * height), max(round(box.y * height) + 1, round((box.y + box.h) * height)))
        columns = slice(round(box.x * width), max(round(box.x * width) + 1, round((box.x + box.w) * width)))
        cut = np.ascontiguousarray(pixels[rows, columns])
        prepared = self._book.eye.prepare(cut) if gallery.by_look else None
        return Part(box, prepared, hash_of(cut) if len(gallery.index) else None)

    def _finding(self, hit: _Hit, sample: FrameSample) -> Finding:
        entry = hit.title.entry
        box = Box(hit.box.x, hit.box.y, hit.box.w, hit.box.h, hit.score, hit.box.name)
        return Finding(
            label=entry.label,
            score=hit.score,
            modality=self.modality,
            detector=self.name,
            pts_s=sample.pts_s,
            sublabel=entry.title,
            model=self._book.eye.ref,
            boxes=(box,),
        )


def _hits(outputs: GalleryOutputs) -> list[_Hit]:
    """Compare every part by hash and by look. A box is named by the picture it is like, `name@version/file`, for who compares."""
    gallery, found = outputs.gallery, []
    for part in outputs.parts:
        if part.hashed is not None and part.hashed.telling:
            near = gallery.index.nearest(part.hashed.words)
            if near is not None:
                title = gallery.by_hash[near.owner]
                found.append(_Hit(title, KNOWN_SCORE - KNOWN_SLOPE * near.distance, _named(part.box, title, 0)))
    for part, look in zip(outputs.parts, outputs.looks, strict=False):
        likeness = gallery.page.likeness(look)
        if likeness is not None and likeness.score >= FLOOR:
            title = gallery.by_look[likeness.place]
            found.append(_Hit(title, likeness.score, _named(part.box, title, likeness.picture)))
    return found


def _named(box: Box, title: Title, picture: int) -> Box:
    return Box(box.x, box.y, box.w, box.h, name=f"{title.ref}/{title.entry.pictures[picture]}")


def title_reader(read: TextReader, gallery: Callable[[], Gallery]) -> TextReader:
    """Let a reader of texts report titles of the present gallery that are named, too."""

    def reading(text: str, scene: Scene) -> Sequence[Finding]:
        return [*read(text, scene), *named_in(text, scene, gallery())]

    return reading


def named_in(text: str, scene: Scene, gallery: Gallery) -> list[Finding]:
    """Report the titles that a text names, where that scene says what is shown."""
    if scene not in _NAMED_SCENES:
        return []
    return [
        Finding(
            label=named.label,
            score=NAMED_SCORE,
            modality=Modality.TEXT,
            detector=GalleryDetector.name,
            sublabel=named.name,
            match=TextMatch(NAMES_LIST, named.name, (Span(0, len(text)),), text),
        )
        for named in gallery.names.within(text)
    ]
