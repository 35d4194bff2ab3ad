"""What counting a message costs, how much memory is kept, and what sharing the counts over Redis adds.

1. Nanoseconds per message, in process: one at a time and 64 together, beside a bare `collections.Counter` update with the same
   text. Warm: nobody has said it, and all that is kept fits the processor's cache. Quiet: 16 rooms of real chat, 5 messages a
   second each, 4,800 kept. Full: 1,024 such rooms, 200,000 kept, older ones forgotten; here the time goes into memory that nothing
   else has touched for a minute.
2. Memory that 100,000 and 200,000 kept messages take, and how much longer a full garbage collection takes with them.
3. Messages per second on a real Redis on this machine, beside a bare PING over the same connection (left out without redis-server).

    python -m benchmarks.bench_conversation [--rounds 5] [--json] [--no-redis]

Every text, room and user is a new string, as a decoder makes them; making them is not timed.
"""

from __future__ import annotations

import asyncio
import csv
import gc
import itertools
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.report import Contender, Report, arguments, compare, publish
from inference.text.local_conversation import LocalConversation
from inference.text.redis_conversation import RedisConversation
from inference.text.redis_link import RedisLink
from inference.text.redis_script import command
from tests.redis_server import RedisServer

DANMAKU = Path(__file__).resolve().parents[2] / "shared" / "data" / "text" / "douyu_danmaku" / "data.csv"
TOGETHER = 64
PER_ROUND = 20_000
ROOM_RATE_HZ = 5
SEED = 20

Message = tuple[str, str, str]
"""Room, user, text."""
Columns = tuple[tuple[str, ...], ...]
"""Rooms, users, texts."""
Count = Callable[[list[Message], Columns, float], None]
"""Counts messages, which are there line by line and column by column, at a time in seconds."""


def chat() -> tuple[list[Message], str]:
    """Return the lines of a chat in their order, and where they are from."""
    if DANMAKU.is_file():
        with DANMAKU.open(encoding="utf-8", newline="") as file:
            return [(row["room"], row["user"], row["text"]) for row in csv.DictReader(file)], "real danmaku, their rooms and users"
    rng = random.Random(SEED)
    words = ["主播", "加油", "666", "哈哈哈", "这波", "可以", "？？？", "什么", "上单", "带飞", "好看", "wsl", "大哥"]
    texts = ["".join(rng.choices(words, k=rng.randint(1, 6))) for _ in range(40_000)]
    return [(f"{rng.randrange(4)}", f"u{rng.randrange(15_000)}", text) for text in texts], "generated chat"


def stream(lines: list[Message], n_copies: int) -> Iterator[Message]:
    """Yield the chat for ever, as `n_copies` chats in other rooms that go on at once, each from another place."""
    step = len(lines) // n_copies
    for number in itertools.count():
        copy, place = number % n_copies, number // n_copies
        room, uid, text = lines[(place + copy * step) % len(lines)]
        yield f"{room}-{copy}", (uid + ".")[:-1], (text + ".")[:-1]


def strangers() -> Iterator[Message]:
    """Yield messages that nobody has written before, of people who have not."""
    for number in itertools.count():
        yield "9999", f"user {number}", f"text {number}"


