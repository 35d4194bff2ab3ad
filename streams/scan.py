"""`livewarden scan`: files and URLs to the end, as fast as the machine goes, the same way as rooms.

Nothing is dropped here: a decoder waits while its frames are being looked at. Every sampled frame is looked at by every detector,
in order: a cadence shares scarce cores among live rooms, and a file can wait.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from inference.clock import Clock, SystemClock
from inference.detectors import Detector
from inference.engine import Engine
from inference.errors import ConfigError, LivewardenError, NotFound
from inference.policy import Policy
from inference.samples import AudioClip, FrameSample, Modality
from streams.alerts import Topic
from streams.cloudevents import CloudEvent
from streams.judging import Judge
from streams.lifecycle import RoomHealth
from streams.looks import Look, Sample, modality_of
from streams.messages import ReadMode
from streams.orders import WatchOrder
from streams.rooms import Broadcast, RoomSpec
from streams.settings import Settings
from streams.status import SourceState, SourceStatus
from streams.stores import Stores
from streams.supervisor import DecoderPool
from streams.urls import StreamUrl, UrlPolicy
from streams.watching import Watch, sampling_plan

CLEAN, FOUND, UNREADABLE = 0, 1, 2
OPERATOR = UrlPolicy(allow_private=True, allow_loopback=True, allow_files=True)
"""Whoever types the command may open what they like; rooms put up over HTTP may not."""


@dataclass(frozen=True, slots=True)
class ScanOrder:
    """What to scan and how to tell."""

    sources: tuple[str, ...]
    as_json: bool = False
    policy: str | None = None
    """A policy's id, or a policy file."""
    detectors: tuple[str, ...] | None = None
    """Names; None for all."""


def run_scan(settings: Settings, order: ScanOrder) -> int:
    """Scan everything; returns the exit code."""
    policy = order.policy
    if policy is not None and Path(policy).is_file():
        settings = settings.model_copy(update={"policies": (*settings.policies, Path(policy))})
    with tempfile.TemporaryDirectory(prefix="livewarden-scan-") as folder:
        # The outbox of a scan is its own; evidence stays where the deployment keeps it, and what staff taught is looked for.
        no_broker = settings.kafka.model_copy(update={"bootstrap_servers": ()})
        evidence = settings.evidence.model_copy(update={"uri": settings.evidence_uri})
        own = settings.model_copy(
            update={
                "data_dir": Path(folder),
                "shared_dir": settings.shared,
                "kafka": no_broker,
                "evidence": evidence,
                "index_url": None,
            }
        )
        return asyncio.run(_Scan(own, order).run())


class _Scan:
    """One run of the command."""

    def __init__(self, settings: Settings, order: ScanOrder) -> None:
        self._settings = settings
        self._order = order
        self._clock: Clock = SystemClock()
        self._n_violations = 0
        self._console = Console(stderr=True)

    async def run(self) -> int:
        """Load the engine, scan source by source, tell the outcome."""
        engine = await asyncio.to_thread(Engine.start, self._settings, clock=self._clock)
        stores = Stores.open(self._settings, clock=self._clock, metrics=engine.metrics)
        stores.outbox.subscribe(self._tell)
        unreadable = 0
        try:
            detectors = _chosen(engine, self._order.detectors)
            policy = _policy(engine, self._order.policy)
            for name, reason in engine.missing.items():
                self._console.print(f"[yellow]not looking with {name}: {reason}[/yellow]")
            for source in self._order.sources:
                unreadable += not await self._scan(source, engine, stores, detectors, policy)
        finally:
            await asyncio.to_thread(engine.close)
            stores.close()
        if unreadable:
            return UNREADABLE
        return FOUND if self._n_violations else CLEAN

    async def _scan(self, source: str, engine: Engine, stores: Stores, detectors: Sequence[Detector], policy: Policy) -> bool:
        """Scan one source; False where it could not be read."""
        try:
            url = StreamUrl.parse(source, OPERATOR)
        except LivewardenError as error:
            self._console.print(f"[red]{source}: {error}[/red]")
            return False
        room = RoomSpec(room_id=_room_id(source), source=url)
        session_id = hashlib.sha256(url.masked.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        broadcast = Broadcast(room, session_id, self._clock.utc(), self._clock.now_s())
        watch = Watch(broadcast, policy, RoomHealth({}, now_s=0.0), offline=True)
        judge = Judge(engine, stores, clock=self._clock)
        reading = _Reading(watch, judge, detectors, self._clock)
        pool = DecoderPool.from_settings(reading, self._settings, clock=self._clock, metrics=engine.metrics, policy=OPERATOR)
        await asyncio.to_thread(pool.start)
        try:
            pool.watch(WatchOrder(room.room_id, session_id, url, sampling_plan(policy, 1.0), 0.0, ReadMode.FILE))
            with self._progress() as progress:
                status = await reading.finish(progress, progress.add_task(Path(source).name, total=None))
        finally:
            await asyncio.to_thread(pool.close)
        await judge.end(watch)
        if status.state is SourceState.FAILED or status.n_frames + status.n_clips == 0:
            reason = status.reason.value if status.reason else "nothing to look at in it"
            self._console.print(f"[red]{source}: could not be read ({reason}) {status.detail}[/red]")
            return False
        if status.n_corrupt:
            self._console.print(f"[yellow]{source}: {status.n_corrupt} damaged packets were skipped[/yellow]")
        return True

    def _progress(self) -> Progress:
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn())
        return Progress(*columns, console=self._console, disable=not sys.stderr.isatty(), transient=True)

    def _tell(self, events: Sequence[CloudEvent]) -> None:
        """Print violation events as they are committed; called on the outbox's thread."""
        for event in events:
            if event.topic != Topic.VIOLATIONS:
                continue
            told = msgspec.json.decode(event.value)
            self._n_violations += told["kind"] == "opened"
            if self._order.as_json:
                sys.stdout.write(event.value.decode() + "\n")
                sys.stdout.flush()
            else:
                _print_line(told)


