"""Encoded sound: decoded in children that may die of it."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import av
import numpy as np
import pytest

from inference.errors import InvalidSample, Overloaded, SampleTooLarge
from inference.samples import SAMPLE_RATE_HZ, Pcm
from inference.sounds import MAX_SOUND_S, decode_sound
from streams.sound_files import SoundFiles
from tests.streams.sound_maker import SECONDS, encoded


def pitch_hz(pcm: Pcm) -> float:
    return float(np.abs(np.fft.rfft(pcm)).argmax()) * SAMPLE_RATE_HZ / len(pcm)


@pytest.fixture
def files() -> Iterator[SoundFiles]:
    files = SoundFiles()
    yield files
    files.close()


@pytest.mark.parametrize(
    ("container", "codec", "rate_hz"),
    [
        ("mp3", "libmp3lame", 44_100),
        ("adts", "aac", 44_100),
        ("mp4", "aac", 48_000),
        ("ogg", "libopus", 48_000),
        ("flac", "flac", 44_100),
        ("wav", "pcm_s24le", 96_000),
        ("webm", "libopus", 48_000),
    ],
)
def test_sound_of_any_codec_and_rate_becomes_mono_at_16_khz(files: SoundFiles, container: str, codec: str, rate_hz: int) -> None:
    data = encoded(container, codec, rate_hz=rate_hz)

    pcm = decode_sound(data, "audio/anything", files.decode)

    assert pcm.dtype == np.float32
    assert len(pcm) / SAMPLE_RATE_HZ == pytest.approx(SECONDS, abs=0.1)
    assert pitch_hz(pcm) == pytest.approx(440, abs=1)
    assert 0.3 < np.abs(pcm).max() < 0.6


def test_a_file_that_is_cut_off_gives_what_is_there(files: SoundFiles) -> None:
    data = encoded("mp3", "libmp3lame")

    assert len(files.decode(data[: len(data) // 2], "audio/mpeg")) / SAMPLE_RATE_HZ == pytest.approx(SECONDS / 2, abs=0.2)


def playlist(port: int) -> bytes:
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://127.0.0.1:{port}/a.ts\n#EXT-X-ENDLIST\n".encode()


@pytest.mark.parametrize(
    "data",
    [
        b"garbage" * 1000,
        b"ID3" + bytes(5000),
        encoded("flac", "flac")[:60],
        b"ffconcat version 1.0\nfile /etc/hostname\n",
        playlist(9),
    ],
)
def test_what_is_no_sound_is_refused_with_what_may_be_sent(files: SoundFiles, data: bytes) -> None:
    with pytest.raises(InvalidSample, match=r"'audio/mpeg' cannot be decoded: .*; send s16le PCM .* MP3"):
        files.decode(data, "audio/mpeg")


def test_a_playlist_opens_nothing(files: SoundFiles) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        with pytest.raises(InvalidSample):
            files.decode(playlist(server.getsockname()[1]), "application/vnd.apple.mpegurl")
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_child_that_is_killed_costs_its_clip_alone(files: SoundFiles) -> None:
    data = encoded("mp3", "libmp3lame")
    files.decode(data, "")
    (child,) = files._idle
    os.kill(child._process.pid, signal.SIGSTOP)  # it takes the clip and never answers
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(files.decode, data, "audio/mpeg")
        time.sleep(0.2)
        child._process.kill()
        with pytest.raises(InvalidSample, match="ended its decoder"):
            asked.result(20)

    assert len(files.decode(data, "")) > 0


def test_a_clip_that_takes_too_long_is_given_up_and_its_child_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    files = SoundFiles()
    data = encoded("mp3", "libmp3lame")
    files.decode(data, "")
    (child,) = files._idle
    os.kill(child._process.pid, signal.SIGSTOP)
    monkeypatch.setattr(files, "_deadline_s", 0.3)
    with contextlib.closing(files):
        with pytest.raises(InvalidSample, match="took too long"):
            files.decode(data, "audio/mpeg")

        assert child._process.returncode == -signal.SIGKILL
        monkeypatch.setattr(files, "_deadline_s", 20.0)
        assert len(files.decode(data, "")) > 0


def test_more_clips_than_children_take_turns_and_wait_no_longer_than_allowed() -> None:
    data = encoded("mp3", "libmp3lame")
    with contextlib.closing(SoundFiles(n_children=1, deadline_s=20.0)) as files:
        with ThreadPoolExecutor(6) as threads:
            lengths = set(threads.map(lambda _: len(files.decode(data, "")), range(6)))
        assert len(lengths) == 1
        assert len(files._idle) == 1

    with contextlib.closing(SoundFiles(n_children=1, deadline_s=0.2)) as busy:
        busy._turns.acquire()
        with pytest.raises(Overloaded, match=r"no decoder of sound was free for 0\.2 s"):
            busy.decode(data, "")


def test_a_machine_without_room_for_a_decoder_says_so(files: SoundFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    for _ in range(3):  # a turn is given back each time
        with pytest.raises(Overloaded, match="no decoder of sound can be started: Resource temporarily unavailable"):
            files.decode(b"ID3", "")


def test_a_child_ends_when_its_service_does(files: SoundFiles) -> None:
    files.decode(encoded("mp3", "libmp3lame"), "")
    (child,) = files._idle

    child._socket.close()

    assert child._process.wait(10) == 0


def test_a_bomb_is_cut_at_the_longest_clip(files: SoundFiles) -> None:
    """An hour of silence is some kilobytes of FLAC."""
    file = io.BytesIO()
    with av.open(file, "w", format="flac") as output:
        stream = output.add_stream("flac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.int16), format="s16", layout="mono")
        frame.sample_rate = 16_000
        for _ in range(3600 * 16_000 // 4096):
            frame.pts = None
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))

    assert len(files.decode(file.getvalue(), "")) == MAX_SOUND_S * SAMPLE_RATE_HZ + 1
    with pytest.raises(SampleTooLarge, match="clip of 300 s"):
        decode_sound(file.getvalue(), "audio/flac", files.decode)
