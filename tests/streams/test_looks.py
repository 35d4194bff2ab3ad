"""Which sample is looked at, by whom, and that every look is seen through to its report."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import numpy as np
import pytest

from inference.detectors import Detection, StageTiming
from inference.errors import DeadlineExceeded, LivewardenError, ModelError, Overloaded
from inference.metrics import Metrics
from inference.policy import Cadence, Policy, SamplingPolicy
from inference.samples import AudioClip, FrameSample, Modality, RgbPicture
from inference.testing import ManualClock
from inference.verdicts import Finding
from models.taxonomy import Taxonomy
from streams.lifecycle import OVERLOAD
from streams.looks import RATE_WINDOW_S, Look, LookScheduler, drop_reason

TAXONOMY = Taxonomy.load()
AT = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
NO_TIME = StageTiming(0.0, 0.0, 0.0, 0.0, 0.0)


class ScriptedDetector:
    """A detector that finds one label on everything, holds its looks while told to, and fails as its script says."""

    def __init__(self, name: str, modality: Modality = Modality.IMAGE) -> None:
        self.name = name
        self.modality = modality
        self.labels = frozenset({"ads.qr_code"})
        self.script: list[Exception | None] = []
        self.begun: asyncio.Queue[FrameSample | AudioClip] = asyncio.Queue()
        self.deadlines: list[float | None] = []
        self.forgotten: list[str] = []
        self.open = asyncio.Event()
        self.open.set()

    async def detect(self, sample: FrameSample | AudioClip, *, deadline_s: float | None = None) -> Detection:
        self.deadlines.append(deadline_s)
        self.begun.put_nowait(sample)
        await self.open.wait()
        failure = self.script.pop(0) if self.script else None
        if failure is not None:
            raise failure
        return Detection(self.name, (Finding("ads.qr_code", 0.9, self.modality, self.name),), NO_TIME)

    def forget(self, room_id: str) -> None:
        self.forgotten.append(room_id)


class Desk:
    """A scheduler under a hand-moved clock, and what it reported."""

    def __init__(self, *detectors: ScriptedDetector, capacity: int = 4) -> None:
        self.clock = ManualClock()
        self.metrics = Metrics()
        self.reports: asyncio.Queue[Look] = asyncio.Queue()
        self.broken: list[Exception] = []
        self.looks = LookScheduler(
            {detector.name: detector for detector in detectors},
            self.report,
            capacity=capacity,
            clock=self.clock,
            metrics=self.metrics,
        )

    async def report(self, look: Look) -> None:
        self.reports.put_nowait(look)
        if self.broken:
            raise self.broken.pop()

    def frame(self, room_id: str = "a", *, grey: int | None = None, pts_s: float = 0.0) -> FrameSample:
        """A picture of this moment; unlike any other unless `grey` says which."""
        level = next(self._greys) if grey is None else grey
        pixels = np.full((72, 128, 3), level, dtype=np.uint8)
        return FrameSample(room_id, "s1", pts_s, AT, self.clock.now_s(), RgbPicture(pixels))

    _greys = iter(range(0, 250, 10))

    def dropped(self, reason: str, modality: Modality = Modality.IMAGE) -> float:
        return (
            self.metrics.registry.get_sample_value("livewarden_samples_dropped_total", {"modality": modality, "reason": reason})
            or 0.0
        )


@pytest.fixture(autouse=True)
def fresh_greys() -> None:
    Desk._greys = iter(range(0, 250, 10))


def clip(desk: Desk, room_id: str = "a") -> AudioClip:
    return AudioClip(room_id, "s1", 0.0, AT, desk.clock.now_s(), np.zeros(16_000, dtype=np.float32))


def policy(*detectors: str, force_every_s: float = 30.0) -> Policy:
    cadence = {name: Cadence(every_s=2.0, floor_s=10.0) for name in detectors}
    return Policy("mine", 1, TAXONOMY, (), SamplingPolicy(force_every_s=force_every_s), cadence)


@asynccontextmanager
async def running(desk: Desk) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(desk.looks.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


# offering


async def test_a_sample_goes_to_every_detector_of_its_kind_that_the_policy_names():
    eye, other, unnamed, ear = (ScriptedDetector(name) for name in ("porn", "codes", "ocr", "vad"))
    ear.modality = Modality.AUDIO
    desk = Desk(eye, other, unnamed, ear)
    desk.looks.add_room("a", policy("porn", "codes", "vad"))

    offer = desk.looks.offer(desk.frame())
    async with running(desk):
        reported = {(await desk.reports.get()).detector for _ in range(2)}

    assert offer.n_waiting == 2
    assert reported == {"porn", "codes"}
    assert unnamed.begun.empty()
    assert ear.begun.empty()


async def test_sound_goes_to_detectors_of_sound():
    eye, ear = ScriptedDetector("porn"), ScriptedDetector("vad", Modality.AUDIO)
    desk = Desk(eye, ear)
    desk.looks.add_room("a", policy("porn", "vad"))

    async with running(desk):
        desk.looks.offer(clip(desk))
        look = await desk.reports.get()

    assert (look.detector, look.failure, eye.begun.empty()) == ("vad", None, True)


def test_a_room_that_is_not_watched_is_not_looked_at():
    desk = Desk(ScriptedDetector("porn"))

    offer = desk.looks.offer(desk.frame("stranger"))

    assert (offer.n_waiting, offer.repeated) == (0, ())


async def test_a_room_is_not_looked_at_again_before_its_cadence_unless_it_is_risky():
    desk = Desk(ScriptedDetector("porn"))
    desk.looks.add_room("a", policy("porn"))
    async with running(desk):
        desk.looks.offer(desk.frame())
        await desk.reports.get()
        desk.clock.advance(1.0)

        calm = desk.looks.offer(desk.frame())
        desk.looks.set_risk("a", 3.0)
        risky = desk.looks.offer(desk.frame())

    assert (calm.n_waiting, risky.n_waiting) == (0, 1)


async def test_a_newer_picture_takes_the_place_of_the_one_that_waits():
    detector = ScriptedDetector("porn")
    desk = Desk(detector)
    desk.looks.add_room("a", policy("porn"))
    desk.looks.offer(desk.frame(pts_s=1.0))
    desk.looks.offer(desk.frame(pts_s=2.0))

    async with running(desk):
        look = await desk.reports.get()

    assert look.sample.pts_s == 2.0
    assert desk.dropped("superseded") == 1
    assert desk.looks.counts("a")["porn"].slot.n_superseded == 1


async def test_no_more_looks_than_the_capacity_are_under_way_and_one_of_a_room():
    detector = ScriptedDetector("porn")
    detector.open.clear()
    desk = Desk(detector, capacity=2)
    for room_id in ("a", "b", "c"):
        desk.looks.add_room(room_id, policy("porn"))
        desk.looks.offer(desk.frame(room_id))

    async with running(desk):
        first = {(await detector.begun.get()).room_id for _ in range(2)}
        n_waiting_meanwhile = detector.begun.qsize()
        detector.open.set()
        third = (await detector.begun.get()).room_id

    assert (n_waiting_meanwhile, first | {third}) == (0, {"a", "b", "c"})


async def test_a_free_place_goes_to_the_detector_that_needs_it_most():
    eager, patient = ScriptedDetector("porn"), ScriptedDetector("codes")
    eager.open.clear()
    desk = Desk(eager, patient, capacity=1)
    for room_id in ("a", "b"):
        desk.looks.add_room(room_id, policy("porn", "codes"))

    async with running(desk):
        desk.looks.offer(desk.frame("a"))
        first = await eager.begun.get()
        desk.clock.advance(1.0)
        desk.looks.offer(desk.frame("b"))
        eager.open.set()
        begun = [await patient.begun.get(), await patient.begun.get(), await eager.begun.get()]

    assert first.room_id == "a"
    assert {sample.room_id for sample in begun} == {"a", "b"}


async def test_a_room_whose_look_is_under_way_waits_for_its_answer():
    detector = ScriptedDetector("porn")
    detector.open.clear()
    desk = Desk(detector, capacity=2)
    desk.looks.add_room("a", policy("porn"))
    desk.looks.add_room("b", policy("porn"))
    async with running(desk):
        desk.looks.offer(desk.frame("a", pts_s=1.0))
        await detector.begun.get()
        desk.clock.advance(2.0)
        desk.looks.offer(desk.frame("a", pts_s=2.0))
        desk.looks.offer(desk.frame("b", pts_s=3.0))
        beside = await detector.begun.get()
        detector.open.set()
        again = await detector.begun.get()
        order = [(await desk.reports.get()).sample for _ in range(3)]

    assert (beside.room_id, again.room_id) == ("b", "a")
    assert [sample.pts_s for sample in order if sample.room_id == "a"] == [1.0, 2.0]


async def test_a_look_must_be_answered_while_it_is_of_use_sound_as_well():
    eye, ear = ScriptedDetector("porn"), ScriptedDetector("vad", Modality.AUDIO)
    desk = Desk(eye, ear)
    mine = policy("porn", "vad")
    desk.looks.add_room("a", mine)
    picture, sound = desk.frame(), clip(desk)

    async with running(desk):
        desk.looks.offer(picture)
        desk.looks.offer(sound)
        for _ in range(2):
            await desk.reports.get()

    assert eye.deadlines == [picture.captured_s + mine.sampling.max_age_s]
    assert ear.deadlines == [sound.captured_s + mine.sampling.max_age_s]


# reports


async def test_a_look_tells_what_was_found_and_when():
    detector = ScriptedDetector("porn")
    detector.open.clear()
    desk = Desk(detector)
    desk.looks.add_room("a", policy("porn"))
    async with running(desk):
        desk.clock.advance(0.5)
        sample = desk.frame()
        desk.clock.advance(0.1)
        desk.looks.offer(sample)
        await detector.begun.get()
        desk.clock.advance(0.3)
        detector.open.set()
        look = await desk.reports.get()

    assert [finding.label for finding in look.findings] == ["ads.qr_code"]
    assert look.detection is not None
    assert look.offered_s - sample.captured_s == pytest.approx(0.1)
    assert look.done_s - look.offered_s == pytest.approx(0.3)
    assert desk.metrics.registry.get_sample_value("livewarden_samples_scored_total", {"detector": "porn"}) == 1


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (DeadlineExceeded("late"), OVERLOAD),
        (Overloaded("full"), OVERLOAD),
        (ModelError("porn", ValueError("bad")), "model_error"),
    ],
)
async def test_a_failed_look_is_reported_and_counted_by_its_reason(failure: LivewardenError, reason: str):
    detector = ScriptedDetector("porn")
    detector.script = [failure]
    desk = Desk(detector)
    desk.looks.add_room("a", policy("porn"))
    async with running(desk):
        desk.looks.offer(desk.frame())
        look = await desk.reports.get()

    assert look.failure is failure
    assert (look.findings, look.detection, drop_reason(failure)) == ((), None, reason)
    assert desk.dropped(reason) == 1
    assert desk.looks.counts("a")["porn"].n_looks == 0


async def test_what_waited_too_long_is_never_looked_at_and_reported_as_overload():
    detector = ScriptedDetector("porn")
    detector.open.clear()
    desk = Desk(detector, capacity=1)
    desk.looks.add_room("a", policy("porn"))
    desk.looks.add_room("b", policy("porn"))
    async with running(desk):
        desk.looks.offer(desk.frame("a"))
        await detector.begun.get()
        desk.looks.offer(desk.frame("b"))
        desk.clock.advance(1.8)
        detector.open.set()
        looks = {look.sample.room_id: look for look in [await desk.reports.get() for _ in range(2)]}

    failure = looks["b"].failure
    assert isinstance(failure, Overloaded)
    assert drop_reason(failure) == OVERLOAD
    assert looks["a"].failure is None
    assert (detector.begun.qsize(), desk.dropped("expired")) == (0, 1)
    assert desk.looks.counts("b")["porn"].slot.n_expired == 1


@pytest.mark.parametrize("fault", ["report", "report of an expired one", "detector"])
async def test_one_rooms_broken_look_does_not_stop_the_others(fault: str, caplog: pytest.LogCaptureFixture):
    detector = ScriptedDetector("porn")
    desk = Desk(detector)
    for room_id in ("a", "b"):
        desk.looks.add_room(room_id, policy("porn"))
    desk.looks.offer(desk.frame("a"))
    if fault == "detector":
        detector.script = [TypeError("a defect of the detector")]
    else:
        desk.broken = [RuntimeError("disk full")]
    if fault == "report of an expired one":
        desk.clock.advance(5.0)

    async with running(desk):
        broken = None if fault == "detector" else (await desk.reports.get()).sample.room_id
        if fault == "detector":
            await detector.begun.get()
        desk.looks.offer(desk.frame("b"))
        whole = await desk.reports.get()

    assert broken in (None, "a")
    assert (whole.sample.room_id, whole.failure) == ("b", None)
    assert [record.levelname for record in caplog.records] == ["ERROR"]


async def test_when_it_stops_looks_under_way_are_still_reported():
    detector = ScriptedDetector("porn")
    detector.open.clear()
    desk = Desk(detector)
    desk.looks.add_room("a", policy("porn"))
    desk.looks.offer(desk.frame())
    task = asyncio.create_task(desk.looks.run())
    await detector.begun.get()

    task.cancel()
    detector.open.set()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert desk.reports.get_nowait().failure is None


async def test_the_rate_is_of_the_last_seconds():
    desk = Desk(ScriptedDetector("porn"))
    desk.looks.add_room("a", policy("porn"))
    desk.looks.add_room("b", policy("porn"))
    async with running(desk):
        for room_id in ("a", "b"):
            desk.looks.offer(desk.frame(room_id))
            await desk.reports.get()
    now_s = desk.clock.now_s()

    assert desk.looks.rate_hz(now_s=now_s) == pytest.approx(2 / RATE_WINDOW_S)
    assert desk.looks.rate_hz(now_s=now_s + RATE_WINDOW_S) == 0


# still pictures


async def looked_once(desk: Desk, mine: Policy, *, grey: int = 100) -> None:
    desk.looks.add_room("a", mine)
    desk.looks.offer(desk.frame(grey=grey))
    await desk.reports.get()


async def test_a_still_picture_is_answered_by_the_look_before():
    detector = ScriptedDetector("porn")
    desk = Desk(detector)
    async with running(desk):
        await looked_once(desk, policy("porn"))
        desk.clock.advance(2.0)
        offer = desk.looks.offer(desk.frame(grey=100, pts_s=2.0))

    (look,) = offer.repeated
    assert (look.repeated, look.detection, look.sample.pts_s) == (True, None, 2.0)
    assert [finding.label for finding in look.findings] == ["ads.qr_code"]
    assert (offer.n_waiting, detector.begun.qsize()) == (0, 1)
    counts = desk.looks.counts("a")["porn"]
    assert (counts.n_looks, counts.n_repeated) == (1, 1)


async def test_a_repeated_look_counts_for_the_cadence():
    desk = Desk(ScriptedDetector("porn"))
    async with running(desk):
        await looked_once(desk, policy("porn"))
        desk.clock.advance(2.0)
        desk.looks.offer(desk.frame(grey=100))
        desk.clock.advance(1.0)
        soon = desk.looks.offer(desk.frame(grey=100))

    assert (soon.n_waiting, soon.repeated) == (0, ())


async def test_a_still_picture_is_scored_again_after_force_every():
    desk = Desk(ScriptedDetector("porn"))
    async with running(desk):
        await looked_once(desk, policy("porn", force_every_s=6.0))
        desk.clock.advance(4.0)
        before = desk.looks.offer(desk.frame(grey=100))
        desk.clock.advance(2.0)
        after = desk.looks.offer(desk.frame(grey=100))

    assert (before.n_waiting, len(before.repeated)) == (0, 1)
    assert (after.n_waiting, after.repeated) == (1, ())


async def test_a_changed_picture_is_scored():
    desk = Desk(ScriptedDetector("porn"))
    async with running(desk):
        await looked_once(desk, policy("porn"), grey=100)
        desk.clock.advance(2.0)
        offer = desk.looks.offer(desk.frame(grey=140))

    assert (offer.n_waiting, offer.repeated) == (1, ())


async def test_a_failed_look_answers_for_no_later_picture():
    detector = ScriptedDetector("porn")
    detector.script = [Overloaded("full")]
    desk = Desk(detector)
    async with running(desk):
        await looked_once(desk, policy("porn"))
        desk.clock.advance(2.0)
        offer = desk.looks.offer(desk.frame(grey=100))

    assert (offer.n_waiting, offer.repeated) == (1, ())


async def test_sound_is_never_answered_by_the_look_before():
    desk = Desk(ScriptedDetector("vad", Modality.AUDIO))
    desk.looks.add_room("a", policy("vad"))
    async with running(desk):
        desk.looks.offer(clip(desk))
        await desk.reports.get()
        desk.clock.advance(2.0)
        offer = desk.looks.offer(clip(desk))

    assert (offer.n_waiting, offer.repeated) == (1, ())


# rooms


async def test_a_removed_room_is_forgotten_by_everybody():
    detector = ScriptedDetector("porn")
    desk = Desk(detector)
    async with running(desk):
        await looked_once(desk, policy("porn"))
        desk.looks.remove_room("a")
        desk.looks.add_room("a", policy("porn"))
        n_looks = desk.looks.counts("a")["porn"].n_looks
        offer = desk.looks.offer(desk.frame(grey=100))

    assert detector.forgotten == ["a"]
    assert (n_looks, offer.n_waiting, offer.repeated) == (0, 1, ())


async def test_a_look_under_way_when_its_room_goes_is_reported_and_not_remembered():
    detector = ScriptedDetector("porn")
    detector.open.clear()
    desk = Desk(detector)
    desk.looks.add_room("a", policy("porn"))
    async with running(desk):
        desk.looks.offer(desk.frame())
        await detector.begun.get()
        desk.looks.remove_room("a")
        detector.open.set()
        look = await desk.reports.get()

    assert (look.failure, desk.looks.counts("a")) == (None, {})


def test_a_new_policy_changes_the_cadence_and_takes_slots_away():
    desk = Desk(ScriptedDetector("porn"), ScriptedDetector("codes"))
    desk.looks.add_room("a", policy("porn", "codes"))
    desk.looks.add_room("a", Policy("mine", 2, TAXONOMY, (), cadence={"porn": Cadence(1.0, 5.0)}))

    counts = desk.looks.counts("a")

    assert set(counts) == {"porn"}
    assert (counts["porn"].slot.every_s, counts["porn"].slot.floor_s) == (1.0, 5.0)


# somebody waits


async def test_who_waits_for_an_answer_gets_one_of_each_detector_of_the_room():
    eye, other, unnamed, ear = (ScriptedDetector(name) for name in ("porn", "codes", "ocr", "vad"))
    ear.modality = Modality.AUDIO
    other.script = [Overloaded("full")]
    desk = Desk(eye, other, unnamed, ear)
    desk.looks.add_room("a", policy("porn", "codes", "vad"))

    looks = await desk.looks.look_now(desk.frame(), deadline_s=1234.0)

    assert [(look.detector, look.failure is None) for look in looks] == [("porn", True), ("codes", False)]
    assert eye.deadlines == [1234.0]
    assert desk.reports.empty()
