"""A recogniser named in the settings, from `POST /v1/audio/check` to its answer, with the real voice-activity net.

The recogniser says 加微信 to everything it is given, so whatever gets past the gates shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from inference.api import CheckDesk, install_checks
from inference.checks import CheckOrder
from inference.engine import Engine
from inference.samples import SAMPLE_RATE_HZ, Pcm
from inference.settings import InferenceSettings
from models.ledger import State
from models.sound_scenes import SoundKind, make
from models.store import ModelStore
from tests.inference.speech.parrot import write_parrot

pytestmark = pytest.mark.models
TALK = Path(__file__).resolve().parents[3] / "streams" / "demo_assets" / "talk.ogg"


@pytest.fixture(scope="module")
def engine(public_models: ModelStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("asr")
    store = ModelStore(folder / "store")
    store.publish(public_models.live("silero-vad").folder, state=State.LIVE)
    store.publish(write_parrot(folder / "parrot"), state=State.LIVE)
    settings = InferenceSettings(
        data_dir=folder / "data",
        models={"dir": store.root},
        device={"provider": "cpu", "threads": 1},
        text={"classifier": False},
        speech={"transcriber": "ctc:parrot"},
    )
    engine = Engine.start(settings)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def talk() -> Pcm:
    """A voice made by espeak-ng."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)
    with av.open(str(TALK)) as container:
        return np.concatenate([part.to_ndarray()[0] for one in container.decode(audio=0) for part in resampler.resample(one)])


async def test_what_is_said_is_in_the_answer_with_its_words_and_their_time(engine: Engine, talk: Pcm):
    app = FastAPI()
    install_checks(app, CheckDesk.over(engine))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")
    pcm = (np.clip(talk, -1, 1) * 32767).astype("<i2").tobytes()

    answer = (await client.post("/v1/audio/check", content=pcm, headers={"content-type": "audio/pcm"})).json()

    told = [finding for finding in answer["findings"] if finding["source"] == "asr"]
    assert answer["decision"] == "review"
    assert (told[0]["label"], told[0]["term"], told[0]["model"]) == ("ads.contact", "加微信", "parrot@1")
    assert told[0]["text"].startswith("加微信")
    assert told[0]["spans"] == [[0, 3]]
    assert 0 < told[0]["heard"]["start_s"] < told[0]["heard"]["end_s"] < 10


@pytest.mark.parametrize("kind", [kind for kind in SoundKind if kind is not SoundKind.SPEECH])
async def test_made_noise_music_sirens_applause_and_shots_reach_no_recogniser(engine: Engine, kind: SoundKind):
    rng = np.random.default_rng(5)
    pcm = np.concatenate([make(kind, rng, 4 * SAMPLE_RATE_HZ) for _ in range(3)])

    checked = await engine.check_audio(pcm, CheckOrder(detectors=("asr",)))

    assert checked.verdict.judged == ()


async def test_silence_and_steady_noise_reach_no_recogniser(engine: Engine):
    noise = np.random.default_rng(0).normal(0, 1, 8 * SAMPLE_RATE_HZ).astype(np.float32)
    hum = np.sin(np.arange(8 * SAMPLE_RATE_HZ) * 2 * np.pi * 50 / SAMPLE_RATE_HZ).astype(np.float32)
    for pcm in (np.zeros(8 * SAMPLE_RATE_HZ, np.float32), noise * np.float32(0.2), noise * np.float32(0.01), hum * np.float32(0.3)):
        checked = await engine.check_audio(pcm, CheckOrder(detectors=("asr",)))
        assert checked.verdict.judged == ()


async def test_a_voice_that_nobody_can_hear_reaches_no_recogniser(engine: Engine, talk: Pcm):
    checked = await engine.check_audio((talk * 0.001).astype(np.float32), CheckOrder(detectors=("asr",)))

    assert checked.verdict.judged == ()
