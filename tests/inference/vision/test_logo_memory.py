from __future__ import annotations

import numpy as np

from inference.vision.logo_memory import LogoMemory, LookAt
from models.logo_matching import N_NUMBERS, Seen

SIZE = (1280, 720)


def mark() -> Seen:
    numbers = np.zeros((1, N_NUMBERS), np.float32)
    numbers[0, 0] = 1.0
    box = np.array([[100, 50, 260, 130]], np.float32)
    return Seen(box, np.ones(1, np.float32), np.ones(1, np.float32), numbers)


def looks(found: Seen) -> int:
    assert found.looks is not None
    return int(found.looks[0])


def test_looks_of_one_session_are_gathered() -> None:
    memory = LogoMemory(4)

    counts = [looks(memory.add(LookAt("r", "s", 5.0 * at), SIZE, mark())) for at in range(3)]

    assert counts == [1, 2, 3]


def test_another_room_session_or_size_and_a_look_of_before_begin_anew() -> None:
    memory = LogoMemory(4)
    memory.add(LookAt("r", "s", 10.0), SIZE, mark())

    assert looks(memory.add(LookAt("other", "s", 20.0), SIZE, mark())) == 1
    assert looks(memory.add(LookAt("r", "s", 20.0), (720, 1280), mark())) == 1
    assert looks(memory.add(LookAt("r", "s", 15.0), (720, 1280), mark())) == 1
    assert looks(memory.add(LookAt("r", "next", 30.0), (720, 1280), mark())) == 1


def test_a_forgotten_room_and_one_without_a_name_leave_nothing() -> None:
    memory = LogoMemory(4)
    memory.add(LookAt("r", "s", 0.0), SIZE, mark())
    memory.forget("r")
    memory.forget("never seen")

    assert looks(memory.add(LookAt("", "s", 0.0), SIZE, mark())) == 1
    assert looks(memory.add(LookAt("", "s", 5.0), SIZE, mark())) == 1
    assert len(memory) == 0


def test_of_too_many_rooms_the_one_looked_at_longest_ago_goes() -> None:
    memory = LogoMemory(2)
    for room in ("a", "b", "a", "c"):
        memory.add(LookAt(room, "s", 0.0), SIZE, mark())

    assert len(memory) == 2
    assert looks(memory.add(LookAt("a", "s", 9.0), SIZE, mark())) == 2
    assert looks(memory.add(LookAt("b", "s", 9.0), SIZE, mark())) == 1
