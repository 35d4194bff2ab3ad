from __future__ import annotations

import shutil

import numpy as np
import pytest

from models.errors import DataError
from models.speech_codec import BLANK, Units
from models.speech_evaluate import (
    Group,
    Spoilt,
    UnitError,
    best_path,
    distance,
    known,
    noisy,
    read_speech_evaluation,
    spoilt,
    stranger_lines,
    unit_error,
    write_evaluation,
)
from models.speech_sources import Part, Recording, part_of
from tests.conftest import require
from tests.models.speech_sets import tone, write_pack


def answers(columns: list[int]) -> np.ndarray:
    """Return log probabilities whose likeliest columns are those."""
    rows = np.full((len(columns), 62), -9.0, np.float32)
    rows[np.arange(len(columns)), columns] = -0.1
    return rows


@pytest.mark.parametrize(
    ("heard", "spoken", "wrong"),
    [
        ((), (), 0),
        ((), (1, 2), 2),
        ((1, 2), (), 2),
        ((1, 2, 3), (1, 2, 3), 0),
        ((1, 2, 3), (1, 3), 1),
        ((1, 3), (1, 2, 3), 1),
        ((1, 4, 3), (1, 2, 3), 1),
        ((1, 2, 4, 5), (2, 3, 4), 3),
        ((7, 8, 9), (1, 2, 3, 4), 4),
    ],
)
def test_what_must_be_changed_added_or_left_out_is_counted(heard, spoken, wrong):
    assert distance(heard, spoken) == wrong


def test_repeats_and_blanks_are_no_units():
    assert best_path(answers([BLANK, 5, 5, BLANK, 5, 6, 6, BLANK])) == (5, 5, 6)


def test_the_error_is_of_the_units_that_were_spoken():
    recordings = [Recording(tone(200, 0.4), "", syllables, "x", Part.TEST) for syllables in (("wei", "xin"), ("wei",))]
    wei = Units.of(["wei"]).ids

    error = unit_error(lambda features: answers([BLANK, *wei]), recordings)

    assert error == UnitError(n_wrong=2, n_units=6)
    assert error.share == pytest.approx(1 / 3)


def test_noise_is_as_loud_as_asked():
    sound = tone(200, 1.0)

    added = noisy(sound, 10.0, np.random.default_rng(1)) - sound

    assert 10 * np.log10(np.mean(sound**2) / np.mean(added**2)) == pytest.approx(10.0, abs=0.1)


def test_a_spoilt_recording_says_the_same():
    clean = Recording(tone(200, 0.4), "信", ("xin",), "x", Part.TEST)

    (loud,) = spoilt([clean], Spoilt.NOISE)

    assert spoilt([clean], Spoilt.CLEAN) == [clean]
    assert loud.syllables == clean.syllables
    assert len(loud.wave) == len(clean.wave)
    assert not np.array_equal(loud.wave, clean.wave)


def test_recordings_come_out_of_the_codec_in_their_places():
    require(shutil.which("ffmpeg") is not None, "needs the program ffmpeg")
    clean = [Recording(tone(hz, 0.3 + hz / 1000), "", ("xin",), "x", Part.TEST) for hz in (150, 300, 220)]

    heard = spoilt(clean, Spoilt.AAC)

    for before, after in zip(clean, heard, strict=True):
        assert len(after.wave) == len(before.wave)
        assert np.corrcoef(np.abs(np.fft.rfft(before.wave)), np.abs(np.fft.rfft(after.wave)))[0, 1] > 0.9


def test_only_what_was_kept_out_is_measured(tmp_path):
    require(shutil.which("ffmpeg") is not None, "needs the program ffmpeg")
    (tmp_path / "speech").mkdir()
    texts = [f"信{char}" for char in "天地人和大小多少上下左右"]
    write_pack(tmp_path / "speech", [tone(200, 0.4)] * len(texts), [f"{text},x in t ian" for text in texts])

    kept = [one.text for one in known(tmp_path, Group.WORDS)]

    assert kept == [text for text in texts if part_of(text) is Part.TEST] != []


def test_figures_are_kept_with_the_run(tmp_path):
    write_evaluation(tmp_path, {"epoch": 3})

    assert read_speech_evaluation(tmp_path) == {"epoch": 3}
    with pytest.raises(DataError, match="evaluate first, with --out"):
        read_speech_evaluation(tmp_path / "none")


@pytest.mark.shared
def test_every_stranger_has_readings(shared_data):
    lines = stranger_lines(shared_data)

    assert len(lines) == 30
    assert all(len(line.syllables) == len(line.text) and len(Units.of(line.syllables)) > len(line.text) for line in lines)
