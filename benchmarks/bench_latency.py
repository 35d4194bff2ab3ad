"""How long does one picture take from its packet to the broker's acknowledgement, and how much of that is ours?

    python -m benchmarks.bench_latency [--seconds 50] [--no-kafka]

One room of 720p H.264 (key frame every 2 s) over loopback HTTP-FLV, pulled by the real worker with the porn detector alone. The
stream is benign, so a finding with a sublabel of its own is added behind the detector's own work: every look opens a violation with
a still, and is committed and published. Then the floor, in the same process and as widely spaced: one key packet decoded and
flushed, letterboxed, scored by the bare session, encoded as JPEG, committed to a bare SQLite file, sent with a bare producer.
Without Java and Maven the way ends at the outbox's commit, for both. Goal: at most 1.5 times the floor.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.bench_outbox import commit_bare, event
from benchmarks.bench_rooms import platform
from benchmarks.report import arguments, machine_line
from tests.kafka_broker import KafkaBroker, fetch_jars

POLICY = """
id: bench
version: 1
inherits: default
biz: [bench]
sampling: {jitter: 0.0, audio: {enabled: false}}
rules:
  - {label: "porn.nudity", modality: image, review: 0.5, block: 0.6, hits: 1, window: 1}
"""
PAUSE_S = 0.5
N_FLOOR = 40


@contextmanager
def broker(folder: Path, *, wanted: bool) -> Iterator[KafkaBroker | None]:
    """Run a broker where it can be had."""
    missing = "not asked for" if not wanted else fetch_jars()
    if missing is not None:
        print(f"without Kafka: {missing}", file=sys.stderr)
        yield None
        return
    kafka = KafkaBroker(folder)
    kafka.start()
    try:
        yield kafka
    finally:
        kafka.stop()


async def ours(url: str, kafka: KafkaBroker | None, folder: Path, seconds: float) -> dict[str, list[float]]:
    """Milliseconds of every stage of every violation."""
    from inference.engine import Engine
    from inference.samples import Modality
    from inference.verdicts import Box, Finding
    from streams.alerts import Topic
    from streams.rooms import RoomSpec
    from streams.serve import SWITCH_S
    from streams.settings import Settings
    from streams.stores import Stores
    from streams.urls import StreamUrl, UrlPolicy
    from streams.watching import Watch
    from streams.worker import Worker

    sys.setswitchinterval(SWITCH_S)
    (folder / "policy.yaml").write_text(POLICY)
    settings = Settings.load(
        data_dir=folder / "data",
        rooms={"allow_private": True},
        policies=(folder / "policy.yaml",),
        kafka=kafka.settings().model_dump() if kafka else {},
    )
    engine = Engine.start(settings)
    detector: Any = engine.detectors["porn"]
    own, numbers = detector.findings, itertools.count()

    def found(outputs: Any, sample: Any) -> tuple[Finding, ...]:
        box = Box(0.4, 0.4, 0.1, 0.1, 0.9, "bench")
        extra = Finding("porn.nudity", 0.9, Modality.IMAGE, "porn", sample.pts_s, f"n{next(numbers)}", boxes=(box,))
        return (*own(outputs, sample), extra)

    detector.findings = found
    Watch.wanted_risk = lambda self, *, now_s: 1.0  # type: ignore[method-assign]  # open violations would double the sampling
    stores = Stores.open(settings, clock=engine.clock, metrics=engine.metrics)
    worker = Worker(engine, stores, settings, clock=engine.clock)
    worker._looks._posts = {"porn": worker._looks._posts["porn"]}
    tell, mark_sent, clock = worker._judge._tell, stores.outbox.mark_sent, engine.clock
    stages: dict[str, list[float]] = defaultdict(list)
    captured_s: list[float] = []

    async def told(transitions: Any, timing_ms: Mapping[str, float] | None = None) -> Any:
        if not transitions or not timing_ms:
            return await tell(transitions)
        began_s = clock.now_s()
        captured_s.append(began_s - timing_ms["capture_to_publish"] / 1000)
        answer = await tell(transitions, timing_ms)
        for stage, took_ms in timing_ms.items():
            stages[stage].append(took_ms)
        stages["outbox commit"].append((clock.now_s() - began_s) * 1000)
        stages["capture to commit"].append((clock.now_s() - captured_s[-1]) * 1000)
        return answer

    def marked(rows: Any) -> Any:
        for row in rows:
            if row.event.topic == Topic.VIOLATIONS and len(stages["capture to acknowledgement"]) < len(captured_s):
                stages["capture to acknowledgement"].append((clock.now_s() - captured_s[-1]) * 1000)
        return mark_sent(rows)

    worker._judge._tell, stores.outbox.mark_sent = told, marked  # type: ignore[method-assign]
    running = asyncio.create_task(worker.run())
    while worker._tasks is None:  # noqa: ASYNC110  nothing tells when it is up
        await asyncio.sleep(0.05)
    source = StreamUrl.parse(f"{url}/live/plain.flv", UrlPolicy(("*",), allow_private=True))
    await worker.watch(RoomSpec("one", source, biz="bench"))
    await asyncio.sleep(seconds)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await asyncio.to_thread(stores.close)
    await asyncio.to_thread(engine.close)
    return {name: figures[2:] for name, figures in stages.items()}  # the first ones warm up threads and connections


def floor(kafka: KafkaBroker | None, folder: Path) -> dict[str, list[float]]:
    """Milliseconds of each piece done bare, one pass every `PAUSE_S`."""
    import av
    import cv2
    import numpy as np
    from kafka import KafkaProducer

    from inference.devices import DeviceKind, DeviceShare
    from inference.sessions import OnnxSession
    from inference.settings import InferenceSettings
    from inference.verdicts import ModelRef
    from inference.vision.porn import letterbox
    from models.store import ModelStore
    from streams import demo_scenes
    from streams.alerts import Topic
    from streams.demo_broadcast import encode
    from streams.kafka import client_options, open_client
    from streams.outbox_file import SCHEMA

    stored = ModelStore(InferenceSettings.load().models.dir).live("nudenet-320n")
    session = OnnxSession(
        stored.onnx_path, ref=ModelRef("nudenet", "1", ""), share=DeviceShare(DeviceKind.CPU, 1 << 50, n_threads=1)
    )
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.executescript(SCHEMA)
    producer = None
    if kafka is not None:
        producer = open_client(KafkaProducer, **client_options(kafka.settings()), acks="all", enable_idempotence=False, linger_ms=0)
        producer.send(Topic.VIOLATIONS, key=b"room", value=b"1").get(10)
    container = av.open(io.BytesIO(encode(demo_scenes.Game(1).frame)))
    video = container.streams.video[0]
    context = video.codec_context
    context.thread_count = 1
    packets = [packet for packet in container.demux(video) if packet.is_keyframe]
    stages: dict[str, list[float]] = defaultdict(list)
    for packet in itertools.islice(itertools.cycle(packets), N_FLOOR):
        time.sleep(PAUSE_S)
        marks = [time.perf_counter()]
        frame = [*context.decode(packet), *context.decode(None)][0]
        context.flush_buffers()
        marks.append(time.perf_counter())
        rgb = frame.to_ndarray(format="rgb24")
        tensor = np.ascontiguousarray(letterbox(rgb, 320).transpose(2, 0, 1), np.float32) / np.float32(255)
        marks.append(time.perf_counter())
        session.run({session.input_names[0]: tensor[np.newaxis]})
        marks.append(time.perf_counter())
        cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])
        marks.append(time.perf_counter())
        commit_bare(connection, [event()])
        marks.append(time.perf_counter())
        if producer is not None:
            producer.send(Topic.VIOLATIONS, key=b"room", value=b"x" * 1024).get(10)
            marks.append(time.perf_counter())
        names = ("decode and flush", "letterbox", "porn", "JPEG", "outbox commit", "Kafka acknowledgement")
        for name, (begun, done) in zip(names, itertools.pairwise(marks), strict=False):
            stages[name].append((done - begun) * 1000)
        stages["all of it"].append((marks[-1] - marks[0]) * 1000)
    if producer is not None:
        producer.close()
    connection.close()
    return {name: figures[2:] for name, figures in stages.items()}


def show(title: str, stages: Mapping[str, list[float]]) -> None:
    """Print medians and ninetieth percentiles."""
    print(f"\n### {title}\n\n| stage | p50 ms | p90 ms | n |\n|---|---|---|---|")
    for name, figures in stages.items():
        if len(figures) > 1:
            print(f"| {name} | {statistics.median(figures):.1f} | {statistics.quantiles(figures, n=10)[8]:.1f} | {len(figures)} |")


def main() -> None:
    """Measure ours and the floor, and print the ratio."""
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=50.0)
    parser.add_argument("--no-kafka", action="store_true")
    options = parser.parse_args()
    print(machine_line("onnxruntime-gpu", "av", "kafka-python"), flush=True)
    with tempfile.TemporaryDirectory(prefix="bench-latency-") as name:
        folder = Path(name)
        with broker(folder / "kafka", wanted=not options.no_kafka) as kafka:
            with platform() as (_, url):
                got = asyncio.run(ours(url, kafka, folder, options.seconds))
            least = floor(kafka, folder)
    show("Ours, by timing_ms", got)
    show("Floor, each piece bare", least)
    end = "capture to acknowledgement" if got.get("capture to acknowledgement") else "capture to commit"
    p50_ms, least_ms = statistics.median(got[end]), statistics.median(least["all of it"])
    print(f"\n{end}: {p50_ms:.1f} ms p50, floor {least_ms:.1f} ms, ratio {p50_ms / least_ms:.2f} (goal 1.5)")


if __name__ == "__main__":
    main()
