from __future__ import annotations

import numpy as np
import pytest

from models.errors import DataError
from models.speech_bank import Bank, Kind, by_text, has_bank, split, waves
from models.speech_codec import power_of
from tests.models.speech_sets import recordings, small_bank, tone


def test_a_bank_gives_back_what_was_written(tmp_path):
    bank = small_bank(tmp_path)

    assert has_bank(tmp_path)
    assert sum(map(len, bank.clips.values())) == len(recordings())
    assert bank.clips[Kind.WORDS][0].syllables == ("ni", "hao")
    assert len(bank.clips[Kind.WORDS][0].units) == 4
    assert len(bank.shapes) == len(bank.details) == sum(clip.count for clips in bank.clips.values() for clip in clips)
    assert "5 words" in repr(bank)


def test_shape_and_detail_add_up_to_the_sound(tmp_path):
    bank = small_bank(tmp_path)
    clip = bank.clips[Kind.WORDS][1]
    rows = slice(clip.start, clip.start + clip.count)

    logs = bank.shapes[rows].astype(np.float32) @ waves(np.arange(257)) + bank.details[rows].astype(np.float32)

    wanted = np.log(power_of(recordings()[1][1].wave) + 1e-8)
    assert np.abs(logs - wanted).max() < 0.1


def test_the_pitch_is_in_the_detail_not_in_the_shape():
    low, high = (split(power_of(tone(hz, 0.5))) for hz in (100, 130))

    apart_shape = np.abs(low[0][20:30].astype(np.float32) - high[0][20:30].astype(np.float32))[:, 20:].max()
    apart_detail = np.abs(low[1][20:30].astype(np.float32) - high[1][20:30].astype(np.float32)).max()

    assert apart_detail > 10 * apart_shape


def test_a_bank_that_was_broken_off_is_none(tmp_path):
    def broken():
        yield from recordings()[:2]
        raise DataError("no more")

    from models.speech_bank import write_bank

    with pytest.raises(DataError, match="no more"):
        write_bank(tmp_path, broken())

    assert not has_bank(tmp_path)
    with pytest.raises(DataError, match="cannot read"):
        Bank.open(tmp_path)


def test_clips_are_grouped_by_what_is_spoken(tmp_path):
    groups = by_text(small_bank(tmp_path).clips[Kind.SYLLABLES_A])

    assert {text: len(clips) for text, clips in groups.items()} == {"ba1": 1, "ni1": 1, "lv1": 1}
