"""What is sent to Redis: keys of one room on one node, no room or user that can pass for another, nothing long stored."""

from __future__ import annotations

import itertools

import pytest
from redis.crc import key_slot

from inference.text.conversation import Said, Windows
from inference.text.redis_script import RoomScripts

ROOMS = ["", "9999", "房间", "{", "}", "a}b", "{a}", "%7D", "a:u:b", "}:u:ann", "\udc80"]


@pytest.mark.parametrize("room", ROOMS)
def test_all_keys_of_a_room_lie_on_one_node_of_a_cluster(room: str):
    scripts = RoomScripts(Windows())

    keys = [*scripts.observe(room, "ann", "x", "x", now_us=None)[3:5], *scripts.observe(room, "{b}", "y", "y", now_us=None)[3:5]]
    keys.append(scripts.forget(room, "ann")[3])

    assert len({key_slot(key) for key in keys}) == 1


def test_rooms_are_spread_over_a_cluster():
    scripts = RoomScripts(Windows())

    slots = {key_slot(scripts.forget(str(room), "ann")[3]) for room in range(100)}

    assert len(slots) > 90


def test_no_room_and_user_pass_for_others():
    scripts = RoomScripts(Windows())
    users = ["", "ann", ":", "}:u:ann", "u:ann", "{", "\udc80"]

    keys = {scripts.forget(room, user)[3] for room, user in itertools.product(ROOMS, users)}

    assert len(keys) == len(ROOMS) * len(users)


def test_a_long_message_is_counted_and_not_stored():
    scripts = RoomScripts(Windows(piece_chars=3))

    command = scripts.observe("1", "ann", "加微信吗", "加微信吗", now_us=1)

    assert command[-2:] == (b"", b"1")
    assert not any("加".encode() in part for part in command)


def test_other_windows_are_other_scripts():
    assert RoomScripts(Windows()).sources[0] != RoomScripts(Windows(said_s=30.0)).sources[0]


def test_an_answer_is_read_with_its_pieces():
    scripts = RoomScripts(Windows(piece_chars=2, joined_chars=4))

    said = scripts.said([2, 3, 4, "加".encode(), "微信".encode(), b"\xed\xb2\x80"])

    assert said == Said(2, 3, 4, ("微信", "\udc80"))
