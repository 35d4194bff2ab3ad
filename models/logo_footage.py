"""What lies behind the marks: real clips and game pictures set in motion, and made-up scenery, each side of the split its own.

Frames are BGR, uint8, 1280 by 720. Clips are decoded by the `ffmpeg` program; a still is moved over and zoomed like a game would.
"""

from __future__ import annotations

import subprocess
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import cv2
import numpy as np

from models.errors import DataError
from models.logo_codec import Bytes
from models.logo_fonts import Part

WIDTH_PX, HEIGHT_PX = 1280, 720
_SIZE = (WIDTH_PX, HEIGHT_PX)

TEST_CLIPS = ("cockatoo", "flower")
TEST_GAMES = ("luanti",)
"""Kept from training whole; of the other games one picture in five is."""
_HELD_BACK_ONE_IN = 5
_CLIP_HZ = 3
_N_CLIP_FRAMES = 120
"""Most frames kept of one clip; a long one is thinned out in stretches."""
_N_STRETCHES = 6


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Frames of one shot, a third of a second apart."""

    name: str
    frames: Sequence[Bytes]


class Footage:
    """Draws scenery of one side of the split."""

    def __init__(self, folder: Path, part: Part) -> None:
        """Read clips from `video/` and pictures from `games/` of a folder.

        Raises:
            DataError: there are none, or `ffmpeg` is missing.
        """
        with ThreadPoolExecutor() as pool:  # each waits for a process of its own
            self._clips = [clip for shots in pool.map(_decoded, _clips(folder, part)) for clip in shots]
        self._stills = [picture for path in _pictures(folder, part) if (picture := cv2.imread(str(path))) is not None]
        if not self._clips and not self._stills:
            raise DataError(f"no clip under {folder}/video and no picture under {folder}/games")

    def frames(self, random: Random, n: int) -> list[Bytes]:
        """Draw n frames of one piece of scenery, in order of time."""
        chance = random.random()
        if chance < 0.1:
            return _made_up(random, n)
        if self._clips and (chance < 0.5 or not self._stills):
            return self._clip(random, n)
        return self._still(random, n)

    def _clip(self, random: Random, n: int) -> list[Bytes]:
        clip = random.choice(self._clips)
        step = random.choice((1, 1, 2, 3))
        first = random.randrange(len(clip.frames))
        turn = 2 * max(1, len(clip.frames) - 1)
        places = [(first + at * step) % turn for at in range(n)]
        shape = clip.frames[0].shape
        window = _window(random, (shape[1], shape[0]), least=0.6)
        moved = _window(random, (shape[1], shape[0]), least=0.6) if random.random() < 0.3 else window
        tone = _Tone(random)
        frames = [clip.frames[min(place, turn - place)] for place in places]
        return [tone.of(_cut(frame, window + (moved - window) * (at / n))) for at, frame in enumerate(frames)]

    def _still(self, random: Random, n: int) -> list[Bytes]:
        picture = random.choice(self._stills)
        size = (picture.shape[1], picture.shape[0])
        path = [_window(random, size, least=0.4) for _ in range(random.randint(2, 4))]
        if random.random() < 0.08:
            path = path[:1]
        shake = random.choice((0.0, 2.0, 8.0))
        tone = _Tone(random)
        out = []
        for at in range(n):
            along = at / max(1, n - 1) * (len(path) - 1)
            low = min(int(along), len(path) - 1)
            high = min(low + 1, len(path) - 1)
            window = path[low] + (path[high] - path[low]) * (along - low)
            window = window + np.array([random.gauss(0, shake), random.gauss(0, shake), 0.0])
            out.append(tone.of(_cut(picture, window)))
        return out


class _Tone:
    """One change of colours for all frames of a scene: gain and bend of each channel, mirrored or not."""

    def __init__(self, random: Random) -> None:
        levels = np.arange(256, dtype=np.float32) / 255
        tables = []
        for _ in range(3):
            bent = levels ** random.uniform(0.75, 1.35) * random.uniform(0.7, 1.15)
            tables.append(np.clip(bent * 255 + random.uniform(-12, 12), 0, 255))
        self._table = np.stack(tables, axis=-1).astype(np.uint8)[None]
        order = [0, 1, 2]
        if random.random() < 0.3:
            random.shuffle(order)
        self._order = order
        self._plain = random.random() < 0.3
        self._mirrored = random.random() < 0.5

    def of(self, frame: Bytes) -> Bytes:
        """Change one frame."""
        if self._mirrored:
            frame = frame[:, ::-1]
        if self._plain:
            return np.ascontiguousarray(frame)
        changed: Any = cv2.LUT(np.ascontiguousarray(frame[:, :, self._order]), self._table)
        return np.asarray(changed, np.uint8)


def _window(random: Random, size: tuple[int, int], *, least: float) -> Any:
    """Draw a window of the frame's shape in a picture: left, top, width."""
    widest = min(size[0], size[1] * WIDTH_PX / HEIGHT_PX)
    width = widest * random.uniform(least, 1.0)
    height = width * HEIGHT_PX / WIDTH_PX
    return np.array([random.uniform(0, size[0] - width), random.uniform(0, size[1] - height), width])


