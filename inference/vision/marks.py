"""A mark as staff send it: a picture with or without transparency in, its pixels and what is see-through out, or why it is unfit.

A mark on one flat colour is taken off it, since on the air nobody sees that colour; a mark on anything else is taken as it is. What
a network makes of a mark is `logo.py`; whether it is like another one is asked there too.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from inference.errors import InvalidSample
from inference.pictures import PictureType, decode_picture, read_header, refuse_print_colours
from inference.samples import Pixels

MIN_MARK_PX = 24
"""Shortest long side of a mark; one of fewer pixels has no shape that survives a video codec."""
MAX_MARK_PX = 512
"""Longer marks are scaled down to this: none is larger than a few hundred pixels on the air."""
MAX_ASPECT = 14.0
"""Width to height, or height to width, of the longest mark that is looked for."""
MIN_DETAIL = 0.02
"""Share of a mark's area that must be edges or outline; a plain bar or box has less and is everywhere."""
FLAT_SPREAD = 6.0
"""Most that the border of a picture may vary, grey levels, to be taken for one flat colour."""
KEYED_FROM, KEYED_TO = 12.0, 48.0
"""Distance from the flat colour up to which a pixel is see-through, and from which it is solid, grey levels."""
PREVIEW_PX = (320, 180)
"""Width and height of each picture of a preview."""

_SOLID = 250
"""Opacity from which nothing behind a pixel is seen, 0..255."""
_VISIBLE = 24
"""Opacity from which a pixel belongs to the mark, 0..255."""


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """One picture of a logo, trimmed to what can be seen of it."""

    rgba: Pixels
    """RGB and opacity, uint8, shape (H, W, 4)."""
    keyed: bool = False
    """True where a flat background was taken off."""

    @property
    def aspect(self) -> float:
        """Width divided by height."""
        return float(self.rgba.shape[1] / self.rgba.shape[0])

    @property
    def opaque(self) -> bool:
        """Whether nothing of it is see-through."""
        return bool(self.rgba[..., 3].min() >= _SOLID)

    def encoded(self) -> bytes:
        """Return it as PNG."""
        _, png = cv2.imencode(".png", cv2.cvtColor(self.rgba, cv2.COLOR_RGBA2BGRA))
        return png.tobytes()


def read_mark(data: bytes) -> Mark:
    """Decode a picture of a logo.

    Args:
        data: PNG, WebP or JPEG.

    Raises:
        SampleTooLarge: over 20 MB or 25 megapixels.
        InvalidSample: no picture, animated, damaged, in the colours of print, too small, too long, empty or too plain; says what
            to send instead.
    """
    rgba = _decode(data)
    keyed = bool(rgba[..., 3].min() >= _SOLID) and _is_on_flat(rgba)
    if keyed:
        rgba = _without_background(rgba)
    mark = Mark(_trimmed(rgba), keyed)
    height, width = mark.rgba.shape[:2]
    if max(height, width) < MIN_MARK_PX:
        raise InvalidSample(
            f"the mark is {width}x{height} pixels; its long side must have at least {MIN_MARK_PX}, send a larger picture"
        )
    if max(mark.aspect, 1 / mark.aspect) > MAX_ASPECT:
        raise InvalidSample(
            f"the mark is {width}x{height} pixels; at most {MAX_ASPECT:.0f} times as long as wide, send a part of it"
        )
    detail = detail_of(mark)
    if detail < MIN_DETAIL:
        raise InvalidSample(
            f"the mark is too plain ({detail:.1%} of it is edges, {MIN_DETAIL:.0%} are needed): a flat shape is everywhere; "
            "send the mark with its lettering or emblem"
        )
    return mark


def detail_of(mark: Mark) -> float:
    """Tell which share of a mark's area is edges, of brightness or of its outline, beyond those of a plain bar; 0..1."""
    side = 96
    scale = side / max(mark.rgba.shape[:2])
    size = (max(8, round(mark.rgba.shape[1] * scale)), max(8, round(mark.rgba.shape[0] * scale)))
    small = cv2.resize(mark.rgba, size, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small[..., :3], cv2.COLOR_RGB2GRAY).astype(np.float32)
    opacity = small[..., 3].astype(np.float32)
    # On grey, half way between black and white, both a mark's own edges and its outline show.
    shown = grey * (opacity / 255) + 127.0 * (1 - opacity / 255)
    slope = np.hypot(cv2.Sobel(shown, cv2.CV_32F, 1, 0), cv2.Sobel(shown, cv2.CV_32F, 0, 1))
    inner = slope[2:-2, 2:-2]
    return float((inner > 60).mean()) if inner.size else 0.0


