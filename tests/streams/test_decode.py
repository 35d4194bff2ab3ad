"""Packets to pictures and sound, without processes: containers opened in the test itself."""

from __future__ import annotations

import io
from random import Random

import av
import numpy as np
import pytest

from inference.planes import PlanarPicture
from streams.decode import AudioDecoder, VideoDecoder, WantedFrame
from streams.sampling import Sampler, SamplingPlan
from streams.timeline import Timeline
from tests.media import Clip, encode, flv_tags, joined_flv, numbered, painted, read_number, scratched, without_keys_flv

EVERY_SECOND = SamplingPlan(interval_s=1.0, jitter=0.0, off_key_share=0.0)


class Look:
    """One pass of a video decoder over a file."""

    def __init__(self, data: bytes, plan: SamplingPlan = EVERY_SECOND, seed: int = 1) -> None:
        self.sampler = Sampler(plan, Random(seed))
        self.pictures: list[tuple[float, PlanarPicture]] = []
        self.n_decoded = 0
        with av.open(io.BytesIO(data)) as container:
            self.timeline = Timeline(session_started_s=0.0, live=False, first_stamp_s=container.start_time / av.time_base)
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            self.decoder = VideoDecoder(stream, self.sampler, self.timeline, self._count)
            for index, packet in enumerate(container.demux(stream)):
                wanted = self.decoder.feed(packet, now_s=index / 1000)
                if wanted is not None:
                    self.pictures.append((wanted.pts_s, picture_of(wanted)))

    def _count(self, on: bool) -> None:
        self.n_decoded += on

    @property
    def numbers(self) -> list[int]:
        return [read_number(picture.rgb()) for _, picture in self.pictures]

    @property
    def times_s(self) -> list[float]:
        return [round(pts_s, 2) for pts_s, _ in self.pictures]


def picture_of(wanted: WantedFrame) -> PlanarPicture:
    target = np.zeros(wanted.n_bytes, dtype=np.uint8)
    wanted.copy_to(target)
    size = (wanted.frame.width, wanted.frame.height)
    return PlanarPicture.from_bytes(target, size, full_range=wanted.full_range, bt709=wanted.bt709)


@pytest.mark.parametrize(
    ("codec", "container"),
    [("libx264", "flv"), ("libx264", "mpegts"), ("libx264", "mp4"), ("libx265", "mp4"), ("libx265", "flv"), ("libvpx-vp9", "webm"),
     ("mpeg4", "matroska")],
)  # fmt: skip
def test_every_codec_gives_the_picture_of_its_moment(codec, container):
    look = Look(encode(Clip(seconds=4, codec=codec, audio=None), container=container))

    assert look.times_s == [0.0, 1.0, 2.0, 3.0]
    assert look.numbers == [0, 15, 30, 45]
    assert look.decoder.n_corrupt == 0


def test_reordered_frames_do_not_hold_a_key_frame_back():
    data = encode(Clip(seconds=4, b_frames=3, audio=None), container="flv")
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        decoder = VideoDecoder(
            stream,
            Sampler(EVERY_SECOND, Random(1)),
            Timeline(session_started_s=0.0, live=False, first_stamp_s=0.0),
            lambda on: None,
        )
        handed_over_with = [packet.is_keyframe for packet in container.demux(stream) if decoder.feed(packet, now_s=0.0)]

    assert handed_over_with == [True] * 4


def test_only_key_frames_are_decoded_while_they_suffice():
    look = Look(encode(Clip(seconds=6, audio=None), container="flv"))

    assert look.n_decoded <= 2 * 6 + 1  # each key frame, and the draining after it


def test_a_long_group_is_seen_every_interval():
    look = Look(encode(Clip(seconds=8, gop=120, b_frames=2, audio=None), container="flv"))

    assert len(look.pictures) == 8
    assert all(number == round(pts_s * 15) for number, pts_s in zip(look.numbers, look.times_s, strict=True))


def test_off_key_samples_show_what_key_frames_hide():
    hidden = painted(numbered((320, 240)), np.full((60, 100, 3), 255, np.uint8), x=100, y=120, frames=range(0))
    plan = SamplingPlan(interval_s=1.0, jitter=0.25, off_key_share=1.0)

    look = Look(encode(Clip(seconds=12, b_frames=2, audio=None), container="flv", draw=hidden), plan)

    assert len(look.pictures) >= 9
    assert sum(number % 15 != 0 for number in look.numbers) >= 6
    assert all(number == round(pts_s * 15) for number, pts_s in zip(look.numbers, look.times_s, strict=True))


def test_a_change_of_resolution_is_followed():
    small, large = (encode(Clip(seconds=3, size=size, audio=None), container="flv") for size in ((320, 240), (640, 360)))

    look = Look(joined_flv(small, large, small))

    sizes = [(picture.width, picture.height) for _, picture in look.pictures]
    assert sizes == [(320, 240)] * 3 + [(640, 360)] * 3 + [(320, 240)] * 3
    assert look.numbers == [0, 15, 30] * 3


