"""What does watching a room cost? CPU per room-second of our decode side, beside FFmpeg and beside bare PyAV.

Every contender pulls the same 720p30 H.264 stream (key frame every 2 s, B-frames) from loopback HTTP-FLV, `--rooms` times and takes
a picture every 2 s. Counted is the CPU of all its processes, the kernel's share included, over `--seconds` once all rooms run. Ours
includes the shared memory, the worker's side of it, and the spare child. Goal: at most 1.3 times bare key-packet decoding.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.report import Contender, arguments, compare, publish

GOP_S = 2.0
WARM_UP_S = 9.0
"""FFmpeg's first picture comes after two groups."""
_TICKS = os.sysconf("SC_CLK_TCK")


# the platform: one process that serves the stream to everyone


def stream() -> bytes:
    """Encode 10 s of 720p30 as a live encoder would (x264 veryfast, 2 Mbit/s): a camera wandering over a textured world."""
    import io
    from fractions import Fraction

    import av
    import cv2
    import numpy as np

    rng = np.random.default_rng(1)
    height, width = 1440, 2560
    octaves = [rng.normal(0, 1, (height >> k, width >> k, 3)).astype(np.float32) * 2.0**k for k in range(2, 8)]
    world = np.sum([cv2.resize(octave, (width, height), interpolation=cv2.INTER_CUBIC) for octave in octaves], axis=0)
    world = cv2.normalize(world, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    out = io.BytesIO()
    with av.open(out, "w", format="flv") as muxer:
        video = muxer.add_stream("libx264", rate=30)
        video.width, video.height, video.pix_fmt, video.bit_rate = 1280, 720, "yuv420p", 2_000_000
        video.options = {"preset": "veryfast", "g": str(int(30 * GOP_S)), "sc_threshold": "0", "bf": "3", "threads": "2"}
        for index in range(300):
            x, y = int(400 + 300 * np.sin(index / 40)), int(300 + 200 * np.cos(index / 50))
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(world[y : y + 720, x : x + 1280]), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 30)
            muxer.mux(video.encode(frame))
        muxer.mux(video.encode(None))
    return out.getvalue()


