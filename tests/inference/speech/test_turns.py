from __future__ import annotations

import asyncio
import threading

import pytest

from inference.errors import Overloaded
from inference.speech.turns import Turns


async def settle() -> None:
    """Let every task that can go on do so."""
    for _ in range(5):
        await asyncio.sleep(0)


class Work:
    """Takes turns and holds each until told."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.inside: list[str] = []
        self._done: dict[str, asyncio.Event] = {}

    def start(self, name: str) -> asyncio.Task[None]:
        self._done[name] = asyncio.Event()
        return asyncio.create_task(self._hold(name))

    def end(self, name: str) -> None:
        self._done[name].set()

    async def _hold(self, name: str) -> None:
        async with self._turns.turn():
            self.inside.append(name)
            await self._done[name].wait()
            self.inside.remove(name)


async def test_so_many_work_at_once_and_the_others_follow_in_order():
    work = Work(Turns("t", n_at_once=2, n_waiting=5))
    tasks = [work.start(name) for name in "abcd"]
    await settle()
    assert work.inside == ["a", "b"]

    work.end("a")
    await settle()
    assert work.inside == ["b", "c"]

    for name in "bcd":
        work.end(name)
    await asyncio.gather(*tasks)


async def test_one_too_many_is_refused_at_once():
    work = Work(Turns("recogniser", n_at_once=1, n_waiting=1))
    tasks = [work.start(name) for name in "ab"]
    await settle()

    with pytest.raises(Overloaded, match="recogniser: 1 wait"):
        await work.start("c")

    for name in "ab":
        work.end(name)
    await asyncio.gather(*tasks)


async def test_a_caller_who_gives_up_waiting_frees_the_place_and_keeps_no_turn():
    work = Work(Turns("t", n_at_once=1, n_waiting=1))
    first, second = work.start("a"), work.start("b")
    await settle()
    second.cancel()
    await settle()

    third = work.start("c")
    work.end("a")
    await settle()

    assert work.inside == ["c"]
    work.end("c")
    await asyncio.gather(first, third)


async def test_a_caller_who_gives_up_just_as_the_turn_comes_hands_it_on():
    work = Work(Turns("t", n_at_once=1, n_waiting=2))
    first, second, third = (work.start(name) for name in "abc")
    await settle()
    work.end("a")
    await first  # the turn is b's, who has not run yet
    second.cancel()
    await settle()

    assert work.inside == ["c"]
    work.end("c")
    await third


async def test_a_turn_whose_work_fails_is_given_back():
    turns = Turns("t", n_at_once=1, n_waiting=0)
    with pytest.raises(ZeroDivisionError):
        async with turns.turn():
            raise ZeroDivisionError

    async with turns.turn():
        pass


def test_turns_are_shared_by_the_loops_of_several_threads():
    turns = Turns("t", n_at_once=1, n_waiting=50)
    inside, most = [0], [0]

    async def several() -> None:
        for _ in range(5):
            async with turns.turn():
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                await asyncio.sleep(0)
                inside[0] -= 1

    threads = [threading.Thread(target=lambda: asyncio.run(several())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert (inside, most) == ([0], [1])
    assert not any(thread.is_alive() for thread in threads)


def test_nobody_at_once_is_a_mistake():
    with pytest.raises(ValueError, match="n_at_once must be at least 1"):
        Turns("t", n_at_once=0, n_waiting=1)