def preview(mark: Mark) -> bytes:
    """Draw what will be looked for: the mark on dark, on light and on busy ground, solid and half see-through. PNG."""
    rows = [np.hstack([_on(ground, mark, opacity) for ground in _grounds()]) for opacity in (1.0, 0.5)]
    _, png = cv2.imencode(".png", cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))
    return png.tobytes()


def _decode(data: bytes) -> Pixels:
    header = read_header(data)
    if header.type is PictureType.JPEG:
        refuse_print_colours(header, data)
        rgb = decode_picture(data)
        return np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
    raw = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if raw is None:
        raise InvalidSample("the picture cannot be decoded: damaged data; send it again whole")
    pixels = (raw / 257).astype(np.uint8) if raw.dtype == np.uint16 else np.asarray(raw, np.uint8)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.shape[2] == 4:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA), np.uint8)
    rgb = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB if pixels.shape[2] == 1 else cv2.COLOR_BGR2RGB), np.uint8)
    return np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])


def _border(rgba: Pixels) -> Pixels:
    rgb = rgba[..., :3]
    return np.concatenate([rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1]])


def _is_on_flat(rgba: Pixels) -> bool:
    """Tell whether nearly all of the border is one colour."""
    border = _border(rgba).astype(np.float32)
    far = np.abs(border - np.median(border, axis=0)).max(axis=1)
    return float(np.quantile(far, 0.9)) <= FLAT_SPREAD


def _without_background(rgba: Pixels) -> Pixels:
    """Make the flat colour see-through; what is near it becomes partly so, and loses its share of it."""
    ground = np.median(_border(rgba).astype(np.float32), axis=0)
    rgb = rgba[..., :3].astype(np.float32)
    far = np.abs(rgb - ground).max(axis=-1)
    share = np.clip((far - KEYED_FROM) / (KEYED_TO - KEYED_FROM), 0.0, 1.0)[..., None]
    clear = (rgb - (1 - share) * ground) / np.maximum(share, 0.05)
    return np.dstack([np.clip(clear, 0, 255), share[..., 0] * 255]).astype(np.uint8)


def _trimmed(rgba: Pixels) -> Pixels:
    """Cut away what cannot be seen around the mark, and scale it down where it is very large."""
    seen = rgba[..., 3] >= _VISIBLE
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    if not len(rows):
        raise InvalidSample("nothing can be seen of the mark: it is see-through, or of one colour all over; send its picture")
    cut = rgba[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = MAX_MARK_PX / max(cut.shape[:2])
    if scale >= 1:
        return np.ascontiguousarray(cut)
    size = (max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale)))
    # Colours of see-through pixels mean nothing and must not bleed into the edge: average weighted by opacity.
    weight = cut[..., 3:].astype(np.float32) / 255
    colour = cv2.resize(cut[..., :3] * weight, size, interpolation=cv2.INTER_AREA)
    opacity = cv2.resize(weight, size, interpolation=cv2.INTER_AREA)
    return np.dstack([colour / np.maximum(opacity, 1e-3)[..., None], opacity * 255]).clip(0, 255).astype(np.uint8)


def _grounds() -> tuple[Pixels, ...]:
    width, height = PREVIEW_PX
    dark = np.full((height, width, 3), 28, np.uint8)
    light = np.full((height, width, 3), 226, np.uint8)
    noise = np.random.default_rng(1).integers(0, 255, size=(height // 12, width // 12, 3), dtype=np.uint8)
    return dark, light, np.asarray(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def _on(ground: Pixels, mark: Mark, opacity: float) -> Pixels:
    """Lay the mark over the middle of a ground."""
    height, width = ground.shape[:2]
    scale = min(0.7 * width / mark.rgba.shape[1], 0.7 * height / mark.rgba.shape[0])
    size = (max(1, round(mark.rgba.shape[1] * scale)), max(1, round(mark.rgba.shape[0] * scale)))
    scaled = cv2.resize(mark.rgba, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    x, y = (width - size[0]) // 2, (height - size[1]) // 2
    shown = ground.copy()
    place = shown[y : y + size[1], x : x + size[0]]
    share = scaled[..., 3:].astype(np.float32) / 255 * opacity
    place[:] = (place * (1 - share) + scaled[..., :3] * share).astype(np.uint8)
    return shown
