from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inference.errors import ConfigError, InvalidSample, SampleTooLarge
from inference.vision.eyes import COLOUR_AND_TEXTURE
from inference.vision.gallery_book import HASHES_FILE
from inference.vision.gallery_desk import Lesson, TitleOrder, read_picture
from tests.inference.samples_maker import scenery
from tests.inference.vision.gallery_maker import BOARD, CORRIDOR, LABEL, Gallery, levels

ORDER = TitleOrder(label=LABEL)


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return Gallery(tmp_path)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def test_a_taught_title_lies_beside_its_pictures_looks_and_hashes(gallery: Gallery) -> None:
    gallery.teach("board", BOARD, against=[scenery(1)])
    title = gallery.store.find("board")
    names = {path.name for path in title.folder.iterdir()}
    assert {"0.jpg", "against-0.jpg", HASHES_FILE, f"looks-{COLOUR_AND_TEXTURE}.npy"} <= names
    assert title.entry.pictures == tuple(f"{index}.jpg" for index in range(8))


def test_pictures_that_are_the_same_teach_once(gallery: Gallery) -> None:
    picture = levels(BOARD, [0])[0]
    learnt = gallery.desk.teach("board", Lesson([picture, picture.copy(), picture]), ORDER)
    assert len(learnt.title.entry.pictures) == 1


def test_few_pictures_and_a_like_title_are_noted(gallery: Gallery) -> None:
    few = gallery.desk.teach("corridor", Lesson(levels(CORRIDOR, range(3))), ORDER)
    assert any("3 different pictures" in note for note in few.notes)
    gallery.teach("board", BOARD)
    assert any("look like 'board'" in note for note in gallery.teach("board-again", BOARD))


@pytest.mark.parametrize(
    ("order", "problem"),
    [
        (TitleOrder(label=LABEL, title="x" * 81), "a name of 81 characters"),
        (TitleOrder(label=LABEL, aliases=("a",) * 41), "41 aliases"),
        (TitleOrder(label=LABEL, starts_at=datetime(2026, 1, 1)), "has no zone"),  # noqa: DTZ001  that is the mistake
        (
            TitleOrder(label=LABEL, starts_at=datetime(2026, 2, 1, tzinfo=UTC), ends_at=datetime(2026, 1, 1, tzinfo=UTC)),
            "before it begins",
        ),
    ],
)
def test_orders_that_cannot_work_are_refused_by_name(gallery: Gallery, order: TitleOrder, problem: str) -> None:
    with pytest.raises(InvalidSample, match=problem):
        gallery.desk.teach("board", Lesson(levels(BOARD, [0])), order)


def test_no_picture_a_plain_exact_one_and_an_unknown_label_are_refused(gallery: Gallery) -> None:
    with pytest.raises(InvalidSample, match="no pictures"):
        gallery.desk.teach("board", Lesson([]), ORDER)
    ramp = np.ascontiguousarray(np.broadcast_to(np.linspace(60, 120, 300, dtype=np.uint8)[None, :, None], (200, 300, 3)))
    with pytest.raises(InvalidSample, match="too plain"):
        gallery.desk.teach("grey", Lesson([ramp]), TitleOrder(label=LABEL, exact=True))
    with pytest.raises(InvalidSample, match="nothing"):
        gallery.desk.teach("board", Lesson(levels(BOARD, [0])), TitleOrder(label="banned_game.nothing"))
    with pytest.raises(InvalidSample, match="gallery entry name 'No!'"):
        gallery.desk.teach("No!", Lesson(levels(BOARD, [0])), ORDER)
    assert gallery.store.live() == ()


def test_looks_of_another_eye_are_made_anew_from_the_pictures(gallery: Gallery) -> None:
    gallery.teach("board", BOARD)
    stored = gallery.store.find("board").folder / f"looks-{COLOUR_AND_TEXTURE}.npy"
    kept = np.load(stored)
    assert len(kept) == 2 * 8  # crisp, and as a poor stream shows them
    np.save(stored, kept[:8])  # as older versions wrote them
    older = Gallery(gallery.store.root.parent)
    stored.unlink()
    again = Gallery(gallery.store.root.parent)
    for one in (older, again):
        assert one.follower.follow()
        assert len(one.book.gallery.page.units) == 2 * 8


def test_a_lost_picture_leaves_the_gallery_before_in_force(gallery: Gallery) -> None:
    gallery.teach("board", BOARD)
    gallery.teach("corridor", CORRIDOR)
    (gallery.store.find("corridor").folder / HASHES_FILE).unlink()
    with pytest.raises(ConfigError, match="enrol it again"):
        Gallery(gallery.store.root.parent).follower.follow()
    assert len(gallery.book.gallery.by_look) == 2


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "empty"),
        (b"not a picture at all", "unknown picture type, first bytes 6e 6f 74 20"),
        (b"<html>not a picture</html>", "the picture is a web page; send JPEG"),
        (encoded(Image.new("RGB", (1, 1)), "PNG"), "at least 8 pixels"),
        (encoded(Image.new("RGB", (40, 400)), "PNG"), "at least 64 pixels"),
        (encoded(Image.new("CMYK", (200, 200)), "JPEG"), "colours of print"),
        (encoded(Image.new("RGB", (200, 200)), "GIF"), "the picture is a GIF"),
        (encoded(Image.new("RGB", (200, 200)), "BMP"), "the picture is a BMP"),
        (
            encoded(Image.new("RGB", (200, 200)), "WEBP", save_all=True, append_images=[Image.new("RGB", (200, 200), "red")]),
            "animated",
        ),
        (encoded(Image.effect_noise((300, 300), 50).convert("RGB"), "JPEG")[:900], "truncated|ends"),
    ],
)
def test_what_is_no_fit_picture_gets_a_clear_answer(data: bytes, problem: str) -> None:
    with pytest.raises(InvalidSample, match=problem):
        read_picture(data)


def test_pictures_of_one_colour_teach_nothing_and_are_left_out(gallery: Gallery) -> None:
    black, red = (np.full((180, 320, 3), colour, np.uint8) for colour in ((0, 0, 0), (200, 30, 30)))
    with pytest.raises(InvalidSample, match="all 2 pictures are of one colour all over; send some that show something"):
        gallery.desk.teach("board", Lesson([black, red]), TitleOrder(label=LABEL))
    learnt = gallery.desk.teach("board", Lesson([black, *levels(BOARD, (0,)), red], [black, scenery(1)]), TitleOrder(label=LABEL))
    assert (len(learnt.title.entry.pictures), len(learnt.title.entry.against)) == (1, 1)


def test_400_megapixels_are_refused_before_they_are_decoded() -> None:
    huge = bytearray(encoded(Image.new("RGB", (100, 100)), "PNG"))
    huge[16:24] = (20_000).to_bytes(4, "big") * 2
    with pytest.raises(SampleTooLarge, match="20000x20000"):
        read_picture(bytes(huge))


def test_many_rounds_of_teaching_and_removing_leave_nothing_behind(gallery: Gallery) -> None:
    for _ in range(12):
        gallery.desk.teach("board", Lesson(levels(BOARD, [0])), TitleOrder(label=LABEL, exact=True))
        gallery.follower.follow()
        gallery.store.remove("board")
        gallery.follower.follow()
        assert gallery.book.gallery.empty
    assert len(list((gallery.store.root / "board").iterdir())) <= 5
    assert len(gallery.book._known) == 0
