"""Only whole, still JPEG, PNG and WebP pictures of a bearable size are ever decoded."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from inference.errors import InvalidSample, SampleTooLarge
from inference.pictures import PictureType, decode_picture, read_header

PIXELS = np.zeros((48, 64, 3), np.uint8)
PIXELS[:, :32, 0] = 250  # left half red


def encoded(kind, **options):
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, kind, **options)
    return file.getvalue()


FORMS = [
    ("JPEG", {}, PictureType.JPEG),
    ("JPEG", {"progressive": True}, PictureType.JPEG),
    ("PNG", {}, PictureType.PNG),
    ("WEBP", {}, PictureType.WEBP),
    ("WEBP", {"lossless": True}, PictureType.WEBP),
    ("WEBP", {"exif": b"Exif\x00\x00"}, PictureType.WEBP),
]


@pytest.mark.parametrize(("kind", "options", "expected"), FORMS)
def test_a_picture_is_decoded_as_rgb(kind, options, expected):
    data = encoded(kind, **options)

    header = read_header(data)
    pixels = decode_picture(data)
    assert (header.type, header.width, header.height) == (expected, 64, 48)
    assert pixels.shape == (48, 64, 3)
    assert pixels[24, 8, 0] > 220
    assert pixels[24, 8, 2] < 60


@pytest.mark.parametrize(("kind", "options", "expected"), FORMS)
def test_a_picture_cut_anywhere_is_refused(kind, options, expected):
    data = encoded(kind, **options)

    for share in (0.02, 0.3, 0.6, 0.95):
        with pytest.raises(InvalidSample):
            decode_picture(data[: int(len(data) * share)])


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_an_animation_is_refused_by_name(kind):
    frames = [Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS)]
    file = io.BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:])

    with pytest.raises(InvalidSample, match="animated"):
        decode_picture(file.getvalue())


@pytest.mark.parametrize("data", [b"", b"GIF89a" + b"\0" * 50, b"BM" + b"\0" * 60, b"RIFF\x10\0\0\0WAVEfmt ", b"%PDF-1.7"])
def test_other_types_are_refused_and_the_right_ones_named(data):
    with pytest.raises(InvalidSample, match="JPEG, PNG or WebP"):
        decode_picture(data)


def bomb(width, height):
    """A PNG of a few hundred bytes that says it is huge."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


def test_a_bomb_is_refused_by_its_header_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))

    with pytest.raises(SampleTooLarge, match="60000x60000"):
        decode_picture(bomb(60_000, 60_000))
    with pytest.raises(SampleTooLarge, match="20000001 bytes"):
        decode_picture(b"\xff\xd8\xff" + b"\0" * 19_999_998)
    with pytest.raises(InvalidSample, match="2x2"):
        decode_picture(bomb(2, 2))


def test_damaged_data_are_refused():
    with pytest.raises(InvalidSample, match="damaged"):
        decode_picture(b"\xff\xd8\xff\xc0\x00\x11\x08\x00\x40\x00\x40" + b"\x01" * 20 + b"\xff\xd9")


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([form[:2] for form in FORMS]), st.data())
def test_damage_is_refused_or_decoded_and_never_crashes(form, data):
    picture = bytearray(encoded(form[0], **form[1]))
    for _ in range(data.draw(st.integers(1, 4))):
        picture[data.draw(st.integers(0, min(len(picture) - 1, 120)))] = data.draw(st.integers(0, 255))

    try:
        pixels = decode_picture(bytes(picture))
    except InvalidSample:
        return
    assert pixels.ndim == 3
    assert pixels.size <= 3 * 25_000_000
