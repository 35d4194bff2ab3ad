from __future__ import annotations

import io
import math
import shutil
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest

from inference.detectors import Speech
from inference.registry import Built
from inference.samples import SAMPLE_RATE_HZ, Pcm
from inference.speech.lockstep import CHUNKS, PROBABILITIES, STEP_BUCKETS, LockstepSession
from inference.speech.segments import SegmentRules, energy_dbfs, speech_segments
from inference.testing import FakeSession
from models.manifest import Manifest
from tests.conftest import require
from tests.inference.samples_maker import clip

RULES = SegmentRules(speech_threshold=0.5, silence_threshold=0.35, min_speech_s=0.25, min_silence_s=0.1, pad_s=0.03)
CHUNK_S = 512 / SAMPLE_RATE_HZ
MANIFEST = Path(__file__).resolve().parents[3] / "models" / "manifests" / "silero-vad.yaml"


def segments(*runs: tuple[int, float]) -> list[tuple[float, float]]:
    probabilities = np.concatenate([np.full(n, value, np.float32) for n, value in runs])
    found = speech_segments(probabilities, RULES, chunk_s=CHUNK_S, duration_s=len(probabilities) * CHUNK_S)
    return [(round(one.start_s / CHUNK_S, 2), round(one.end_s / CHUNK_S, 2)) for one in found]


PAD = round(RULES.pad_s / CHUNK_S, 2)


def test_a_stretch_begins_loud_ends_quiet_and_is_padded() -> None:
    assert segments((10, 0.1), (20, 0.9), (10, 0.1)) == [(10 - PAD, 30 + PAD)]


def test_between_the_two_thresholds_speech_goes_on_and_does_not_begin() -> None:
    assert segments((10, 0.1), (20, 0.9), (10, 0.4), (10, 0.9), (10, 0.1)) == [(10 - PAD, 50 + PAD)]
    assert segments((30, 0.45)) == []


def test_a_short_pause_does_not_part_and_a_short_noise_is_dropped() -> None:
    assert segments((10, 0.9), (2, 0.1), (10, 0.9), (9, 0.1)) == [(0, 22 + PAD)]
    assert segments((10, 0.1), (5, 0.9), (20, 0.1)) == []


def test_speech_at_both_ends_is_cut_to_the_clip() -> None:
    assert segments((20, 0.9)) == [(0, 20)]


def test_stretches_that_grow_into_each_other_meet_in_the_middle() -> None:
    wide = SegmentRules(0.5, 0.35, 0.25, 0.1, pad_s=0.2)
    probabilities = np.concatenate([np.full(n, v, np.float32) for n, v in ((20, 0.9), (5, 0.1), (20, 0.9))])
    left, right = speech_segments(probabilities, wide, chunk_s=CHUNK_S, duration_s=45 * CHUNK_S)
    assert left.end_s == right.start_s == pytest.approx(22.5 * CHUNK_S)


def test_no_chunks_no_stretches() -> None:
    assert speech_segments(np.zeros(0, np.float32), RULES, chunk_s=CHUNK_S, duration_s=0.0) == ()


def test_energy_is_in_db_of_full_scale() -> None:
    assert energy_dbfs(np.ones(100, np.float32)) == pytest.approx(0.0)
    assert energy_dbfs(np.full(100, 0.1, np.float32)) == pytest.approx(-20.0)
    assert energy_dbfs(np.zeros(100, np.float32)) == -math.inf
    assert energy_dbfs(np.zeros(0, np.float32)) == -math.inf


def test_every_step_sees_the_end_of_the_chunk_before_and_the_state_goes_on() -> None:
    seen: list[np.ndarray] = []

    def compute(batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        seen.append(batch["input"].copy())
        state = batch["state"] + 1
        return {"output": state[:, 0, :1] / 10, "stateN": state}

    session = LockstepSession(FakeSession(compute=compute, input_names=("input", "state")), Manifest.load(MANIFEST))
    chunks = np.arange(2 * 3 * 512, dtype=np.float32).reshape(2, 3, 512)
    answer = session.run({CHUNKS: chunks})
    assert answer[PROBABILITIES].tolist() == [pytest.approx([0.1, 0.2, 0.3])] * 2
    assert not seen[0][:, :64].any()
    assert np.array_equal(seen[1][:, :64], chunks[:, 0, -64:])
    assert np.array_equal(seen[2][:, 64:], chunks[:, 2])


def noise(seconds: float, level: float = 0.05) -> Pcm:
    return np.random.default_rng(0).normal(0, level, int(seconds * SAMPLE_RATE_HZ)).astype(np.float32)


def decoded(source: object) -> Pcm:
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)
    with av.open(source) as container:
        chunks = [part.to_ndarray()[0] for one in container.decode(audio=0) for part in resampler.resample(one)]
    return np.concatenate(chunks).astype(np.float32)


