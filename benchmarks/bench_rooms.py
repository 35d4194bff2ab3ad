"""How many rooms does this machine carry under the shipped profile, and what happens with twice as many?

    python -m benchmarks.bench_rooms [--rooms 10 20 40 80] [--seconds 25]

A platform in a process of its own (at low priority, encoded once, remuxed, written in bursts of 100 ms) serves 720p H.264 with AAC
over loopback HTTP-FLV; its share of the CPU is part of the load and printed. Every room is pulled by the real worker with its
decoders, every detector of the model store, policy, tracker, evidence, outbox and index; one room in five shows a QR code, so that
there are violations to commit, and is looked at twice as often for it. Counted after all rooms are up:

- looks per second, and the share of the shipped cadence that they are; rooms with a gap longer than a detector's coverage floor;
- milliseconds from the packet's arrival to the verdict, and to the commit of the violation in the outbox;
- looks of the porn detector at the most and the least looked-at of the rooms without a code (goal under overload: at most 1.5);
- memory of the whole process tree from the beginning to the end, in four steps.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.bench_decode import cpu_s, tree
from benchmarks.report import arguments, machine_line
from inference.samples import FrameSample

RAMP_S = 12.0
BURST_S = 0.1
STAGGER_S = 0.137
"""Between two rooms: their key frames are to come at different moments, as those of real rooms do."""
CODED_EVERY = 5
N_MEMORY = 4
"""Parts of a run after each of which memory is looked at: growth that goes on is a leak, growth that ends is not."""


# the platform, a process of its own


def serve_platform() -> None:
    """Encode three scenes and serve them to everyone, paced by the clock; print the port."""
    from streams import demo_scenes, demo_sounds
    from streams.demo_broadcast import encode
    from tests.media import FLV_HEADER, flv_tags

    os.nice(5)
    code = demo_scenes.qr_code(demo_scenes.QR_PAYLOAD, side_px=190, x=1040, y=60)
    plain, coded = demo_scenes.Game(1), demo_scenes.Game(3)
    scenes = {"plain": plain.frame, "coded": lambda index: coded.frame(index, code), "talking": plain.frame}
    bursts: dict[str, list[tuple[float, bytes]]] = {}
    for name, draw in scenes.items():
        tags = flv_tags(encode(draw, sound=demo_sounds.talk if name == "talking" else demo_sounds.tune))
        span_ms = max(tag.time_ms for tag in tags) + 33
        pieces: dict[int, list[bytes]] = defaultdict(list)
        pieces[0].append(FLV_HEADER)
        for loop in range(20):
            for tag in tags:
                if not (loop and tag.kind == 18):
                    at_s = (tag.time_ms + loop * span_ms) / 1000
                    pieces[int(at_s / BURST_S)].append(tag.pack(shift_ms=loop * span_ms))
        bursts[name] = [(n * BURST_S, b"".join(parts)) for n, parts in sorted(pieces.items())]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\nConnection: close\r\n\r\n")
            began_s = time.monotonic()
            name = next(name for name in bursts if f"/{name}.flv".encode() in head)
            for due_s, data in bursts[name]:
                await asyncio.sleep(max(0.0, began_s + due_s - time.monotonic()))
                writer.write(data)
                await writer.drain()
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=512)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(run())


@contextmanager
def platform() -> Iterator[tuple[int, str]]:
    """Run the platform; yields its process id and address."""
    command = [sys.executable, "-m", "benchmarks.bench_rooms", "--platform"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.pid, f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


# the worker, watched from inside


@dataclass(slots=True)
class Seen:
    """What went through the judge since `clear`."""

    picture_ms: list[float] = field(default_factory=list)
    """To the verdict; what is older than 1.8 s when its turn comes is dropped."""
    clip_ms: list[float] = field(default_factory=list)
    """The same of sound, which may wait three times as long."""
    commit_ms: list[float] = field(default_factory=list)
    looks: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By room and detector, repeats included."""
    last_s: dict[tuple[str, str], float] = field(default_factory=dict)
    gap_s: dict[tuple[str, str], float] = field(default_factory=dict)
    stages: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    drops: Counter[str] = field(default_factory=Counter)

    def clear(self, now_s: float) -> None:
        """Begin anew; gaps count from now."""
        for name in ("picture_ms", "clip_ms", "commit_ms", "looks", "gap_s", "stages", "drops"):
            getattr(self, name).clear()
        self.last_s = dict.fromkeys(self.last_s, now_s)

    def note(self, room_id: str, detector: str, now_s: float) -> None:
        """Count one look."""
        key = (room_id, detector)
        self.looks[key] += 1
        self.gap_s[key] = max(self.gap_s.get(key, 0.0), now_s - self.last_s.get(key, now_s))
        self.last_s[key] = now_s


