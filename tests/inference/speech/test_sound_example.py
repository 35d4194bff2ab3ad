"""A network of sound classes from its folder to the answer of `POST /v1/audio/check`: the example that lies in the repository."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from typer.testing import CliRunner

from inference.api import CheckDesk, install_checks
from inference.checks import CheckOrder
from inference.engine import Engine
from inference.samples import SAMPLE_RATE_HZ, Pcm
from inference.settings import InferenceSettings
from models.cli import models_app
from models.shipped import Shipped
from models.sound_scenes import SoundKind, make
from models.store import ModelStore

EXAMPLE = Path(__file__).resolve().parents[3] / "models" / "examples" / "sound-example"
HELD_OUT = 77
"""Seed of sounds that the network was neither trained, calibrated nor measured on."""


def command(*arguments: object) -> str:
    done = CliRunner().invoke(models_app, [str(one) for one in arguments])
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Everything as a deployment has it that brought the example in by the command line; no public models."""
    folder = tmp_path_factory.mktemp("sound")
    store = folder / "store"
    assert command("add", EXAMPLE, "--dir", store) == "sound-example@1 is draft"
    command("approve", "sound-example@1", "--untested", "--dir", store)
    assert command("promote", "sound-example@1", "--dir", store) == "sound-example@1 is live"
    settings = InferenceSettings(
        data_dir=folder / "data", models={"dir": store}, device={"provider": "cpu", "threads": 1}, text={"classifier": False}
    )
    engine = Engine.start(settings)
    yield engine
    engine.close()


def sounds(kind: SoundKind, n: int, seconds: float = 4.0) -> list[Pcm]:
    return [make(kind, np.random.default_rng((HELD_OUT, seed)), round(seconds * SAMPLE_RATE_HZ)) for seed in range(n)]


def wav(pcm: Pcm) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(SAMPLE_RATE_HZ)
        writer.writeframes((pcm * 32767).astype("<i2").tobytes())
    return file.getvalue()


async def told(engine: Engine, pcm: Pcm) -> list[tuple[str, str | None]]:
    checked = await engine.check_audio(pcm, CheckOrder(detectors=("sound",)))
    return [(one.finding.label, one.finding.sublabel) for one in checked.verdict.judged]


async def test_a_made_shot_is_in_the_answer_of_the_audio_check(engine: Engine):
    app = FastAPI()
    install_checks(app, CheckDesk.over(engine))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")

    answers = [
        (await client.post("/v1/audio/check", content=wav(pcm), headers={"content-type": "audio/wav"})).json()
        for pcm in sounds(SoundKind.GUNSHOT, 8)
    ]

    found = [finding for answer in answers for finding in answer["findings"]]
    assert len(found) >= 6
    assert {(one["label"], one["sublabel"], one["source"], one["model"]) for one in found} == {
        ("weapons", "gunshot", "sound", "sound-example@1")
    }
    assert {answer["decision"] for answer in answers if answer["findings"]} == {"review"}  # heard alone, never blocked
    assert all(0 <= one["heard"]["start_s"] < one["heard"]["end_s"] <= 4 for one in found)


async def test_other_made_sounds_are_rarely_taken_for_shots(engine: Engine):
    others = [kind for kind in SoundKind if kind is not SoundKind.GUNSHOT]

    alarms = [await told(engine, pcm) for kind in others for pcm in sounds(kind, 8)]

    assert sum(map(bool, alarms)) <= 3  # of 40


async def test_silence_says_nothing(engine: Engine):
    assert await told(engine, np.zeros(4 * SAMPLE_RATE_HZ, np.float32)) == []


def test_it_is_an_example_and_no_part_of_what_serves_by_itself(tmp_path: Path):
    assert "sound-example" not in [manifest.name for manifest in Shipped()]
    assert "EXAMPLE" in ModelStore(tmp_path).show(ModelStore(tmp_path).publish(EXAMPLE)).manifest.notes
