from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.speech_codec import (
    BLANK,
    FRAME_S,
    HOP_N,
    N_MELS,
    SAMPLE_RATE_HZ,
    SILENCE,
    STRIDE,
    UNITS,
    Units,
    log_mels,
    n_posteriors,
    units_of,
)

SYLLABLES = Path(__file__).parents[2] / "inference" / "text" / "tables" / "syllables.tsv"


def tone(hz: float, n_pcm: int = 16_000) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(n_pcm) / SAMPLE_RATE_HZ)).astype(np.float32)


def test_every_syllable_of_the_text_engine_has_units():
    syllables = [line.split("\t")[0] for line in SYLLABLES.read_text("utf-8").splitlines()]

    assert len(syllables) > 400
    for syllable in syllables:
        units = units_of(syllable)
        assert 1 <= len(units) <= 2
        assert all(BLANK < unit < len(UNITS) for unit in units)


def test_every_unit_is_used_by_a_syllable():
    syllables = [line.split("\t")[0] for line in SYLLABLES.read_text("utf-8").splitlines()]

    used = {unit for syllable in syllables for unit in units_of(syllable)}

    assert used == set(range(1, len(UNITS)))


@pytest.mark.parametrize(
    ("one", "other"), [("lv", "lu:"), ("lü", "lv"), ("nue", "nve"), ("jv", "ju"), ("lue", "lve"), (" Wei ", "wei")]
)
def test_spellings_of_one_sound_have_the_same_units(one, other):
    assert units_of(one) == units_of(other)


@pytest.mark.parametrize(
    ("syllable", "names"),
    [
        ("wei", "w ui"),
        ("xin", "x in"),
        ("er", "er"),
        ("yuan", "yu van"),
        ("xuan", "x van"),
        ("bo", "b uo"),
        ("zhi", "zh i_zh"),
        ("ci", "c i_z"),
        ("ji", "j i"),
        ("you", "y iu"),
    ],
)
def test_units_follow_the_sound_not_the_spelling(syllable, names):
    assert str(Units.of([syllable])) == names


def test_units_of_different_sounds_differ():
    assert len({units_of(one) for one in ("zi", "zhi", "ji", "si", "shi", "xi", "lu", "lv", "xian", "xiang", "wan", "wang")}) == 12


@pytest.mark.parametrize("text", ["", "w", "ber", "xyz", "fi ng", "微", "wei1", "<blank>", "i_z"])
def test_what_is_no_syllable_is_named(text):
    with pytest.raises(ValueError, match=f"unknown syllable {text!r}"):
        units_of(text)


def test_units_of_a_term_are_those_of_its_syllables_in_order():
    units = Units.of(["jia", "wei", "xin"])

    assert str(units) == "j ia w ui x in"
    assert tuple(units) == (*units_of("jia"), *units_of("wei"), *units_of("xin"))
    assert len(units) == 6


@pytest.mark.parametrize("n_pcm", [0, 100, 159, 160, 399, 16_000, 16_159, 128_000])
def test_a_clip_has_a_frame_for_every_hop(n_pcm):
    features = log_mels(np.ones(n_pcm, np.float32) * 0.1)

    assert features.shape == (n_pcm // HOP_N, N_MELS)
    assert features.dtype == np.float32


def test_four_frames_make_a_posterior_frame_of_40_ms():
    assert pytest.approx(STRIDE * HOP_N / SAMPLE_RATE_HZ) == FRAME_S
    assert [n_posteriors(n) for n in (0, 1, 4, 5, 800)] == [0, 1, 1, 2, 200]


def test_digital_silence_is_zero_and_nothing_is_below():
    rng = np.random.default_rng(1)

    assert np.all(log_mels(np.zeros(1600, np.float32)) == SILENCE)
    assert log_mels(rng.normal(0, 1e-7, 16_000).astype(np.float32)).min() >= SILENCE


def test_gain_moves_all_bands_alike():
    sound = np.random.default_rng(1).normal(0, 0.1, 16_000).astype(np.float32)

    moved = log_mels(sound * np.float32(0.1)) - log_mels(sound)

    assert moved == pytest.approx(np.full_like(moved, -2 * np.log(10)), abs=1e-3)


@pytest.mark.parametrize(("low", "high"), [(200, 400), (1000, 1200), (4000, 4600)])
def test_a_higher_tone_is_in_a_higher_band(low, high):
    assert log_mels(tone(low))[50].argmax() < log_mels(tone(high))[50].argmax()


def test_a_frame_is_centred_on_its_hop():
    sound = np.zeros(16_000, np.float32)
    sound[50 * HOP_N + HOP_N // 2] = 1.0

    assert int(log_mels(sound).mean(axis=1).argmax()) == 50


def test_later_sound_does_not_change_earlier_frames():
    sound = tone(300)

    longer = log_mels(np.concatenate([sound, np.zeros(8_000, np.float32)]))

    # The last window reaches beyond the clip, and finds zeros there either way.
    assert longer[:100] == pytest.approx(log_mels(sound), abs=1e-5)


def test_sound_of_two_channels_is_refused():
    with pytest.raises(ValueError, match=r"one row of values, got shape \(2, 100\)"):
        log_mels(np.zeros((2, 100), np.float32))
