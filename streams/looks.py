"""Decides which room's sample which detector looks at next, and sees every look through to its report.

One *look* is one sample scored by one detector. Samples arrive at `offer`, wait in the detector's mailbox, and are taken most
urgent room first as soon as the detector has capacity. Everything here runs on the worker's event loop; the detectors' own CPU
work and models run on their threads. What is dropped is counted by its reason; what fails is reported like what succeeds.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass

from inference.clock import Clock
from inference.detectors import Detection, Detector
from inference.errors import DeadlineExceeded, LivewardenError, Overloaded
from inference.metrics import Metrics
from inference.policy import Policy
from inference.samples import AudioClip, FrameSample, Modality
from inference.verdicts import Finding
from streams.lifecycle import OVERLOAD
from streams.mailbox import Mailbox, Slot, Turn
from streams.stillness import LastLook, Signature

log = logging.getLogger(__name__)

Sample = FrameSample | AudioClip

RATE_WINDOW_S = 10.0
"""Over how long the rate of looks is taken, seconds."""
MAX_RATE_LOOKS = 50_000
"""Looks that the rate remembers; above, it reads as this many per window."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One sample scored by one detector, or the reason why not."""

    sample: Sample
    detector: str
    findings: tuple[Finding, ...] = ()
    detection: Detection | None = None
    """None for a repeated or failed look."""
    repeated: bool = False
    """True where the picture had not changed since the last look, whose findings these are."""
    failure: LivewardenError | None = None
    offered_s: float = 0.0
    """When the sample reached the worker, monotonic seconds."""
    done_s: float = 0.0
    """When the detector was done, monotonic seconds."""


Report = Callable[[Look], Awaitable[None]]


@dataclass(frozen=True, slots=True, eq=False)
class _Offered:
    sample: Sample
    offered_s: float
    expires_s: float
    signature: Signature | None


@dataclass(frozen=True, slots=True, eq=False)
class _Last:
    look: LastLook
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Offer:
    """What became of an offered sample."""

    n_waiting: int
    """Mailboxes it waits in."""
    repeated: tuple[Look, ...]
    """Looks that need no detector because the picture is the one looked at before."""


class _Post:
    """One detector's mailbox and the looks it has under way."""

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self.box: Mailbox[_Offered] = Mailbox(detector.name)
        self.busy: set[str] = set()
        self.wake = asyncio.Event()
        self.last: dict[str, _Last] = {}
        self.n_looks: dict[str, int] = {}
        self.n_repeated: dict[str, int] = {}


@dataclass(frozen=True, slots=True)
class LookCounts:
    """How one detector has been looking at one room."""

    slot: Slot
    n_looks: int
    """Samples really scored."""
    n_repeated: int
    """Samples answered by the look before, the picture being the same."""