def test_a_change_of_resolution_between_two_samples_is_not_missed():
    small, large = (encode(Clip(seconds=1, size=size, audio=None), container="flv") for size in ((320, 240), (640, 360)))

    look = Look(joined_flv(*[small, large] * 6), SamplingPlan(interval_s=3.0, jitter=0.0, off_key_share=0.0))

    assert len(look.pictures) >= 4
    assert {picture.width for _, picture in look.pictures} == {320, 640}
    assert set(look.numbers) == {0}


def test_a_stream_that_loses_its_key_frames_is_still_seen():
    data = without_keys_flv(encode(Clip(seconds=10, audio=None), container="flv"), after_ms=3000)

    look = Look(data)

    assert len([pts_s for pts_s in look.times_s if pts_s > 4]) >= 4


def test_stamps_of_a_stream_without_key_frames_do_not_pile_up(monkeypatch):
    monkeypatch.setattr("streams.decode.MAX_STAMPS", 20)

    look = Look(without_keys_flv(encode(Clip(seconds=6, audio=None), container="flv"), after_ms=1500))

    assert len(look.decoder._read_s) == 20


def test_scratched_bytes_cost_frames_and_nothing_else():
    look = Look(scratched(encode(Clip(seconds=10, audio=None), container="mpegts"), share=0.002, seed=3))

    assert look.decoder.n_corrupt > 0
    assert len(look.pictures) >= 3


@pytest.mark.parametrize("pix_fmt", ["yuv444p", "yuv422p", "yuv420p10le", "gray"])
def test_other_pixel_layouts_are_brought_to_ours(pix_fmt):
    look = Look(encode(Clip(seconds=2, pix_fmt=pix_fmt, audio=None), container="matroska"))

    assert look.numbers == [0, 15]


def test_odd_sizes_keep_their_last_column_and_row():
    look = Look(encode(Clip(seconds=1, size=(322, 242), codec="mpeg4", audio=None), container="matroska"))

    assert (look.pictures[0][1].width, look.pictures[0][1].height) == (322, 242)
    assert look.numbers == [0]


def test_samples_are_stamped_with_the_reading_of_their_packet():
    data = encode(Clip(seconds=3, audio=None), container="flv")
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        sampler = Sampler(EVERY_SECOND, Random(1))
        decoder = VideoDecoder(stream, sampler, Timeline(session_started_s=0.0), lambda on: None)
        stamps = [
            wanted.read_s
            for index, packet in enumerate(container.demux(stream))
            if (wanted := decoder.feed(packet, now_s=100 + index / 15)) is not None
        ]

    assert [round(stamp, 3) for stamp in stamps] == [100.0, 101.0, 102.0]


@pytest.mark.parametrize(("codec", "rate_hz"), [("aac", 44_100), ("aac", 48_000), ("aac", 22_050)])
def test_sound_comes_as_16_khz_mono_at_its_place(codec, rate_hz):
    data = encode(Clip(seconds=3, audio=codec, audio_rate_hz=rate_hz), container="flv", tone_hz=440.0)
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.audio[0]
        decoder = AudioDecoder(stream, Timeline(session_started_s=0.0, live=False, first_stamp_s=0.0), lambda on: None)
        chunks = [chunk for packet in container.demux(stream) for chunk in decoder.feed(packet, now_s=0.0)]

    pcm = np.concatenate([chunk.pcm for chunk in chunks])
    assert pcm.dtype == np.float32
    assert abs(len(pcm) / 16_000 - 3.0) < 0.15
    middle = pcm[16_000:32_000]
    assert abs(np.argmax(np.abs(np.fft.rfft(middle))) - 440) <= 2
    assert 0.2 < np.abs(middle).max() < 0.5
    n_before = 0
    for chunk in chunks:
        assert abs(chunk.start_s - chunks[0].start_s - n_before / 16_000) < 0.1
        n_before += len(chunk.pcm)
    assert decoder.n_corrupt == 0


def test_sound_that_changes_its_rate_goes_on():
    first, second = (encode(Clip(seconds=2, audio_rate_hz=rate), container="flv") for rate in (44_100, 22_050))
    tags = [tag for tag in flv_tags(joined_flv(first, second)) if tag.kind == 8]
    assert tags
    with av.open(io.BytesIO(joined_flv(first, second))) as container:
        stream = container.streams.audio[0]
        decoder = AudioDecoder(stream, Timeline(session_started_s=0.0, live=False, first_stamp_s=0.0), lambda on: None)
        pieces = [chunk.pcm for packet in container.demux(stream) for chunk in decoder.feed(packet, now_s=0.0)]

    assert sum(map(len, pieces)) / 16_000 > 3.0
