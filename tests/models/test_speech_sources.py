from __future__ import annotations

import shutil

import numpy as np
import pytest

from models import speech_sources
from models.errors import DataError, TrainingUnavailable
from models.speech_codec import units_of
from models.speech_sources import (
    Codec,
    Part,
    Voice,
    decoded,
    part_of,
    read_table,
    read_voice,
    syllables_of,
    through,
    trimmed,
)
from tests.conftest import require
from tests.models.speech_sets import tone, write_pack


@pytest.fixture
def ffmpeg():
    require(shutil.which("ffmpeg") is not None, "needs the program ffmpeg")


def test_a_text_is_always_on_the_same_side_and_a_fifth_is_kept_out():
    sides = [part_of(f"text {number}") for number in range(2000)]

    assert sides == [part_of(f"text {number}") for number in range(2000)]
    assert 0.17 < sides.count(Part.TEST) / len(sides) < 0.23


@pytest.mark.parametrize(
    ("phones", "syllables"),
    [
        ("y i x ia es er", ("yi", "xia", "er")),
        ("uxs an j uxe q ux", ("yuan", "jue", "qu")),
        ("l ux n uxe zh ib z if", ("lv", "nve", "zhi", "zi")),
        ("uxs n uxs e uxs ux y ie", ("yun", "yue", "yu", "ye")),
        ("as ai os ou w eng", ("ai", "ou", "weng")),
    ],
)
def test_phones_of_the_tables_become_pinyin(phones, syllables):
    assert syllables_of(phones.split()) == syllables
    assert all(units_of(one) for one in syllables)


def test_half_a_syllable_is_refused():
    with pytest.raises(DataError, match="odd number of phones in 'n i h'"):
        syllables_of(["n", "i", "h"])


def test_silence_around_a_clip_is_cut_off():
    sound = np.concatenate([np.zeros(8_000, np.float32), tone(200, 0.5), np.zeros(8_000, np.float32)])

    cut = trimmed(sound)

    assert 8_000 <= len(cut) <= 8_000 + 6 * 160


def test_quiet_edges_are_no_speech_where_the_recording_hisses():
    hiss = np.random.default_rng(1).normal(0, 0.01, 32_000).astype(np.float32)
    hiss[12_000:20_000] += tone(200, 0.5)

    cut = trimmed(hiss)

    assert len(cut) < 11_000


def test_a_clip_that_begins_at_once_keeps_its_weak_start():
    sound = np.concatenate([tone(200, 0.2, level=0.02), tone(300, 0.5)])

    assert len(trimmed(sound, hiss=False)) >= len(sound) - 160


def test_a_silent_clip_is_left_as_it_is():
    assert len(trimmed(np.zeros(1_000, np.float32))) == 1_000


@pytest.mark.usefixtures("ffmpeg")
def test_clips_are_cut_out_of_their_pack(tmp_path):
    write_pack(tmp_path, [tone(200, 0.5), tone(300, 0.4)], ["你好,n i h ao", "信,x in"])

    first, second = read_voice(tmp_path, Voice.WORDS)

    assert (first.text, first.syllables, str(first.units)) == ("你好", ("ni", "hao"), "n i h ao")
    assert second.part is part_of("信")
    assert 0.45 < len(first.wave) / 16_000 < 0.65
    assert "你好 by words" in repr(first)


@pytest.mark.usefixtures("ffmpeg")
@pytest.mark.parametrize("codec", [Codec.AAC, Codec.OPUS, Codec.MP3])
def test_a_codec_keeps_length_and_time(codec):
    sound = np.concatenate([np.zeros(4_800, np.float32), tone(200, 0.5), np.zeros(4_800, np.float32)])

    out = through(sound, codec)

    assert len(out) == len(sound)
    assert np.sqrt(np.mean(out[5_800:11_800] ** 2)) == pytest.approx(np.sqrt(np.mean(sound[5_800:11_800] ** 2)), rel=0.3)
    # AAC spreads a little before an attack, MP3 more; the sound itself has not moved.
    assert np.abs(out[:3_000]).max() < 0.1 * np.abs(out).max()


def test_sound_through_no_codec_is_the_same():
    sound = tone(200, 0.1)

    assert through(sound, Codec.NONE) is sound


@pytest.mark.usefixtures("ffmpeg")
def test_what_is_no_sound_is_named(tmp_path):
    (tmp_path / "x.opus").write_bytes(b"nothing")

    with pytest.raises(DataError, match=r"ffmpeg .*x\.opus"):
        decoded(tmp_path / "x.opus")


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*words\.csv: No such file.*--data"):
        read_table(tmp_path / "words.csv")


def test_without_ffmpeg_training_says_what_to_install(tmp_path, monkeypatch):
    def missing(*_args, **_options):
        raise FileNotFoundError("ffmpeg")

    monkeypatch.setattr(speech_sources.subprocess, "run", missing)

    with pytest.raises(TrainingUnavailable, match="install the package ffmpeg"):
        decoded(tmp_path / "x.opus")