class LookScheduler:
    """Mailboxes and pumps of all detectors of one worker."""

    def __init__(
        self,
        detectors: Mapping[str, Detector],
        report: Report,
        *,
        capacity: int,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        """Lay out a post for each detector.

        Args:
            detectors: by name.
            report: awaited once for every look, failed or not; a room's looks by one detector are reported in order.
            capacity: looks of all detectors together under way at once; more than the device can run only makes answers older.
            clock: monotonic time.
            metrics: where drops and looks are counted.
        """
        self._posts = {name: _Post(detector) for name, detector in detectors.items()}
        self._report = report
        self._clock = clock
        self._metrics = metrics
        self._capacity = capacity
        self._n_looking = 0
        self._policies: dict[str, Policy] = {}
        self._seen_s: deque[float] = deque(maxlen=MAX_RATE_LOOKS)
        self._under_way: set[asyncio.Task[None]] = set()

    def add_room(self, room_id: str, policy: Policy) -> None:
        """Give a room its slots by the policy's cadence, or change them; a detector without a cadence does not look."""
        self._policies[room_id] = policy
        for name, post in self._posts.items():
            cadence = policy.cadence.get(name)
            if cadence is None:
                post.box.remove_room(room_id)
            else:
                post.box.add_room(room_id, every_s=cadence.every_s, floor_s=cadence.floor_s, now_s=self._clock.now_s())

    def remove_room(self, room_id: str) -> None:
        """Close a room's slots; looks under way are still reported."""
        self._policies.pop(room_id, None)
        for post in self._posts.values():
            post.box.remove_room(room_id)
            post.detector.forget(room_id)
            for per_room in (post.last, post.n_looks, post.n_repeated):
                per_room.pop(room_id, None)

    def set_risk(self, room_id: str, risk: float) -> None:
        """Let every detector look at a room more often."""
        for post in self._posts.values():
            post.box.set_risk(room_id, risk)

    def counts(self, room_id: str) -> dict[str, LookCounts]:
        """Describe how each detector has been looking at a room."""
        found = {}
        for name, post in self._posts.items():
            slot = post.box.slot(room_id)
            if slot is not None:
                found[name] = LookCounts(slot, post.n_looks.get(room_id, 0), post.n_repeated.get(room_id, 0))
        return found

    def offer(self, sample: Sample) -> Offer:
        """Lay a sample in the mailbox of every detector that is due; the caller reports the looks that are repeated."""
        policy = self._policies.get(sample.room_id)
        if policy is None:
            return Offer(0, ())
        now_s = self._clock.now_s()
        repeated: list[Look] = []
        n_waiting = 0
        signature: Signature | None = None
        for post in self._posts.values():
            if post.detector.modality is not modality_of(sample) or not post.box.due(sample.room_id, now_s=now_s):
                continue
            if signature is None and isinstance(sample, FrameSample):
                signature = Signature.of(sample.picture)
            look = self._repeat(post, sample, signature, now_s=now_s, force_every_s=policy.sampling.force_every_s)
            if look is not None:
                repeated.append(look)
                continue
            expires_s = sample.captured_s + policy.sampling.max_age_s
            offered = _Offered(sample, now_s, expires_s, signature)
            if post.box.put(sample.room_id, offered, expires_s=expires_s, now_s=now_s):
                self._metrics.drop(post.detector.modality, "superseded")
            n_waiting += 1
            post.wake.set()
        return Offer(n_waiting, tuple(repeated))

    def rate_hz(self, *, now_s: float) -> float:
        """Looks per second over the last `RATE_WINDOW_S`."""
        while self._seen_s and self._seen_s[0] <= now_s - RATE_WINDOW_S:
            self._seen_s.popleft()
        return len(self._seen_s) / RATE_WINDOW_S

    async def look_now(self, sample: Sample, *, deadline_s: float) -> list[Look]:
        """Score a sample at once with every detector that looks at its room, past the mailboxes: somebody waits for the answer."""
        now_s = self._clock.now_s()
        kind = modality_of(sample)
        posts = [post for post in self._posts.values() if post.detector.modality is kind and post.box.slot(sample.room_id)]
        offered = _Offered(sample, now_s, deadline_s, None)
        return list(await asyncio.gather(*(self._see(post, offered) for post in posts)))

    async def run(self) -> None:
        """Pump until cancelled; looks under way are then seen through to their reports, which their own deadlines bound."""
        try:
            async with asyncio.TaskGroup() as group:
                for post in self._posts.values():
                    group.create_task(self._pump(post), name=f"pump-{post.detector.name}")
        finally:
            await asyncio.gather(*self._under_way)

    async def _pump(self, post: _Post) -> None:
        while True:
            await post.wake.wait()
            post.wake.clear()
            now_s = self._clock.now_s()
            for offered in post.box.expire(now_s=now_s):
                self._metrics.drop(post.detector.modality, "expired")
                self._start(self._tell(self._expired(post, offered)))
            for turn in post.box.take(self._capacity - self._n_looking, now_s=now_s, busy=post.busy):
                self._n_looking += 1
                post.busy.add(turn.room_id)
                self._start(self._look(post, turn))
            if self._n_looking < self._capacity:
                self._wake_most_urgent()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _look(self, post: _Post, turn: Turn[_Offered]) -> None:
        try:
            look = await self._see(post, turn.sample)
            self._remember(post, turn, look)
            await self._tell(look)
        except Exception:  # room border: one room's broken look must not stop the pumps of all others
            log.exception("look failed", extra={"room_id": turn.room_id, "detector": post.detector.name})
        finally:
            post.busy.discard(turn.room_id)
            self._n_looking -= 1
            self._wake_most_urgent()

    def _wake_most_urgent(self) -> None:
        """Give the place that a look left to whichever detector needs it most; they share the cores by need, not by turns."""
        now_s = self._clock.now_s()
        heads = {post: post.box.head(now_s=now_s, busy=post.busy) for post in self._posts.values()}
        waiting = {post: head for post, head in heads.items() if head is not None}
        if waiting:
            max(waiting, key=lambda post: waiting[post]).wake.set()

    async def _tell(self, look: Look) -> None:
        try:
            await self._report(look)
        except Exception:  # room border: one room's failed report must not stop the pumps of all others
            log.exception("look could not be reported", extra={"room_id": look.sample.room_id, "detector": look.detector})

    def _expired(self, post: _Post, offered: _Offered) -> Look:
        waited_s = self._clock.now_s() - offered.offered_s
        failure = Overloaded(f"no turn with detector {post.detector.name} within {waited_s:.1f} s")
        return Look(offered.sample, post.detector.name, failure=failure, offered_s=offered.offered_s, done_s=self._clock.now_s())

    async def _see(self, post: _Post, offered: _Offered) -> Look:
        sample, name = offered.sample, post.detector.name
        try:
            detection = await post.detector.detect(sample, deadline_s=offered.expires_s)
        except LivewardenError as error:
            self._metrics.drop(post.detector.modality, drop_reason(error))
            return Look(sample, name, failure=error, offered_s=offered.offered_s, done_s=self._clock.now_s())
        self._metrics.samples_scored.labels(name).inc()
        self._seen_s.append(self._clock.now_s())
        self._metrics.capture_to_scored.labels(name).observe(self._clock.now_s() - sample.captured_s)
        return Look(sample, name, detection.findings, detection, offered_s=offered.offered_s, done_s=self._clock.now_s())

    def _remember(self, post: _Post, turn: Turn[_Offered], look: Look) -> None:
        if look.failure is not None or post.box.slot(turn.room_id) is None:
            return
        post.n_looks[turn.room_id] = post.n_looks.get(turn.room_id, 0) + 1
        if turn.sample.signature is not None:
            last = LastLook(turn.sample.signature, turn.sample.sample.captured_s)
            post.last[turn.room_id] = _Last(last, look.findings)

    def _repeat(
        self, post: _Post, sample: Sample, signature: Signature | None, *, now_s: float, force_every_s: float
    ) -> Look | None:
        last = post.last.get(sample.room_id)
        if last is None or signature is None or sample.room_id in post.busy:
            return None
        if not last.look.still_holds(signature, now_s=sample.captured_s, force_every_s=force_every_s):
            return None
        post.box.touch(sample.room_id, now_s=now_s)
        post.n_repeated[sample.room_id] = post.n_repeated.get(sample.room_id, 0) + 1
        self._metrics.samples_repeated.labels(post.detector.name).inc()
        return Look(sample, post.detector.name, last.findings, repeated=True, offered_s=now_s, done_s=now_s)


def modality_of(sample: Sample) -> Modality:
    """Tell what kind of detector looks at a sample."""
    return Modality.IMAGE if isinstance(sample, FrameSample) else Modality.AUDIO


def drop_reason(error: LivewardenError) -> str:
    """Name why a sample was not scored, for counters and for a room's health; scaling goes by `OVERLOAD`."""
    return OVERLOAD if isinstance(error, DeadlineExceeded | Overloaded) else "model_error"