async def _answer(pieces: Sequence[tuple[float, bytes]], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\nConnection: close\r\n\r\n")
        began_s = time.monotonic()
        for due_s, data in pieces:
            wait_s = began_s + due_s - time.monotonic()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            writer.write(data)
            await writer.drain()
    writer.close()


def serve() -> None:
    """Serve the stream, paced by its clock, until killed; print the port first."""
    from tests.media import FLV_HEADER, flv_tags

    tags = flv_tags(stream())
    span_ms = max(tag.time_ms for tag in tags) + 33
    pieces = [(0.0, FLV_HEADER)]
    for loop in range(60):
        shift_ms = loop * span_ms
        pieces += [((tag.time_ms + shift_ms) / 1000, tag.pack(shift_ms=shift_ms)) for tag in tags if not (loop and tag.kind == 18)]

    async def run() -> None:
        server = await asyncio.start_server(lambda reader, writer: _answer(pieces, reader, writer), "127.0.0.1", 0, backlog=512)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(run())


# the contenders, each in processes of its own


def bare(url: str, n_rooms: int, *, discard: bool) -> None:
    """Open every room in a thread with PyAV, decode key packets one by one, let the pictures go."""
    import av
    from av.stream import Discard

    def room() -> None:
        with av.open(url, options={"fpsprobesize": "0", "analyzeduration": "1500000"}) as container:
            video = container.streams.video[0]
            context = video.codec_context
            context.thread_count = 1
            if discard:
                video.discard = Discard.nonkey
            for packet in container.demux(video):
                if packet.is_keyframe:
                    context.decode(packet)
                    context.decode(None)
                    context.flush_buffers()

    threads = [threading.Thread(target=room, daemon=True) for _ in range(n_rooms)]
    for thread in threads:
        thread.start()
    threads[0].join()


def ours(url: str, n_rooms: int, *, steady: bool) -> None:
    """Watch every room with the pool; the sink counts and lets go."""
    from streams.sampling import SamplingPlan
    from streams.supervisor import DecoderPool, WatchOrder
    from streams.urls import StreamUrl, UrlPolicy

    class Sink:
        def on_frame(self, sample: object) -> None: ...

        def on_clip(self, clip: object) -> None: ...

        def on_status(self, status: object) -> None: ...

    policy = UrlPolicy(allow_loopback=True)
    plan = SamplingPlan(GOP_S, 0.0, 0.0) if steady else SamplingPlan(GOP_S)
    pool = DecoderPool(Sink(), policy=policy)
    pool.start()
    for index in range(n_rooms):
        pool.watch(WatchOrder(f"room-{index}", "s", StreamUrl.parse(url, policy), plan, time.monotonic()))
    began_s = time.monotonic()
    while True:
        time.sleep(1)
        n_frames = sum(status.n_frames for status in pool.statuses())
        print(f"{n_frames / n_rooms / max(1.0, time.monotonic() - began_s):.3f} pictures per room-second", file=sys.stderr)


# the measuring


def tree(pid: int) -> list[int]:
    """A process and everything below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            children.setdefault(int((entry / "stat").read_text().rpartition(")")[2].split()[1]), []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        found.append(waiting.pop())
        waiting += children.get(found[-1], [])
    return found


def cpu_s(pids: Sequence[int]) -> float:
    """CPU spent so far by processes, user and system."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / _TICKS


def measured(commands: Sequence[Sequence[str]], *, n_rooms: int, seconds: float) -> float:
    """Start the processes, let them warm up, and return their CPU in milliseconds per room-second."""
    processes = [subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for command in commands]
    try:
        time.sleep(WARM_UP_S)
        pids = [pid for process in processes for pid in tree(process.pid)]
        before_s, began_s = cpu_s(pids), time.monotonic()
        time.sleep(seconds)
        return (cpu_s(pids) - before_s) / (time.monotonic() - began_s) / n_rooms * 1000
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


def main() -> None:
    """Measure, or be one of the processes that are measured."""
    parser = arguments(__doc__)
    parser.add_argument("--rooms", type=int, nargs="+", default=[20, 50])
    parser.add_argument("--seconds", type=float, default=10.0, help="length of one measurement")
    parser.add_argument("--role", choices=["serve", "bare", "discard", "ours", "steady"], help=argparse_hidden())
    parser.add_argument("--url", default="", help=argparse_hidden())
    given = parser.parse_args()
    roles: dict[str, Callable[[], None]] = {
        "serve": serve,
        "bare": lambda: bare(given.url, given.rooms[0], discard=False),
        "discard": lambda: bare(given.url, given.rooms[0], discard=True),
        "ours": lambda: ours(given.url, given.rooms[0], steady=False),
        "steady": lambda: ours(given.url, given.rooms[0], steady=True),
    }
    if given.role:
        roles[given.role]()
        return
    me = [sys.executable, "-m", "benchmarks.bench_decode", "--role"]
    server = subprocess.Popen([*me, "serve"], stdout=subprocess.PIPE)
    assert server.stdout is not None
    url = f"http://127.0.0.1:{int(server.stdout.readline())}/live.flv"
    reports = []
    try:
        for n_rooms in given.rooms:

            def contender(name: str, commands: Sequence[Sequence[str]], n_rooms: int = n_rooms) -> Contender:
                return Contender(name, lambda: measured(commands, n_rooms=n_rooms, seconds=given.seconds))

            def own(role: str, n_rooms: int = n_rooms) -> list[list[str]]:
                return [[*me, role, "--url", url, "--rooms", str(n_rooms)]]

            ffmpeg = ["ffmpeg", "-loglevel", "quiet", "-analyzeduration", "1500000", "-fpsprobesize", "0", "-threads", "1"]
            ffmpeg += ["-skip_frame", "nokey", "-i", url, "-fps_mode", "passthrough", "-f", "null", "-"]
            contenders = [
                contender("bare PyAV, key packets, others discarded in the demuxer", own("discard")),
                contender("bare PyAV, key packets, others pass through Python", own("bare")),
                contender("ffmpeg -skip_frame nokey, a process per room", [ffmpeg] * n_rooms),
                contender("ours, every key frame", own("steady")),
                contender("ours, as shipped (5 % of the samples off key)", own("ours")),
            ]
            question = f"CPU of one room, {n_rooms} rooms of 720p30, one picture per 2 s"
            reports.append(compare(question, "ms per room-second", contenders, n_rounds=given.rounds))
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
    publish(reports, packages=("av",), as_json=given.json)


def argparse_hidden() -> str:
    """Keep an option out of the help: it is for the processes this script starts."""
    import argparse

    return argparse.SUPPRESS


if __name__ == "__main__":
    main()
