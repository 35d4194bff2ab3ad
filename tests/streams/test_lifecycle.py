"""Whether a room is being watched: started after the first verdict, degraded and recovered, blind seconds counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.samples import Modality
from streams.lifecycle import NO_MEDIA, OVERLOAD, HealthKind, HealthTransition, RoomHealth

BOUNDS = {Modality.IMAGE: 10.0, Modality.AUDIO: 12.0}


def health(now_s: float = 100.0) -> RoomHealth:
    return RoomHealth(BOUNDS, now_s=now_s)


def watched() -> RoomHealth:
    room = health()
    room.scored(Modality.IMAGE, now_s=100.0)
    room.scored(Modality.AUDIO, now_s=100.0)
    return room


def kinds(steps: list[HealthTransition]) -> list[HealthKind]:
    return [step.kind for step in steps]


def test_a_room_has_started_only_after_its_first_verdict():
    room = health()

    assert room.tick(now_s=101.0) == []
    assert not room.watching
    (step,) = room.scored(Modality.IMAGE, now_s=102.0)
    assert (step.kind, step.seq, step.at_s, step.watched_s) == (HealthKind.STARTED, 1, 102.0, 2.0)
    assert room.watching
    assert room.scored(Modality.IMAGE, now_s=103.0) == []


def test_a_room_that_never_starts_is_told_as_degraded_with_the_sources_reason():
    room = health()
    room.source_says("auth")
    assert room.blind_reason == "auth"

    (step,) = room.tick(now_s=112.5)
    assert (step.kind, step.reasons) == (HealthKind.DEGRADED, {"image": "auth", "audio": "auth"})
    assert not room.watching


def test_one_blind_modality_degrades_once_and_not_per_tick():
    room = watched()
    room.scored(Modality.AUDIO, now_s=109.0)

    assert room.tick(now_s=110.0) == []
    (step,) = room.tick(now_s=110.1)
    assert (step.kind, step.reasons) == (HealthKind.DEGRADED, {"image": NO_MEDIA})
    assert room.tick(now_s=111.0) == []
    assert room.blind_reason == NO_MEDIA
    assert not room.watching


def test_a_degradation_is_told_again_when_its_reasons_change():
    room = watched()
    room.tick(now_s=113.0)

    room.source_says("timeout")
    (step,) = room.tick(now_s=114.0)
    assert step.reasons == {"image": "timeout", "audio": "timeout"}


@pytest.mark.parametrize(
    ("missing", "source", "failure", "told"),
    [
        ("no_model", "timeout", OVERLOAD, "no_model"),
        (None, "timeout", OVERLOAD, "timeout"),
        (None, None, OVERLOAD, OVERLOAD),
        (None, None, None, NO_MEDIA),
    ],
)
def test_the_nearest_cause_is_told(missing: str | None, source: str | None, failure: str | None, told: str):
    room = watched()
    room.lacks(Modality.IMAGE, missing)
    room.source_says(source)
    if failure is not None:
        room.failed(Modality.IMAGE, failure)

    assert room.blind_now(now_s=111.0) == {Modality.IMAGE: told}


def test_a_cause_that_is_gone_is_not_told():
    room = watched()
    room.lacks(Modality.IMAGE, "no_video")
    room.lacks(Modality.IMAGE, None)
    room.failed(Modality.IMAGE, OVERLOAD)
    room.scored(Modality.IMAGE, now_s=105.0)

    assert room.blind_now(now_s=116.0)[Modality.IMAGE] == NO_MEDIA


def test_it_recovers_only_when_every_modality_is_seen_again():
    room = watched()
    room.tick(now_s=113.0)

    (still,) = room.scored(Modality.IMAGE, now_s=114.0)
    assert (still.kind, still.reasons) == (HealthKind.DEGRADED, {"audio": NO_MEDIA})
    (step,) = room.scored(Modality.AUDIO, now_s=115.0)
    assert (step.kind, step.reasons, step.seq) == (HealthKind.RECOVERED, {}, 4)
    assert room.watching


def test_a_room_degraded_before_its_first_verdict_starts_and_says_what_it_still_lacks():
    room = health()
    room.tick(now_s=113.0)

    steps = room.scored(Modality.IMAGE, now_s=114.0)
    assert [(step.kind, step.reasons) for step in steps] == [
        (HealthKind.STARTED, {"audio": NO_MEDIA}),
        (HealthKind.DEGRADED, {"audio": NO_MEDIA}),
    ]


def test_a_room_that_lacks_nothing_any_more_starts_and_recovers():
    room = RoomHealth({Modality.IMAGE: 10.0}, now_s=100.0)
    room.tick(now_s=113.0)

    steps = room.scored(Modality.IMAGE, now_s=114.0)
    assert [(step.kind, step.reasons) for step in steps] == [(HealthKind.STARTED, {}), (HealthKind.RECOVERED, {})]


def test_the_end_is_told_once():
    room = watched()

    assert kinds(room.end(now_s=101.0)) == [HealthKind.ENDED]
    assert room.end(now_s=102.0) == []


def test_blind_seconds_are_counted_beyond_the_bound_by_reason_and_handed_over_once():
    room = watched()
    room.source_says("timeout")
    room.tick(now_s=115.0)
    room.source_says(None)
    room.failed(Modality.IMAGE, OVERLOAD)
    room.scored(Modality.AUDIO, now_s=115.0)
    room.tick(now_s=118.0)

    assert room.take_blind() == {
        (Modality.IMAGE, "timeout"): pytest.approx(5.0),
        (Modality.IMAGE, OVERLOAD): pytest.approx(3.0),
        (Modality.AUDIO, "timeout"): pytest.approx(3.0),
    }
    assert room.take_blind() == {}


def test_before_the_first_sample_every_second_is_blind():
    room = health()

    (step,) = room.end(now_s=104.0)
    assert (step.kind, step.blind_s, step.watched_s) == (HealthKind.ENDED, {"image": 4.0, "audio": 4.0}, 4.0)


def test_the_end_tells_the_totals():
    room = watched()
    room.scored(Modality.IMAGE, now_s=120.0)

    (step,) = room.end(now_s=125.0)
    assert step.blind_s == {"image": 10.0, "audio": 13.0}


def test_blind_seconds_of_now_are_since_the_last_sample():
    room = watched()

    assert room.blind_s(Modality.IMAGE, now_s=103.5) == 3.5
    assert room.blind_s(Modality.IMAGE, now_s=99.0) == 0.0
    assert room.blind_s(Modality.TEXT, now_s=103.5) is None
    assert room.blind_reason is None


def test_a_modality_that_the_policy_does_not_ask_for_is_none_of_its_business():
    room = health()
    room.failed(Modality.TEXT, OVERLOAD)

    assert room.scored(Modality.TEXT, now_s=101.0) == []
    assert not room.watching


moves = st.lists(st.tuples(st.floats(0.0, 30.0), st.sampled_from([None, Modality.IMAGE, Modality.AUDIO])), max_size=40)


@given(moves)
def test_kinds_follow_each_other_and_blind_time_only_grows(script: list[tuple[float, Modality | None]]):
    room, now_s, steps = health(0.0), 0.0, []
    for wait_s, modality in script:
        now_s += wait_s
        steps += room.tick(now_s=now_s)
        if modality is not None:
            steps += room.scored(modality, now_s=now_s)
    steps += room.end(now_s=now_s)

    assert [step.seq for step in steps] == list(range(1, len(steps) + 1))
    assert kinds(steps).count(HealthKind.STARTED) <= 1
    degraded = False
    for step in steps:
        if step.kind is HealthKind.RECOVERED:
            assert degraded
        degraded = step.kind is HealthKind.DEGRADED or (degraded and step.kind is HealthKind.STARTED)
    for name in ("image", "audio"):
        totals = [step.blind_s[name] for step in steps]
        assert totals == sorted(totals)
        assert totals[-1] <= steps[-1].watched_s + 0.001


def test_a_session_taken_up_again_goes_on_counting_and_tells_nothing_twice():
    before = watched()
    before.tick(now_s=111.0)  # pictures are blind
    mark = before.mark

    after = RoomHealth(BOUNDS, now_s=120.0, mark=mark)
    assert not after.watching
    assert after.scored(Modality.AUDIO, now_s=121.0) == []
    recovered = after.scored(Modality.IMAGE, now_s=122.0)

    assert (mark.seq, mark.started, mark.told) == (2, True, {"image": NO_MEDIA})
    assert [(step.kind, step.seq) for step in recovered] == [(HealthKind.RECOVERED, 3)]