def _cut(picture: Any, window: Any) -> Bytes:
    scale = WIDTH_PX / float(window[2])
    matrix = np.array([[scale, 0.0, -float(window[0]) * scale], [0.0, scale, -float(window[1]) * scale]])
    cut: Any = cv2.warpAffine(picture, matrix, _SIZE, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(cut, np.uint8)


def _made_up(random: Random, n: int) -> list[Bytes]:
    """Drift coloured noise of several scales, or plates of flat colour, under a window."""
    dice = np.random.default_rng(random.getrandbits(32))
    big = np.zeros((HEIGHT_PX + 240, WIDTH_PX + 400, 3), np.float32)
    for cells in (4, 16, 64)[: random.randint(1, 3)]:
        coarse = dice.uniform(0, 255, (cells, 2 * cells, 3)).astype(np.float32)
        kind = random.choice((cv2.INTER_CUBIC, cv2.INTER_NEAREST, cv2.INTER_LINEAR))
        big += np.asarray(cv2.resize(coarse, (big.shape[1], big.shape[0]), interpolation=kind)) * 0.5
    whole = np.clip(big, 0, 255).astype(np.uint8)
    pace = (random.uniform(-1, 1) * 400 / n, random.uniform(-1, 1) * 240 / n)
    start = (200 - pace[0] * n / 2, 120 - pace[1] * n / 2)
    places = [(int(start[0] + pace[0] * at), int(start[1] + pace[1] * at)) for at in range(n)]
    return [np.ascontiguousarray(whole[y : y + HEIGHT_PX, x : x + WIDTH_PX]) for x, y in places]


def _clips(folder: Path, part: Part) -> list[Path]:
    files = sorted(path for suffix in ("mp4", "webm", "mkv") for path in (folder / "video").glob(f"*.{suffix}"))
    return [path for path in files if (path.stem in TEST_CLIPS) == (part is Part.TEST)]


def _pictures(folder: Path, part: Part) -> Iterator[Path]:
    for path in sorted((folder / "games").glob("*/*.jpg")):
        held_back = path.parent.name in TEST_GAMES or zlib.crc32(path.name.encode()) % _HELD_BACK_ONE_IN == 0
        if held_back == (part is Part.TEST):
            yield path


def _decoded(path: Path) -> list[Clip]:
    """Decode a clip at a few frames a second, cut into shots of even length where it is long."""
    command = ["ffmpeg", "-v", "error", "-threads", "1", "-i", str(path), "-map", "0:v:0", "-vf", f"fps={_CLIP_HZ},scale=960:-2"]
    command += ["-f", "rawvideo", "-pix_fmt", "bgr24", "-"]
    height = _scaled_height(path)
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=300)
    except FileNotFoundError as exc:
        raise DataError("the program ffmpeg is missing; install it to make scenes for the logo networks") from exc
    size = 960 * height * 3
    if done.returncode or len(done.stdout) < size:
        raise DataError(f"ffmpeg cannot read {path}: {done.stderr.decode(errors='replace').strip()[:200]}")
    frames = [
        np.frombuffer(done.stdout, np.uint8, size, at * size).reshape(height, 960, 3) for at in range(len(done.stdout) // size)
    ]
    if len(frames) <= _N_CLIP_FRAMES:
        return [Clip(path.stem, frames)]
    length = _N_CLIP_FRAMES // _N_STRETCHES
    starts = [round(at * (len(frames) - length) / (_N_STRETCHES - 1)) for at in range(_N_STRETCHES)]
    return [
        Clip(f"{path.stem}-{at}", [frame.copy() for frame in frames[start : start + length]]) for at, start in enumerate(starts)
    ]


def _scaled_height(path: Path) -> int:
    capture = cv2.VideoCapture(str(path))
    width, height = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
    capture.release()
    if not width:
        raise DataError(f"cannot read the size of {path}")
    return round(height * 960 / width / 2) * 2
