"""Where somebody speaks, worked out once for every detector that asks."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from inference.errors import ModelError
from inference.lanes import Lane
from inference.samples import SAMPLE_RATE_HZ
from inference.speech.lockstep import CHUNKS, PROBABILITIES
from inference.speech.voice import VoiceActivity
from inference.testing import FakeSession, fake_device
from tests.inference.samples_maker import clip
from tests.inference.speech.voice_maker import manifest

SOUND = np.full(SAMPLE_RATE_HZ, 0.1, np.float32)


def loudness(batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {PROBABILITIES: np.abs(batch[CHUNKS]).max(axis=2)}


async def test_two_that_ask_of_the_same_clip_run_the_net_once():
    session = FakeSession(compute=loudness, input_names=(CHUNKS,))
    with fake_device() as device:
        lane = Lane("vad", session, device, max_queue=8)
        lane.warm()
        voice, sample = VoiceActivity(lane, manifest()), clip(SOUND)

        both = await asyncio.gather(*(voice.listen(voice.prepare(sample), deadline_s=None) for _ in range(2)))
        later = await voice.listen(voice.prepare(sample), deadline_s=None)

    assert session.batches == [1]
    assert all(np.array_equal(one.probabilities, later.probabilities) for one in both)


async def test_an_equal_clip_of_another_room_is_another_clip():
    session = FakeSession(compute=loudness, input_names=(CHUNKS,))
    with fake_device() as device:
        lane = Lane("vad", session, device, max_queue=8)
        lane.warm()
        voice = VoiceActivity(lane, manifest())

        for _ in range(2):
            await voice.listen(voice.prepare(clip(SOUND)), deadline_s=None)

    assert sum(session.batches) == 2


async def test_what_failed_for_one_is_tried_again_for_the_next():
    session = FakeSession(compute=loudness, input_names=(CHUNKS,), failures=(RuntimeError("lost"),))
    with fake_device() as device:
        lane = Lane("vad", session, device, max_queue=8)
        lane.warm()
        voice, sample = VoiceActivity(lane, manifest()), clip(SOUND)

        with pytest.raises(ModelError, match="lost"):
            await voice.listen(voice.prepare(sample), deadline_s=None)
        again = await voice.listen(voice.prepare(sample), deadline_s=None)

    assert again.probabilities.max() == pytest.approx(0.1)


async def test_an_answer_is_forgotten_with_its_clip():
    session = FakeSession(compute=loudness, input_names=(CHUNKS,))
    with fake_device() as device:
        lane = Lane("vad", session, device, max_queue=8)
        lane.warm()
        voice = VoiceActivity(lane, manifest())
        for _ in range(5):
            await voice.listen(voice.prepare(clip(SOUND)), deadline_s=None)

        assert voice.n_remembered <= 1
