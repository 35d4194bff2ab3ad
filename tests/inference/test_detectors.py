"""What every detector keeps, run over every detector there is."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from inference.detectors import Detection, Outputs, StagedDetector
from inference.errors import DeadlineExceeded, ModelError, NotReady, Overloaded
from inference.host import Host
from inference.lanes import Device
from inference.registry import NAMES, Built, build_detectors
from inference.samples import AudioClip, FrameSample, Modality
from inference.testing import ManualClock
from inference.text.check import TextChecker
from inference.verdicts import Finding
from models.store import ModelStore
from models.taxonomy import Taxonomy
from tests.inference.samples_maker import advert, clip, frame, paint, qr_code, scenery

every_detector = pytest.mark.parametrize("name", NAMES)
LANE = {"porn": "nudenet-320n", "ocr": "ppocr-rec", "vad": "silero-vad", "spotting": "silero-vad"}


def odd_samples(modality: Modality) -> list[FrameSample] | list[AudioClip]:
    if modality is Modality.AUDIO:
        noise = np.random.default_rng(0).normal(0, 0.3, 20_000).astype(np.float32)
        broken = np.full(3_000, np.nan, np.float32)
        loud = np.full(5_000, np.inf, np.float32)
        pcms = [np.zeros(0, np.float32), np.zeros(1, np.float32), np.zeros(16_000, np.float32), noise, broken, loud]
        return [clip(pcm, start_s=7.0) for pcm in pcms]
    sizes = [(720, 1280), (1, 1), (16, 16), (10, 4000), (4000, 10), (31, 33), (1, 640)]
    black = [np.zeros((*size, 3), np.uint8) for size in sizes]
    noise = np.random.default_rng(1).integers(0, 255, (240, 320, 3), np.uint8)
    return [frame(pixels) for pixels in (*black, noise, np.full((480, 640, 3), 255, np.uint8))]


def telling_samples(modality: Modality) -> list[FrameSample] | list[AudioClip]:
    """Samples on which something is found."""
    if modality is Modality.AUDIO:
        return [clip(np.sin(np.arange(40_000, dtype=np.float32) / 20) * np.float32(0.3))]
    with_code = paint(scenery(), qr_code("https://example.com/join", 180), x=30, y=40)
    return [frame(paint(with_code, advert("advert_wechat.png"), x=300, y=420))]


def check(detection: Detection, labels: frozenset[str], sample: FrameSample | AudioClip) -> None:
    taxonomy = Taxonomy.load()
    for finding in detection.findings:
        assert finding.label in labels
        assert finding.label in taxonomy
        assert finding.detector == detection.detector
        assert 0.0 <= finding.score <= 1.0
        for box in finding.boxes:
            assert min(box.x, box.y, box.w, box.h) >= 0.0
            assert box.x + box.w <= 1.0 + 1e-9
            assert box.y + box.h <= 1.0 + 1e-9
    if isinstance(sample, FrameSample):
        assert all(finding.pts_s == sample.pts_s for finding in detection.findings)


@pytest.mark.models
@every_detector
async def test_odd_samples_are_answered_one_by_one_and_never_raise(built: Built, name: str) -> None:
    detector = built.detectors[name]
    samples = odd_samples(detector.modality)
    answers = await asyncio.gather(*(detector.detect(sample) for sample in samples))
    assert len(answers) == len(samples)
    for answer, sample in zip(answers, samples, strict=True):
        assert answer.detector == name
        assert answer.findings == ()
        check(answer, detector.labels, sample)


@pytest.mark.models
@every_detector
async def test_a_huge_frame_is_answered(built: Built, name: str) -> None:
    detector = built.detectors[name]
    if detector.modality is Modality.AUDIO:
        answer = await detector.detect(clip(np.zeros(16_000 * 700, np.float32)))
        assert {finding.label for finding in answer.findings} <= {"quality.mute"}  # which is what digital silence is
        assert answer.extras.speech is None or answer.extras.speech.segments == ()
    else:
        assert (await detector.detect(frame(np.zeros((4096, 4096, 3), np.uint8)))).findings == ()


@pytest.mark.models
@every_detector
async def test_findings_keep_to_the_labels_and_to_the_frame_and_come_out_the_same_twice(built: Built, name: str) -> None:
    detector = built.detectors[name]
    for sample in telling_samples(detector.modality):
        first, second = await detector.detect(sample), await detector.detect(sample)
        check(first, detector.labels, sample)
        assert first.findings == second.findings
        assert first.extras == second.extras
        assert first.timing.total_s >= 0


@pytest.mark.models
@every_detector
async def test_samples_scored_together_are_answered_as_if_alone(built: Built, name: str) -> None:
    detector = built.detectors[name]
    samples = [*telling_samples(detector.modality), *odd_samples(detector.modality)[:3], *telling_samples(detector.modality)]
    together = await asyncio.gather(*(detector.detect(sample) for sample in samples))
    for answer, sample in zip(together, samples, strict=True):
        alone = await detector.detect(sample)
        assert [finding.label for finding in answer.findings] == [finding.label for finding in alone.findings]
        assert [line.text for line in answer.lines] == [line.text for line in alone.lines]


@pytest.mark.models
@every_detector
async def test_a_passed_deadline_is_refused_before_any_work(built: Built, cpu_device: Device, name: str) -> None:
    detector = built.detectors[name]
    sample = odd_samples(detector.modality)[2]
    with pytest.raises(DeadlineExceeded):
        await detector.detect(sample, deadline_s=cpu_device.clock.now_s() - 1.0)


@pytest.mark.models
@every_detector
async def test_a_failing_model_answers_with_model_error_and_the_next_sample_is_served(
    built: Built, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = built.detectors[name]
    sample = telling_samples(detector.modality)[0]

    def fail(*_: object) -> object:
        raise RuntimeError("device lost")

    lanes = [lane for lane in built.lanes if lane.name == LANE.get(name)]
    target, attribute = (lanes[0].session, "run") if lanes else (detector, "search" if hasattr(detector, "search") else "prepare")
    with monkeypatch.context() as broken:
        broken.setattr(target, attribute, fail)
        with pytest.raises(ModelError, match="device lost"):
            await detector.detect(sample)
    assert (await detector.detect(sample)).detector == name


@pytest.mark.models
@every_detector
async def test_a_detector_refuses_samples_of_the_other_kind(built: Built, name: str) -> None:
    detector = built.detectors[name]
    wrong = frame(np.zeros((8, 8, 3), np.uint8)) if detector.modality is Modality.AUDIO else clip(np.zeros(9, np.float32))
    with pytest.raises(TypeError, match=f"detector {name} takes"):
        await detector.detect(wrong)


def test_a_store_without_models_builds_what_needs_none_and_says_what_is_missing(
    tmp_path: Path, cpu_device: Device, threads: ThreadPoolExecutor
) -> None:
    built = build_detectors(ModelStore(tmp_path), cpu_device, TextChecker.load(base=False), threads=threads)
    assert {"codes", "quality", "gallery"} <= set(built.detectors)
    assert {"porn", "ocr", "vad"} <= set(built.missing)
    assert set(built.detectors) | set(built.missing) == set(NAMES)
    assert all("models pull" in reason for reason in built.missing.values())


class Brightness(StagedDetector[FrameSample, float, Outputs]):
    """The smallest detector: finds a black frame."""

    name = "brightness"
    modality = Modality.IMAGE
    takes = FrameSample

    def prepare(self, sample: FrameSample) -> float:
        if sample.pts_s < 0:
            raise ValueError("no such moment")
        return float(sample.picture.luma((1, 1))[0, 0])

    async def infer(self, prepared: float, *, deadline_s: float | None) -> Outputs:
        return Outputs()

    def findings(self, outputs: Outputs, sample: FrameSample) -> tuple[Finding, ...]:
        return (Finding("quality.black", 1.0, self.modality, self.name, sample.pts_s),)


BLACK = np.zeros((4, 4, 3), np.uint8)


async def test_stages_are_timed_and_findings_counted(threads: ThreadPoolExecutor) -> None:
    host = Host(threads)
    detection = await Brightness(host, frozenset({"quality.black"})).detect(frame(BLACK, pts_s=3.0))
    assert [finding.pts_s for finding in detection.findings] == [3.0]
    assert b'livewarden_findings_total{detector="brightness",label="quality.black"} 1.0' in host.metrics.exposition()
    assert b'livewarden_detect_seconds_count{detector="brightness",stage="prepare"} 1.0' in host.metrics.exposition()


async def test_a_detectors_own_fault_becomes_a_model_error_and_is_counted(threads: ThreadPoolExecutor) -> None:
    host = Host(threads)
    with pytest.raises(ModelError, match="lane brightness: ValueError: no such moment"):
        await Brightness(host, frozenset()).detect(frame(BLACK, pts_s=-1.0))
    assert b'samples_failed_total{detector="brightness",reason="ValueError"} 1.0' in host.metrics.exposition()


async def test_work_that_waited_past_its_deadline_is_dropped_before_it_starts() -> None:
    clock = ManualClock()
    ran: list[int] = []
    with ThreadPoolExecutor(max_workers=1) as pool:
        host = Host(pool, clock=clock)
        waiting = asyncio.create_task(host.run("first", lambda: clock.advance(5.0), deadline_s=None))
        late = asyncio.create_task(host.run("late", lambda: ran.append(1), deadline_s=clock.now_s() + 1.0))
        await waiting
        with pytest.raises(DeadlineExceeded):
            await late
    assert ran == []


async def test_too_much_open_work_is_refused_and_room_comes_back() -> None:
    gate = threading.Event()
    with ThreadPoolExecutor(max_workers=1) as pool:
        host = Host(pool, max_waiting=1)
        held = asyncio.create_task(host.run("a", gate.wait, deadline_s=None))
        await asyncio.sleep(0)  # the task runs up to its first wait: its work is open
        with pytest.raises(Overloaded, match="1 pieces of work"):
            await host.run("b", lambda: 2, deadline_s=None)
        gate.set()
        assert await held
        assert await host.run("c", lambda: 3, deadline_s=None) == 3


async def test_threads_that_are_shut_down_say_not_ready() -> None:
    pool = ThreadPoolExecutor(max_workers=1)
    pool.shutdown()
    with pytest.raises(NotReady):
        await Host(pool).run("a", lambda: 1, deadline_s=None)
