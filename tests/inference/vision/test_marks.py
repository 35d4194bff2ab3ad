"""Marks as staff send them."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from inference.errors import InvalidSample, SampleTooLarge
from inference.samples import Pixels
from inference.vision import marks
from inference.vision.marks import detail_of, preview, read_mark

Colour = tuple[int, ...]

BOX = np.pad(np.full((60, 90, 3), 200, np.uint8), ((9, 9), (9, 9), (0, 0)))
"""A plain grey box on black."""


def png(image: Image.Image, **how: object) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", **how)
    return out.getvalue()


def emblem(ground: Colour, *, size: tuple[int, int] = (200, 120), mode: str = "RGBA") -> Image.Image:
    """A red disc, a blue bar and a white zigzag in the middle of a ground."""
    image = Image.new(mode, size, ground)
    pen = ImageDraw.Draw(image)
    solid = () if mode == "RGB" else (255,)
    pen.ellipse((40, 30, 90, 90), fill=(220, 30, 30, *solid))
    pen.rectangle((100, 40, 150, 60), fill=(30, 60, 220, *solid))
    pen.line([(100, 88), (112, 70), (124, 88), (136, 70), (150, 88)], fill=(128, 128, 128, *solid), width=4)
    return image


def test_a_see_through_mark_is_trimmed_to_what_can_be_seen() -> None:
    mark = read_mark(png(emblem((0, 0, 0, 0))))

    assert mark.rgba.shape == (61, 113, 4)
    assert not mark.keyed
    assert mark.rgba[30, 25].tolist() == [220, 30, 30, 255]


@pytest.mark.parametrize("ground", [(255, 255, 255), (0, 0, 0), (90, 160, 90)])
def test_a_flat_background_is_taken_off(ground: Colour) -> None:
    mark = read_mark(png(emblem(ground, mode="RGB")))

    assert mark.keyed
    assert mark.rgba.shape[:2] == (61, 113)
    assert mark.rgba[0, 0, 3] == 0
    assert mark.rgba[30, 25, 3] == 255


def test_a_picture_on_anything_else_stays_whole() -> None:
    rng = np.random.default_rng(3)
    pixels = cv2.resize(rng.integers(0, 255, (6, 10, 3), dtype=np.uint8), (200, 120), interpolation=cv2.INTER_CUBIC)
    mark = read_mark(cv2.imencode(".png", pixels)[1].tobytes())

    assert not mark.keyed
    assert mark.rgba.shape == (120, 200, 4)
    assert mark.rgba[..., 3].min() == 255


@pytest.mark.parametrize("mode", ["L", "LA", "P", "I;16"])
def test_every_kind_of_png_is_read(mode: str) -> None:
    grey = emblem((255, 255, 255), mode="RGB").convert("L")
    image = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257) if mode == "I;16" else grey.convert(mode)

    assert read_mark(png(image)).rgba.shape == (61, 113, 4)


def test_a_large_mark_is_scaled_down_and_keeps_its_shape() -> None:
    mark = read_mark(png(emblem((0, 0, 0, 0)).resize((4000, 2400))))

    assert max(mark.rgba.shape[:2]) == marks.MAX_MARK_PX
    assert mark.aspect == pytest.approx(113 / 61, rel=0.02)


def solid(width: int, height: int) -> bytes:
    pixels: Pixels = np.full((height, width, 3), 200, np.uint8)
    return cv2.imencode(".png", pixels)[1].tobytes()


def animated() -> bytes:
    frames = [emblem((0, 0, 0, 0)), emblem((9, 9, 9, 255))]
    return png(frames[0], save_all=True, append_images=frames[1:])


def cmyk() -> bytes:
    out = io.BytesIO()
    emblem((0, 0, 0, 0)).convert("CMYK").save(out, "JPEG")
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "the body is empty"),
        (b"GIF89a" + bytes(40), "the picture is a GIF"),
        (cmyk(), "colours of print"),
        (solid(1, 1), "each side must be at least"),
        (png(emblem((0, 0, 0, 0)))[:-20], "truncated"),
        (animated(), "animated"),
        (solid(200, 100), "nothing can be seen"),
        (png(Image.new("RGBA", (100, 100), (255, 0, 0, 0))), "nothing can be seen"),
        (png(emblem((0, 0, 0, 0)).resize((34, 20))), "long side must have at least"),
        (cv2.imencode(".png", BOX)[1].tobytes(), "too plain"),
    ],
    ids=["empty", "gif", "print", "one pixel", "truncated", "animated", "one colour", "see-through", "tiny", "plain box"],
)
def test_what_is_no_mark_is_refused_by_name(data: bytes, says: str) -> None:
    with pytest.raises(InvalidSample, match=says):
        read_mark(data)


def test_a_picture_of_400_megapixels_is_refused_before_it_is_decoded() -> None:
    header = solid(64, 64)
    huge = header[:16] + (20_000).to_bytes(4, "big") * 2 + header[24:]

    with pytest.raises(SampleTooLarge, match="20000x20000"):
        read_mark(huge)


def test_a_very_long_line_is_refused() -> None:
    image = Image.new("RGBA", (1600, 40), (0, 0, 0, 0))
    ImageDraw.Draw(image).line([(x, 10 + 20 * (x // 20 % 2)) for x in range(0, 1600, 20)], fill=(255, 255, 255, 255), width=6)

    with pytest.raises(InvalidSample, match="times as long as wide"):
        read_mark(png(image))


def test_lettering_has_more_detail_than_a_disc() -> None:
    disc = Image.new("RGBA", (120, 120), (0, 0, 0, 0))
    ImageDraw.Draw(disc).ellipse((10, 10, 110, 110), fill=(255, 255, 255, 255))

    assert detail_of(read_mark(png(emblem((0, 0, 0, 0))))) > detail_of(read_mark(png(disc)))


def test_a_preview_shows_the_mark_on_three_grounds_at_two_strengths() -> None:
    drawn = preview(read_mark(png(emblem((0, 0, 0, 0)))))
    shown = np.asarray(cv2.imdecode(np.frombuffer(drawn, np.uint8), cv2.IMREAD_COLOR))

    width, height = marks.PREVIEW_PX
    assert shown.shape == (2 * height, 3 * width, 3)
    assert shown[10, 10].max() < 60 < 200 < shown[10, width + 10].min()


def test_a_mark_comes_back_as_it_was_encoded() -> None:
    mark = read_mark(png(emblem((0, 0, 0, 0))))

    assert np.array_equal(read_mark(mark.encoded()).rgba, mark.rgba)
