"""What is taken as a room, what is refused, and which broadcast is which."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from inference.errors import InvalidSample
from streams.rooms import MAX_PASS_THROUGH_BYTES, Broadcast, RoomSpec, SavedRooms
from streams.urls import UrlPolicy

URLS = UrlPolicy()
BEGAN = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
SOURCE = "rtmp://live.example.com/app/secret-key"


def room(body: object, room_id: str = "9999") -> RoomSpec:
    return RoomSpec.from_body(room_id, body, urls=URLS)


def test_a_room_without_a_source_is_pushed_and_belongs_to_the_default_business():
    spec = room({})

    assert (spec.source, spec.biz, spec.policy, dict(spec.pass_through)) == (None, "default", None, {})


def test_a_body_comes_back_as_it_was_given():
    given = {
        "source": SOURCE,
        "biz": "game",
        "policy": "strict",
        "title": "晚上好",
        "anchor_uid": "u1",
        "pass_through": {"trace": [1, {"a": None}]},
    }

    assert room(room(given).body(reveal=True)) == room(given)
    assert room(given).body(reveal=True) == given


def test_a_shown_room_does_not_tell_its_stream_key():
    shown = room({"source": SOURCE}).body(reveal=False)

    assert "secret-key" not in str(shown)
    assert "live.example.com" in str(shown["source"])
    assert "secret-key" not in repr(room({"source": SOURCE}))


@pytest.mark.parametrize("room_id", ["a", "9" * 128, "a.b_c:d@e-f"])
def test_a_room_id_is_letters_digits_and_a_few_signs(room_id: str):
    assert room({}, room_id).room_id == room_id


@pytest.mark.parametrize("room_id", ["", "9" * 129, "a b", "房间", "a/b", "a\n"])
def test_any_other_room_id_is_refused_by_name(room_id: str):
    with pytest.raises(InvalidSample, match="room_id must be"):
        room({}, room_id)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ([], "JSON object"),
        ("x", "JSON object"),
        ({"sorce": SOURCE}, "unknown room field 'sorce'"),
        ({"title": 7}, "title must be a string, got int"),
        ({"title": "x" * 501}, "title may have 500 characters, got 501"),
        ({"biz": "x" * 65}, "biz may have 64"),
        ({"policy": ["strict"]}, "policy must be a string"),
        ({"anchor_uid": "x" * 129}, "anchor_uid may have 128"),
        ({"source": "x" * 4097}, "source may have 4096"),
        ({"source": "gopher://live.example.com/1"}, "gopher"),
        ({"pass_through": []}, "pass_through must be a JSON object"),
        ({"pass_through": {"k": "x" * MAX_PASS_THROUGH_BYTES}}, "pass_through may have 4096 bytes"),
        ({"room_id": "8888"}, "8888"),
    ],
)
def test_a_wrong_body_is_refused_with_what_is_wrong(body: object, told: str):
    with pytest.raises(InvalidSample, match=told):
        room(body)


def test_a_body_may_repeat_the_room_id():
    assert room({"room_id": "9999"}) == room({})


def test_pass_through_may_be_as_large_as_its_bound():
    largest = {"k": "x" * (MAX_PASS_THROUGH_BYTES - len('{"k":""}'))}

    assert room({"pass_through": largest}).pass_through == largest


def test_pass_through_does_not_change_with_the_callers_object():
    given = {"trace": "t1"}
    spec = room({"pass_through": given})
    given["trace"] = "t2"

    assert spec.pass_through == {"trace": "t1"}


def test_the_same_start_of_the_same_room_is_the_same_session():
    first = Broadcast.begin(room({}), started_at=BEGAN, started_s=5.0)

    assert Broadcast.begin(room({"title": "x"}), started_at=BEGAN, started_s=99.0).session_id == first.session_id
    assert Broadcast.begin(room({}, "8888"), started_at=BEGAN, started_s=5.0).session_id != first.session_id
    later = Broadcast.begin(room({}), started_at=BEGAN + timedelta(milliseconds=1), started_s=5.0)
    assert later.session_id != first.session_id


def test_the_timeline_begins_at_the_start_and_never_before():
    broadcast = Broadcast.begin(room({}), started_at=BEGAN, started_s=5.0)

    assert [broadcast.at_s(now_s) for now_s in (4.0, 5.0, 7.5)] == [0.0, 0.0, 2.5]


def test_saved_rooms_go_on_where_they_were():
    broadcast = Broadcast.begin(room({"source": SOURCE, "pass_through": {"trace": 1}}), started_at=BEGAN, started_s=5.0)
    saved = msgspec.json.encode(SavedRooms.of([broadcast], at=BEGAN + timedelta(seconds=10)))

    (kept,) = msgspec.json.decode(saved, type=SavedRooms).rooms
    again = kept.broadcast(URLS, utc=BEGAN + timedelta(seconds=40), now_s=1040.0)

    assert (again.room, again.session_id, again.started_at) == (broadcast.room, broadcast.session_id, BEGAN)
    assert again.at_s(1041.0) == 41.0


def test_a_saved_room_whose_source_is_not_allowed_any_more_is_refused():
    broadcast = Broadcast.begin(room({"source": SOURCE}), started_at=BEGAN, started_s=5.0)
    (kept,) = SavedRooms.of([broadcast], at=BEGAN).rooms

    with pytest.raises(InvalidSample, match=r"live\.example\.com"):
        kept.broadcast(UrlPolicy(allowed_hosts=("*.other.example",)), utc=BEGAN, now_s=0.0)
