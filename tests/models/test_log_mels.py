from __future__ import annotations

import numpy as np
import pytest

from models.errors import ManifestError
from models.log_mels import MelSpec, log_mels


def tone(hz: float, n_pcm: int = 16_000, level: float = 0.3) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hz * np.arange(n_pcm) / 16_000)).astype(np.float32)


def band_of(hz: float, spec: MelSpec) -> float:
    """Where a frequency lies among the bands, in bands."""
    mel = [1127 * np.log1p(at / 700) for at in (spec.low_hz, hz, spec.high_hz)]
    return (mel[1] - mel[0]) / (mel[2] - mel[0]) * (spec.n_bands + 1) - 1


@pytest.mark.parametrize("hz", [200.0, 1000.0, 3000.0, 6000.0])
def test_a_tone_is_loudest_in_the_band_of_its_frequency(hz):
    spec = MelSpec()

    loudest = log_mels(tone(hz), spec).argmax(axis=1)

    assert abs(loudest - band_of(hz, spec)).max() < 1.0


def test_only_whole_frames_count():
    spec = MelSpec()

    assert [spec.n_frames(n) for n in (0, 399, 400, 559, 560, 16_000)] == [0, 0, 1, 1, 2, 98]
    for n_pcm in (0, 399, 400, 16_000):
        assert log_mels(np.zeros(n_pcm, np.float32), spec).shape == (spec.n_frames(n_pcm), 80)


def test_silence_is_the_logarithm_of_the_floor():
    spec = MelSpec(log_floor=1e-6)

    assert log_mels(np.zeros(800, np.float32), spec) == pytest.approx(np.log(1e-6))


def test_twice_the_level_is_four_times_the_energy_in_every_band():
    quiet, loud = (
        log_mels(np.random.default_rng(0).normal(0, 1, 4_000).astype(np.float32) * level, MelSpec()) for level in (0.1, 0.2)
    )

    assert loud - quiet == pytest.approx(np.log(4.0), abs=1e-3)


def test_a_scale_of_16_bits_is_the_same_as_sound_that_much_louder():
    assert log_mels(tone(500) * 32_768, MelSpec()) == pytest.approx(log_mels(tone(500), MelSpec(pcm_scale=32_768)), abs=1e-4)


def test_features_of_noise_are_those_of_kaldi():
    pcm = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)

    povey = log_mels(pcm, MelSpec())
    hamming = log_mels(pcm, MelSpec(window_floor=0.08, window_power=1.0, pcm_scale=32_768))

    # By kaldi-native-fbank 1.23 of the same noise: 80 bands, 20 to 7600 Hz, no dither.
    assert povey[50, [0, 20, 40, 79]] == pytest.approx([-5.9445, -0.8535, -0.5363, 3.9393], abs=1e-3)
    assert hamming[50, [0, 20, 40, 79]] == pytest.approx([14.6635, 19.8826, 20.2021, 24.7196], abs=1e-3)


def test_centred_bands_have_no_mean():
    assert log_mels(tone(700), MelSpec(centred=True)).mean(axis=0) == pytest.approx(0.0, abs=1e-4)


def test_a_manifest_without_bands_wants_pcm_and_numbers_read_back_equal():
    spec = MelSpec(n_bands=40, centred=True, dc_removed=False, window_floor=0.08)

    assert MelSpec.of({"step_n_pcm": 640.0}) is None
    assert MelSpec.of({"mel_bands": 80.0}) == MelSpec()
    assert MelSpec.of(spec.numbers()) == spec


@pytest.mark.parametrize(
    ("numbers", "complaint"),
    [
        ({"mel_bands": 0.0}, "mel_bands must be 1 to 512, got 0"),
        ({"mel_bands": 80.0, "hop_n_pcm": 500.0}, "hop_n_pcm <= frame_n_pcm"),
        ({"mel_bands": 80.0, "mel_high_hz": 9000.0}, "mel_high_hz <= 8000"),
        ({"mel_bands": 80.0, "log_floor": 0.0}, "log_floor must be above 0"),
    ],
)
def test_numbers_that_cannot_be_are_refused_by_name(numbers, complaint):
    with pytest.raises(ManifestError, match=complaint):
        MelSpec.of(numbers)
