"""`livewarden lexicon try --audio`: files of sound, and how what is heard is shown."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from inference.errors import InvalidSample
from inference.lexicon_audio import Place, Tried, TriedSound, tried_lines, tried_view, wav_at_any_rate
from inference.lexicon_cli import lexicon_app
from inference.speech.pronouncing import Spoken

SPOKEN = Spoken(("jia", "wei", "xin"), (1, 2, 3, 4, 5, 6))
SURE = Place(1.24, 1.98, 0.93, "jia wei xin", "lai jia wei xin ba")
UNSURE = Place(4.0, 4.6, 0.31, "ja wei sin", "ja wei sin")


def wav(values: np.ndarray, *, rate_hz: int, width: int = 2) -> bytes:
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(values.shape[1])
        file.setsampwidth(width)
        file.setframerate(rate_hz)
        scaled = values * 127 + 128 if width == 1 else values * (2 ** (8 * width - 1) - 1)
        kinds = {1: "u1", 2: "<i2", 3: "<i4", 4: "<i4"}
        file.writeframes(scaled.astype(kinds[width]).tobytes())
    return target.getvalue()


def tone(rate_hz: int, n_channels: int = 1) -> np.ndarray:
    at_s = np.arange(rate_hz) / rate_hz
    return np.repeat((0.5 * np.sin(2 * np.pi * 440 * at_s))[:, None], n_channels, axis=1)


@pytest.mark.parametrize(("rate_hz", "width", "n_channels"), [(22_050, 2, 1), (8_000, 1, 1), (48_000, 4, 8), (16_000, 4, 2)])
def test_wav_of_any_rate_depth_and_number_of_channels_is_brought_to_16_khz_mono(rate_hz: int, width: int, n_channels: int):
    pcm = wav_at_any_rate(wav(tone(rate_hz, n_channels), rate_hz=rate_hz, width=width), "audio/wav")

    assert (len(pcm), pcm.dtype) == (16_000, np.float32)
    assert np.abs(pcm[500:-500] - tone(16_000)[500:-500, 0]).max() < 0.02


@pytest.mark.parametrize(
    "data",
    [b"", b"RIFF", b"ID3" + bytes(500), wav(np.zeros((0, 1)), rate_hz=8_000), wav(np.zeros((99, 1)), rate_hz=8_000, width=3)],
)
def test_what_is_no_such_wav_is_refused_with_the_fix(data: bytes):
    with pytest.raises(InvalidSample, match=r"ffmpeg|bits"):
        wav_at_any_rate(data, "audio/wav")


def test_a_person_sees_where_and_how_surely_and_what_was_heard():
    lines = list(tried_lines(Tried("加微信", (SPOKEN,), (SURE, UNSURE))))

    assert lines == [
        "heard    加微信 (jia wei xin)",
        "  1.24-1.98 s  0.93  heard 【jia wei xin】 in lai jia wei xin ba",
        "  4.00-4.60 s  0.31, below 0.6: not told  heard 【ja wei sin】 in ja wei sin",
    ]
    assert next(tried_lines(Tried("加微信", (SPOKEN,), (UNSURE,)))).startswith("unheard")
    assert list(tried_lines(Tried("whatsapp", (), ()))) == ["unsaid   whatsapp: cannot be said in Mandarin syllables"]


def test_a_machine_sees_the_same():
    tried = Tried("加微信", (SPOKEN,), (SURE, UNSURE))

    view = tried_view(tried, TriedSound((tried,), (), 3.2))

    assert (view["text"], view["readings"], view["heard"], view["spoken_s"]) == ("加微信", ["jia wei xin"], True, 3.2)
    assert [place["told"] for place in view["places"]] == [True, False]
    assert view["places"][0] | {} == {
        "start_s": 1.24,
        "end_s": 1.98,
        "confidence": 0.93,
        "told": True,
        "units": "jia wei xin",
        "line": "lai jia wei xin ba",
    }


@pytest.mark.parametrize("content", [None, b"no sound at all"])
def test_a_file_that_cannot_be_heard_exits_2_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None):
    monkeypatch.setenv("LIVEWARDEN_DATA_DIR", str(tmp_path))
    path = tmp_path / "sound.wav"
    if content is not None:
        path.write_bytes(content)

    result = CliRunner().invoke(lexicon_app, ["try", "加微信", "--audio", str(path)])

    assert result.exit_code == 2
    assert "cannot read" in result.stderr or "WAV" in result.stderr
