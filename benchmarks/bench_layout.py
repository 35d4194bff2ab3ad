"""What stripping bars and looking tile by tile does for the porn detector, on made-up layouts of benign pictures.

Its face and covered classes stand in for the exposed ones. A part counts as seen again where the layout shows it with the same
class, half overlapping, at the suppression's own threshold. Pictures are frames of real clips with people on them; needs the model.

    python -m benchmarks.bench_layout --clips ../shared/data/video/tears-of-steel-battle-clip-medium.webm
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import numpy as np

from inference.devices import DeviceKind, DeviceShare
from inference.lanes import Device
from inference.planes import PlanarPicture
from inference.registry import build_detectors
from inference.samples import FrameSample, Picture, Pixels, RgbPicture
from inference.text.check import TextChecker
from inference.verdicts import Box
from inference.vision.layout import WHOLE, layout_of
from inference.vision.layout_memory import LayoutMemory
from inference.vision.porn import PornDetector, Region
from models.store import ModelStore, default_root
from tests.inference.layouts_maker import HEIGHT, WIDTH, fitted, grid, inset, letterboxed, side_by_side, with_blurred_sides

SURE = 0.35
"""Raw score of a part that a layout must not lose."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A layout, and where a picture is on it."""

    frame: Pixels
    place: Box
    source: Pixels
    """The picture as large as the layout's own frame is, shown alone."""


