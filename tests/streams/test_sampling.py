from __future__ import annotations

import itertools
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.sampling import Sampler, SamplingMode, SamplingPlan, Step

FPS = 25


def run(sampler: Sampler, *, seconds: float, gop_s: float, start_s: float = 0.0, on_frame=None) -> list[tuple[float, Step]]:
    """Feed a steady stream; a key frame decodes alone, catching up gives the newest frame. Return what was taken and how."""
    taken = []
    for index in range(int(seconds * FPS)):
        at_s = start_s + index / FPS
        step = sampler.on_packet(at_s, is_key=index % round(gop_s * FPS) == 0)
        if step is not Step.HOLD and sampler.take(at_s, alone=step is Step.KEY):
            taken.append((at_s, step))
    return taken


def steady(interval_s: float) -> SamplingPlan:
    return SamplingPlan(interval_s=interval_s, jitter=0.0, off_key_share=0.0)


def test_key_frames_alone_are_decoded_while_they_lie_close_enough():
    sampler = Sampler(steady(2.0), Random(1))

    taken = run(sampler, seconds=60, gop_s=2.0)

    assert {step for _, step in taken} == {Step.KEY}
    assert [at_s for at_s, _ in taken] == [2.0 * index for index in range(30)]
    assert sampler.mode is SamplingMode.KEY_FRAMES
    assert sampler.gop_s == 2.0
    assert sampler.n_missed == 0


def test_key_frames_closer_than_the_interval_are_thinned_to_the_nearest():
    taken = run(Sampler(steady(2.0), Random(1)), seconds=60, gop_s=0.6)

    assert {step for _, step in taken} == {Step.KEY}
    assert all(abs(at_s - 2.0 * index) <= 0.31 for index, (at_s, _) in enumerate(taken))


def test_the_mean_rate_holds_under_jitter():
    sampler = Sampler(SamplingPlan(interval_s=2.0, jitter=0.25, off_key_share=0.0), Random(3))

    taken = run(sampler, seconds=600, gop_s=2.0)

    assert 295 <= len(taken) <= 301
    assert max(later - earlier for (earlier, _), (later, _) in itertools.pairwise(taken)) <= 4.0


def test_long_groups_are_decoded_densely():
    sampler = Sampler(steady(1.0), Random(1))

    taken = run(sampler, seconds=60, gop_s=10.0)

    assert sampler.mode is SamplingMode.DENSE
    assert len(taken) == 60
    assert max(later - earlier for (earlier, _), (later, _) in itertools.pairwise(taken)) <= 1.6


def test_a_stream_without_further_key_frames_is_still_seen():
    sampler = Sampler(steady(2.0), Random(1))

    taken = run(sampler, seconds=60, gop_s=1000.0)

    assert sampler.mode is SamplingMode.STARTING
    assert 29 <= len(taken) <= 30


def test_a_key_frame_that_stays_away_is_not_waited_for():
    sampler = Sampler(steady(2.0), Random(1))
    run(sampler, seconds=20, gop_s=2.0)

    taken = run(sampler, seconds=60, gop_s=1000.0, start_s=20.0)

    gaps_s = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(taken)]
    assert max(gaps_s) <= 3.0


def test_a_share_of_the_samples_lies_anywhere_between_key_frames():
    sampler = Sampler(SamplingPlan(interval_s=2.0, jitter=0.25, off_key_share=0.5), Random(5))

    taken = run(sampler, seconds=2000, gop_s=2.0)

    off_key = [at_s % 2.0 for at_s, step in taken if step is Step.CATCH_UP]
    assert 0.35 <= len(off_key) / len(taken) <= 0.65
    for fifth in range(5):
        inside = [phase for phase in off_key if fifth * 0.4 <= phase < (fifth + 1) * 0.4]
        assert len(inside) > 0.1 * len(off_key), f"a broadcaster could hide {fifth * 0.4:.1f} s after a key frame"
    assert len(taken) > 850


def test_two_rooms_do_not_share_their_random_moments():
    plan = SamplingPlan(interval_s=2.0, jitter=0.5, off_key_share=1.0)

    first, second = (run(Sampler(plan, Random(seed)), seconds=60, gop_s=2.0) for seed in ("a", "b"))

    assert first != second
    assert first == run(Sampler(plan, Random("a")), seconds=60, gop_s=2.0)


def test_key_frames_that_give_no_picture_alone_are_not_asked_for_again():
    sampler = Sampler(steady(2.0), Random(1))
    taken = []
    for index in range(30 * FPS):
        at_s = index / FPS
        step = sampler.on_packet(at_s, is_key=index % (2 * FPS) == 0)
        if step is Step.KEY:
            sampler.key_failed()
        elif step is Step.CATCH_UP and sampler.take(at_s):
            taken.append(at_s)

    assert sampler.mode is SamplingMode.DENSE
    assert len([at_s for at_s in taken if at_s > 10]) >= 9


def test_a_shorter_interval_takes_effect_at_once():
    sampler = Sampler(steady(10.0), Random(1))
    run(sampler, seconds=12, gop_s=1.0)

    sampler.change_plan(steady(1.0))

    taken = run(sampler, seconds=10, gop_s=1.0, start_s=12.0)
    assert len(taken) == 10


def test_the_same_plan_again_changes_nothing():
    sampler = Sampler(SamplingPlan(), Random(1))
    sampler.on_packet(0.0, is_key=True)
    sampler.take(0.0, alone=True)
    due_s = sampler.due_s

    sampler.change_plan(SamplingPlan())

    assert sampler.due_s == due_s


def test_targets_that_passed_without_a_frame_are_counted():
    sampler = Sampler(steady(1.0), Random(1))
    sampler.on_packet(0.0, is_key=True)
    sampler.take(0.0, alone=True)

    sampler.on_packet(5.5, is_key=True)
    sampler.take(5.5, alone=True)

    assert sampler.n_missed == 4
    assert sampler.due_s == 6.0


def test_a_frame_before_its_target_is_not_taken():
    sampler = Sampler(steady(1.0), Random(1))
    sampler.on_packet(0.0, is_key=True)
    sampler.take(0.0, alone=True)

    assert not sampler.take(0.9)
    assert sampler.take(0.996)


@pytest.mark.parametrize("bad", [{"interval_s": 0.0}, {"jitter": 0.6}, {"off_key_share": 1.1}, {"jitter": -0.1}])
def test_a_plan_out_of_range_is_refused(bad):
    with pytest.raises(ValueError, match="plan must have"):
        SamplingPlan(**bad)


@settings(max_examples=60, deadline=None)
@given(
    interval_s=st.floats(0.5, 8),
    gop_s=st.floats(0.2, 30),
    jitter=st.floats(0, 0.5),
    share=st.floats(0, 1),
    seed=st.integers(0, 1000),
)
def test_no_room_is_blind_for_longer_than_three_intervals_and_a_bit(interval_s, gop_s, jitter, share, seed):
    sampler = Sampler(SamplingPlan(interval_s, jitter, share), Random(seed))

    taken = [0.0, *(at_s for at_s, _ in run(sampler, seconds=90, gop_s=gop_s)), 90.0]

    longest_s = max(later - earlier for earlier, later in itertools.pairwise(taken))
    assert longest_s <= 3 * interval_s + 0.5
