"""The worker: rooms in, looks at them, violations out. One event loop owns all of its state.

Owns the rooms and the wiring between decoders, looks, judgement and health; each of those decides for itself. Decoder callbacks
arrive on the pool's thread and are handed to the loop at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import msgspec

from inference.clock import Clock
from inference.engine import Engine
from inference.errors import InvalidSample, LivewardenError, NotFound, Overloaded
from inference.policy import Policy
from inference.samples import SAMPLE_RATE_HZ, AudioClip, FrameSample, Modality, RgbPicture, Scene
from inference.schemas import TextAnswer, TextRequest
from inference.text_answers import TextAnswers
from inference.text_desk import TextDesk
from models.taxonomy import Taxonomy
from streams.desk import DanmakuLine, PushAnswer, PushedFrame, PushedSound, Queued, View, joined
from streams.judging import Judge
from streams.lifecycle import HealthMark, RoomHealth
from streams.looks import Look, LookScheduler, Sample, drop_reason, modality_of
from streams.messages import ReadMode
from streams.orders import WatchOrder
from streams.reloading import RELOAD_S, Reloader
from streams.rooms import Broadcast, RoomSpec, SavedRooms
from streams.settings import Settings
from streams.status import SourceStatus
from streams.stores import Stores
from streams.supervisor import DecoderPool
from streams.watching import Watch, blind_bounds, room_view, sampling_plan, show_rooms

log = logging.getLogger(__name__)

TICK_S = 0.5
"""How often health, open violations and risk are brought up to date, seconds."""
SAVE_S = 10.0
"""How often the rooms are saved although none changed: a restart knows from it how long it was away."""
SWEEP_S = 600.0
"""How often the retention of evidence is applied, seconds."""
REOPEN_S = 60.0
"""A source that ended or failed for good is tried again after this long, as a new session."""
RESUME_S = 180.0
"""A worker that comes back within this time carries its sessions on; after that they are over."""
RISK_STEP = 0.25
"""Changes of risk below this are not worth telling decoders of."""
ROOMS_SNAPSHOT = "rooms"

T = TypeVar("T")


class Worker:
    """Watches the rooms of one process; implements `RoomDesk`. All methods belong to the loop `run` runs on, `on_*` excepted."""

    def __init__(self, engine: Engine, stores: Stores, settings: Settings, *, clock: Clock, texts: TextDesk | None = None) -> None:
        self._engine = engine
        self._stores = stores
        self._settings = settings
        self._clock = clock
        self._watches: dict[str, Watch] = {}
        self._judge = Judge(engine, stores, clock=clock)
        capacity = 2 * engine.device.share.n_threads
        self._looks = LookScheduler(engine.detectors, self._report, capacity=capacity, clock=clock, metrics=engine.metrics)
        self._texts = texts or TextDesk(TextAnswers(engine, clock, taxonomy=Taxonomy.load()), clock)
        self._pool = DecoderPool.from_settings(self, settings, clock=clock, metrics=engine.metrics)
        self._reloader = Reloader(engine, settings)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self.resumed = asyncio.Event()
        """Set once the rooms of the worker before this one are watched again: from then on others may be put up."""

    # Life

    async def run(self) -> None:
        """Watch until cancelled; then stop decoding, finish what is under way and save where it stands."""
        self._loop = asyncio.get_running_loop()
        await asyncio.to_thread(self._pool.start)
        self._judge.restore()
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                tasks.create_task(self._looks.run(), name="looks")
                tasks.create_task(self._tick_forever(), name="tick")
                await self._resume()
                self.resumed.set()
        finally:
            self._tasks = None
            await asyncio.to_thread(self._pool.close)

    def unready(self) -> Sequence[str]:
        """Say what is not up yet; empty when rooms are being watched."""
        reasons = []
        if self._tasks is None:
            reasons.append("the worker is not running yet")
        if self._stores.outbox.trouble:
            reasons.append(f"outbox: {self._stores.outbox.trouble}")
        if not any(detector.modality is Modality.IMAGE for detector in self._engine.detectors.values()):
            reasons.append("no picture detector is loaded; pull the models with `livewarden models pull --all`")
        return reasons

    # Rooms

    async def watch(self, room: RoomSpec) -> None:
        """Begin to watch a room, or change how it is watched; raises as `RoomDesk.watch` says."""
        policy = self._policy_of(room)
        known = self._watches.get(room.room_id)
        if known is None and len(self._watches) >= self._settings.rooms.max_rooms:
            raise Overloaded(f"{len(self._watches)} rooms are watched, and rooms.max_rooms is {self._settings.rooms.max_rooms}")
        if known is not None and known.room.source == room.source:
            known.broadcast = replace(known.broadcast, room=room)
            self._adopt(known, policy)
        else:
            if known is not None:
                await self._end(known)
            self._begin(Broadcast.begin(room, started_at=self._clock.utc(), started_s=self._clock.now_s()), policy)
        if room.title:
            await self._judge.text(self._watches[room.room_id], room.title, Scene.ROOM_TITLE)
        await self._save()

    async def unwatch(self, room_id: str) -> None:
        """Stop watching a room; raises NotFound where it is not watched."""
        watch = self._watch(room_id)
        await self._end(watch)
        del self._watches[room_id]
        self._looks.remove_room(room_id)
        self._stores.recent.forget(room_id)
        await self._save()

    async def views(self) -> Sequence[View]:
        """Describe every room."""
        return [self._view(watch) for watch in self._watches.values()]

    async def view(self, room_id: str) -> View:
        """Describe one room; raises NotFound where it is not watched."""
        return self._view(self._watch(room_id))

    async def status(self) -> View:
        """Describe the whole worker: device, broker, totals."""
        watching = sum(watch.health.watching for watch in self._watches.values())
        return {
            "worker": self._settings.worker_id,
            "device": self._engine.device.share.name,
            "missing": dict(self._engine.missing),
            "kafka": self._stores.broker_view(),
            "decoders": len(self._pool.pids()),
            "totals": {
                "rooms": len(self._watches),
                "watched": watching,
                "blind": len(self._watches) - watching,
                "open_violations": self._judge.n_open,
                "samples_per_s": round(self._looks.rate_hz(now_s=self._clock.now_s()), 2),
            },
        }

    async def review(self, violation_id: str, *, overturned: bool) -> None:
        """Retract an open violation that a person overturned."""
        if overturned:
            await self._judge.overturn(violation_id)

    # Media and words that platforms hand in

    async def push_frame(self, room_id: str, frame: PushedFrame, *, wait: bool) -> PushAnswer:
        """Take a picture; raises as `RoomDesk.push_frame` says."""
        watch = self._pushed(room_id)
        now, now_s = self._clock.utc(), self._clock.now_s()
        captured_at = frame.captured_at or now
        pts_s = watch.place((captured_at - watch.broadcast.started_at).total_seconds())
        # Age counts from arrival: the platform's clock may differ from ours, and its network is not ours to hurry.
        sample = FrameSample(room_id, watch.broadcast.session_id, pts_s, captured_at, now_s, RgbPicture(frame.pixels))
        sample = replace(sample, tiled=watch.policy.sampling.tiles)
        self._engine.metrics.pushed_samples.labels(Modality.IMAGE, "accepted").inc()
        if not wait:
            return PushAnswer(Modality.IMAGE, self._offer(sample), pts_s)
        looks = await self._looks.look_now(sample, deadline_s=now_s + watch.policy.sampling.max_age_s)
        return await self._answered(watch, looks, pts_s)

    async def push_sound(self, room_id: str, sound: PushedSound) -> PushAnswer:
        """Take sound; neighbouring pushes are cut into the policy's overlapping windows."""
        watch = self._pushed(room_id)
        now, now_s = self._clock.utc(), self._clock.now_s()
        end_s = ((sound.captured_at or now) - watch.broadcast.started_at).total_seconds()
        duration_s = len(sound.pcm) / SAMPLE_RATE_HZ
        start_s = watch.joined(end_s - duration_s)
        watch.sound_until_s = start_s + duration_s
        queued = Queued.NOT_DUE
        for window in watch.cutter().add(sound.pcm, start_s=start_s):
            clip = AudioClip(room_id, watch.broadcast.session_id, window.start_s, now, now_s, window.pcm, window.last)
            queued = self._offer(clip)
        self._engine.metrics.pushed_samples.labels(Modality.AUDIO, "accepted").inc()
        return PushAnswer(Modality.AUDIO, queued, start_s)

    async def danmaku(self, room_id: str, lines: Sequence[DanmakuLine]) -> Sequence[TextAnswer]:
        """Check chat lines in order; what is found becomes a violation of the room."""
        watch = self._watch(room_id)
        now_s = self._clock.now_s()
        watch.pulse.add(len(lines), now_s=now_s)
        self._engine.metrics.danmaku.inc(len(lines))
        requests = [
            TextRequest(line.text, Scene.DANMAKU, request_id=line.message_id, uid=line.uid, room_id=room_id) for line in lines
        ]
        answers = await self._texts.answered(requests, now_s)
        for line in lines:
            await self._judge.text(watch, line.text, Scene.DANMAKU)
        return answers

    # Decoder callbacks, on the pool's thread

    def on_frame(self, sample: FrameSample) -> None:
        """Take a decoded frame."""
        self._hand_over(self._arrived, sample)

    def on_clip(self, clip: AudioClip) -> None:
        """Take a window of sound."""
        self._hand_over(self._arrived, clip)

    def on_status(self, status: SourceStatus) -> None:
        """Take what a decoder says of a room's source."""
        self._hand_over(self._source_changed, status)

    def _hand_over(self, take: Callable[[T], None], given: T) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop closed meanwhile: the worker is going down
                self._loop.call_soon_threadsafe(take, given)

    # On the loop

    def _arrived(self, sample: Sample) -> None:
        watch = self._watches.get(sample.room_id)
        if watch is not None and watch.broadcast.session_id == sample.session_id:
            watch.place(sample.pts_s if isinstance(sample, FrameSample) else sample.end_s)
            if isinstance(sample, FrameSample):
                sample = replace(sample, tiled=watch.policy.sampling.tiles)
            self._offer(sample)

    def _offer(self, sample: Sample) -> Queued:
        offer = self._looks.offer(sample)
        for look in offer.repeated:
            self._spawn(self._report(look), f"repeat-{sample.room_id}")
        return Queued.ACCEPTED if offer.n_waiting else Queued.REPEATED if offer.repeated else Queued.NOT_DUE

    async def _report(self, look: Look) -> None:
        watch = self._watches.get(look.sample.room_id)
        if watch is None or watch.broadcast.session_id != look.sample.session_id:
            return
        modality = modality_of(look.sample)
        if look.failure is not None:
            watch.health.failed(modality, drop_reason(look.failure))
            return
        await self._judge.look(look, watch)
        await self._judge.health(watch, watch.health.scored(modality, now_s=self._clock.now_s()))

    async def _answered(self, watch: Watch, looks: Sequence[Look], pts_s: float) -> PushAnswer:
        """Judge the looks that somebody waits for; fails only where every detector did."""
        failures = [look.failure for look in looks if look.failure is not None]
        if failures and len(failures) == len(looks):
            raise failures[0]
        verdicts = [await self._judge.look(look, watch) for look in looks if look.failure is None]
        if verdicts:
            await self._judge.health(watch, watch.health.scored(Modality.IMAGE, now_s=self._clock.now_s()))
        degraded = tuple(look.detector for look in looks if look.failure is not None)
        return PushAnswer(Modality.IMAGE, Queued.ACCEPTED, pts_s, joined(verdicts) if verdicts else None, degraded)

    def _source_changed(self, status: SourceStatus) -> None:
        watch = self._watches.get(status.room_id)
        if watch is None or watch.broadcast.session_id != status.session_id:
            return
        watch.take_status(status)
        if status.state.is_final and watch.reopen_at_s is None:
            watch.reopen_at_s = self._clock.now_s() + REOPEN_S

    async def _tick_forever(self) -> None:
        swept_s = saved_s = reloaded_s = self._clock.now_s()
        while True:
            began_s = self._clock.now_s()
            for watch in list(self._watches.values()):
                await self._tick(watch, began_s)
            self._show(began_s)
            if began_s - reloaded_s > RELOAD_S:
                reloaded_s = began_s
                await self._reload()
            if began_s - saved_s > SAVE_S:
                saved_s = began_s
                await self._save()
            if began_s - swept_s > SWEEP_S:
                swept_s = began_s
                self._spawn(asyncio.to_thread(self._stores.sweep, clock=self._clock), "sweep")
            await asyncio.sleep(TICK_S)
            self._engine.metrics.worker_lag.set(max(0.0, self._clock.now_s() - began_s - TICK_S))

    async def _reload(self) -> None:
        """Follow policies and word lists that changed."""
        if await self._reloader.policies():
            for watch in self._watches.values():
                with contextlib.suppress(InvalidSample):  # a named policy that is gone: the room keeps the one it has
                    self._adopt(watch, self._policy_of(watch.room))
        await self._reloader.lists()
        await self._reloader.enrolments()

    async def _tick(self, watch: Watch, now_s: float) -> None:
        await self._judge.health(watch, watch.health.tick(now_s=now_s))
        await self._judge.tick(watch)
        watch.n_open = self._judge.open_in(watch.room.room_id)
        risk = watch.wanted_risk(now_s=now_s)
        if abs(risk - watch.risk) >= RISK_STEP:
            watch.risk = risk
            self._looks.set_risk(watch.room.room_id, risk)
            if watch.pulled:
                self._pool.change_plan(watch.room.room_id, sampling_plan(watch.policy, risk))
        if watch.reopen_at_s is not None and now_s >= watch.reopen_at_s:
            await self._renew(watch)

    def _begin(self, broadcast: Broadcast, policy: Policy, told: HealthMark | None = None) -> Watch:
        room, now_s = broadcast.room, self._clock.now_s()
        health = RoomHealth(blind_bounds(self._engine.detectors, room, policy), now_s=now_s, mark=told)
        watch = Watch(broadcast, policy, health)
        self._watches[room.room_id] = watch
        self._looks.add_room(room.room_id, policy)
        if room.source is not None:
            plan = sampling_plan(policy, 1.0)
            order = WatchOrder(room.room_id, broadcast.session_id, room.source, plan, broadcast.started_s, ReadMode.LIVE)
            self._pool.watch(order)
        return watch

    async def _renew(self, watch: Watch) -> None:
        """End a room's session and begin the next."""
        await self._end(watch)
        now_s = self._clock.now_s()
        self._begin(Broadcast.begin(watch.room, started_at=self._clock.utc(), started_s=now_s), watch.policy)

    def _adopt(self, watch: Watch, policy: Policy) -> None:
        watch.policy = policy
        self._looks.add_room(watch.room.room_id, policy)
        if watch.pulled:
            self._pool.change_plan(watch.room.room_id, sampling_plan(policy, watch.risk))

    async def _end(self, watch: Watch) -> None:
        if watch.pulled:
            self._pool.unwatch(watch.room.room_id)
        await self._judge.health(watch, watch.health.end(now_s=self._clock.now_s()))
        await self._judge.end(watch)
        self._looks.remove_room(watch.room.room_id)

    def _policy_of(self, room: RoomSpec) -> Policy:
        try:
            return self._engine.policies.for_room(room.biz, room.policy)
        except NotFound as error:
            raise InvalidSample(f"room field policy: {error}") from error

    def _watch(self, room_id: str) -> Watch:
        if room_id not in self._watches:
            raise NotFound(f"room {room_id!r} is not watched; put it up with PUT /v1/rooms/{room_id}")
        return self._watches[room_id]

    def _pushed(self, room_id: str) -> Watch:
        watch = self._watch(room_id)
        if watch.pulled:
            raise InvalidSample(f"room {room_id!r} is pulled from its source; put it up without source to push media")
        return watch

    def _view(self, watch: Watch) -> View:
        return room_view(
            watch, self._looks.counts(watch.room.room_id), now_s=self._clock.now_s(), missing=tuple(self._engine.missing)
        )

    def _show(self, now_s: float) -> None:
        show_rooms(self._engine.metrics, self._watches.values(), n_open=self._judge.n_open, now_s=now_s)

    def _spawn(self, work: Coroutine[Any, Any, object], name: str) -> None:
        try:
            if self._tasks is None:
                raise RuntimeError("the worker is not running")
            self._tasks.create_task(work, name=name)
        except RuntimeError:  # the task group is shutting down; what is not begun by now is not begun
            work.close()

    # Surviving a restart

    async def _save(self) -> None:
        saved = SavedRooms.of([watch.broadcast for watch in self._watches.values()], at=self._clock.utc())
        await asyncio.wrap_future(self._stores.outbox.save_snapshot(ROOMS_SNAPSHOT, msgspec.json.encode(saved)))

    async def _resume(self) -> None:
        """Watch the rooms of the worker before this one again; its sessions go on where it was here a moment ago."""
        content = self._stores.outbox.load_snapshot(ROOMS_SNAPSHOT)
        if content is None:
            return
        saved = msgspec.json.decode(content, type=SavedRooms)
        is_recent = (self._clock.utc() - saved.at).total_seconds() <= RESUME_S
        for room in saved.rooms:
            try:
                broadcast = room.broadcast(self._settings.url_policy, utc=self._clock.utc(), now_s=self._clock.now_s())
                watch = self._begin(broadcast, self._policy_of(broadcast.room), self._judge.told_of(broadcast))
                if not is_recent:
                    await self._renew(watch)
            except LivewardenError as error:
                log.error("room of the worker before cannot be watched any more: %s", error, extra={"room_id": room.room_id})
