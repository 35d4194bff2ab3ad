"""Sound as it is sent: raw PCM or WAV in, mono float32 at 16 kHz out; other codecs only through a decoder handed in.

Compressed sound needs FFmpeg, which is kept out of this floor: `streams/sound_files.py` decodes it in processes of its own.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Callable

import numpy as np

from inference.errors import InvalidSample, SampleTooLarge
from inference.samples import SAMPLE_RATE_HZ, Pcm

MAX_SOUND_BYTES = 20_000_000
"""Largest clip as sent, encoded or not."""

MAX_SOUND_S = 300.0
"""Longest clip, seconds."""

UNTOLD_TYPES = frozenset({"", "application/octet-stream"})
"""Content types that say nothing; `multipart` parts without a type too."""
RAW_TYPES = UNTOLD_TYPES | {"audio/pcm", "audio/l16", "audio/raw"}
"""Content types that mean s16le, 16 kHz, mono, unless the first bytes are a file's."""

ENCODED_SOUND = ("audio/mpeg", "audio/mp4", "audio/aac", "audio/ogg", "audio/flac", "audio/webm")
"""Content types of what a deployment decodes beside PCM and WAV, for its documentation: a file says itself what it is."""

MAX_CHANNELS = 32
"""Channels of a WAV file; more are a damaged header."""

SOUND_FILES = {
    b"OggS": "an Ogg file",
    b"fLaC": "a FLAC file",
    b"ID3": "an MP3 file",
    b"\x1a\x45\xdf\xa3": "a Matroska or WebM file",
    b"FLV\x01": "an FLV file",
}
"""First bytes of files that are decoded though nothing says what they are."""
OTHER_FILES = {
    b"\xff\xd8\xff": "a JPEG picture",
    b"\x89PNG": "a PNG picture",
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a ZIP archive",
    **SOUND_FILES,
}
"""First bytes of what is sent as raw sound by mistake: judged as PCM it would be noise that passes."""

DecodeSound = Callable[[bytes, str], Pcm]
"""Decoder of everything else: bytes and content type in, mono float32 at 16 kHz out; raises InvalidSample."""


def decode_sound(data: bytes, content_type: str, decode_other: DecodeSound | None = None) -> Pcm:
    """Decode one clip to mono float32 in [-1, 1] at 16 kHz, shape (T,).

    Args:
        data: s16le PCM at 16 kHz mono, a WAV file, or what `decode_other` understands.
        content_type: as sent; WAV is told by its first bytes whatever it says, some other files where it says nothing.
        decode_other: decoder for the rest; None refuses it.

    Raises:
        SampleTooLarge: over 20 MB or 300 s.
        InvalidSample: empty, damaged, or a codec that nobody here decodes.
    """
    if not data:
        raise InvalidSample("the body is empty; send s16le PCM at 16 kHz mono, or a WAV file")
    if len(data) > MAX_SOUND_BYTES:
        raise SampleTooLarge(f"clip of {len(data)} bytes; at most {MAX_SOUND_BYTES}")
    kind = content_type.partition(";")[0].strip().lower()
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        pcm = _wav(data, decode_other)
    elif kind in UNTOLD_TYPES and decode_other is not None and data.startswith(tuple(SOUND_FILES)):
        pcm = decode_other(data, kind)
    elif kind in RAW_TYPES:
        pcm = _raw(data, kind)
    elif decode_other is not None:
        pcm = decode_other(data, kind)
    else:
        raise InvalidSample(f"cannot decode {kind!r}; send s16le PCM at 16 kHz mono as audio/pcm, or a WAV file")
    if not len(pcm):
        raise InvalidSample("the clip has no sound in it; send at least one sample")
    if len(pcm) > MAX_SOUND_S * SAMPLE_RATE_HZ:
        raise SampleTooLarge(f"clip of {len(pcm) / SAMPLE_RATE_HZ:.0f} s; at most {MAX_SOUND_S:.0f} s")
    return pcm


def _raw(data: bytes, kind: str) -> Pcm:
    """Decode s16le, unless it is plainly something else."""
    for begins, what in OTHER_FILES.items():
        if data.startswith(begins):
            raise InvalidSample(f"the body is {what}, sent as {kind or 'raw sound'}; send s16le PCM at 16 kHz mono, or a WAV file")
    if len(data) % 2:
        raise InvalidSample(f"PCM of {len(data)} bytes; s16le has two bytes a sample, so the number must be even")
    return _samples(data)


def _samples(data: bytes) -> Pcm:
    return np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768)


def _wav(data: bytes, decode_other: DecodeSound | None) -> Pcm:
    """Decode 16-bit WAV at 16 kHz; another rate or depth needs the other decoder."""
    try:
        with wave.open(io.BytesIO(data)) as reader:
            rate_hz, n_channels, width = reader.getframerate(), reader.getnchannels(), reader.getsampwidth()
            frames = reader.readframes(reader.getnframes())
    except (wave.Error, EOFError) as exc:
        if decode_other is not None:
            return decode_other(data, "audio/wav")
        why = str(exc) or "it ends within its header"
        raise InvalidSample(f"the WAV file cannot be read: {why}; send 16-bit PCM at 16 kHz") from exc
    if n_channels > MAX_CHANNELS:
        raise InvalidSample(f"WAV of {n_channels} channels; send one, at most {MAX_CHANNELS}")
    if (rate_hz, width) != (SAMPLE_RATE_HZ, 2):
        if decode_other is not None:
            return decode_other(data, "audio/wav")
        raise InvalidSample(f"WAV of {8 * width} bits at {rate_hz} Hz; send 16 bits at {SAMPLE_RATE_HZ} Hz")
    whole = frames[: len(frames) // (2 * n_channels) * 2 * n_channels]
    return np.asarray(_samples(whole).reshape(-1, n_channels).mean(axis=1), dtype=np.float32)
