from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.timeline import Timeline


def test_a_live_stream_begins_at_the_moment_it_is_read():
    timeline = Timeline(session_started_s=100.0)
    timeline.note(0, 5000.0, now_s=103.0)

    assert timeline.give_out(0, 5000.0) == 3.0
    assert timeline.give_out(0, 5001.5) == 4.5


def test_sound_shares_the_anchor_of_the_picture():
    timeline = Timeline(session_started_s=100.0)
    timeline.note(0, 50.0, now_s=100.0)
    timeline.note(1, 50.2, now_s=107.0)

    assert round(timeline.at(1, 50.2), 6) == 0.2


def test_a_file_begins_at_zero():
    timeline = Timeline(session_started_s=0.0, live=False, first_stamp_s=1.4)
    timeline.note(0, 1.4, now_s=900.0)

    assert timeline.give_out(0, 1.4) == 0.0
    assert timeline.give_out(0, 3.4) == 2.0


def test_a_clock_that_wraps_goes_on_with_the_wall_clock():
    timeline = Timeline(session_started_s=0.0)
    timeline.note(0, 95_443.0, now_s=10.0)
    timeline.note(0, 95_443.7, now_s=10.7)
    timeline.give_out(0, 95_443.7)
    timeline.note(0, 0.0, now_s=10.74)

    assert round(timeline.give_out(0, 0.0), 6) == 10.74


def test_a_live_clock_that_leaps_ahead_is_not_followed():
    timeline = Timeline(session_started_s=0.0)
    timeline.note(0, 1.0, now_s=0.0)
    timeline.note(0, 5001.0, now_s=0.5)

    assert timeline.give_out(0, 5001.0) == 0.5


def test_a_pause_of_the_stream_is_a_pause_on_the_timeline():
    timeline = Timeline(session_started_s=0.0)
    timeline.note(0, 1.0, now_s=0.0)
    timeline.note(0, 61.0, now_s=60.0)

    assert timeline.give_out(0, 61.0) == 60.0


def test_a_file_keeps_its_gaps_but_never_goes_back():
    timeline = Timeline(session_started_s=0.0, live=False, first_stamp_s=0.0)
    timeline.note(0, 0.0, now_s=0.0)
    timeline.note(0, 500.0, now_s=0.0)
    assert timeline.give_out(0, 500.0) == 500.0

    timeline.note(0, 2.0, now_s=0.1)

    assert timeline.give_out(0, 2.0) == 500.0
    assert timeline.give_out(0, 3.0) == 501.0


def test_after_a_reconnect_nothing_comes_before_what_was_given_out():
    timeline = Timeline(session_started_s=0.0, floor_s=42.0)
    timeline.note(0, 7.0, now_s=41.0)

    assert timeline.give_out(0, 7.0) == 42.0
    assert timeline.highest_s == 42.0


@given(st.lists(st.tuples(st.floats(-1e5, 1e5), st.floats(0, 100)), min_size=1, max_size=40), st.booleans())
def test_what_is_given_out_never_goes_back(steps, live):
    timeline = Timeline(session_started_s=0.0, live=live)
    now_s, given_out = 0.0, []
    for stamp_s, elapsed_s in steps:
        now_s += elapsed_s
        timeline.note(0, stamp_s, now_s=now_s)
        given_out.append(timeline.give_out(0, stamp_s))

    assert given_out == sorted(given_out)
