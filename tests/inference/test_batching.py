"""Which samples run together and when: every rule of the ladder and the former, with time as an argument."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.batching import BatchFormer, Ladder, Rounding


def former(max_wait_s: float = 0.010, sizes: tuple[int, ...] = (1, 2, 4, 8), rounding: Rounding = Rounding.UP) -> BatchFormer[str]:
    return BatchFormer(ladder=Ladder(sizes), max_wait_s=max_wait_s, rounding=rounding)


def test_partial_batch_leaves_after_max_wait():
    waiting = former()
    waiting.add("a", now_s=0.000)

    assert not waiting.due(now_s=0.009)
    assert waiting.take(now_s=0.009) == []
    assert waiting.due(now_s=0.010)
    assert waiting.take(now_s=0.010) == ["a"]
    assert len(waiting) == 0


def test_a_full_batch_leaves_at_once():
    waiting = former()
    for n in range(8):
        waiting.add(f"{n}", now_s=0.0)

    assert waiting.due(now_s=0.0)
    assert waiting.wake_at_s() == -math.inf
    assert waiting.take(now_s=0.0) == [f"{n}" for n in range(8)]


def test_no_wait_means_due_on_arrival():
    waiting = former(max_wait_s=0.0)
    waiting.add("a", now_s=5.0)

    assert waiting.due(now_s=5.0)


def test_nothing_waits_nothing_is_due():
    waiting = former()

    assert waiting.take(now_s=1.0) == []
    assert waiting.expire(now_s=1.0) == []
    assert waiting.due_at_s() == waiting.wake_at_s() == math.inf
    assert not waiting.due(now_s=1e9)


def test_only_equal_shapes_are_batched():
    waiting = former(max_wait_s=0.0)
    for n, shape in enumerate(["wide", "tall", "wide", "tall"]):
        waiting.add(f"{shape}{n}", now_s=float(n), shape=shape)

    assert waiting.take(now_s=9.0) == ["wide0", "wide2"]
    assert waiting.take(now_s=9.0) == ["tall1", "tall3"]


def test_an_overdue_shape_goes_before_a_full_one():
    waiting = former(max_wait_s=1.0, sizes=(1, 2))
    waiting.add("rare", now_s=0.0, shape="rare")
    waiting.add("a", now_s=0.9, shape="common")
    waiting.add("b", now_s=0.9, shape="common")

    assert waiting.take(now_s=0.95) == ["a", "b"]
    waiting.add("c", now_s=0.96, shape="common")
    waiting.add("d", now_s=0.96, shape="common")
    assert waiting.take(now_s=1.0) == ["rare"]


def test_expired_samples_leave_before_compute_and_the_others_stay_in_order():
    waiting = former(max_wait_s=0.0)
    waiting.add("late", now_s=0.0, deadline_s=1.0, shape="x")
    waiting.add("good", now_s=0.0, deadline_s=3.0, shape="x")
    waiting.add("free", now_s=0.0, shape="x")
    waiting.add("alone", now_s=0.0, deadline_s=1.0, shape="y")

    assert waiting.expire(now_s=0.999) == []
    assert waiting.expire(now_s=1.0) == ["late", "alone"]
    assert waiting.take(now_s=1.0) == ["good", "free"]


def test_a_sample_about_to_miss_its_deadline_does_not_wait_for_company():
    waiting = former(max_wait_s=1.0)
    waiting.run_s = 0.020
    waiting.add("calm", now_s=0.0)
    waiting.add("urgent", now_s=0.0, deadline_s=0.100)

    assert not waiting.due(now_s=0.079)
    assert waiting.due(now_s=0.080)
    assert waiting.take(now_s=0.080) == ["calm", "urgent"]


def test_wake_is_for_the_first_thing_to_do():
    waiting = former(max_wait_s=1.0)
    waiting.add("a", now_s=0.0)
    assert waiting.wake_at_s() == 1.0

    waiting.add("b", now_s=0.0, deadline_s=0.5)
    assert waiting.wake_at_s() == 0.5


def test_one_who_gave_up_leaves_the_queue():
    waiting = former(max_wait_s=0.0)
    names = ["a", "b"]
    for name in names:
        waiting.add(name, now_s=0.0)

    assert waiting.discard(names[0])
    assert not waiting.discard(names[0])
    assert waiting.take(now_s=0.0) == ["b"]


def test_drain_takes_everything():
    waiting = former()
    waiting.add("a", now_s=0.0, shape="x")
    waiting.add("b", now_s=0.0, shape="y")

    assert waiting.drain() == ["a", "b"]
    assert len(waiting) == 0


def test_padding_devices_take_all_there_is_and_linear_ones_a_full_rung():
    up, down = former(max_wait_s=0.0), former(max_wait_s=0.0, rounding=Rounding.DOWN)
    for n in range(7):
        up.add(f"{n}", now_s=0.0)
        down.add(f"{n}", now_s=0.0)

    assert len(up.take(now_s=0.0)) == 7
    assert [len(down.take(now_s=0.0)) for _ in range(3)] == [4, 2, 1]


def test_idle_threads_share_what_waits_on_a_linear_device_only():
    up, down = former(max_wait_s=0.0), former(max_wait_s=0.0, rounding=Rounding.DOWN)
    for n in range(8):
        up.add(f"{n}", now_s=0.0)
        down.add(f"{n}", now_s=0.0)

    assert len(up.take(now_s=0.0, n_takers=4)) == 8
    assert len(down.take(now_s=0.0, n_takers=4)) == 2


def test_a_negative_wait_is_refused():
    with pytest.raises(ValueError, match="max_wait_s must be 0 or more, got -1"):
        former(max_wait_s=-1)


@pytest.mark.parametrize("sizes", [(), (0, 1), (2, 1), (1, 1)])
def test_a_ladder_rises(sizes: tuple[int, ...]):
    with pytest.raises(ValueError, match="ladder must be rising sizes"):
        Ladder(sizes)


def test_a_ladder_needs_a_time_to_climb():
    with pytest.raises(ValueError, match="climb_after_s must be above 0, got 0"):
        Ladder((1,), climb_after_s=0)


def test_padding_goes_to_the_next_rung():
    ladder = Ladder((1, 2, 4, 8))

    assert [ladder.pad(n) for n in (1, 3, 5, 8, 9)] == [1, 4, 8, 8, 9]


def test_a_ladder_without_small_rungs_still_serves_few():
    assert Ladder((4, 8)).cut(3, Rounding.DOWN) == 3


def test_out_of_memory_halves_and_quiet_climbs_back_one_rung_at_a_time():
    ladder = Ladder((1, 2, 4, 8), climb_after_s=30.0)

    assert ladder.halve(now_s=100.0)
    assert (ladder.max_size, ladder.shrunk) == (4, True)
    assert ladder.halve(now_s=110.0)
    assert ladder.max_size == 2

    ladder.climb(now_s=139.9)
    assert ladder.max_size == 2
    ladder.climb(now_s=140.0)
    assert ladder.max_size == 4
    ladder.climb(now_s=140.1)
    assert ladder.max_size == 4
    ladder.climb(now_s=170.0)
    ladder.climb(now_s=1000.0)
    assert (ladder.max_size, ladder.shrunk) == (8, False)


def test_halving_a_ladder_of_close_rungs_really_halves():
    ladder = Ladder((1, 6, 8))

    assert ladder.halve(now_s=0.0)
    assert ladder.max_size == 1


def test_the_lowest_rung_cannot_be_halved():
    ladder = Ladder((4, 6))
    assert ladder.halve(now_s=0.0)

    assert not ladder.halve(now_s=0.0)
    assert ladder.max_size == 4


@given(
    samples=st.lists(st.tuples(st.integers(0, 3), st.one_of(st.none(), st.floats(0, 20))), max_size=60),
    rounding=st.sampled_from(Rounding),
    max_wait_s=st.floats(0, 5),
)
def test_every_sample_leaves_once_in_order_within_its_shape(
    samples: list[tuple[int, float | None]], rounding: Rounding, max_wait_s: float
):
    waiting: BatchFormer[int] = BatchFormer(ladder=Ladder((1, 2, 4)), max_wait_s=max_wait_s, rounding=rounding)
    left: list[list[int]] = []
    for at, (shape, deadline_s) in enumerate(samples):
        waiting.add(at, now_s=at / 10, deadline_s=deadline_s, shape=shape)
        if at % 5 == 4:
            left.append(waiting.take(now_s=at / 10))
    gone = waiting.expire(now_s=10.0)
    while waiting:
        assert waiting.due(now_s=1e6)
        left.append(waiting.take(now_s=1e6))

    assert all(len({samples[one][0] for one in batch}) <= 1 and len(batch) <= 4 for batch in left)
    assert sorted(gone + [one for batch in left for one in batch]) == list(range(len(samples)))
    for shape in range(4):
        of_shape = [one for batch in left for one in batch if samples[one][0] == shape]
        assert of_shape == sorted(of_shape)
    late = {one for one, (_, deadline_s) in enumerate(samples) if deadline_s is not None and deadline_s <= 10.0}
    assert set(gone) <= late
    assert waiting.wake_at_s() == math.inf
