"""Known pictures among 100,000 hashes: how long a look-up takes, what is found again, and what is taken for known and is not.

Enrolled are screenshots and made-up pictures, with their crops and mirrors, among random hashes up to 100,000. Looked up are the
same pictures encoded, scaled and cropped, and 10,000 frames of other pictures. Beside it: comparing with every hash in numpy.

    python -m benchmarks.bench_hashes --pictures ../shared/data/games --clips ../shared/data/video
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from inference.samples import Pixels
from inference.vision.hashes import MAX_DISTANCE, HashIndex, spellings_of
from inference.vision.pdq import distance, hash_of
from models.image_titles import Title
from models.image_views import CLIP_SUFFIXES, read_clip, read_pictures
from tests.inference.samples_maker import broadcast

N_HASHES = 100_000
N_OTHERS = 10_000


def jpeg(quality: int) -> Callable[[Pixels], Pixels]:
    def encode(pixels: Pixels) -> Pixels:
        _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)

    return encode


def cropped(share: float) -> Callable[[Pixels], Pixels]:
    def crop(pixels: Pixels) -> Pixels:
        y, x = round(pixels.shape[0] * share), round(pixels.shape[1] * share)
        return np.ascontiguousarray(pixels[y : pixels.shape[0] - y, x : pixels.shape[1] - x])

    return crop


def even(pixels: Pixels) -> Pixels:
    return np.ascontiguousarray(pixels[: pixels.shape[0] // 2 * 2, : pixels.shape[1] // 2 * 2])


CHANGES: dict[str, Callable[[Pixels], Pixels]] = {
    "exact copy": lambda pixels: pixels,
    "JPEG 60": jpeg(60),
    "JPEG 30": jpeg(30),
    "H.264 crf 32": lambda pixels: broadcast(even(pixels), crf=32),
    "rescaled to 50 %": lambda pixels: np.asarray(cv2.resize(pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8),
    "rescaled to 50 %, JPEG 60": lambda pixels: jpeg(60)(CHANGES["rescaled to 50 %"](pixels)),
    "cropped by 2 % a side": cropped(0.02),
    "cropped by 5 % a side": cropped(0.05),
    "cropped by 8 % a side": cropped(0.08),
    "cropped by 5 % at the left": lambda pixels: np.ascontiguousarray(pixels[:, pixels.shape[1] // 20 :]),
    "mirrored": lambda pixels: np.ascontiguousarray(pixels[:, ::-1]),
}


def others(clips: list[Path], first_title: int) -> Iterator[Pixels]:
    """Frames of clips, all of them, then levels of made-up games that were not enrolled."""
    for path in clips:
        yield from read_clip(path, 2000)
    number = first_title
    while True:
        title = Title.of(number)
        for level in range(20):
            yield title.level(level)
        number += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, default=Path("../shared/data/games"), help="folder of folders with screenshots")
    parser.add_argument("--clips", type=Path, default=Path("../shared/data/video"), help="folder with clips")
    parser.add_argument("--others", type=int, default=N_OTHERS)
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    enrolled = [one for folder in sorted(asked.pictures.glob("*")) if folder.is_dir() for one in read_pictures(folder)]
    enrolled += [Title.of(number).level(number) for number in range(100)]
    spelt = [spellings_of(one) for one in enrolled]
    words = np.array([hashed.words for one in spelt for hashed in one], np.uint64)
    owners = np.repeat(np.arange(len(spelt)), [len(one) for one in spelt])
    rest = np.random.default_rng(0).integers(0, 2**64, (N_HASHES - len(words), 4), np.uint64)
    began = time.perf_counter()
    index = HashIndex.of(np.concatenate([words, rest]), np.r_[owners, np.full(len(rest), -1)].astype(np.int32))
    print(
        f"{len(enrolled)} pictures as {len(words)} hashes among {len(index):,}; index made in {time.perf_counter() - began:.2f} s\n"
    )
    telling = [number for number, one in enumerate(spelt) if one]
    print("| picture | found | of |\n|---|---|---|")
    for name, change in CHANGES.items():
        found = [index.nearest(hash_of(change(enrolled[number])).words) for number in telling]
        right = sum(near is not None and near.owner == number for near, number in zip(found, telling, strict=True))
        print(f"| {name} | {right / len(telling):.4f} | {len(telling)} |")
    clips = [path for path in sorted(asked.clips.glob("*")) if path.suffix in CLIP_SUFFIXES]
    looked, false, seconds = [], 0, 0.0
    for pixels, _ in zip(others(clips, 1000), range(asked.others), strict=False):
        hashed = hash_of(pixels)
        looked.append(hashed.words)
        began = time.thread_time()
        near = index.nearest(hashed.words)
        seconds += time.thread_time() - began
        false += near is not None and hashed.telling
    print(f"\ntaken for known among {len(looked):,} other frames: {false}")
    print(f"look-up: {seconds / len(looked) * 1000:.3f} ms of one core, {len(index):,} hashes")
    began = time.thread_time()
    for word in looked[:50]:
        bool(distance(word, index.words).min() <= MAX_DISTANCE)
    print(f"comparing with every hash: {(time.thread_time() - began) / 50 * 1000:.3f} ms")
    frame = cv2.resize(enrolled[0], (1280, 720))
    began = time.thread_time()
    for _ in range(50):
        hash_of(frame)
    print(f"hashing a 720p frame: {(time.thread_time() - began) / 50 * 1000:.3f} ms")


if __name__ == "__main__":
    main()
