"""What is sent to Redis: keys of one room on one node, no room or user that can pass for another, nothing long stored."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from redis.crc import key_slot

from inference.text.conversation import Said, Windows
from inference.text.redis_script import RoomScripts, command

ROOMS = ["", "9999", "房间", "{", "}", "a}b", "{a}", "%7D", "a:u:b", "}:u:ann", "\udc80"]


def parts(sent: bytes) -> list[bytes]:
    """Read a command back from the wire."""
    head, _, rest = sent.partition(b"\r\n")
    read = []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        n_bytes = int(size.removeprefix(b"$"))
        read.append(rest[:n_bytes])
        assert rest[n_bytes : n_bytes + 2] == b"\r\n"
        rest = rest[n_bytes + 2 :]
    assert head == b"*%d" % len(read)
    return read


def user_key(scripts: RoomScripts, room: str, uid: str) -> bytes:
    return parts(scripts.forget(room, uid))[3]


def test_a_command_is_written_as_the_protocol_wants_it():
    assert command(b"SET", b"a\r\nb", b"") == b"*3\r\n$3\r\nSET\r\n$4\r\na\r\nb\r\n$0\r\n\r\n"


@pytest.mark.parametrize("room", ROOMS)
def test_all_keys_of_a_room_lie_on_one_node_of_a_cluster(room: str):
    scripts = RoomScripts(Windows())

    keys = [user_key(scripts, room, "ann")]
    for uid in ("ann", "{b}"):
        keys += parts(scripts.observe(room, uid, uid, "x", now_us=None))[3:5]

    assert len({key_slot(key) for key in keys}) == 1


def test_rooms_are_spread_over_a_cluster():
    scripts = RoomScripts(Windows())

    slots = {key_slot(user_key(scripts, str(room), "ann")) for room in range(100)}

    assert len(slots) > 90


def test_no_room_and_user_pass_for_others():
    scripts = RoomScripts(Windows())
    users = ["", "ann", ":", "}:u:ann", "u:ann", "{", "\udc80"]

    keys = {user_key(scripts, room, user) for room, user in itertools.product(ROOMS, users)}

    assert len(keys) == len(ROOMS) * len(users)


def test_a_long_message_is_counted_and_not_stored():
    scripts = RoomScripts(Windows(piece_chars=3))

    sent = scripts.observe("1", "ann", "加微信吗", "加微信吗", now_us=1)

    assert parts(sent)[-2:] == [b"", b"1"]
    assert "加".encode() not in sent


def test_other_windows_are_other_scripts():
    assert RoomScripts(Windows()).sources[0] != RoomScripts(Windows(said_s=30.0)).sources[0]


def test_an_answer_is_read_with_its_pieces():
    scripts = RoomScripts(Windows(piece_chars=2, joined_chars=4))

    said = scripts.said(msgspec.msgpack.encode([2, 3, 4, ["加", "微信", "号"]]))

    assert said == Said(2, 3, 4, ("微信", "号"))