class Run:
    """One contender on its own endless stream; each round goes on where the last one ended."""

    def __init__(self, count: Count, messages: Iterator[Message], *, rate_hz: float, n_warm: int) -> None:
        self._count = count
        self._stream = messages
        self._gap_s = 1 / rate_hz
        self._now_s = 0.0
        self.ns(n_warm)

    def ns(self, n_messages: int = PER_ROUND) -> float:
        """Count so many messages; returns nanoseconds per message."""
        spent_s = 0.0
        for _ in range(n_messages // TOGETHER):
            messages = list(itertools.islice(self._stream, TOGETHER))
            columns = tuple(zip(*messages, strict=True))
            self._now_s += TOGETHER * self._gap_s
            began_s = time.perf_counter()
            self._count(messages, columns, self._now_s)
            spent_s += time.perf_counter() - began_s
        return spent_s / max(1, n_messages // TOGETHER * TOGETHER) * 1e9


def counter() -> Count:
    counts: Counter[str] = Counter()

    def count(messages: list[Message], columns: Columns, now_s: float) -> None:
        for _, _, text in messages:
            counts[text] += 1

    return count


def one_by_one() -> Count:
    observe = LocalConversation().observe

    def count(messages: list[Message], columns: Columns, now_s: float) -> None:
        for room, uid, text in messages:
            observe(room, uid, text, text, now_s)

    return count


def together() -> Count:
    conversation = LocalConversation()

    def count(messages: list[Message], columns: Columns, now_s: float) -> None:
        rooms, uids, texts = columns
        conversation.observe_many(rooms, uids, texts, texts, now_s)

    return count


def speed_reports(lines: list[Message], source: str, n_rounds: int) -> list[Report]:
    def report(name: str, messages: Callable[[], Iterator[Message]], *, rate_hz: float, n_warm: int) -> Report:
        makers = {"Counter update": counter, "observe, one by one": one_by_one, f"observe_many, {TOGETHER} together": together}
        runs = {title: Run(make(), messages(), rate_hz=rate_hz, n_warm=n_warm) for title, make in makers.items()}
        contenders = [Contender(title, run.ns) for title, run in runs.items()]
        return compare(f"Counting one message, {name}", "ns", contenders, n_rounds=n_rounds)

    return [
        report("warm (generated)", strangers, rate_hz=10, n_warm=10_000),
        report(f"quiet ({source})", lambda: stream(lines, 4), rate_hz=16 * ROOM_RATE_HZ, n_warm=10_000),
        report(f"full ({source})", lambda: stream(lines, 256), rate_hz=1024 * ROOM_RATE_HZ, n_warm=250_000),
    ]


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def collection_ms() -> float:
    gc.collect()
    began_s = time.perf_counter()
    gc.collect()
    return (time.perf_counter() - began_s) * 1000


def memory_line(lines: list[Message], n_kept: int) -> str:
    """Keep so many messages and say what that takes."""
    messages = stream(lines, 64)
    before_ms, before_mib = collection_ms(), resident_mib()
    conversation = LocalConversation(max_kept=n_kept)
    for number, (room, uid, text) in enumerate(itertools.islice(messages, 2 * n_kept)):
        conversation.observe(room, uid, text, text, number / 1e5)
    after_ms, grown_mib = collection_ms(), resident_mib() - before_mib
    return (
        f"{len(conversation):,} kept ({conversation.n_forgotten:,} forgotten): {grown_mib:.0f} MiB; "
        f"a full garbage collection takes {after_ms:.1f} ms with them, {before_ms:.1f} ms without"
    )


async def pings_per_s(server: RedisServer, n_together: int) -> float:
    link = RedisLink(server.address, connect_timeout_s=1.0)
    await link.open([])
    n_trips = PER_ROUND // 10 // n_together
    began_s = time.perf_counter()
    for _ in range(n_trips):
        await link.run([command(b"PING")] * n_together)
    rate = n_trips * n_together / (time.perf_counter() - began_s)
    await link.close()
    return rate


async def shared_per_s(server: RedisServer, lines: list[Message], n_together: int) -> float:
    messages = stream(lines, 1)
    async with RedisConversation(server.address, timeout_s=1.0) as conversation:
        n_trips = PER_ROUND // 10 // n_together
        batches = [list(zip(*itertools.islice(messages, n_together), strict=True)) for _ in range(n_trips)]
        began_s = time.perf_counter()
        for rooms, uids, texts in batches:
            if n_together == 1:
                await conversation.observe(rooms[0], uids[0], texts[0], texts[0], 0.0)
            else:
                await conversation.observe_many(rooms, uids, texts, texts, 0.0)
        rate = n_trips * n_together / (time.perf_counter() - began_s)
        if conversation.n_alone:
            raise RuntimeError(f"{conversation.n_alone} messages were not counted by redis")
    return rate


def redis_reports(lines: list[Message], n_rounds: int) -> list[Report]:
    if shutil.which("redis-server") is None:
        print("without Redis: redis-server is not installed", file=sys.stderr)
        return []
    with tempfile.TemporaryDirectory(prefix="bench-redis-") as folder:
        server = RedisServer(Path(folder))
        server.start()
        try:
            return [
                compare(
                    f"Messages on Redis per second, {n} together",
                    "1/s",
                    [
                        Contender("bare PING", lambda n=n: asyncio.run(pings_per_s(server, n))),
                        Contender("observe", lambda n=n: asyncio.run(shared_per_s(server, lines, n))),
                    ],
                    n_rounds=n_rounds,
                )
                for n in (1, TOGETHER)
            ]
        finally:
            server.stop()


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--no-redis", action="store_true", help="leave Redis out")
    chosen = parser.parse_args()
    lines, source = chat()
    memory = [memory_line(lines, n_kept) for n_kept in (100_000, 200_000)]
    reports = [
        *speed_reports(lines, source, chosen.rounds),
        *([] if chosen.no_redis else redis_reports(lines, chosen.rounds)),
    ]
    publish(reports, packages=("redis",), as_json=chosen.json)
    for line in memory:
        print(line, file=sys.stderr if chosen.json else sys.stdout)


if __name__ == "__main__":
    main()
