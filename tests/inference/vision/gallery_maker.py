"""A gallery in a folder of its own, seen by colour and texture; titles are made-up games."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from inference.clock import Clock
from inference.samples import Pixels
from inference.testing import ManualClock
from inference.vision.eyes import PlainEye
from inference.vision.gallery_book import GalleryBook, GalleryFollower, gallery_store
from inference.vision.gallery_desk import GalleryDesk, Lesson, TitleOrder
from inference.vision.ordinary import OrdinaryFrames
from models.image_titles import Title
from models.taxonomy import Taxonomy

LABEL = "banned_game.regulated"
BOARD, CORRIDOR = 3, 0
"""Seeds of two titles that look otherwise than each other and than ordinary frames."""
TAUGHT = range(0, 16, 2)
"""Levels that titles are taught from; the others are of the same worlds."""


def levels(seed: int, numbers: Sequence[int]) -> list[Pixels]:
    """Pictures of play; every fourth begins a world of other colours."""
    title = Title.of(seed)
    return [title.level(number) for number in numbers]


def sent(pixels: Pixels, quality: int = 60) -> Pixels:
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


class Gallery:
    """Desk, book and follower over one folder."""

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self.clock = clock or ManualClock()
        eye = PlainEye()
        self.store = gallery_store(folder)
        self.book = GalleryBook(eye, OrdinaryFrames(eye.ordinary), self.clock)
        self.follower = GalleryFollower(self.store, self.book)
        own = GalleryBook(eye, OrdinaryFrames(eye.ordinary), self.clock)
        self.desk = GalleryDesk(self.store, own, check_label=Taxonomy.load().__getitem__)

    def teach(self, name: str, seed: int, *, against: Sequence[Pixels] = (), order: TitleOrder | None = None) -> tuple[str, ...]:
        """Teach a title from some of its levels, and follow; returns the notes."""
        lesson = Lesson(levels(seed, TAUGHT), against)
        learnt = self.desk.teach(name, lesson, order or TitleOrder(label=LABEL, title=name.title()))
        self.follower.follow()
        return learnt.notes
