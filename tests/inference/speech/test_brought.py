"""Detectors that a deployment brings keep what every detector keeps, and are there exactly when they are brought."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from inference.errors import DeadlineExceeded
from inference.lanes import Device
from inference.registry import BROUGHT, BuildOptions, Built, build_detectors
from inference.samples import SAMPLE_RATE_HZ, AudioClip, Modality, Pcm
from inference.speech.recogniser_address import RecogniserAddress
from inference.speech.recognisers import RecogniserOptions
from inference.text.check import TextChecker
from models.ledger import State
from models.sound_scenes import SoundKind, make
from models.store import ModelStore
from tests.inference.samples_maker import clip, frame
from tests.inference.speech.parrot import write_parrot
from tests.inference.test_detectors import check, odd_samples

EXAMPLE = Path(__file__).resolve().parents[3] / "models" / "examples" / "sound-example"
every_brought = pytest.mark.parametrize("name", BROUGHT)


def options(text: str = "ctc:parrot") -> BuildOptions:
    return BuildOptions(recogniser=RecogniserOptions(RecogniserAddress.parse(text)))


@pytest.fixture(scope="module")
def text() -> TextChecker:
    return TextChecker.load()


@pytest.fixture(scope="module")
def brought(
    public_models: ModelStore,
    cpu_device: Device,
    text: TextChecker,
    threads: ThreadPoolExecutor,
    tmp_path_factory: pytest.TempPathFactory,
) -> Built:
    """A store with voice activity, a recogniser and a network of sound classes."""
    folder = tmp_path_factory.mktemp("brought")
    store = ModelStore(folder / "store")
    for source in (public_models.live("silero-vad").folder, write_parrot(folder / "parrot"), EXAMPLE):
        store.publish(source, state=State.LIVE)
    return build_detectors(store, cpu_device, text, threads=threads, options=options())


def telling() -> AudioClip:
    """A shot, then something like a voice."""
    rng = np.random.default_rng(3)
    parts: list[Pcm] = [make(kind, rng, 3 * SAMPLE_RATE_HZ) for kind in (SoundKind.GUNSHOT, SoundKind.SPEECH)]
    return clip(np.concatenate(parts), start_s=7.0)


@pytest.mark.models
@every_brought
async def test_odd_clips_are_answered_one_by_one_and_never_raise(brought: Built, name: str):
    detector = brought.detectors[name]
    samples = odd_samples(Modality.AUDIO)

    answers = await asyncio.gather(*(detector.detect(sample) for sample in samples))

    for answer, sample in zip(answers, samples, strict=True):
        check(answer, detector.labels, sample)


@pytest.mark.models
@every_brought
async def test_findings_keep_to_the_labels_and_come_out_the_same_twice(brought: Built, name: str):
    detector = brought.detectors[name]

    first, second = await detector.detect(telling()), await detector.detect(telling())

    check(first, detector.labels, telling())
    assert (first.findings, first.extras) == (second.findings, second.extras)


@pytest.mark.models
@every_brought
async def test_a_clip_too_late_and_a_sample_of_the_other_kind_are_refused(brought: Built, name: str, cpu_device: Device):
    detector = brought.detectors[name]

    with pytest.raises(DeadlineExceeded):
        await detector.detect(telling(), deadline_s=cpu_device.clock.now_s() - 1.0)
    with pytest.raises(TypeError, match=f"detector {name} takes AudioClip"):
        await detector.detect(frame(np.zeros((8, 8, 3), np.uint8)))


@pytest.mark.models
async def test_a_recogniser_that_cannot_work_leaves_only_its_detector_out(
    public_models: ModelStore, cpu_device: Device, text: TextChecker, threads: ThreadPoolExecutor, tmp_path: Path
):
    store = ModelStore(tmp_path / "store")
    store.publish(public_models.live("silero-vad").folder, state=State.LIVE)

    built = build_detectors(store, cpu_device, text, threads=threads, options=options("sherpa:/nowhere"))

    assert "vad" in built.detectors
    assert built.missing["asr"].startswith("speech.transcriber sherpa:/nowhere: /nowhere is no folder; unpack")
    for lane in built.lanes:
        lane.close()


def test_what_is_not_brought_is_neither_there_nor_missing(
    cpu_device: Device, text: TextChecker, threads: ThreadPoolExecutor, tmp_path: Path
):
    built = build_detectors(ModelStore(tmp_path), cpu_device, text, threads=threads)

    assert not {*BROUGHT} & {*built.detectors, *built.missing}


def test_a_sound_network_that_cannot_serve_is_missing_with_the_reason(
    cpu_device: Device, text: TextChecker, threads: ThreadPoolExecutor, tmp_path: Path
):
    store = ModelStore(tmp_path / "store")
    store.publish(EXAMPLE, state=State.LIVE)
    (store.root / "sound-example" / "1" / "sound.onnx").write_bytes(b"changed")

    built = build_detectors(store, cpu_device, text, threads=threads)

    assert "sound-example/1/sound.onnx was changed" in built.missing["sound"]