class _Reading:
    """One source being read: a `MediaSink` that lines frames and clips up before their detectors."""

    def __init__(self, watch: Watch, judge: Judge, detectors: Sequence[Detector], clock: Clock) -> None:
        self._watch = watch
        self._judge = judge
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        # Unbounded in form only: every waiting frame holds shared memory of the decoder, which waits when that is used up.
        self._lines: dict[str, asyncio.Queue[Sample | None]] = {detector.name: asyncio.Queue() for detector in detectors}
        self._detectors = detectors
        self._status: SourceStatus | None = None
        self._changed = asyncio.Event()

    def on_frame(self, sample: FrameSample) -> None:
        """Line a frame up; called on the pool's thread."""
        self._loop.call_soon_threadsafe(self._take, replace(sample, tiled=self._watch.policy.sampling.tiles))

    def on_clip(self, clip: AudioClip) -> None:
        """Line a window of sound up; called on the pool's thread."""
        self._loop.call_soon_threadsafe(self._take, clip)

    def on_status(self, status: SourceStatus) -> None:
        """Note how far the source is; called on the pool's thread."""
        self._loop.call_soon_threadsafe(self._note, status)

    async def finish(self, progress: Progress, bar: TaskID) -> SourceStatus:
        """Look at everything to the end; returns what the decoder said last."""
        async with asyncio.TaskGroup() as tasks:
            for detector in self._detectors:
                tasks.create_task(self._look_along(detector), name=f"scan-{detector.name}")
            while self._status is None or not self._status.state.is_final:
                await self._changed.wait()
                self._changed.clear()
                if self._status is not None:
                    progress.update(bar, completed=self._status.pts_s, total=self._status.duration_s)
            for line in self._lines.values():
                line.put_nowait(None)
        return self._status

    def _note(self, status: SourceStatus) -> None:
        self._status = status
        self._changed.set()

    def _take(self, sample: Sample) -> None:
        for detector in self._detectors:
            if detector.modality is modality_of(sample):
                self._lines[detector.name].put_nowait(sample)

    async def _look_along(self, detector: Detector) -> None:
        line = self._lines[detector.name]
        while (sample := await line.get()) is not None:
            offered_s = self._clock.now_s()
            try:
                detection = await detector.detect(sample)
            except LivewardenError as error:
                Console(stderr=True).print(f"[yellow]{detector.name} could not look at {sample!r}: {error}[/yellow]")
                continue
            self._watch.place(sample.pts_s if isinstance(sample, FrameSample) else sample.end_s)
            look = Look(sample, detector.name, detection.findings, detection, offered_s=offered_s, done_s=self._clock.now_s())
            await self._judge.look(look, self._watch)


def _chosen(engine: Engine, names: tuple[str, ...] | None) -> list[Detector]:
    """Pick the detectors.

    Raises:
        ConfigError: a name that is none, or one whose model is missing.
    """
    for name in names or ():
        if name in engine.missing:
            raise ConfigError(f"detector {name} is off: {engine.missing[name]}")
        if name not in engine.detectors:
            raise ConfigError(f"no detector {name!r}; there are {', '.join(engine.detectors)}")
    chosen = [detector for name, detector in engine.detectors.items() if names is None or name in names]
    if not any(detector.modality is Modality.IMAGE for detector in chosen) and names is None:
        raise ConfigError("no picture detector is loaded; pull the models with `livewarden models pull --all`")
    return chosen


def _policy(engine: Engine, asked: str | None) -> Policy:
    """Pick the policy: by id, the last one of a file, or the default."""
    if asked is not None and Path(asked).is_file():
        return list(engine.policies)[-1]
    try:
        return engine.policies.for_room("default", asked)
    except NotFound as error:
        raise ConfigError(str(error)) from error


def _room_id(source: str) -> str:
    """Make a room id of a source's last part."""
    name = re.sub(r"[^A-Za-z0-9._@-]+", "-", source.split("?")[0].rstrip("/").rsplit("/", 1)[-1])
    return name[:128] or "scan"


def _print_line(told: dict[str, object]) -> None:
    temporal, reason = msgspec.convert(told["temporal"], dict[str, object]), msgspec.convert(told["reason"], dict[str, str])
    moment = f"{temporal['first_seen_s']:>8} s"
    sys.stdout.write(f"{told['room_id']}  {moment}  {told['kind']:<7} {told['decision']:<6} {told['label']:<18} {reason['zh']}\n")
    sys.stdout.flush()
