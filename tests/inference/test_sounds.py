"""Sound comes as PCM or WAV; the rest needs a decoder handed in, and is refused by name without one."""

from __future__ import annotations

import io
import wave

import numpy as np
import pytest

from inference.errors import InvalidSample, SampleTooLarge
from inference.sounds import decode_sound

TONE = (np.sin(np.arange(1600) / 10) * 16_384).astype("<i2")


def wav(pcm=TONE, *, rate_hz=16_000, n_channels=1, width=2):
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(n_channels)
        writer.setsampwidth(width)
        writer.setframerate(rate_hz)
        writer.writeframes(pcm.tobytes())
    return file.getvalue()


@pytest.mark.parametrize(("data", "kind"), [(TONE.tobytes(), "audio/pcm; rate=16000"), (TONE.tobytes(), ""), (wav(), "audio/wav")])
def test_pcm_and_wav_become_float_at_16_khz(data, kind):
    pcm = decode_sound(data, kind)

    assert pcm.dtype == np.float32
    np.testing.assert_allclose(pcm, TONE / 32768, atol=1e-6)


def test_channels_are_averaged():
    stereo = np.stack([TONE, np.zeros_like(TONE)], axis=1)

    np.testing.assert_allclose(decode_sound(wav(stereo, n_channels=2), ""), TONE / 65536, atol=1e-6)


@pytest.mark.parametrize(
    ("data", "kind", "told"),
    [
        (b"", "", "empty"),
        (b"abc", "audio/pcm", "3 bytes"),
        (b"ID3", "audio/mpeg", "audio/mpeg"),
        (wav(rate_hz=44_100), "", "44100 Hz"),
        (wav(width=1), "", "8 bits"),
        (wav()[:30], "", "cannot be read"),
        (wav(TONE[:0]), "", "no sound"),
        (wav()[:20], "audio/wav", "ends within its header"),
        (wav(n_channels=1000), "audio/wav", "1000 channels"),
        (b"\xff\xd8\xff\xe0" + bytes(40), "", "a JPEG picture, sent as raw sound"),
        (b"OggS" + bytes(40), "audio/pcm", "an Ogg file, sent as audio/pcm"),
        (b"\xff\xd8\xff\xe0" + bytes(40), "audio/wav", "audio/wav"),
    ],
)
def test_what_cannot_be_decoded_is_refused_with_the_fix(data, kind, told):
    with pytest.raises(InvalidSample, match=told):
        decode_sound(data, kind)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"OggS", "audio/ogg"),
        (wav(rate_hz=44_100), "audio/wav"),
        (wav()[:30], ""),
        (b"ID3" + bytes(40), ""),
        (b"OggS" + bytes(40), "application/octet-stream"),
    ],
)
def test_a_decoder_handed_in_gets_the_rest(data, kind):
    asked = []

    def decode(given, kind):
        asked.append((given, kind))
        return np.zeros(8, np.float32)

    assert len(decode_sound(data, kind, decode)) == 8
    assert asked[0][0] == data


@pytest.mark.parametrize(("data", "kind"), [(b"OggS" + bytes(40), "audio/pcm"), (b"\x89PNG" + bytes(40), "")])
def test_what_is_plainly_no_pcm_is_refused_whoever_decodes_the_rest(data, kind):
    with pytest.raises(InvalidSample, match="the body is a"):
        decode_sound(data, kind, lambda *_: np.zeros(8, np.float32))


@pytest.mark.parametrize("n_bytes", [20_000_001, 16_000 * 2 * 301])
def test_long_sound_is_refused(n_bytes):
    with pytest.raises(SampleTooLarge):
        decode_sound(bytes(n_bytes), "audio/pcm")
