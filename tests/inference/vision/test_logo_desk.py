"""Enrolling logos."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from inference.errors import InvalidSample
from inference.vision.logo_book import LogoBook, logo_store
from inference.vision.logo_desk import LIMITS, MAX_PICTURES, PREVIEW, LogoDesk, LogoOrder, shown_pictures
from inference.vision.marks import read_mark
from models.taxonomy import Taxonomy
from tests.inference.vision.marks_maker import READER, mark_png

NOW = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.fixture
def desk(tmp_path: Path) -> LogoDesk:
    return LogoDesk(logo_store(tmp_path), READER, check_label=Taxonomy.load().__getitem__, now=lambda: NOW)


def test_an_enrolled_logo_is_in_force_with_its_pictures_and_preview(desk: LogoDesk) -> None:
    order = LogoOrder(title="平台B", zones=("top-right",), min_area=0.001, words=(" 平台B ", ""))
    logo, examined = desk.enrol("b", [mark_png(1), mark_png(2)], order)

    assert desk.store.live() == (logo,)
    assert (logo.entry.title, logo.entry.label, logo.entry.enrolled_at) == ("平台B", "competitor.logo", NOW)
    assert logo.entry.zones == ((0.6, 0.0, 0.4, 0.35),)
    assert logo.entry.words == ("平台B",)
    assert len(shown_pictures(logo)) == 2
    assert (logo.folder / PREVIEW).read_bytes() == examined.preview


def test_workers_read_the_embeddings_that_the_desk_made(desk: LogoDesk) -> None:
    logo, examined = desk.enrol("b", [mark_png(1)], LogoOrder())
    book = LogoBook(READER)

    book.teach((logo,))

    assert np.allclose(book.page.index.likeness(examined.vectors), 1.0)


def test_a_logo_like_another_one_is_refused_unless_the_caller_insists(desk: LogoDesk) -> None:
    desk.enrol("first", [mark_png(1)], LogoOrder())

    with pytest.raises(InvalidSample, match=r"too like the enrolled logo 'first' \(cosine 1\.00\)"):
        desk.enrol("second", [mark_png(1)], LogoOrder())
    assert [one.name for one in desk.store.live()] == ["first"]
    _, examined = desk.enrol("second", [mark_png(1)], LogoOrder(force=True))
    assert examined.alike[0].name == "first"
    assert any("looks like 'first'" in note for note in examined.notes)


def test_a_logo_may_be_enrolled_again_under_its_own_name(desk: LogoDesk) -> None:
    desk.enrol("b", [mark_png(1)], LogoOrder())

    again, examined = desk.enrol("b", [mark_png(1), mark_png(3)], LogoOrder())

    assert again.version == 2
    assert examined.alike == ()


def test_a_label_that_the_taxonomy_does_not_have_is_refused(desk: LogoDesk) -> None:
    with pytest.raises(InvalidSample, match=r"label: .*competitor\.logos"):
        desk.enrol("b", [mark_png(1)], LogoOrder(label="competitor.logos"))


@pytest.mark.parametrize(
    ("order", "says"),
    [
        (LogoOrder(min_area=1.5), r"min_area 1\.5; give a share"),
        (LogoOrder(min_area=float("nan")), "min_area nan"),
        (LogoOrder(zones=("left",)), "zone 'left'"),
        (LogoOrder(title="x" * 81), "title of 81 characters"),
        (LogoOrder(words=("台",)), "words '台' are on many screens; at least 2 characters, of Latin letters and digits 4"),
        (LogoOrder(words=("TV",)), "words 'TV' are on many screens"),
        (LogoOrder(words=("。。。",)), "words '。。。' are on many screens"),
        (LogoOrder(words=("直" * 81,)), "words of 81 characters"),
        (LogoOrder(words=("平台B",) * 9), "9 kinds of words; at most 8"),
    ],
)
def test_options_out_of_range_are_refused_and_nothing_is_enrolled(desk: LogoDesk, order: LogoOrder, says: str) -> None:
    with pytest.raises(InvalidSample, match=says):
        desk.enrol("b", [mark_png(1)], order)
    assert desk.store.live() == ()


@pytest.mark.parametrize("n", [0, MAX_PICTURES + 1])
def test_no_picture_or_too_many_are_refused(desk: LogoDesk, n: int) -> None:
    with pytest.raises(InvalidSample, match=f"{n} pictures; send 1 to {MAX_PICTURES}"):
        desk.examine("b", [mark_png(seed) for seed in range(n)])


def test_the_picture_that_is_unfit_is_named(desk: LogoDesk) -> None:
    with pytest.raises(InvalidSample, match="picture 2: unknown picture type"):
        desk.examine("b", [mark_png(1), b"not a picture at all"])


def test_staff_are_told_that_a_flat_background_was_taken_off(desk: LogoDesk) -> None:
    rgba = np.asarray(cv2.imdecode(np.frombuffer(mark_png(1), np.uint8), cv2.IMREAD_UNCHANGED))
    on_white = np.full((100, 160, 3), 255, np.uint8)
    on_white[20:80, 20:140][rgba[..., 3] > 0] = rgba[..., :3][rgba[..., 3] > 0]

    examined = desk.examine("b", [cv2.imencode(".png", on_white)[1].tobytes()])

    assert any("flat background was taken off" in note for note in examined.notes)


def test_staff_are_told_that_a_whole_frame_is_no_logo(desk: LogoDesk) -> None:
    frame = np.random.default_rng(1).integers(0, 256, (72, 128, 3), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)

    notes = {
        name: desk.examine("b", [cv2.imencode(".png", picture)[1].tobytes()]).notes
        for name, picture in (("frame", frame), ("small", frame[:100, :200]))
    }

    assert any("cut it to the logo" in note for note in notes["frame"])
    assert not any("cut it to the logo" in note for note in notes["small"])
    assert not any("cut it to the logo" in note for note in desk.examine("b", [mark_png(1, size=(900, 450))]).notes)


def test_staff_are_told_that_a_logo_is_like_what_frames_show_anyway(tmp_path: Path) -> None:
    common, other = (READER.embed(read_mark(mark_png(seed)).rgba) for seed in (1, 2))
    desk = LogoDesk(
        logo_store(tmp_path), replace(READER, strangers=common), check_label=Taxonomy.load().__getitem__, now=lambda: NOW
    )

    notes = {seed: desk.examine("b", [mark_png(seed)]).notes for seed in (1, 2)}

    assert float((other @ common.T).max()) < LIMITS.common
    assert any("what frames show anyway (1.00)" in note for note in notes[1])
    assert not any("what frames show anyway" in note for note in notes[2])
