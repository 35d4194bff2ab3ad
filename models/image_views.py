"""What a picture network is shown: parts of frames as streams distort them, under HUDs, webcam boxes, chat and the marks of codecs.

Sources come from clips, screenshots and made-up games (`image_titles.py`); a *view* is one distorted look at a source.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from models.errors import DataError
from models.image_titles import Pixels

VIEW_SIZE = (384, 216)
"""Width and height a view is distorted at, before the network's own size."""

CLIP_SUFFIXES = frozenset({".mp4", ".webm", ".mkv", ".mov", ".flv"})


def read_clip(path: Path, n_frames: int) -> list[Pixels]:
    """Read frames of a clip, evenly spread, RGB uint8 (H, W, 3).

    Raises:
        DataError: it cannot be read.
    """
    clip = cv2.VideoCapture(str(path))
    try:
        frames: list[Pixels] = []
        total = max(1, int(clip.get(cv2.CAP_PROP_FRAME_COUNT)))
        wanted = set(np.linspace(0, total - 1, n_frames).astype(int).tolist())
        for number in range(total):
            if not clip.grab():
                break
            if number in wanted:
                read, bgr = clip.retrieve()
                if read:
                    frames.append(np.ascontiguousarray(bgr[..., ::-1]))
    finally:
        clip.release()
    if not frames:
        raise DataError(f"no frame can be read from {path}; give clips that OpenCV reads")
    return frames


def read_pictures(folder: Path) -> list[Pixels]:
    """Read every JPEG and PNG of a folder, by name, RGB uint8 (H, W, 3)."""
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"})
    read = [cv2.imread(str(path), cv2.IMREAD_COLOR) for path in paths]
    return [np.ascontiguousarray(bgr[..., ::-1]) for bgr in read if bgr is not None]


def part_of_frame(pixels: Pixels, rng: np.random.Generator, *, least: float) -> Pixels:
    """Cut a part of a frame out, each side between `least` and all of it, scaled to `VIEW_SIZE`."""
    height, width = pixels.shape[:2]
    share = rng.uniform(least, 1.0)
    tall, wide = max(8, round(height * share)), max(8, round(width * share))
    y, x = int(rng.integers(height - tall + 1)), int(rng.integers(width - wide + 1))
    return np.asarray(cv2.resize(pixels[y : y + tall, x : x + wide], VIEW_SIZE, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def view(pixels: Pixels, rng: np.random.Generator, *, faces: Sequence[Pixels]) -> Pixels:
    """Look at a source as a stream might show it.

    Args:
        pixels: RGB uint8 (H, W, 3).
        rng: decides on everything.
        faces: pictures that stand in for what a webcam shows.

    Returns:
        RGB uint8, `VIEW_SIZE`.
    """
    seen = part_of_frame(pixels, rng, least=0.6).copy()
    if rng.random() < 0.35:
        _lay_webcam(seen, rng, faces)
    if rng.random() < 0.25:
        _lay_chat(seen, rng)
    if rng.random() < 0.3:
        _lay_text(seen, rng)
    if rng.random() < 0.6:
        tone = rng.uniform(0.8, 1.2) * rng.uniform(0.93, 1.07, 3)
        seen = np.clip(seen * tone + rng.normal(0, 6), 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        seen = np.ascontiguousarray(seen[:, ::-1])
    return _recoded(seen, rng)


def _lay_webcam(seen: Pixels, rng: np.random.Generator, faces: Sequence[Pixels]) -> None:
    wide = int(VIEW_SIZE[0] * rng.uniform(0.12, 0.35))
    tall = int(wide * rng.uniform(0.6, 1.0))
    face = cv2.resize(faces[int(rng.integers(len(faces)))], (wide, tall), interpolation=cv2.INTER_AREA)
    x = 0 if rng.random() < 0.5 else VIEW_SIZE[0] - wide
    y = int(rng.choice([0, (VIEW_SIZE[1] - tall) // 2, VIEW_SIZE[1] - tall]))
    seen[y : y + tall, x : x + wide] = face


def _lay_chat(seen: Pixels, rng: np.random.Generator) -> None:
    wide = int(VIEW_SIZE[0] * rng.uniform(0.1, 0.25))
    x = 0 if rng.random() < 0.5 else VIEW_SIZE[0] - wide
    opacity = rng.uniform(0.4, 1.0)
    panel = seen[:, x : x + wide]
    panel[:] = (panel * (1 - opacity) + rng.integers(10, 240, 3) * opacity).astype(np.uint8)
    for y in range(10, VIEW_SIZE[1], 13):
        words = "".join(chr(int(code)) for code in rng.integers(97, 123, int(rng.integers(3, 14))))
        colour = [int(part) for part in rng.integers(0, 255, 3)]
        cv2.putText(seen, words, (x + 3, y), cv2.FONT_HERSHEY_SIMPLEX, 0.3, colour, 1)


def _lay_text(seen: Pixels, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(1, 5))):
        words = "".join(chr(int(code)) for code in rng.integers(48, 123, int(rng.integers(3, 24))))
        at = (int(rng.integers(VIEW_SIZE[0])), int(rng.integers(VIEW_SIZE[1])))
        colour = [int(part) for part in rng.integers(120, 256, 3)]
        cv2.putText(seen, words, at, cv2.FONT_HERSHEY_DUPLEX, float(rng.uniform(0.3, 1.0)), colour, 1)


def _recoded(seen: Pixels, rng: np.random.Generator) -> Pixels:
    """Shrink, encode hard and blow up again, as little bandwidth does."""
    ratio = rng.uniform(0.45, 1.0)
    size = (round(VIEW_SIZE[0] * ratio), round(VIEW_SIZE[1] * ratio))
    small = cv2.resize(seen, size, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(18, 85))])
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None  # for the type checker: it was encoded a line before
    return np.asarray(cv2.resize(decoded, VIEW_SIZE, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