def layouts(pictures: list[Pixels], rng: np.random.Generator) -> dict[str, Callable[[Pixels], Shown]]:
    def another() -> Pixels:
        return pictures[int(rng.integers(len(pictures)))]

    def bars(one: Pixels) -> Shown:
        return Shown(letterboxed(one, 404), Box(0, 158 / HEIGHT, 1, 404 / HEIGHT), fitted(one, WIDTH, 404))

    def upright(one: Pixels) -> Shown:
        return Shown(with_blurred_sides(one, 406), Box(437 / WIDTH, 0, 406 / WIDTH, 1), fitted(one, 406, HEIGHT))

    def split(one: Pixels) -> Shown:
        return Shown(side_by_side(one, another()), Box(0, 0, 0.5, 1), fitted(one, 640, HEIGHT))

    def cells(n: int) -> Callable[[Pixels], Shown]:
        def make(one: Pixels) -> Shown:
            others = [one, *(another() for _ in range(n * n - 1))]
            return Shown(grid(others, n), Box(0, 0, 1 / n, 1 / n), fitted(one, WIDTH // n, HEIGHT // n))

        return make

    def webcam(one: Pixels) -> Shown:
        frame = inset(another(), one, x=960, y=540, width=320, height=180)
        return Shown(frame, Box(0.75, 0.75, 0.25, 0.25), fitted(one, 320, 180))

    return {"letterbox": bars, "blurred sides": upright, "pk": split, "grid 2": cells(2), "grid 3": cells(3), "webcam": webcam}


def frames_of(paths: list[Path], step: int) -> list[Pixels]:
    found: list[Pixels] = []
    for path in paths:
        with av.open(str(path)) as container:
            found += [f.to_ndarray(format="rgb24") for n, f in enumerate(container.decode(video=0)) if n % step == 0]
    return found


async def seen(detector: PornDetector, pixels: Pixels, *, tiled: bool) -> tuple[tuple[Region, ...], int]:
    sample = FrameSample("", "", 0.0, datetime.now(UTC), time.monotonic(), RgbPicture(pixels), tiled)
    prepared = detector.prepare(sample)
    return detector.regions(await detector.infer(prepared, deadline_s=None), sample), len(prepared)


def again(region: Region, place: Box, found: tuple[Region, ...]) -> float:
    """Return the raw score at which a part of the picture is seen on the layout; 0 where it is not."""
    b = region.box
    wanted = Box(place.x + b.x * place.w, place.y + b.y * place.h, b.w * place.w, b.h * place.h)
    return max(
        (other.raw_score for other in found if other.part.name == region.part.name and iou(other.box, wanted) >= 0.5), default=0.0
    )


def iou(one: Box, two: Box) -> float:
    wide = min(one.x + one.w, two.x + two.w) - max(one.x, two.x)
    tall = min(one.y + one.h, two.y + two.h) - max(one.y, two.y)
    shared = max(0.0, wide) * max(0.0, tall)
    return shared / (one.area + two.area - shared)


async def measure(detector: PornDetector, pictures: list[Pixels]) -> None:
    own, whole = detector._layouts, SimpleNamespace(of=lambda sample: WHOLE)
    rng = np.random.default_rng(1)
    print(f"| layout | parts | seen before | seen after | mean score before | after | looks | layout found |\n{'|---' * 8}|")
    for name, make in layouts(pictures, rng).items():
        rows, n_looks, right = [], [], []
        for picture in pictures:
            shown = make(picture)
            detector._layouts = whole  # type: ignore[assignment]
            alone = [one for one in (await seen(detector, shown.source, tiled=False))[0] if one.raw_score >= SURE]
            before, _ = await seen(detector, shown.frame, tiled=False)
            detector._layouts = own
            after, n = await seen(detector, shown.frame, tiled=True)
            found = layout_of(RgbPicture(shown.frame))
            n_looks.append(n)
            right.append(any(iou(box, shown.place) > 0.85 for box in (found.content, *found.tiles)))
            rows += [(again(one, shown.place, before), again(one, shown.place, after)) for one in alone]
        scores = np.array(rows).reshape(-1, 2)
        shares, means = (scores > 0).mean(0), scores.mean(0)
        print(
            f"| {name} | {len(scores)} | {shares[0]:.2f} | {shares[1]:.2f} | {means[0]:.2f} | {means[1]:.2f} "
            f"| {np.mean(n_looks):.2f} | {np.mean(right):.2f} |"
        )


def rooms(pictures: list[Pixels], rng: np.random.Generator, n_rooms: int = 60, n_looks: int = 6) -> tuple[float, float, float]:
    """Rooms with a webcam over a scene, both moving on from look to look.

    Returns:
        share of single frames and of rooms after six looks that show it, and insets beside it that are held then, a room.
    """
    alone, held, false = [], [], []
    for _ in range(n_rooms):
        memory, layout = LayoutMemory(), WHOLE
        width = int(rng.uniform(0.16, 0.34) * WIDTH)
        height = round(width * float(rng.choice([0.5625, 0.75, 1.0])))
        x, y = int(rng.choice([0, WIDTH - width])), int(rng.choice([0, HEIGHT - height]))
        place = Box(x / WIDTH, y / HEIGHT, width / WIDTH, height / HEIGHT)
        scene, face = rng.integers(len(pictures), size=2)
        for look in range(n_looks):
            pair = [pictures[int(one + look) % len(pictures)] for one in (scene, face)]
            seen = layout_of(RgbPicture(inset(*pair, x=x, y=y, width=width, height=height)))
            alone.append(any(iou(box, place) > 0.8 for box in seen.tiles))
            layout = memory.settle("room", seen)
        held.append(any(iou(box, place) > 0.8 for box in layout.tiles))
        false.append(sum(iou(box, place) <= 0.8 for box in layout.tiles))
    return float(np.mean(alone)), float(np.mean(held)), float(np.mean(false))


def planar(pixels: Pixels) -> PlanarPicture:
    """Turn a picture into what a decoder gives."""
    rows = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2YUV_I420), np.uint8)
    y, u, v = np.split(rows, (HEIGHT, HEIGHT * 5 // 4))
    return PlanarPicture(y, u.reshape(HEIGHT // 2, WIDTH // 2), v.reshape(HEIGHT // 2, WIDTH // 2))


def cost(pictures: Sequence[Picture]) -> float:
    """Milliseconds of one core a picture, in the middle."""
    spent = []
    for picture in [*pictures] * 3:
        began = time.thread_time()
        layout_of(picture)
        spent.append(time.thread_time() - began)
    return float(np.median(spent)) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path("../shared/data/video/tears-of-steel-battle-clip-medium.webm")
    parser.add_argument("--clips", type=Path, nargs="+", default=[default], help="clips with people on them")
    parser.add_argument("--step", type=int, default=40, help="every n-th frame")
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    pictures = [fitted(frame, WIDTH, HEIGHT) for frame in frames_of(asked.clips, asked.step)]
    device = Device(DeviceShare(DeviceKind.CPU, memory_bytes=1 << 40))
    with ThreadPoolExecutor(1) as threads:
        built = build_detectors(ModelStore(default_root()), device, TextChecker.load(), threads=threads)
        detector = built.detectors.get("porn")
        if not isinstance(detector, PornDetector):
            raise SystemExit(f"porn detector: {built.missing['porn']}")
        try:
            asyncio.run(measure(detector, pictures))
            plain = [layout_of(RgbPicture(picture)) for picture in pictures]
            print(f"\n{len(pictures)} plain frames: {np.mean([one.plain for one in plain]):.2f} left whole")
            alone, held, false = rooms(pictures, np.random.default_rng(2))
            print(f"webcams: {alone:.2f} of single frames, {held:.2f} of rooms after 6 looks, {false:.2f} other insets held a room")
            decoded, sent = cost([planar(one) for one in pictures]), cost([RgbPicture(one) for one in pictures])
            print(f"layout of a 720p frame: {decoded:.2f} ms of one core as decoded, {sent:.2f} ms as RGB pixels")
        finally:
            device.close()


if __name__ == "__main__":
    main()