@pytest.fixture(scope="session")
def voice() -> Pcm:
    """A synthetic voice of some three seconds."""
    program = shutil.which("espeak-ng")
    require(program is not None, "espeak-ng is not installed", promised=False)
    text = "this is a sentence spoken by a machine so that we have something to find"
    spoken = subprocess.run([str(program), "-v", "en", "--stdout", text], capture_output=True, timeout=20, check=True).stdout
    pcm = decoded(io.BytesIO(spoken))
    return pcm[np.flatnonzero(np.abs(pcm) > 0.02)[0] :]


async def heard(built: Built, pcm: Pcm, *, start_s: float = 0.0) -> Speech:
    speech = (await built.detectors["vad"].detect(clip(pcm, start_s=start_s))).extras.speech
    assert speech is not None
    return speech


@pytest.mark.models
async def test_a_voice_is_found_where_it_is_on_the_sessions_timeline(built: Built, voice: Pcm) -> None:
    pcm = np.concatenate([noise(2.0, 0.001), voice, noise(2.0, 0.001)])
    speech = await heard(built, pcm, start_s=100.0)
    assert speech.segments[0].start_s == pytest.approx(102.0, abs=0.3)
    assert speech.segments[-1].end_s == pytest.approx(102.0 + len(voice) / SAMPLE_RATE_HZ, abs=0.5)
    assert speech.share == pytest.approx(len(voice) / len(pcm), abs=0.2)
    assert all(one.confidence > 0.5 for one in speech.segments)


@pytest.mark.models
async def test_silence_noise_and_tones_are_no_speech(built: Built) -> None:
    tone = np.sin(np.arange(SAMPLE_RATE_HZ * 4, dtype=np.float32) * 2 * np.pi * 440 / SAMPLE_RATE_HZ) * np.float32(0.3)
    for pcm in (np.zeros(SAMPLE_RATE_HZ * 4, np.float32), noise(4.0), noise(4.0, 0.3), tone):
        speech = await heard(built, pcm)
        assert speech.segments == ()
        assert speech.share == 0.0


@pytest.mark.models
@pytest.mark.shared
async def test_people_are_found_in_real_recordings_and_music_is_not(built: Built, shared_data: Path) -> None:
    jfk = decoded(str(shared_data / "speech" / "sentences_en" / "jfk.flac"))
    assert (await heard(built, jfk)).share > 0.5
    battle = decoded(str(shared_data / "video" / "tears-of-steel-battle-clip-medium.webm"))[: 20 * SAMPLE_RATE_HZ]
    assert (await heard(built, battle)).share < 0.1


@pytest.mark.models
def test_clips_in_lockstep_score_as_one_by_one(built: Built, voice: Pcm) -> None:
    (lane,) = [lane for lane in built.lanes if lane.name == "silero-vad"]
    sounds = [voice[: 40 * 512], noise(40 * CHUNK_S, 0.2)[: 40 * 512], voice[8_000 : 8_000 + 40 * 512]]
    chunks = np.stack([sound.reshape(40, 512) for sound in sounds])
    together = lane.session.run({CHUNKS: chunks})[PROBABILITIES]
    alone = np.concatenate([lane.session.run({CHUNKS: one[None]})[PROBABILITIES] for one in chunks])
    assert together[0].max() > 0.8
    assert np.abs(together - alone).max() < 1e-5


@pytest.mark.models
async def test_padding_to_a_bucket_changes_no_chunk_of_the_clip(built: Built, voice: Pcm) -> None:
    (lane,) = [lane for lane in built.lanes if lane.name == "silero-vad"]
    pcm = voice[: 45 * 512]
    detector = built.detectors["vad"]
    prepared = detector.prepare(clip(pcm))  # type: ignore[attr-defined]
    assert prepared.chunks.shape[0] in STEP_BUCKETS
    outputs = await detector.infer(prepared, deadline_s=None)  # type: ignore[attr-defined]
    plain = lane.session.run({CHUNKS: pcm.reshape(1, 45, 512)})[PROBABILITIES][0]
    assert outputs.probabilities == pytest.approx(plain, abs=1e-5)
