from __future__ import annotations

from dataclasses import replace

import numpy as np

from inference.host import Host
from inference.samples import Pcm
from inference.speech.vad import MUTE, VadDetector
from inference.speech.voice import VoiceActivity, VoiceOutputs
from inference.testing import fake_lane
from tests.inference.samples_maker import clip
from tests.inference.speech.voice_maker import manifest

SECOND = 16_000


def findings(host: Host, pcm: Pcm, *, room: str = "room") -> list[str]:
    with fake_lane() as lane:
        detector = VadDetector(VoiceActivity(lane, manifest()), host=host)
        silent = VoiceOutputs(probabilities=np.zeros(0, np.float32))
        return [one.label for one in detector.findings(silent, replace(clip(pcm), room_id=room))]


def test_a_clip_without_sound_is_mute(host: Host) -> None:
    assert findings(host, np.zeros(4 * SECOND, np.float32)) == [MUTE]


def test_the_noise_of_an_open_microphone_is_not_mute(host: Host) -> None:
    noise = np.random.default_rng(0).normal(0, 0.003, 4 * SECOND).astype(np.float32)
    assert findings(host, noise) == []


def test_a_clip_too_short_or_of_no_room_or_broken_is_not_called_mute(host: Host) -> None:
    assert findings(host, np.zeros(SECOND, np.float32)) == []
    assert findings(host, np.zeros(4 * SECOND, np.float32), room="") == []
    assert findings(host, np.full(4 * SECOND, np.nan, np.float32)) == []
