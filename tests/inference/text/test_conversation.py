"""One suite over both conversations: what they count, for exactly how long, and which pieces they give to join."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest

from inference.text.conversation import MAX_SPOKEN, Said, Windows
from tests.inference.text.talk import PlainModel, Talk, local_talk, redis_talk

WINDOWS = Windows(said_s=60.0, spoken_s=10.0, n_joined=3, piece_chars=4, joined_chars=10)


@pytest.fixture(params=["local", pytest.param("redis", marks=pytest.mark.redis)])
async def talk(request: pytest.FixtureRequest) -> AsyncIterator[Talk]:
    if request.param == "local":
        yield local_talk(WINDOWS)
        return
    async with redis_talk(request.getfixturevalue("redis_server"), WINDOWS) as shared:
        yield shared


async def test_a_first_message_is_like_none_before(talk: Talk):
    assert await talk.say("ann", "你好", 0.0) == Said(1, 1, 1, ())


async def test_repeats_are_counted_by_user_and_users_by_room(talk: Talk):
    await talk.say("ann", "加微信吗朋友", 0.0)
    await talk.say("ann", "加微信吗朋友", 1.0)
    await talk.say("bob", "加微信吗朋友", 1.0, room="8888")

    assert await talk.say("cy", "加微信吗朋友", 2.0) == Said(1, 2, 1, ())
    assert await talk.say("ann", "加微信吗朋友", 2.0) == Said(3, 2, 3, ())
    assert await talk.say("ann", "这是别的话", 2.0) == Said(1, 1, 4, ())


async def test_copies_with_other_signs_count_by_their_key(talk: Talk):
    await talk.say("ann", "加❤微❤信", 0.0, key="加微信")

    assert (await talk.say("ann", "加 微 信", 0.0, key="加微信")).repeat_60s == 2


async def test_a_text_counts_for_exactly_its_window(talk: Talk):
    await talk.say("ann", "你好", 0.0)

    assert (await talk.say("bob", "你好", 59.999)).similar_uids_60s == 2
    assert (await talk.say("cy", "你好", 60.0)).similar_uids_60s == 2  # bob and cy
    assert (await talk.say("bob", "你好", 119.999)).repeat_60s == 1
    assert (await talk.say("di", "你好", 500.0)) == Said(1, 1, 1, ())


async def test_a_repeat_counts_for_exactly_its_window(talk: Talk):
    await talk.say("ann", "你好", 0.0)

    assert (await talk.say("ann", "你好", 59.999)).repeat_60s == 2
    assert (await talk.say("ann", "你好", 60.0)).repeat_60s == 2


async def test_a_users_messages_count_for_exactly_their_window_whatever_they_say(talk: Talk):
    await talk.say("ann", "一二三四五", 0.0)
    await talk.say("bob", "一二三四五", 0.0)

    assert (await talk.say("ann", "六七八九十", 9.999)).user_10s == 2
    assert (await talk.say("ann", "十一十二三", 10.0)).user_10s == 2
    assert (await talk.say("ann", "十三十四五", 20.001)).user_10s == 1


async def test_who_writes_without_end_counts_as_the_most(talk: Talk):
    for number in range(MAX_SPOKEN + 20):
        said = await talk.say("ann", f"这是第{number}条", number / 100)

    assert said.user_10s == MAX_SPOKEN


async def test_earlier_pieces_come_oldest_first(talk: Talk):
    for number, piece in enumerate("加微信"):
        await talk.say("ann", piece, float(number))

    assert (await talk.say("ann", "abc123", 3.0)).earlier == ("加", "微", "信")


async def test_only_so_many_pieces_are_joined(talk: Talk):
    for number, piece in enumerate("一二三四五"):
        await talk.say("ann", piece, number / 10)

    assert (await talk.say("ann", "六", 0.6)).earlier == ("三", "四", "五")


async def test_pieces_are_joined_for_exactly_their_window(talk: Talk):
    await talk.say("ann", "加", 0.0)
    await talk.say("ann", "微", 5.0)

    assert (await talk.say("ann", "信", 9.999)).earlier == ("加", "微")
    assert (await talk.say("ann", "号", 10.0)).earlier == ("微", "信")


async def test_a_long_message_is_no_piece_and_hides_none(talk: Talk):
    await talk.say("ann", "加", 0.0)
    for number in range(5):
        await talk.say("ann", "一二三四五", number / 10)

    assert (await talk.say("ann", "微", 1.0)).earlier == ("加",)


async def test_pieces_leave_the_present_message_a_place(talk: Talk):
    for number, piece in enumerate(("一二三四", "五六七八", "九十甲乙")):
        await talk.say("ann", piece, number / 10)

    assert (await talk.say("ann", "丙", 1.0)).earlier == ("五六七八", "九十甲乙")  # 8 of 10; four more would fill them


async def test_what_was_judged_already_is_counted_and_not_joined(talk: Talk):
    await talk.say("ann", "加", 0.0)
    await talk.say("ann", "", 1.0, key="坏话")

    assert await talk.say("ann", "微", 2.0) == Said(1, 1, 3, ("加",))
    assert (await talk.say("ann", "", 3.0, key="坏话")).repeat_60s == 2


async def test_forgotten_pieces_are_not_joined_and_still_counted(talk: Talk):
    await talk.say("ann", "加", 0.0)
    talk.forget("ann")
    await talk.say("ann", "微", 1.0)
    await talk.say("bob", "她", 1.0)

    assert await talk.say("ann", "加", 2.0) == Said(2, 1, 3, ("微",))
    talk.forget("ann")
    assert await talk.say("ann", "信", 3.0) == Said(1, 1, 4, ())
    assert (await talk.say("bob", "他", 3.0)).earlier == ("她",)


async def test_forgetting_somebody_unknown_is_nothing(talk: Talk):
    talk.forget("nobody")
    await talk.say("ann", "你好", 0.0)
    talk.forget("nobody")

    assert (await talk.say("ann", "你好", 0.0)).earlier == ("你好",)


async def test_a_clock_that_goes_back_counts_as_standing_still(talk: Talk):
    await talk.say("ann", "你好", 100.0)
    await talk.say("ann", "你好", 90.0)

    assert await talk.say("ann", "再见", 109.999) == Said(1, 1, 3, ("你好", "你好"))
    assert (await talk.say("ann", "你好", 110.0)).user_10s == 2


@pytest.mark.parametrize("room", ["", "{", "}", "a}b", "{a}", "%7B", "房间", "\udc80"])
async def test_any_room_is_a_room_of_its_own(talk: Talk, room: str):
    await talk.say("ann", "你好", 0.0)
    await talk.say("ann", "你好", 0.0, room=room + "x")

    assert await talk.say("ann", "你好", 0.0, room=room) == Said()


@pytest.mark.parametrize("uid", ["", ":", "u:ann", "用户", "\udc80"])
async def test_any_user_is_a_user_of_their_own(talk: Talk, uid: str):
    await talk.say("ann", "你好", 0.0)

    assert await talk.say(uid, "你好", 0.0) == Said(1, 2, 1, ())
    assert await talk.say(uid, "\udc80", 0.0) == Said(1, 1, 2, ("你好",))
    assert (await talk.say(uid, "", 0.0)).user_10s == 3


async def test_messages_that_come_together_count_those_before_them(talk: Talk):
    counted = await talk.say_many([("1", "ann", "你好"), ("1", "bob", "你好"), ("2", "ann", "你好"), ("1", "ann", "你好")], 1.0)

    assert counted == [Said(1, 1, 1, ()), Said(1, 2, 1, ()), Said(1, 1, 1, ()), Said(2, 2, 2, ("你好",))]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_long_random_talk_is_counted_as_the_plain_model_counts_it(talk: Talk, seed: int):
    rng = random.Random(seed)
    model = PlainModel(WINDOWS)
    now_s = 0.0
    for _ in range(600):
        now_s += rng.choice((0.0, 0.25, 0.5, 1.0, 4.0, 10.0, 60.0)) * rng.random().__ceil__()
        messages = [
            (rng.choice("12"), rng.choice(("ann", "bob", "cy")), rng.choice(("你", "好", "加微信", "一二三四五六")))
            for _ in range(rng.choice((1, 1, 3)))
        ]

        if len(messages) == 1:
            room, uid, text = messages[0]
            counted = [await talk.say(uid, text, now_s, room=room)]
        else:
            counted = await talk.say_many(messages, now_s)

        assert counted == [model.say(*message, now_s) for message in messages]


@pytest.mark.parametrize(
    "wrong",
    [
        {"said_s": 5.0, "spoken_s": 10.0},
        {"spoken_s": 0.0},
        {"n_joined": -1},
        {"piece_chars": 0},
        {"piece_chars": 20, "joined_chars": 10},
    ],
)
def test_windows_that_cannot_be_are_refused(wrong: dict[str, float]):
    with pytest.raises(ValueError, match=r"must be|needs"):
        Windows(**wrong)  # type: ignore[arg-type]
