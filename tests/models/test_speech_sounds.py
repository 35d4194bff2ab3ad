from __future__ import annotations

import numpy as np
import pytest

from models.errors import DataError
from models.speech_bank import Kind
from models.speech_codec import HOP_N, power_of
from models.speech_sounds import Sounds
from tests.models.speech_sets import recordings


def test_a_frame_of_the_flat_sound_is_the_frame_of_the_clip():
    sources = recordings()

    sounds = Sounds.of(sources)

    flat = power_of(sounds.pcm.astype(np.float32) / 32767.0)
    for (kind, one), (kind_too, clip) in zip(sources, sounds.clips, strict=True):
        assert (kind, one.text, one.syllables) == (kind_too, clip.text, clip.syllables)
        alone = power_of(np.rint(one.wave * 32767.0).astype(np.float32) / 32767.0)
        assert np.allclose(flat[clip.start : clip.start + clip.count], alone, rtol=1e-3, atol=1e-7)
    assert len(sounds.pcm) % HOP_N == 0


def test_what_was_written_is_read_back(tmp_path):
    sounds = Sounds.of(recordings())

    sounds.write(tmp_path / "people.npz")
    again = Sounds.read(tmp_path / "people.npz")

    assert np.array_equal(again.pcm, sounds.pcm)
    assert again.clips == sounds.clips
    assert [path.name for path in tmp_path.iterdir()] == ["people.npz"]


def test_too_loud_sound_is_cut_off_and_none_is_nothing():
    loud = [(Kind.NOISE, one) for kind, one in recordings() if kind is Kind.NOISE]
    loud[0][1].wave[:] *= 50.0

    assert Sounds.of(loud).pcm.max() == 32767
    assert len(Sounds.of([]).pcm) == 0


def test_a_file_that_is_none_is_named(tmp_path):
    (tmp_path / "people.npz").write_bytes(b"PK nothing")

    with pytest.raises(DataError, match=r"cannot read .*people"):
        Sounds.read(tmp_path / "people.npz")
    with pytest.raises(DataError, match=r"cannot read .*gone"):
        Sounds.read(tmp_path / "gone.npz")
