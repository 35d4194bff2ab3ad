from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from inference.detectors import Detection
from inference.host import Host
from inference.samples import Pixels, Scene
from inference.testing import ManualClock
from inference.vision.gallery import NAMED_SCORE, GalleryDetector, named_in, title_reader
from inference.vision.gallery_desk import Lesson, TitleOrder
from models.taxonomy import Taxonomy
from tests.inference.samples_maker import frame, scenery
from tests.inference.vision.gallery_maker import BOARD, CORRIDOR, LABEL, Gallery, levels, sent

LABELS = frozenset(label.code for label in Taxonomy.load())


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return Gallery(tmp_path)


@pytest.fixture
def detector(gallery: Gallery, host: Host) -> GalleryDetector:
    return GalleryDetector(gallery.book, host=host, labels=LABELS)


async def seen(detector: GalleryDetector, pixels: Pixels, *, room: str = "") -> Detection:
    return await detector.detect(frame(pixels, room_id=room))


async def titles(detector: GalleryDetector, pixels: Pixels) -> dict[str | None, float]:
    return {finding.sublabel: finding.score for finding in (await seen(detector, pixels)).findings}


async def test_nothing_enrolled_nothing_found_and_nothing_computed(detector: GalleryDetector) -> None:
    detection = await seen(detector, levels(BOARD, [0])[0])
    assert detection.findings == ()
    assert detector.prepare(frame(levels(BOARD, [0])[0]))[1] == ()


async def test_other_levels_of_a_taught_title_are_found_under_its_label_and_name(
    gallery: Gallery, detector: GalleryDetector
) -> None:
    gallery.teach("board", BOARD)
    gallery.teach("corridor", CORRIDOR)
    for seed, name in ((BOARD, "Board"), (CORRIDOR, "Corridor")):
        found = [await seen(detector, sent(level)) for level in levels(seed, (1, 5, 9))]
        tops = [max(one.findings, key=lambda finding: finding.score) for one in found if one.findings]
        assert [(top.label, top.sublabel) for top in tops] == [(LABEL, name)] * 3
        assert all(top.score >= 0.4 for top in tops)


async def test_a_very_picture_is_known_by_its_hash_and_surer_than_any_look(gallery: Gallery, detector: GalleryDetector) -> None:
    gallery.teach("board", BOARD)
    score = (await titles(detector, sent(levels(BOARD, [2])[0])))["Board"]
    assert score >= 0.93
    assert score > (await titles(detector, levels(BOARD, [40])[0])).get("Board", 0.0)


async def test_a_known_picture_within_bars_is_known(gallery: Gallery, detector: GalleryDetector) -> None:
    picture = scenery(4)
    gallery.desk.teach("bad", Lesson([picture]), TitleOrder(label="custom.image", exact=True))
    gallery.follower.follow()
    framed = np.zeros((720, 1280, 3), np.uint8)
    framed[90:630, 160:1120] = cv2.resize(picture, (960, 540), interpolation=cv2.INTER_AREA)
    assert (await titles(detector, sent(framed)))["bad"] >= 0.87


async def test_a_picture_taught_exactly_is_not_found_by_look(gallery: Gallery, detector: GalleryDetector) -> None:
    gallery.desk.teach("bad", Lesson([levels(BOARD, [0])[0]]), TitleOrder(label="custom.image", exact=True))
    gallery.follower.follow()
    assert await titles(detector, levels(BOARD, [40])[0]) == {}
    assert "bad" in await titles(detector, levels(BOARD, [0])[0])


async def test_a_finding_names_the_picture_it_is_like(gallery: Gallery, detector: GalleryDetector) -> None:
    gallery.teach("board", BOARD)
    (finding,) = (await seen(detector, levels(BOARD, [2])[0])).findings
    (box,) = finding.boxes
    assert box.name.startswith("board@1/")
    assert (box.x, box.y, box.w, box.h) == (0.0, 0.0, 1.0, 1.0)
    assert (gallery.store.find("board").folder / box.name.partition("/")[2]).is_file()


async def test_a_removed_title_is_found_no_more_and_a_new_version_counts_at_once(
    gallery: Gallery, detector: GalleryDetector
) -> None:
    gallery.teach("board", BOARD)
    gallery.store.remove("board")
    gallery.follower.follow()
    assert await titles(detector, levels(BOARD, [0])[0]) == {}
    gallery.teach("board", BOARD)
    assert "Board" in await titles(detector, levels(BOARD, [0])[0])


async def test_a_title_counts_within_its_dates_only(tmp_path: Path, host: Host) -> None:
    clock = ManualClock()
    gallery = Gallery(tmp_path, clock)
    detector = GalleryDetector(gallery.book, host=host, labels=LABELS)
    now = clock.utc()
    order = TitleOrder(label=LABEL, starts_at=now + timedelta(hours=1), ends_at=now + timedelta(hours=2))
    gallery.teach("board", BOARD, order=order)
    seen_at = []
    for _ in range(3):
        seen_at.append(bool(await titles(detector, levels(BOARD, [0])[0])))
        clock.advance(3600.0)
        gallery.follower.follow()
    assert seen_at == [False, True, False]


async def test_frames_that_are_like_nothing_join_the_ordinary_ones(gallery: Gallery, detector: GalleryDetector) -> None:
    gallery.teach("board", BOARD)
    before = len(gallery.book.ordinary)
    await seen(detector, levels(BOARD, [0])[0], room="a")
    assert len(gallery.book.ordinary) == before
    await seen(detector, scenery(2), room="b")
    assert len(gallery.book.ordinary) == before + 1


def test_names_are_found_on_the_screen_and_in_room_titles_and_not_in_chat(gallery: Gallery) -> None:
    gallery.teach("board", BOARD, order=TitleOrder(label=LABEL, title="Board Night", aliases=("棋牌之夜",)))
    found = gallery.book.gallery
    for scene in (Scene.OCR, Scene.ROOM_TITLE):
        (finding,) = named_in("来玩棋牌 之夜", scene, found)
        assert (finding.label, finding.sublabel, finding.score) == (LABEL, "Board Night", NAMED_SCORE)
    assert named_in("来玩棋牌之夜", Scene.DANMAKU, found) == []


def test_a_reader_reports_names_beside_what_it_finds(gallery: Gallery) -> None:
    gallery.teach("board", BOARD, order=TitleOrder(label=LABEL, title="Board Night"))
    base = named_in("board night", Scene.OCR, gallery.book.gallery)
    read = title_reader(lambda text, scene: [replace(base[0], sublabel="own")], lambda: gallery.book.gallery)
    assert [finding.sublabel for finding in read("Board Night 2", Scene.OCR)] == ["own", "Board Night"]


@pytest.mark.parametrize("size", [(1, 1), (10, 4000), (4000, 10)])
async def test_odd_frames_are_answered(gallery: Gallery, detector: GalleryDetector, size: tuple[int, int]) -> None:
    gallery.teach("board", BOARD)
    assert (await seen(detector, np.zeros((*size, 3), np.uint8))).findings == ()