def spy(worker: Any) -> Seen:
    """Listen to what the worker's judge does."""
    seen, judge, clock = Seen(), worker._judge, worker._clock
    look, tell, report = judge.look, judge._tell, worker._looks._report

    async def reported(one: Any) -> None:
        if one.failure is not None:
            seen.drops[type(one.failure).__name__] += 1
        await report(one)

    async def looked(one: Any, watch: Any) -> Any:
        seen.note(one.sample.room_id, one.detector, clock.now_s())
        if not one.repeated:
            figures = seen.picture_ms if isinstance(one.sample, FrameSample) else seen.clip_ms
            figures.append((clock.now_s() - one.sample.captured_s) * 1000)
        return await look(one, watch)

    async def told(transitions: Any, timing_ms: Mapping[str, float] | None = None) -> Any:
        began_s = clock.now_s()
        answer = await (tell(transitions) if timing_ms is None else tell(transitions, timing_ms))
        if transitions and timing_ms:
            seen.commit_ms.append(timing_ms["capture_to_publish"] + (clock.now_s() - began_s) * 1000)
            for stage, took_ms in timing_ms.items():
                seen.stages[stage].append(took_ms)
        return answer

    judge.look, judge._tell, worker._looks._report = looked, told, reported
    return seen


def rss_mib(pids: Sequence[int]) -> float:
    """Resident memory of processes, pages they share counted once per process."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return total * os.sysconf("SC_PAGE_SIZE") / 2**20


def share(figures: Sequence[float], percent: int) -> float:
    """Percentile; nan of nothing."""
    ordered = sorted(figures)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else float("nan")


async def measure(url: str, platform_pid: int, n_rooms: int, seconds: float) -> dict[str, Any]:
    """Watch so many rooms and report."""
    from inference.engine import Engine
    from streams.rooms import RoomSpec
    from streams.serve import SWITCH_S
    from streams.settings import Settings
    from streams.stores import Stores
    from streams.urls import StreamUrl, UrlPolicy
    from streams.worker import Worker

    sys.setswitchinterval(SWITCH_S)
    with tempfile.TemporaryDirectory(prefix="bench-rooms-") as folder:
        settings = Settings.load(data_dir=Path(folder), rooms={"allow_private": True})
        engine = Engine.start(settings)
        stores = Stores.open(settings, clock=engine.clock, metrics=engine.metrics)
        worker = Worker(engine, stores, settings, clock=engine.clock)
        seen = spy(worker)
        running = asyncio.create_task(worker.run())
        while worker._tasks is None:  # noqa: ASYNC110  nothing tells when it is up
            await asyncio.sleep(0.05)
        policy = UrlPolicy(("*",), allow_private=True)
        for index in range(n_rooms):
            await asyncio.sleep(STAGGER_S)
            kind = "plain" if index % CODED_EVERY else "coded"
            await worker.watch(RoomSpec(f"{kind}-{index}", StreamUrl.parse(f"{url}/live/{kind}.flv", policy)))
        await asyncio.sleep(RAMP_S)
        seen.clear(worker._clock.now_s())
        pids = [pid for pid in tree(os.getpid()) if pid != platform_pid]
        cpu_before_s, platform_before_s, rss_before, began_s = cpu_s(pids), cpu_s([platform_pid]), rss_mib(pids), time.monotonic()
        memory = [rss_before]
        for _ in range(N_MEMORY):
            await asyncio.sleep(seconds / N_MEMORY)
            memory.append(rss_mib(pids))
        took_s = time.monotonic() - began_s
        result = summary(worker, seen, took_s)
        result["cpu of ours, cores"] = (cpu_s(pids) - cpu_before_s) / took_s
        result["cpu of the platform, cores"] = (cpu_s([platform_pid]) - platform_before_s) / took_s
        result["RSS MiB, from beginning to end"] = ", ".join(f"{mib:.0f}" for mib in memory)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await asyncio.to_thread(stores.close)
        await asyncio.to_thread(engine.close)
    return result


def summary(worker: Any, seen: Seen, took_s: float) -> dict[str, Any]:
    """Sum up what was seen."""
    now_s = worker._clock.now_s()
    below, wanted = set(), 0.0
    for room_id, watch in worker._watches.items():
        for name, counts in worker._looks.counts(room_id).items():
            gap_s = max(seen.gap_s.get((room_id, name), 0.0), now_s - seen.last_s.get((room_id, name), now_s - took_s))
            if gap_s > counts.slot.floor_s:
                below.add(f"{room_id} {name} {gap_s:.0f} s")
            wanted += took_s / max(counts.slot.every_s, watch.policy.sampling.interval_s) if room_id.startswith("plain") else 0.0
    plain = Counter({key: n for key, n in seen.looks.items() if key[0].startswith("plain")})
    porn = [plain[room_id, "porn"] for room_id in worker._watches if room_id.startswith("plain")]
    by_detector: Counter[str] = Counter()
    for (_, name), n in seen.looks.items():
        by_detector[name] += n
    return {
        "looks/s": seen.looks.total() / took_s,
        "by detector": ", ".join(f"{name} {n / took_s:.1f}" for name, n in sorted(by_detector.items())),
        "share of the cadence, plain rooms": plain.total() / wanted,
        "picture to verdict, ms p50/p95/p99": "/".join(f"{share(seen.picture_ms, at):.0f}" for at in (50, 95, 99)),
        "clip to verdict, ms p50/p95/p99": "/".join(f"{share(seen.clip_ms, at):.0f}" for at in (50, 95, 99)),
        "commit ms p50/p95/p99": "/".join(f"{share(seen.commit_ms, at):.0f}" for at in (50, 95, 99)) + f" of {len(seen.commit_ms)}",
        "porn looks max/min": f"{max(porn)}/{min(porn)} = {max(porn) / max(1, min(porn)):.2f}",
        "rooms below a floor": len({entry.split()[0] for entry in below}),
        "longest gaps": "; ".join(sorted(below)[:3]) or "none",
        "dropped": dict(seen.drops),
    }


def main() -> None:
    """Measure every number of rooms and print the table."""
    parser = arguments(__doc__)
    parser.add_argument("--rooms", type=int, nargs="+", default=[10, 20, 40, 80])
    parser.add_argument("--seconds", type=float, default=25.0)
    parser.add_argument("--platform", action="store_true")
    options = parser.parse_args()
    if options.platform:
        serve_platform()
        return
    print(machine_line("onnxruntime-gpu", "av"), flush=True)
    with platform() as (pid, url):
        for n_rooms in options.rooms:
            result = asyncio.run(measure(url, pid, n_rooms, options.seconds))
            print(f"\n### {n_rooms} rooms, {options.seconds:.0f} s\n\n| figure | value |\n|---|---|")
            for name, value in result.items():
                print(f"| {name} | {value:.2f} |" if isinstance(value, float) else f"| {name} | {value} |", flush=True)


if __name__ == "__main__":
    main()
