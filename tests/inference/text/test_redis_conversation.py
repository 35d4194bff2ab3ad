"""On a real Redis: replicas count together, keys are bounded and expire, and no failure of Redis costs more than the time-out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import pytest
import redis

from inference.errors import NotReady
from inference.text import redis_conversation, redis_script
from inference.text.conversation import Said, Windows
from inference.text.redis_address import RedisAddress
from inference.text.redis_conversation import RedisConversation
from inference.text.redis_link import RedisLink
from inference.text.redis_script import command
from tests.redis_server import LOCKED_PASSWORD, RedisServer

pytestmark = pytest.mark.redis

PATIENT_S = 10.0
"""A time-out that a loaded machine keeps."""


def replica(server: RedisServer, **changes: object) -> RedisConversation:
    return RedisConversation(server.address, **{"timeout_s": PATIENT_S, **changes})  # type: ignore[arg-type]


async def say(conversation: RedisConversation, uid: str, text: str = "你好", now_s: float = 0.0) -> Said:
    return await asyncio.wait_for(conversation.observe("9999", uid, text, text, now_s), PATIENT_S)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set as soon as a message is on its way to Redis."""
    event, run = asyncio.Event(), RedisLink.run

    async def noted(link: RedisLink, commands: Sequence[bytes]) -> list[object]:
        if any(b"EVALSHA" in sent for sent in commands):
            event.set()
        return await run(link, commands)

    monkeypatch.setattr(RedisLink, "run", noted)
    return event


async def test_replicas_count_together(redis_server: RedisServer):
    async with replica(redis_server) as one, replica(redis_server) as other:
        await say(one, "ann")
        await say(other, "ann")
        await say(other, "ann", "微")

        assert await say(one, "bob") == Said(1, 2, 1, ())
        assert await say(one, "ann") == Said(3, 2, 4, ("你好", "你好", "微"))
        assert (one.degraded, one.n_alone, one.n_outages) == (False, 0, 0)


async def test_pieces_forgotten_by_one_replica_are_joined_by_none(redis_server: RedisServer):
    async with replica(redis_server) as one, replica(redis_server) as other:
        await say(one, "ann", "加")
        one.forget_earlier("9999", "ann")
        await say(one, "ann", "微")

        assert await say(other, "ann", "信") == Said(1, 1, 3, ("微",))


async def test_deployments_of_other_prefixes_count_apart(redis_server: RedisServer):
    async with replica(redis_server, prefix="a") as one, replica(redis_server, prefix="b") as other:
        await say(one, "ann")

        assert await say(other, "ann") == Said()


async def test_messages_that_wait_together_take_one_round_trip(redis_server: RedisServer):
    async with replica(redis_server) as conversation:
        answers = await asyncio.gather(*(conversation.observe("1", f"u{n}", "x", "x", 0.0) for n in range(600)))
        together = await conversation.observe_many(["1"] * 3, ["u0", "u1", "v"], ["x"] * 3, ["x"] * 3, 0.0)

        assert [said.similar_uids_60s for said in answers] == list(range(1, 601))
        assert [(said.repeat_60s, said.similar_uids_60s) for said in together] == [(2, 600), (2, 600), (1, 601)]
        assert conversation.n_alone == 0


async def test_every_key_expires_with_its_window(redis_server: RedisServer):
    async with replica(redis_server, windows=Windows(said_s=30.0, spoken_s=5.0)) as conversation:
        await say(conversation, "ann")
        conversation.forget_earlier("9999", "ann")
        await say(conversation, "bob", "别的")

    with redis_server.admin() as admin:
        lifetimes_ms = [admin.pttl(key) for key in admin.keys("*")]
    assert len(lifetimes_ms) == 4
    assert all(0 < lifetime_ms <= 30_000 for lifetime_ms in lifetimes_ms)


async def test_a_users_messages_are_bounded_in_redis(redis_server: RedisServer):
    async with replica(redis_server) as conversation:
        for _ in range(redis_script.MAX_REMEMBERED):
            said = await say(conversation, "ann")
        with redis_server.admin() as admin:
            (key,) = admin.keys("*:u:ann")
            n_bytes = admin.strlen(key)
            for _ in range(20):
                said = await say(conversation, "ann")

            assert admin.strlen(key) == n_bytes
    assert said.repeat_60s == redis_script.MAX_REMEMBERED


