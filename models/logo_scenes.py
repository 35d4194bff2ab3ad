"""Looks at made-up streams: scenery, what stands on it, marks, the H.264 encoder in between, and where the marks are.

Scenes are the same for the same seed, folder and fonts. Encoding is done by the `ffmpeg` program with few frames far apart: at a
constant rate factor a picture's damage depends little on how far apart they are.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import cv2
import numpy as np

from models.errors import DataError
from models.logo_clutter import Clutter, draw_clutter
from models.logo_codec import N_FRAMES, Bytes, Floats, Planes, planes_of
from models.logo_fonts import Part
from models.logo_footage import HEIGHT_PX, WIDTH_PX, Footage
from models.logo_marks import FAMILY, Mark, draw_mark, mark_seed
from models.logo_renderings import Tint, lay, overlay_of, scaled, tinted

_SIZE = (WIDTH_PX, HEIGHT_PX)
GROUP = 4
"""Scenes that go through the encoder in one run: starting it costs as much as encoding one."""
_MARK_SEEDS = 500_000_000
_GAP_PX = 10
_LOOKS = (N_FRAMES, N_FRAMES, 9, 5, 3, 2, 1, 1, 1)
"""Frames of a look: many where a room was looked at before, one where what is new is sought."""
_COVERED = 0.1
"""Share of marks that something stands in front of."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A mark on a scene."""

    mark: Mark
    left: float
    top: float
    width: float
    height: float
    """Pixels of the frame; of what is seen, turned marks included."""
    opacity: float
    tint: Tint


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One look and what is on it."""

    planes: Planes
    marks: tuple[Placed, ...]
    unclear: Floats
    """Boxes of what may be taken for a logo, shape (n, 4)."""
    frames: tuple[Bytes, ...]
    """The decoded I420 frames of the look."""


def draw_scenes(seed: int, footage: Footage, part: Part, *, n: int = GROUP) -> list[Scene]:
    """Make a group of scenes with up to a dozen marks each, as training wants them; they share one run of the encoder."""
    random = Random(seed * 3 + (1 if part is Part.TEST else 0))
    drafts = [_draft(random, footage, part) for _ in range(n)]
    rate_factor, scale = random.randint(21, 33), random.choice((1.0, 1.0, 1.0, 0.75))
    whole = through_codec([frame for draft in drafts for frame in draft.frames], rate_factor=rate_factor, scale=scale)
    scenes, first = [], 0
    for draft in drafts:
        decoded = whole[first : first + len(draft.frames)]
        first += len(draft.frames)
        scenes.append(Scene(planes_of(decoded), draft.marks, draft.unclear, tuple(decoded)))
    return scenes


@dataclass(frozen=True, slots=True, eq=False)
class _Draft:
    """A scene in front of the encoder."""

    frames: list[Bytes]
    marks: tuple[Placed, ...]
    unclear: Floats


def _draft(random: Random, footage: Footage, part: Part) -> _Draft:
    n_frames = random.choice(_LOOKS)
    frames = scenery(random, footage, n_frames)
    things = draw_clutter(random, part, n_frames, _SIZE)
    marks = [_placed(random, draw_mark(each)) for each in _mark_seeds(random, part)]
    spots = _spots(random, [(mark.width, mark.height) for mark, _ in marks])
    laid = [(replace(mark, left=spot[0], top=spot[1]), picture) for (mark, picture), spot in zip(marks, spots, strict=True) if spot]
    covers = [(mark, draw_cover(random, picture)) for mark, picture in laid if random.random() < _COVERED]
    above = random.random() < 0.12
    for at, frame in enumerate(frames):
        if not above:
            _lay_things(frame, things, at)
        for mark, picture in laid:
            lay_picture(frame, picture, int(mark.left), int(mark.top), opacity=mark.opacity)
        for mark, cover in covers:
            lay_picture(frame, cover.rgba, int(mark.left) + cover.left, int(mark.top) + cover.top)
        if above:
            _lay_things(frame, things, at)
    return _Draft(frames, tuple(mark for mark, _ in laid), _unclear(things))


def _unclear(things: Sequence[Clutter]) -> Floats:
    boxes = [(one.left, one.top, one.left + one.rgba.shape[1], one.top + one.rgba.shape[0]) for one in things if one.logo_like]
    return np.array(boxes, np.float32).reshape(-1, 4)


def _mark_seeds(random: Random, part: Part) -> list[int]:
    """Draw marks, now and then two of one family."""
    seeds: list[int] = []
    for _ in range(random.choice((0, 4, 6, 8, 9, 10, 12))):
        if seeds and random.random() < 0.25:
            base = seeds[-1] % _MARK_SEEDS // FAMILY * FAMILY
            seeds.append(mark_seed(base + random.randrange(FAMILY), part))
        else:
            seeds.append(mark_seed(random.randrange(_MARK_SEEDS), part))
    return sorted(set(seeds))


def _placed(random: Random, mark: Mark) -> tuple[Placed, Bytes]:
    """Draw width, opacity, tint and distortion of a mark; its place comes later."""
    ratio = mark.rgba.shape[0] / mark.rgba.shape[1]
    share = 0.036 * (0.26 / 0.036) ** random.random()
    width = min(share * WIDTH_PX, 0.3 * HEIGHT_PX / ratio)
    width = max(width, 14.0 / ratio) if ratio < 0.3 else width
    tint = random.choices(tuple(Tint), (0.7, 0.2, 0.1))[0]
    level = None if tint is Tint.OWN else random.randint(150, 255)
    picture = scaled(tinted(mark.rgba, tint, level=level), max(8, round(width)), max(6, round(width * ratio)))
    if random.random() < 0.25:
        picture = distorted(random, picture)
    opacity = random.uniform(0.35, 1.0) if random.random() < 0.75 else 1.0
    return Placed(mark, 0.0, 0.0, picture.shape[1], picture.shape[0], opacity, tint), picture


def distorted(random: Random, picture: Bytes) -> Bytes:
    """Turn and shear a mark a little, as a phone that films a screen does; cut to what is seen."""
    height, width = picture.shape[:2]
    pad = max(width, height) // 3 + 4
    turn = cv2.getRotationMatrix2D((width / 2 + pad, height / 2 + pad), random.uniform(-8, 8), random.uniform(0.92, 1.08))
    matrix = np.asarray(turn, np.float64)
    matrix[0, 1] += random.uniform(-0.12, 0.12)
    padded = np.zeros((height + 2 * pad, width + 2 * pad, 4), np.uint8)
    padded[:, :, :3] = picture[picture[:, :, 3] > 60, :3].mean(axis=0) if (picture[:, :, 3] > 60).any() else 0
    padded[pad : pad + height, pad : pad + width] = picture
    turned: Any = cv2.warpAffine(padded, matrix, (padded.shape[1], padded.shape[0]), flags=cv2.INTER_LINEAR)
    seen = np.argwhere(np.asarray(turned)[:, :, 3] > 24)
    if len(seen) == 0:
        return picture
    (top, left), (bottom, right) = seen.min(axis=0), seen.max(axis=0) + 1
    return np.asarray(turned[top:bottom, left:right], np.uint8)


def draw_cover(random: Random, picture: Bytes) -> Clutter:
    """Draw a plate in front of a mark's side, as a window or a hand would be: a tenth to a third of it, one colour or two.

    Returns:
        the plate and where it lies, pixels right and down of the mark's corner.
    """
    height, width = picture.shape[:2]
    share = random.uniform(0.1, 0.35)
    across = random.random() < 0.6
    rows, columns = (height, max(2, round(width * share))) if across else (max(2, round(height * share)), width)
    plate = np.empty((rows, columns, 4), np.uint8)
    tones = np.array([[random.randrange(256) for _ in range(3)] for _ in range(2)], np.float32)
    fade = np.linspace(0.0, 1.0 if random.random() < 0.5 else 0.0, columns, dtype=np.float32)[:, None]
    plate[:, :, :3] = (tones[0] * (1.0 - fade) + tones[1] * fade)[None]
    plate[:, :, 3] = 255
    far = random.random() < 0.5
    return Clutter(plate, width - columns if far and across else 0, height - rows if far and not across else 0)


def _spots(random: Random, sizes: Sequence[tuple[float, float]]) -> list[tuple[int, int] | None]:
    """Draw places that do not touch, most of them near corners and rims; None where there is no room."""
    taken: list[tuple[float, float, float, float]] = []
    out: list[tuple[int, int] | None] = []
    for width, height in sizes:
        found = None
        for _ in range(20):
            x, y = _spot(random, width, height)
            box = (x - _GAP_PX, y - _GAP_PX, x + width + _GAP_PX, y + height + _GAP_PX)
            if not any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in taken):
                found = (x, y)
                taken.append(box)
                break
        out.append(found)
    return out


def _spot(random: Random, width: float, height: float) -> tuple[int, int]:
    room = (int(WIDTH_PX - width), int(HEIGHT_PX - height))
    if random.random() < 0.4:
        return random.randint(0, room[0]), random.randint(0, room[1])
    inset = (random.randint(4, 90), random.randint(4, 70))
    x = min(inset[0], room[0]) if random.random() < 0.5 else max(0, room[0] - inset[0])
    y = min(inset[1], room[1]) if random.random() < 0.5 else max(0, room[1] - inset[1])
    return x, y


def lay_picture(frame: Bytes, picture: Bytes, left: int, top: int, *, opacity: float = 1.0) -> None:
    """Lay a picture on an I420 frame at any place, in place."""
    shift = (left % 2, top % 2)
    lay(frame, overlay_of(picture, opacity=opacity, shift=shift), left - shift[0], top - shift[1])


def _lay_things(frame: Bytes, things: Sequence[Clutter], at: int) -> None:
    for thing in things:
        if thing.frames is None or at in thing.frames:
            lay_picture(frame, thing.rgba, int(thing.left + thing.pace[0] * at), int(thing.top + thing.pace[1] * at))


def scenery(random: Random, footage: Footage, n: int) -> list[Bytes]:
    """Draw scenery as I420, laid out as streams do: whole, letterboxed, upright between bars, or with a small second picture."""
    frames = footage.frames(random, n)
    chance = random.random()
    if chance < 0.08:
        bar = random.randint(30, 100)
        for frame in frames:
            frame[:bar] = frame[-bar:] = 0
    elif chance < 0.16:
        frames = [_upright(frame, blurred=chance < 0.12) for frame in frames]
    elif chance < 0.34:
        scale, x, y = random.uniform(0.18, 0.34), random.randint(0, 1), random.randint(0, 1)
        width, height = int(WIDTH_PX * scale), int(HEIGHT_PX * scale)
        left, top = (WIDTH_PX - width - 16) * x + 8, (HEIGHT_PX - height - 16) * y + 8
        for frame, inner in zip(frames, footage.frames(random, n), strict=True):
            frame[top : top + height, left : left + width] = cv2.resize(inner, (width, height), interpolation=cv2.INTER_AREA)
    return [np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2YUV_I420), np.uint8) for frame in frames]


def _upright(frame: Bytes, *, blurred: bool) -> Bytes:
    width = HEIGHT_PX * 9 // 16
    left = (WIDTH_PX - width) // 2
    out = np.zeros_like(frame)
    if blurred:
        out[:] = cv2.blur(cv2.resize(frame[:, left : left + width], _SIZE), (61, 61))
    out[:, left : left + width] = frame[:, left : left + width]
    return out


def through_codec(frames: Sequence[Bytes], *, rate_factor: int, scale: float = 1.0, hz: int = 2) -> list[Bytes]:
    """Send I420 frames through H.264 and back.

    Args:
        frames: of one size.
        rate_factor: x264's, 18 good to 35 bad.
        scale: of the encoded picture by the frames'.
        hz: frames a second, which the encoder's choices depend on a little.

    Raises:
        DataError: `ffmpeg` is missing or fails.
    """
    height, width = frames[0].shape[0] * 2 // 3, frames[0].shape[1]
    raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p"]
    small = f"scale={int(width * scale) // 2 * 2}:{int(height * scale) // 2 * 2}" if scale != 1.0 else "null"
    reading = [*raw, "-s", f"{width}x{height}", "-r", str(hz), "-i", "-", "-vf", small]
    writing = ["-c:v", "libx264", "-preset", "veryfast", "-crf", str(rate_factor), "-threads", "1", "-f", "h264", "-"]
    encoded = _ffmpeg([*reading, *writing], b"".join(frame.tobytes() for frame in frames))
    back = f"scale={width}:{height}" if scale != 1.0 else "null"
    decoded = _ffmpeg(["-threads", "1", "-f", "h264", "-i", "-", "-vf", back, *raw, "-"], encoded)
    size = frames[0].size
    if len(decoded) < size * len(frames):
        raise DataError(f"the codec gave {len(decoded) // size} of {len(frames)} frames back")
    return [np.frombuffer(decoded, np.uint8, size, at * size).reshape(frames[0].shape) for at in range(len(frames))]


def _ffmpeg(arguments: list[str], given: bytes) -> bytes:
    try:
        done = subprocess.run(["ffmpeg", "-v", "error", *arguments], input=given, capture_output=True, check=False, timeout=120)
    except FileNotFoundError as exc:
        raise DataError("the program ffmpeg is missing; install it to make scenes for the logo networks") from exc
    if done.returncode:
        raise DataError(f"ffmpeg failed: {done.stderr.decode(errors='replace').strip()[:200]}")
    return done.stdout
