"""Ordinary frames that a gallery begins with: what streams show when they show nothing that was taught.

Only their numbers are kept and shipped, by the network (`export_image.py`) and by the descriptor that needs none
(`inference/vision/build_ordinary.py`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.errors import DataError
from models.image_titles import Pixels, Title
from models.image_views import CLIP_SUFFIXES, read_clip, read_pictures, view

HELD_OUT = frozenset({"freedoom", "openttd", "tears-of-steel-battle-clip-medium", "nasa_13013", "car-detection", "cockatoo"})
"""Games and clips that nothing shipped has learnt from: `benchmarks/bench_gallery.py` measures on them."""
FIRST_TITLE = 20_000
"""Seed of the first made-up game among them; networks learn from others."""
N_FRAMES, N_TITLES = 24, 72
"""Frames of each clip, and made-up games, one level of each."""


def ordinary_frames(data: Path, *, seed: int = 3) -> list[Pixels]:
    """Gather frames, RGB uint8: all crisp, then all as streams show them.

    Args:
        data: folder with `video` and `games`.
        seed: decides how they are distorted.

    Raises:
        DataError: there are none.
    """
    rng = np.random.default_rng(seed)
    clips = [path for path in sorted((data / "video").glob("*")) if path.suffix in CLIP_SUFFIXES and path.stem not in HELD_OUT]
    folders = [path for path in sorted((data / "games").glob("*")) if path.is_dir() and path.name not in HELD_OUT]
    real = [frame for path in clips for frame in read_clip(path, N_FRAMES)]
    real += [frame for path in folders for frame in read_pictures(path) * 2]
    if not real:
        raise DataError(f"no clips in {data / 'video'} and no screenshots in {data / 'games'}; name the folder that holds both")
    drawn = [Title.of(FIRST_TITLE + number).level(number) for number in range(N_TITLES)]
    crisp = [*real, *drawn]
    return [*crisp, *(view(frame, rng, faces=real[:8]) for frame in crisp)]
