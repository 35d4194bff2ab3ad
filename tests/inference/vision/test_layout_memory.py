from __future__ import annotations

from inference.verdicts import Box
from inference.vision.layout import WHOLE, Layout
from inference.vision.layout_memory import MOST, LayoutMemory

SPLIT = Layout(Box(0, 0, 1, 1, name="content"), (Box(0, 0, 0.5, 1, name="tile"), Box(0.5, 0, 0.5, 1, name="tile")))
BARS = Layout(Box(0, 0.1, 1, 0.8, name="content"))


def test_a_new_layout_of_a_room_counts_once_two_frames_running_agree() -> None:
    memory = LayoutMemory()
    assert memory.settle("room", SPLIT) == WHOLE
    assert memory.settle("room", SPLIT) == SPLIT
    assert memory.settle("room", BARS) == SPLIT
    assert memory.settle("room", SPLIT) == SPLIT
    assert memory.settle("room", BARS) == SPLIT
    assert memory.settle("room", BARS) == BARS


def test_a_seam_that_trembles_by_a_pixel_is_the_same_layout() -> None:
    memory = LayoutMemory()
    moved = Layout(SPLIT.content, (Box(0, 0, 0.503, 1, name="tile"), Box(0.503, 0, 0.497, 1, name="tile")))
    memory.settle("room", SPLIT)
    memory.settle("room", moved)
    assert memory.settle("room", moved) == SPLIT


def test_a_picture_of_no_room_is_taken_as_it_is() -> None:
    assert LayoutMemory().settle("", SPLIT) == SPLIT


def test_rooms_are_bounded_and_forgotten() -> None:
    memory = LayoutMemory(max_rooms=2, agree=1)
    for room in ("a", "b", "c"):
        memory.settle(room, SPLIT)
    assert len(memory) == 2
    memory.forget("c")
    assert len(memory) == 1


CAM = Layout(WHOLE.content, (Box(0.75, 0.7, 0.25, 0.3, name="inset"),))
DOOR = Layout(WHOLE.content, (Box(0.1, 0.2, 0.2, 0.4, name="inset"),))
BOTH = Layout(WHOLE.content, (*CAM.tiles, *DOOR.tiles))


def test_an_inset_counts_once_two_frames_show_it_whatever_else_they_show() -> None:
    memory = LayoutMemory()
    assert memory.settle("room", CAM) == WHOLE
    assert memory.settle("room", BOTH) == CAM


def test_an_inset_counts_when_every_other_frame_shows_it() -> None:
    memory = LayoutMemory()
    assert [memory.settle("room", seen) == CAM for seen in (CAM, WHOLE, CAM, WHOLE)] == [False, False, True, True]


def test_an_inset_outlives_some_frames_that_do_not_show_its_sides() -> None:
    memory = LayoutMemory()
    for _ in range(MOST):
        memory.settle("room", CAM)
    assert [memory.settle("room", WHOLE) == CAM for _ in range(MOST)] == [True] * (MOST - 1) + [False]
    assert memory.settle("room", CAM) == WHOLE


def test_what_frames_show_now_and_then_at_other_places_never_counts() -> None:
    memory = LayoutMemory()
    moving = [Layout(WHOLE.content, (Box(0.1 * n, 0.2, 0.2, 0.4, name="inset"),)) for n in range(6)]
    assert {memory.settle("room", seen) for seen in moving} == {WHOLE}


def test_an_edge_that_crosses_a_known_inset_does_not_take_its_place() -> None:
    memory = LayoutMemory()
    for _ in range(2):
        memory.settle("room", CAM)
    wide = Layout(WHOLE.content, (Box(0.6, 0.7, 0.4, 0.3, name="inset"),))
    assert memory.settle("room", wide) == CAM


def test_a_split_screen_counts_before_insets() -> None:
    memory = LayoutMemory()
    for seen in (CAM, CAM, SPLIT):
        memory.settle("room", seen)
    assert memory.settle("room", SPLIT) == SPLIT
