"""Stored scenes of a few hundred pixels, drawn without footage, fonts or encoder, for the tests of the logo networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.logo_codec import planes_of
from models.logo_renderings import Tint, lay, overlay_of, scaled

WIDTH_PX, HEIGHT_PX = 768, 448


def write_scenes(folder: Path, part: str, n_groups: int, *, n_marks: int = 3) -> Path:
    """Write groups of one scene each: coloured patterns, each of its own seed, on moving noise."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(n_groups):
        random = np.random.default_rng(number + (500 if part == "test" else 0))
        frames = [random.integers(60, 120, (HEIGHT_PX * 3 // 2, WIDTH_PX), dtype=np.uint8) for _ in range(2)]
        arrays: dict[str, np.ndarray] = {"n": np.array(1)}
        boxes, seeds = [], []
        for at in range(n_marks):
            seed = number * n_marks + at
            mark = pattern(seed)
            left, top = 40 + 230 * at, 40 + 60 * (seed % 5)
            picture = scaled(mark, 140, 56)
            for frame in frames:
                lay(frame, overlay_of(picture, opacity=0.9), left, top)
            boxes.append((left, top, left + 140, top + 56))
            seeds.append(seed)
            arrays[f"mark0_{at}"] = mark
        planes = planes_of(frames)
        arrays |= {
            "luma0": planes.luma,
            "chroma0": planes.chroma,
            "spread0": planes.spread,
            "edges0": planes.edges,
            "boxes0": np.array(boxes, np.float32),
            "seeds0": np.array(seeds, np.int64),
            "opacities0": np.full(n_marks, 0.9, np.float32),
            "tints0": np.array([Tint.OWN.value] * n_marks, np.str_),
            "unclear0": np.zeros((0, 4), np.float32),
        }
        np.savez(folder / f"{part}-{number:06d}.npz", **arrays)
    return folder


def pattern(seed: int) -> np.ndarray:
    """Draw a mark of 4 by 10 coloured tiles."""
    random = np.random.default_rng(seed)
    tiles = random.integers(0, 256, (4, 10, 4), dtype=np.uint8)
    tiles[:, :, 3] = 255
    return np.ascontiguousarray(np.kron(tiles, np.ones((8, 8, 1), np.uint8)))
