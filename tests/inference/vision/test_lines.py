from __future__ import annotations

import cv2
import numpy as np
import pytest

from inference.samples import Pixels
from inference.vision.crops import MAX_CROP_HEIGHT_PX, WIDTHS_PX, cut_line, line_tensor
from inference.vision.ctc import Reading
from inference.vision.lines import MAX_AGE_S, LineMemory, ReadLine, look_of, same_look
from inference.vision.textboxes import TextBox
from models.manifest import Colour, Preprocess
from tests.inference.samples_maker import broadcast, scenery

NUMBERS = Preprocess(colour=Colour.BGR, height_px=48, scale=1 / 255, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


def box(x: float, y: float, w: float, h: float) -> TextBox:
    return TextBox(np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float32), 0.9)


def written(text: str, pixels: Pixels | None = None, *, x: int = 100) -> Pixels:
    page = scenery(3, width=640, height=360) if pixels is None else pixels.copy()
    cv2.putText(page, text, (x, 200), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (255, 255, 255), 2, cv2.LINE_AA)
    return page


PLACE = box(98, 172, 320, 40)


def remembering(page: Pixels, *, room_id: str = "room", max_rooms: int = 4) -> LineMemory:
    memory = LineMemory(max_rooms=max_rooms)
    memory.keep(room_id, (ReadLine(PLACE, Reading("call 12345", 0.9), look_of(cut_line(page, PLACE)), 10.0),))
    return memory


def test_a_line_that_stands_still_is_known_although_compression_and_the_box_tremble() -> None:
    page = broadcast(written("call 12345"), crf=23)
    again = broadcast(written("call 12345"), crf=30)
    known = remembering(page).recall("room", again, box(100, 170, 318, 43), now_s=11.0)
    assert known is not None
    assert known.reading.text == "call 12345"


@pytest.mark.parametrize("other", ["call 12346", "call 72345", "hall 12345", ""])
def test_one_changed_character_is_seen(other: str) -> None:
    memory = remembering(broadcast(written("call 12345")))
    assert memory.recall("room", broadcast(written(other)), PLACE, now_s=11.0) is None


def test_another_place_another_room_and_an_old_line_are_not_known() -> None:
    page = written("call 12345")
    memory = remembering(page)
    assert memory.recall("room", page, PLACE, now_s=11.0) is not None
    assert memory.recall("room", page, box(300, 20, 320, 40), now_s=11.0) is None
    assert memory.recall("other", page, PLACE, now_s=11.0) is None
    assert memory.recall("room", page, PLACE, now_s=10.0 + MAX_AGE_S) is None
    assert memory.recall("room", page, PLACE, now_s=9.0) is None  # a new session began


def test_a_picture_of_no_room_is_not_remembered() -> None:
    page = written("call 12345")
    memory = remembering(page, room_id="")
    assert len(memory) == 0
    assert memory.recall("", page, PLACE, now_s=11.0) is None


def test_rooms_are_bounded_and_can_be_forgotten() -> None:
    page = written("call 12345")
    memory = remembering(page, room_id="room 0", max_rooms=2)
    memory.keep("room 1", ())
    memory.keep("room 2", ())
    assert len(memory) == 2
    assert memory.recall("room 0", page, PLACE, now_s=11.0) is None
    memory.forget("room 1")
    assert len(memory) == 1


def test_looks_of_other_widths_differ() -> None:
    assert not same_look(np.zeros((12, 40), np.float32), np.zeros((12, 41), np.float32))


def test_a_tilted_line_is_cut_out_straight() -> None:
    page = np.zeros((300, 400, 3), np.uint8)
    corners = cv2.boxPoints(((200.0, 150.0), (200.0, 30.0), 20.0))
    cv2.fillPoly(page, [corners.astype(np.int32)], (255, 255, 255))
    tilted = TextBox(np.roll(corners, -1, axis=0)[[0, 1, 2, 3]].astype(np.float32), 1.0)
    line = cut_line(page, tilted)
    assert sorted(line.shape[:2]) == pytest.approx([30, 200], abs=2)
    assert line.mean() > 235


def test_a_line_that_runs_down_is_laid_on_its_side() -> None:
    line = cut_line(np.zeros((400, 400, 3), np.uint8), box(10, 10, 30, 300))
    assert line.shape == (30, 300, 3)


def test_a_line_over_the_whole_of_a_huge_frame_is_cut_small() -> None:
    line = cut_line(np.zeros((2000, 3000, 3), np.uint8), box(0, 0, 2999, 1999))
    assert line.shape[0] == MAX_CROP_HEIGHT_PX


@pytest.mark.parametrize(("width", "padded"), [(10, 96), (96, 96), (97, 160), (700, 960), (9000, WIDTHS_PX[-1])])
def test_lines_are_padded_to_a_few_widths_with_zeros(width: int, padded: int) -> None:
    tensor = line_tensor(np.full((48, width, 3), 255, np.uint8), NUMBERS)
    assert tensor.shape == (3, 48, padded)
    used = min(width, WIDTHS_PX[-1])
    assert tensor[:, :, :used] == pytest.approx(1.0, abs=1e-6)
    assert not tensor[:, :, used:].any()


def test_the_channels_come_in_the_models_order() -> None:
    red = np.zeros((48, 96, 3), np.uint8)
    red[..., 0] = 255
    assert line_tensor(red, NUMBERS)[:, 0, 0].tolist() == pytest.approx([-1.0, -1.0, 1.0], abs=1e-6)
