"""One room's reader: whatever way an opening ends, nothing of it stays in memory."""

from __future__ import annotations

import gc
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from av.container import InputContainer

from streams.messages import ChildSettings, ReadMode, Watch
from streams.outlet import Outlet
from streams.reader import RoomReader, Seat
from streams.sampling import AudioPlan, SamplingPlan
from streams.slab import Slab, create_memory
from streams.sources import Source
from streams.status import SourceReason
from tests.live_server import Exchange, FlvShow, Handler, LiveServer, body, free_port, stall
from tests.media import Clip, encode, hls
from tests.streams.collecting import LOOPBACK, CollectingSink, order, pool_of

CLIP = Clip(seconds=2, size=(160, 96), gop=5)
PLAN = SamplingPlan(interval_s=0.5, audio=AudioPlan(window_s=1.0, hop_s=0.5))
SLAB_BYTES = 16 * 1024 * 1024
BUSY = Clip(seconds=0.6, size=(1280, 720), fps=10, gop=2)
N_ROOMS = 12
N_WARM = 5 * N_ROOMS
N_REOPENED = 120
MAX_GROWTH_MIB = 60
"""A decoder of this picture takes 3 to 4 MiB: more than all rooms use at a time, less than half of what reopening would keep."""


@pytest.fixture(scope="module")
def flv() -> bytes:
    return encode(CLIP, container="flv")


@pytest.fixture
def server():
    with LiveServer() as running:
        yield running


def begun(data: bytes) -> bytes:
    """The first two thirds of a stream: enough to open it and to decode."""
    return data[: len(data) * 2 // 3]


def nonsense(data: bytes) -> Handler:
    """Send the beginning as one chunk, and then what is no chunk."""

    def answer(exchange: Exchange) -> None:
        exchange.begin(headers={"Transfer-Encoding": "chunked"})
        exchange.send(b"%x\r\n%b\r\nzz\r\n" % (len(begun(data)), begun(data)))

    return answer


def playlist(server: LiveServer, folder: Path, second: str) -> str:
    """Serve a playlist whose second segment is another address."""
    written = hls(folder, Clip(seconds=6, size=(160, 96)))
    server.serve_folder(folder, "/hls")
    return server.serve("/hls/other.m3u8", body(written.read_text().replace("part001.ts", second).encode()))


@contextmanager
def reader_of(url: str, *, read_timeout_s: float) -> Iterator[RoomReader]:
    """A room's reader without its thread; what it says is not listened to."""
    settings = ChildSettings(
        policy=LOOPBACK,
        open_timeout_s=10.0,
        read_timeout_s=read_timeout_s,
        retry_budget_s=60.0,
        ended_after_s=60.0,
        memory_bytes=2**32,
    )
    fd = create_memory(SLAB_BYTES)
    slab = Slab(fd, SLAB_BYTES)
    os.close(fd)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    watch = Watch(1, 0, "seed", url, ReadMode.LIVE, PLAN, session_started_s=time.monotonic(), floor_s=0.0)
    with ours, theirs:
        yield RoomReader(Seat(watch, settings, slab, Outlet(slab, theirs), lambda: 1))


@contextmanager
def no_collector() -> Iterator[None]:
    """Leave nothing to the garbage collector."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def n_held() -> int:
    """Sources and containers that live."""
    return sum(isinstance(held, Source | InputContainer) for held in gc.get_objects())


ENDS: dict[SourceReason, list[Callable[[LiveServer, bytes, Path], str]]] = {
    SourceReason.ENDED: [
        lambda server, flv, folder: server.serve("/a.flv", FlvShow(flv, speed=0, loops=1)),
        lambda server, flv, folder: server.serve("/a.mp4", body(encode(CLIP, container="mp4"), ranges=True)),
        lambda server, flv, folder: playlist(server, folder, "part001.ts"),
        lambda server, flv, folder: playlist(server, folder, "gone.ts"),
    ],
    SourceReason.TIMEOUT: [lambda server, flv, folder: server.serve("/a.flv", stall(begun(flv)))],
    SourceReason.CORRUPT: [lambda server, flv, folder: server.serve("/a.flv", nonsense(flv))],
    SourceReason.UNREACHABLE: [lambda server, flv, folder: f"http://127.0.0.1:{free_port()}/a.flv"],
    SourceReason.REFUSED: [lambda server, flv, folder: playlist(server, folder, "http://10.0.0.1/a.ts")],
    SourceReason.NOT_FOUND: [lambda server, flv, folder: server.url("/none.flv")],
}


@pytest.mark.parametrize(("reason", "serve"), [(reason, serve) for reason, ways in ENDS.items() for serve in ways])
def test_an_opening_that_ended_leaves_nothing_to_the_garbage_collector(reason, serve, server, flv, tmp_path):
    url = serve(server, flv, tmp_path)
    read_timeout_s = 0.2 if reason is SourceReason.TIMEOUT else 10.0

    with reader_of(url, read_timeout_s=read_timeout_s) as reader, no_collector():
        before = n_held()
        ends = [reader._read_to_the_end() for _ in range(3)]

        assert [end[0] for end in ends if end is not None] == [reason] * 3
        assert n_held() == before


def private_mib(pid: int) -> float:
    """Memory that a process has for itself, the slab not counted."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))


def test_a_child_whose_rooms_are_opened_again_and_again_does_not_grow(server):
    sink = CollectingSink()
    url = server.serve("/live.flv", FlvShow(encode(BUSY, container="flv"), speed=0, loops=1))
    with pool_of(sink) as pool:
        for index in range(N_ROOMS):
            pool.watch(order(f"room-{index}", url, SamplingPlan(interval_s=0.2, jitter=0.0, off_key_share=0.0)))
        sink.wait(lambda: len(server.hits) >= N_WARM)
        (pid,) = {pool._rooms[f"room-{index}"].decoder.pid for index in range(N_ROOMS)}
        before_mib = private_mib(pid)
        sink.wait(lambda: len(server.hits) >= N_WARM + N_REOPENED)

        assert private_mib(pid) - before_mib < MAX_GROWTH_MIB
    assert all(sink.frames[f"room-{index}"] for index in range(N_ROOMS))
