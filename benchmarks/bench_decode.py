"""What a room's decoding costs: processor time per room-second of the whole decode side, beside bare PyAV and ffmpeg.

All read the same 720p30 H.264 stream (key frames every 2 s, with sound) over HTTP-FLV, one connection per room, and decode its key
frames. Bare PyAV: one process, one thread per room, key packets decoded and the decoder drained, nothing handed to anybody. ffmpeg:
one process per room, `-skip_frame nokey`, its frames thrown away. Ours: decoder children, the spare among them, shared memory and
the worker's side; once for the same key frames, once as shipped, where a share of the samples is taken between key frames (so that
nobody hides there) and costs the decoding of what leads up to them.

Counted from when every room has given a frame; the server's own time is not counted.
Run it from the root: `python -m benchmarks.bench_decode [--json] [--rounds N] [--rooms N] [--seconds S]`.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.flv_origin import origin
from benchmarks.report import Contender, Report, arguments, compare, publish
from inference.samples import AudioClip, FrameSample
from streams.orders import WatchOrder
from streams.sampling import SamplingPlan
from streams.status import SourceStatus
from streams.supervisor import DecoderPool, PoolLimits
from streams.urls import StreamUrl, UrlPolicy

STAGGER_S = 0.1
"""Rooms are opened this far apart, so that their key frames do not fall together."""
START_TIMEOUT_S = 30.0

_BARE = """
import os, sys, threading, time
import av
from av.stream import Discard
threading.excepthook = lambda failed: os._exit(1)
url, n_rooms, stagger_s, discards = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4] == "discard"
seen = set()
def read(room):
    with av.open(url, options={"analyzeduration": "1500000", "probesize": "1000000", "fpsprobesize": "0"}) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        context.thread_count = 1
        for other in container.streams:
            if other is not stream:
                other.discard = Discard.all
        if discards:
            stream.discard = Discard.nonkey
        for packet in container.demux(stream):
            if not packet.is_keyframe:
                continue
            frames = context.decode(packet) + context.decode(None)
            context.flush_buffers()
            if frames and room not in seen:
                seen.add(room)
                if len(seen) == n_rooms:
                    print("ready", flush=True)
for room in range(n_rooms):
    threading.Thread(target=read, args=(room,), daemon=True).start()
    time.sleep(stagger_s)
sys.stdin.read()
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What every contender is given."""

    url: str
    n_rooms: int
    seconds: float
    """How long is counted."""


def cpu_s(pid: int) -> float:
    """Processor time of a process so far, all its threads, seconds."""
    return time.clock_gettime((~pid << 3) | 2)  # the kernel's number of a process's own clock: CPUCLOCK_SCHED of that pid


def cost_ms(load: Load, pids: Callable[[], Sequence[int]]) -> float:
    """Processor time per room-second of processes that are in full swing, milliseconds."""
    began = {pid: cpu_s(pid) for pid in pids()}
    began_s = time.monotonic()
    time.sleep(load.seconds)
    spent_s = sum(cpu_s(pid) - began.get(pid, 0.0) for pid in pids())
    return 1000 * spent_s / (load.n_rooms * (time.monotonic() - began_s))


def bare(load: Load, variant: str) -> float:
    """PyAV and nothing else: threads of one process."""
    command = [sys.executable, "-c", _BARE, load.url, str(load.n_rooms), str(STAGGER_S), variant]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline().strip() != b"ready":
                raise RuntimeError("bare PyAV did not come up")
            return cost_ms(load, lambda: [process.pid])
        finally:
            process.kill()


def ffmpeg(load: Load) -> float:
    """The command line, a process per room; time for its opening is given, then counted."""
    command = ["ffmpeg", "-loglevel", "quiet", "-nostdin", "-threads", "1", "-skip_frame", "nokey", "-i", load.url]
    command += ["-an", "-fps_mode", "passthrough", "-f", "null", "-"]
    processes = []
    try:
        for _ in range(load.n_rooms):
            processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))
            time.sleep(STAGGER_S)
        time.sleep(4.0)
        return cost_ms(load, lambda: [process.pid for process in processes])
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


class CountingSink:
    """Takes samples, counts them per room and lets them go."""

    def __init__(self) -> None:
        self.frames: Counter[str] = Counter()
        self._came = threading.Condition()

    def on_frame(self, sample: FrameSample) -> None:
        """Count a frame."""
        with self._came:
            self.frames[sample.room_id] += 1
            self._came.notify_all()

    def on_clip(self, clip: AudioClip) -> None:
        """Let it go."""

    def on_status(self, status: SourceStatus) -> None:
        """Let it go."""

    def wait_for_rooms(self, n_rooms: int) -> None:
        """Return once that many rooms have given a frame."""
        with self._came:
            if not self._came.wait_for(lambda: len(self.frames) >= n_rooms, START_TIMEOUT_S):
                raise RuntimeError(f"only {len(self.frames)} of {n_rooms} rooms gave a frame")


@contextlib.contextmanager
def running_pool(sink: CountingSink) -> Iterator[DecoderPool]:
    """A pool with the product's own limits."""
    pool = DecoderPool(sink, PoolLimits(), policy=UrlPolicy(allow_loopback=True))
    pool.start()
    try:
        yield pool
    finally:
        pool.close()


def ours(load: Load, plan: SamplingPlan, samples_per_s: list[float]) -> float:
    """The whole decode side: children, spare, shared memory, and this process's part of it."""
    sink = CountingSink()
    url = StreamUrl.parse(load.url, UrlPolicy(allow_loopback=True))
    with running_pool(sink) as pool:
        for room in range(load.n_rooms):
            pool.watch(WatchOrder(f"room-{room}", "bench", url, plan, time.monotonic()))
            time.sleep(STAGGER_S)
        sink.wait_for_rooms(load.n_rooms)
        before = sink.frames.total()
        cost = cost_ms(load, lambda: [os.getpid(), *pool.pids()])
        samples_per_s.append((sink.frames.total() - before) / load.seconds / load.n_rooms)
        return cost


def decode_cost(load: Load, n_rounds: int, samples_per_s: list[float]) -> Report:
    """Answer the question."""
    contenders = [
        Contender("bare PyAV, key packets", lambda: bare(load, "packets")),
        Contender("bare PyAV, demuxer discards the rest", lambda: bare(load, "discard")),
        Contender("ffmpeg -skip_frame nokey, a process per room", lambda: ffmpeg(load)),
        Contender("ours, key frames only", lambda: ours(load, SamplingPlan(off_key_share=0.0), samples_per_s)),
        Contender("ours as shipped, 5 % of the frames off key", lambda: ours(load, SamplingPlan(), samples_per_s)),
    ]
    question = f"Processor time per room-second, {load.n_rooms} rooms of 720p30 over HTTP-FLV"
    return compare(question, "ms", contenders, n_rounds=n_rounds)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rooms", type=int, default=20, help="rooms at once (default 20)")
    parser.add_argument("--seconds", type=float, default=12.0, help="seconds counted per contender and round (default 12)")
    parser.set_defaults(rounds=2)
    given = parser.parse_args()
    samples_per_s: list[float] = []
    with origin() as url:
        report = decode_cost(Load(url, given.rooms, given.seconds), given.rounds, samples_per_s)
    publish([report], packages=("av", "numpy"), as_json=given.json)
    if not given.json:
        print(f"\nours handed over {min(samples_per_s):.2f} to {max(samples_per_s):.2f} frames per room-second")


if __name__ == "__main__":
    main()