async def test_the_users_of_a_text_are_bounded_in_redis(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(redis_script, "MAX_UIDS", 5)
    async with replica(redis_server) as conversation:
        counts = [(await say(conversation, f"u{n}")).similar_uids_60s for n in range(8)]

    with redis_server.admin() as admin:
        (key,) = admin.keys("*:t:*")
        assert (counts, admin.zcard(key)) == ([1, 2, 3, 4, 5, 5, 5, 5], 5)


async def test_a_killed_server_leaves_this_replicas_counts_and_comes_back_empty(cold_redis: RedisServer):
    cold_redis.start()
    async with replica(cold_redis) as conversation, replica(cold_redis) as other:
        await say(other, "bob")
        await say(conversation, "ann")
        cold_redis.kill()

        assert await say(conversation, "ann") == Said(2, 1, 2, ("你好",))  # bob wrote to the other replica
        assert conversation.degraded
        assert await say(conversation, "ann") == Said(3, 1, 3, ("你好", "你好"))
        assert (conversation.n_alone, conversation.n_outages) == (2, 1)

        cold_redis.start()
        await asyncio.wait_for(conversation.wait_shared(), PATIENT_S)
        assert await say(conversation, "ann") == Said()
        assert (conversation.degraded, conversation.n_alone, conversation.n_outages) == (False, 2, 1)


async def test_a_server_that_hangs_costs_the_time_out_and_no_more(cold_redis: RedisServer):
    cold_redis.start()
    async with replica(cold_redis, timeout_s=0.020) as conversation:
        cold_redis.hold()
        waiting = [conversation.observe("9999", f"u{n}", "x", "x", 0.0) for n in range(300)]  # more than one batch

        answers = await asyncio.wait_for(asyncio.gather(*waiting), PATIENT_S)

        assert [said.similar_uids_60s for said in answers] == list(range(1, 301))
        assert (conversation.degraded, conversation.n_alone) == (True, 300)
        cold_redis.go_on()
        await asyncio.wait_for(conversation.wait_shared(), PATIENT_S)


async def test_start_does_not_wait_for_a_server_that_is_not_there(cold_redis: RedisServer, caplog: pytest.LogCaptureFixture):
    async with replica(cold_redis) as conversation:
        assert conversation.degraded
        assert await say(conversation, "ann") == Said()

        cold_redis.start()
        await asyncio.wait_for(conversation.wait_shared(), PATIENT_S)
        assert conversation.n_outages == 1
    assert [record.levelname for record in caplog.records if "replica alone" in record.message] == ["WARNING"]


async def test_a_server_that_lost_the_scripts_gets_them_again(redis_server: RedisServer):
    async with replica(redis_server) as conversation:
        await say(conversation, "ann")
        with redis_server.admin() as admin:
            admin.script_flush()

        assert await say(conversation, "ann") == Said(2, 1, 2, ("你好",))  # from this replica's counters
        await asyncio.wait_for(conversation.wait_shared(), PATIENT_S)
        assert (await say(conversation, "ann")).repeat_60s == 2
        assert (conversation.n_alone, conversation.n_outages) == (1, 1)


async def test_a_server_that_refuses_is_an_outage_until_it_does_not(cold_redis: RedisServer, caplog: pytest.LogCaptureFixture):
    cold_redis.start()
    with cold_redis.admin() as admin:
        async with replica(cold_redis) as conversation:
            admin.config_set("maxmemory", "1")

            assert await say(conversation, "ann") == Said()
            assert conversation.n_alone == 1
            assert "OutOfMemoryError" in caplog.records[-1].__dict__["why"]
            admin.config_set("maxmemory", "0")
            await asyncio.wait_for(conversation.wait_shared(), PATIENT_S)
            assert await say(conversation, "ann") == Said()  # the refused one was not counted there


async def test_a_user_who_may_not_load_scripts_leaves_this_replica_alone(cold_redis: RedisServer, caplog: pytest.LogCaptureFixture):
    cold_redis.start()
    with cold_redis.admin() as admin:
        admin.execute_command("ACL SETUSER", "weak", "on", ">s3cret", "+@connection")
    address = RedisAddress(f"redis://weak:s3cret@127.0.0.1:{cold_redis.port}/0")

    async with RedisConversation(address, timeout_s=PATIENT_S) as conversation:
        assert await say(conversation, "ann") == Said()
        assert conversation.degraded

    assert "NoPermissionError" in caplog.records[-1].__dict__["why"]


async def test_whatever_goes_wrong_answers_who_waits_is_told_and_passes(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    async with replica(redis_server) as conversation:
        with monkeypatch.context() as broken:
            broken.setattr(RedisLink, "run", lambda link, commands: 1 / 0)

            assert await say(conversation, "ann") == Said()
        await asyncio.wait_for(conversation.wait_shared(), PATIENT_S)
        await say(conversation, "ann")

        assert (conversation.n_alone, conversation.n_outages) == (1, 1)
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [ZeroDivisionError]


async def test_a_request_that_is_given_up_hurts_no_other(cold_redis: RedisServer, sent: asyncio.Event):
    cold_redis.start()
    async with replica(cold_redis) as conversation:
        cold_redis.hold()
        given_up = asyncio.ensure_future(say(conversation, "ann"))
        other = asyncio.ensure_future(say(conversation, "bob"))
        await sent.wait()
        given_up.cancel()
        cold_redis.go_on()

        assert await other == Said(1, 2, 1, ())
        assert await say(conversation, "cy") == Said(1, 3, 1, ())
        assert not conversation.degraded


async def test_more_than_may_wait_are_answered_alone(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(redis_conversation, "MAX_WAITING", 4)
    async with replica(redis_server) as conversation:
        answers = await asyncio.gather(*(conversation.observe("1", f"u{n}", "x", "x", 0.0) for n in range(6)))

        assert [said.similar_uids_60s for said in answers] == [1, 2, 3, 4, 5, 6]
        assert (conversation.degraded, conversation.n_alone) == (False, 2)
        assert (await conversation.observe("1", "v", "x", "x", 0.0)).similar_uids_60s == 5


async def test_after_the_end_and_before_the_start_this_replica_counts(redis_server: RedisServer):
    conversation = replica(redis_server)
    before = await say(conversation, "ann")
    await conversation.start()
    await conversation.start()
    between = await say(conversation, "ann")
    await conversation.close()
    await conversation.close()
    conversation.forget_earlier("9999", "nobody")

    assert (before.repeat_60s, between.repeat_60s, (await say(conversation, "ann")).repeat_60s) == (1, 1, 3)
    await conversation.start()
    assert (await say(conversation, "ann")).repeat_60s == 2
    await conversation.close()


async def test_closing_answers_who_waits(cold_redis: RedisServer, sent: asyncio.Event):
    cold_redis.start()
    conversation = replica(cold_redis)
    await conversation.start()
    cold_redis.hold()
    waiting = asyncio.ensure_future(say(conversation, "ann"))
    await sent.wait()

    await conversation.close()

    assert await waiting == Said()


async def test_no_secret_is_shown_when_the_server_refuses_it(locked_redis: RedisServer, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    address = RedisAddress(f"redis://watcher:s3cr%2At@127.0.0.1:{locked_redis.port}/0")
    conversation = RedisConversation(address)
    await conversation.start()
    await conversation.close()

    with pytest.raises(NotReady) as refused:
        await RedisLink(address, connect_timeout_s=PATIENT_S).open([])

    shown = repr(conversation) + str(refused.value) + "".join(str(record.__dict__) for record in caplog.records)
    assert conversation.n_outages == 1
    assert "AuthenticationError" in shown
    assert not any(secret in shown for secret in ("s3cr", "watcher"))


async def test_the_right_password_opens_the_server(locked_redis: RedisServer):
    address = RedisAddress(f"redis://:{LOCKED_PASSWORD.replace('*', '%2A')}@127.0.0.1:{locked_redis.port}/0")

    async with RedisConversation(address, timeout_s=PATIENT_S) as conversation:
        assert await say(conversation, "ann") == Said()
        assert not conversation.degraded


async def test_a_link_that_is_not_open_says_so(redis_server: RedisServer):
    link = RedisLink(redis_server.address, connect_timeout_s=PATIENT_S)

    with pytest.raises(NotReady, match="is not connected"):
        await link.run([command(b"PING")])
    await link.close()


def test_a_time_out_of_nothing_is_refused():
    with pytest.raises(ValueError, match="timeout_s"):
        RedisConversation(RedisAddress("redis://127.0.0.1"), timeout_s=0.0)


def test_the_client_library_is_the_one_that_is_promised():
    assert 5 <= int(redis.__version__.split(".")[0]) < 8
