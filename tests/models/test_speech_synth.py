from __future__ import annotations

import shutil

import numpy as np
import pytest

from models import speech_synth
from models.errors import DataError, TrainingUnavailable
from models.speech_bank import synthetic
from models.speech_synth import HELD_OUT, KNOWN, Espeak, Manner, any_manner, resampled
from models.speech_texts import Talk
from tests.conftest import require
from tests.models.speech_sets import READINGS


@pytest.fixture
def espeak(tmp_path) -> Espeak:
    require(shutil.which("espeak-ng") is not None, "needs the program espeak-ng")
    return Espeak(tmp_path / "espeak")


def test_unheard_voices_are_not_among_the_known():
    assert len(HELD_OUT) == 16
    assert not set(HELD_OUT) & set(KNOWN)


def test_every_variant_speaks(espeak):
    for variant in (*HELD_OUT, *KNOWN[::9]):
        wave = espeak.say(("ni", "hao"), Manner(variant), np.random.default_rng(1))

        assert 0.2 < len(wave) / 16_000 < 1.5
        assert wave.std() > 0.02


def test_a_faster_speaker_takes_less_time(espeak):
    slow, fast = (espeak.say(("ni", "hao") * 4, Manner("f1", 50, rate), np.random.default_rng(1)) for rate in (130, 300))

    assert len(fast) < 0.7 * len(slow)


def test_made_up_variants_differ(espeak):
    waves = []
    for seed in (1, 2):
        espeak.invent("made-up", np.random.default_rng(seed))
        waves.append(espeak.say(("da", "jia"), Manner("made-up"), np.random.default_rng(1)))

    first, second = (np.abs(np.fft.rfft(wave, 4096)) for wave in waves)
    assert np.corrcoef(first, second)[0, 1] < 0.9


def test_an_unknown_variant_is_named(espeak):
    with pytest.raises(DataError, match="no variant 'nobody'"):
        espeak.say(("ni",), Manner("nobody"), np.random.default_rng(1))


def test_made_up_speakers_fill_the_time_asked_for(espeak):
    talk = Talk(READINGS, ["你好微信大家"])

    spoken = list(synthetic(talk, espeak, hours=8 / 3600, seed=4))

    assert sum(len(one.wave) for one in spoken) / 16_000 >= 8
    assert sum(len(one.wave) for one in spoken[:-1]) / 16_000 < 8
    assert all(len(one.syllables) >= 12 and len(one.units) for one in spoken)


def test_a_tone_keeps_its_pitch_at_another_rate():
    at = np.arange(22_050) / 22_050
    sound = np.sin(2 * np.pi * 441 * at).astype(np.float32)

    changed = resampled(sound, 22_050, 16_000)

    assert len(changed) == 16_000
    assert int(np.abs(np.fft.rfft(changed)).argmax()) == 441
    assert changed.std() == pytest.approx(sound.std(), rel=0.01)


def test_manners_are_within_what_the_program_takes():
    manners = [any_manner("f1", np.random.default_rng(seed)) for seed in range(50)]

    assert all(0 <= one.pitch <= 99 and 80 <= one.words_per_minute <= 450 for one in manners)


def test_without_espeak_training_says_what_to_install(tmp_path, monkeypatch):
    def missing(*_args, **_options):
        raise FileNotFoundError("espeak-ng")

    monkeypatch.setattr(speech_synth.subprocess, "run", missing)

    with pytest.raises(TrainingUnavailable, match="install the package espeak-ng"):
        Espeak(tmp_path / "espeak")
