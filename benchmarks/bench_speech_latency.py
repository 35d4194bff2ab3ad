"""How long after the window of sound that holds a spoken term does its violation stand in Kafka, on a machine at work?

    python -m benchmarks.bench_speech_latency [--rooms 14] [--seconds 60]

So many rooms of 720p H.264 with a voice that says two terms of the shipped list every ten seconds are pulled over loopback HTTP-FLV
by the real worker with every detector at the shipped cadence; the policy differs in that a violation closes after three seconds, so
that every time the term is said counts. A consumer of its own thread reads `livewarden.violations.v1`. Choose `--rooms` so that the
CPU, printed, is at 80 %. The peer is the floor: a bare producer's and consumer's way of a message of that size through the same
broker. Goal: at most 3 s after the window ends.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.bench_decode import cpu_s, tree
from benchmarks.bench_latency import broker
from benchmarks.bench_rooms import RAMP_S, STAGGER_S, platform, share
from benchmarks.report import arguments, machine_line
from tests.kafka_broker import KafkaBroker

GOAL_S = 3.0
LOOP_S = 10.0
TERMS = 2
N_FLOOR = 60
POLICY = """
id: bench
version: 1
inherits: default
biz: [bench]
rules:
  - {label: "*", modality: audio, quiet_s: 3.0, cool_down_s: 0.0}
  - {label: "*", scene: asr, quiet_s: 3.0, cool_down_s: 0.0}
"""


@dataclass(slots=True)
class Heard:
    """Violations of sound as a consumer sees them."""

    after_s: list[float] = field(default_factory=list)
    """From the window's last packet to the consumer, seconds."""
    ready: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)
    counts_from: datetime = datetime(9999, 1, 1, tzinfo=UTC)


def consume(kafka: KafkaBroker, heard: Heard) -> None:
    """Read the topic until told to stop."""
    from kafka import KafkaConsumer

    from streams.alerts import Topic
    from streams.kafka import client_options, open_client

    consumer = open_client(KafkaConsumer, **client_options(kafka.settings()), auto_offset_reset="earliest")
    consumer.subscribe([Topic.VIOLATIONS])
    consumer.poll(timeout_ms=2000)
    heard.ready.set()
    while not heard.stop.is_set():
        for messages in consumer.poll(timeout_ms=50).values():
            now = datetime.now(UTC)
            for message in messages:
                told = msgspec.json.decode(message.value)
                captured = datetime.fromisoformat(told["temporal"]["captured_at"])
                if told["kind"] == "opened" and told["modality"] == "audio" and captured >= heard.counts_from:
                    heard.after_s.append((now - captured).total_seconds())
    consumer.close()


async def ours(url: str, kafka: KafkaBroker, folder: Path, n_rooms: int, seconds: float) -> tuple[Heard, float]:
    """Watch talking rooms; returns what was heard and the cores it took."""
    from inference.engine import Engine
    from streams.rooms import RoomSpec
    from streams.serve import SWITCH_S
    from streams.settings import Settings
    from streams.stores import Stores
    from streams.urls import StreamUrl, UrlPolicy
    from streams.worker import Worker

    sys.setswitchinterval(SWITCH_S)
    (folder / "policy.yaml").write_text(POLICY)
    settings = Settings.load(
        data_dir=folder / "data",
        rooms={"allow_private": True},
        policies=(folder / "policy.yaml",),
        kafka=kafka.settings().model_dump(),
    )
    engine = Engine.start(settings)
    stores = Stores.open(settings, clock=engine.clock, metrics=engine.metrics)
    worker = Worker(engine, stores, settings, clock=engine.clock)
    heard = Heard()
    reader = threading.Thread(target=consume, args=(kafka, heard), name="consumer")
    reader.start()
    running = asyncio.create_task(worker.run())
    while worker._tasks is None:  # noqa: ASYNC110  nothing tells when it is up
        await asyncio.sleep(0.05)
    await asyncio.to_thread(heard.ready.wait)
    source = StreamUrl.parse(f"{url}/live/talking.flv", UrlPolicy(("*",), allow_private=True))
    for index in range(n_rooms):
        await asyncio.sleep(max(STAGGER_S, LOOP_S / n_rooms))
        await worker.watch(RoomSpec(f"talking-{index}", source, biz="bench"))
    await asyncio.sleep(RAMP_S)
    heard.counts_from = datetime.now(UTC)
    pids, began_s = tree(os.getpid()), time.monotonic()
    before_s = cpu_s(pids)
    await asyncio.sleep(seconds)
    cores = (cpu_s(pids) - before_s) / (time.monotonic() - began_s)
    await asyncio.sleep(GOAL_S)
    heard.stop.set()
    await asyncio.to_thread(reader.join)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await asyncio.to_thread(stores.close)
    await asyncio.to_thread(engine.close)
    return heard, cores


def floor(kafka: KafkaBroker) -> list[float]:
    """Seconds of a bare message's way through the same broker."""
    from kafka import KafkaConsumer, KafkaProducer

    from streams.alerts import Topic
    from streams.kafka import client_options, open_client

    options: dict[str, Any] = client_options(kafka.settings())
    producer = open_client(KafkaProducer, **options, acks="all", enable_idempotence=False, linger_ms=0)
    consumer = open_client(KafkaConsumer, **options, auto_offset_reset="latest")
    consumer.subscribe([Topic.SHADOW])
    consumer.poll(timeout_ms=3000)
    took_s = []
    for _ in range(N_FLOOR):
        time.sleep(0.1)
        began_s = time.perf_counter()
        producer.send(Topic.SHADOW, value=b"x" * 2048)
        while not consumer.poll(timeout_ms=50):
            pass
        took_s.append(time.perf_counter() - began_s)
    producer.close()
    consumer.close()
    return took_s


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    parser.add_argument("--rooms", type=int, default=14)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    print(machine_line("onnxruntime-gpu", "av", "kafka-python"), flush=True)
    with tempfile.TemporaryDirectory(prefix="bench-speech-") as name:
        folder = Path(name)
        with broker(folder / "kafka", wanted=True) as kafka:
            if kafka is None:
                raise SystemExit("this benchmark needs the broker; install Java 17 and Maven")
            with platform() as (_, url):
                heard, cores = asyncio.run(ours(url, kafka, folder, options.rooms, options.seconds))
            least_s = floor(kafka)
    said = options.rooms * TERMS * options.seconds / LOOP_S
    print(f"\n{options.rooms} rooms, {cores:.2f} of {os.cpu_count()} cores ({cores / (os.cpu_count() or 1):.0%})")
    print(f"told {len(heard.after_s)} of about {said:.0f} times that a term was said\n")
    print("| from the window's end to the consumer | p50 s | p99 s | most s |\n|---|---|---|---|")
    for title, figures in (("ours", heard.after_s), ("a bare message through the broker", least_s)):
        print(f"| {title} | {share(figures, 50):.3f} | {share(figures, 99):.3f} | {max(figures, default=float('nan')):.3f} |")
    print(f"\np99 {share(heard.after_s, 99):.2f} s of {GOAL_S:.0f} s allowed: ratio {share(heard.after_s, 99) / GOAL_S:.2f}")


if __name__ == "__main__":
    main()
