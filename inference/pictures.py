"""Pictures as they are sent: JPEG, PNG, WebP bytes in, pixels out, with size and kind read before anything is decoded.

Everything that is not one whole, still picture of a bearable size is refused by name; no other decoder of OpenCV is ever reached.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np

from inference.errors import InvalidSample, SampleTooLarge
from inference.samples import MAX_PIXELS, Pixels

MAX_PICTURE_BYTES = 20_000_000
"""Largest encoded picture."""

MIN_SIDE_PX = 8
"""Shortest side that a detector can make anything of."""

_PNG = b"\x89PNG\r\n\x1a\n"
_OTHERS = {
    b"GIF8": "a GIF, animated or not",
    b"BM": "a BMP",
    b"II*\0": "a TIFF",
    b"MM\0*": "a TIFF",
    b"%PDF": "a PDF",
    b"<svg": "an SVG",
    b"<html": "a web page",
}
"""How files of other kinds begin that people take for pictures."""
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
"""JPEG markers without a length."""
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG markers that begin a frame and hold its size."""


class PictureType(StrEnum):
    """What may be sent."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """What the first bytes say."""

    type: PictureType
    width: int
    height: int


def refuse_print_colours(header: PictureHeader, data: bytes) -> None:
    """Refuse a JPEG of four colours, whose header was read: what is taught from it would not look as it does on a screen.

    Raises:
        InvalidSample: it is one.
    """
    if header.type is PictureType.JPEG and _n_components(data) == 4:
        raise InvalidSample("the JPEG is in the colours of print (CMYK), which look otherwise on a screen; send it as RGB")


def _n_components(jpeg: bytes) -> int:
    """Count the colour components of a JPEG whose header was read; 0 where its frame cannot be found."""
    at = 2
    while at + 9 < len(jpeg):
        marker, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if jpeg[at] != 0xFF or marker == 0xFF:
            at += 1
        elif marker in _FRAMES:
            return jpeg[at + 9]
        else:
            at += 2 + length
    return 0


def decode_picture(data: bytes) -> Pixels:
    """Decode one picture to RGB uint8 (H, W, 3), upright.

    Raises:
        SampleTooLarge: over 20 MB or 25 megapixels.
        InvalidSample: empty, of another type, animated, truncated or damaged.
    """
    read_header(data)
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as exc:
        raise InvalidSample(f"the picture cannot be decoded: {exc.err or 'damaged data'}; send it again whole") from exc
    if pixels is None:
        raise InvalidSample("the picture cannot be decoded: damaged data; send it again whole")
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def read_header(data: bytes) -> PictureHeader:
    """Read kind and size of an encoded picture and refuse what must not be decoded.

    Raises:
        SampleTooLarge: over 20 MB or 25 megapixels.
        InvalidSample: empty, of another type, animated, truncated, or too small to show anything.
    """
    if not data:
        raise InvalidSample("the body is empty; send the bytes of a JPEG, PNG or WebP picture")
    if len(data) > MAX_PICTURE_BYTES:
        raise SampleTooLarge(f"picture of {len(data)} bytes; at most {MAX_PICTURE_BYTES}")
    try:
        header = _header(data)
    except (struct.error, IndexError) as exc:
        raise InvalidSample(f"the picture ends after {len(data)} bytes, inside its header; send it whole") from exc
    if header.width * header.height > MAX_PIXELS:
        raise SampleTooLarge(f"picture of {header.width}x{header.height}; at most {MAX_PIXELS} pixels, scale it down")
    if min(header.width, header.height) < MIN_SIDE_PX:
        raise InvalidSample(f"picture of {header.width}x{header.height}; each side must be at least {MIN_SIDE_PX} pixels")
    return header


def _header(data: bytes) -> PictureHeader:
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data)
    if data.startswith(_PNG):
        return _png(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp(data)
    known = next((name for begins, name in _OTHERS.items() if data.startswith(begins)), None)
    told = f"the picture is {known}" if known else f"unknown picture type, first bytes {data[:8].hex(' ')}"
    raise InvalidSample(f"{told}; send JPEG, PNG or WebP")


def _jpeg(data: bytes) -> PictureHeader:
    """Walk the segments up to the frame header, and see that the picture's end is there."""
    at = 2
    while True:
        while data[at] == 0xFF and data[at + 1] == 0xFF:
            at += 1
        if data[at] != 0xFF:
            raise InvalidSample(f"the JPEG is damaged at byte {at}; send it again whole")
        marker = data[at + 1]
        if marker in _STANDALONE:
            at += 2
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            if data.find(b"\xff\xd9", at + 2 + length) < 0:
                raise InvalidSample(f"the JPEG is truncated after {len(data)} bytes; send it whole")
            return PictureHeader(PictureType.JPEG, width, height)
        if marker in (0xD9, 0xDA) or length < 2:
            raise InvalidSample("the JPEG has no frame header; send it again whole")
        at += 2 + length


def _png(data: bytes) -> PictureHeader:
    """Walk the chunks: size first, no animation, and an end."""
    width, height = struct.unpack_from(">II", data, 16)
    if data[12:16] != b"IHDR" or not width or not height:
        raise InvalidSample("the PNG does not begin with its size; send it again whole")
    at = len(_PNG)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        if kind == b"acTL":
            raise InvalidSample("the PNG is animated; send one frame of it")
        if kind == b"IEND":
            return PictureHeader(PictureType.PNG, width, height)
        at += 12 + length
    raise InvalidSample(f"the PNG is truncated after {len(data)} bytes; send it whole")


def _webp(data: bytes) -> PictureHeader:
    """Read the size from whichever of the three first chunks it has."""
    (size,) = struct.unpack_from("<I", data, 4)
    if size + 8 > len(data):
        raise InvalidSample(f"the WebP is truncated: {len(data)} of {size + 8} bytes; send it whole")
    kind = data[12:16]
    if kind == b"VP8X":
        if data[20] & 0x02:
            raise InvalidSample("the WebP is animated; send one frame of it")
        return PictureHeader(PictureType.WEBP, _int24(data, 24) + 1, _int24(data, 27) + 1)
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return PictureHeader(PictureType.WEBP, (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return PictureHeader(PictureType.WEBP, width & 0x3FFF, height & 0x3FFF)
    raise InvalidSample(f"unknown WebP chunk {kind!r}; send a still picture")


def _int24(data: bytes, at: int) -> int:
    return data[at] | data[at + 1] << 8 | data[at + 2] << 16
