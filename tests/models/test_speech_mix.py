from __future__ import annotations

import numpy as np
import pytest

from models.speech_bank import Bank, Kind
from models.speech_codec import N_MELS, Units
from models.speech_mix import Example, Mixer, Shares, fits, masked
from models.speech_noises import any_noise, at_ratio, babble, echoed, music, steady
from tests.models.speech_sets import READINGS, small_bank

SHARES = {"words": Shares(1, 0, 0), "syllables": Shares(0, 1, 0), "synthetic": Shares(0, 0, 1)}


@pytest.fixture
def bank(tmp_path) -> Bank:
    return small_bank(tmp_path)


@pytest.mark.parametrize("kind", SHARES)
def test_an_utterance_says_whole_clips_within_its_time(bank, kind):
    mixer = Mixer(bank, READINGS, ["你好微信大家好"], SHARES[kind])
    clips = {clip.units for kind_of, clips in bank.clips.items() if kind_of.startswith(kind) for clip in clips}

    for seed in range(10):
        one = mixer.example(400, np.random.default_rng(seed))

        assert one.features.shape[1] == N_MELS
        assert len(one.features) <= 400
        assert np.isfinite(one.features).all()
        assert fits(one)
        rest = one.units
        while rest:
            said = next(clip for clip in sorted(clips, key=len, reverse=True) if rest[: len(clip)] == clip)
            rest = rest[len(said) :]


def test_an_utterance_depends_on_its_generator_alone(bank):
    mixer = Mixer(bank, READINGS, [])
    mixer.example(300, np.random.default_rng(9))

    first, second = (mixer.example(300, np.random.default_rng(5)) for _ in range(2))

    assert first.units == second.units
    assert (first.features == second.features).all()


def test_kinds_that_the_bank_lacks_are_not_drawn(bank):
    only_words = Bank(bank.shapes, bank.details, {Kind.WORDS: bank.clips[Kind.WORDS]})
    mixer = Mixer(only_words, READINGS, [])

    said = [mixer.example(300, np.random.default_rng(seed)).units for seed in range(20)]

    assert all(Units.of(["ba"]).ids != units[:2] for units in said)


def test_a_sentence_keeps_the_order_of_what_people_wrote(bank):
    mixer = Mixer(bank, READINGS, ["大家你好"], Shares(1, 0, 0))
    wanted = str(Units.of(["da", "jia", "ni", "hao"]))

    said = [str(Units(mixer.example(600, np.random.default_rng(seed)).units)) for seed in range(10)]

    assert any(wanted in one for one in said)


def test_more_units_than_answers_do_not_fit():
    assert not fits(Example(np.zeros((16, N_MELS), np.float32), (1, 2, 3, 4, 5)))
    assert fits(Example(np.zeros((20, N_MELS), np.float32), (1, 2, 3, 4, 5)))
    assert not fits(Example(np.zeros((20, N_MELS), np.float32), (1, 1, 3, 4, 5)))
    assert not fits(Example(np.zeros((20, N_MELS), np.float32), ()))


def test_masking_keeps_the_shape_and_most_of_the_sound():
    before = np.random.default_rng(1).normal(10, 3, (300, N_MELS)).astype(np.float32)

    after = masked(before.copy(), np.random.default_rng(4))

    assert after.shape == before.shape
    assert (after == before).mean() > 0.4


@pytest.mark.parametrize("make", [steady, music])
def test_noise_lasts_as_long_as_asked(make):
    for seed in range(5):
        power = make(130, np.random.default_rng(seed))

        assert power.shape == (130, 257)
        assert np.isfinite(power).all()
        assert (power >= 0).all()


def test_noise_of_the_bank_lasts_as_long_as_asked(bank):
    kinds = [any_noise(90, bank, np.random.default_rng(seed)) for seed in range(20)]

    assert all(power.shape == (90, 257) and np.isfinite(power).all() for power in kinds)
    assert babble(50, bank, np.random.default_rng(1)).mean() > 1.0


def test_noise_is_added_at_its_ratio():
    rng = np.random.default_rng(1)
    speech = np.ones((200, 257), np.float32)

    mixed = at_ratio(speech, rng.exponential(5.0, (200, 257)).astype(np.float32), 10.0, rng)

    assert mixed.mean() == pytest.approx(1.1, rel=0.05)


def test_an_echo_trails_behind_and_never_before():
    sound = np.zeros((60, 257), np.float32)
    sound[20] = 1.0

    heard = echoed(sound, np.random.default_rng(1))

    assert (heard[:20] == 0).all()
    assert heard[20] == pytest.approx(np.ones(257), rel=1e-3)
    assert (np.diff(heard[21:, 100]) < 0).all()
    assert heard[21, 100] > 0
