"""Embeddings of what nobody enrolled, shipped beside the teller: made-up marks, and places of scenery and displays like one.

Numpy only; whoever calls hands in how the two graphs are run. What is as like one of these as like an enrolled mark scores low.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.logo_boxes import overlaps
from models.logo_cache import SceneCache, Stored
from models.logo_codec import Floats
from models.logo_fonts import Part
from models.logo_marks import FAMILY, draw_mark, mark_seed
from models.logo_matching import N_NUMBERS, RunFinder, RunTeller, see
from models.logo_prototypes import prototypes_of
from models.logo_renderings import Tint

N_MADE_UP, N_SCENERY = 1000, 4000
FROM_NUMBER = 600_000_000
"""First number of the made-up ones: scenes draw below 500 million."""
_APART = 0.05
"""Intersection over union with a scene's mark up to which a place shows something else."""


def strangers_of(run_finder: RunFinder, run_teller: RunTeller, cache: SceneCache, *, n_made_up: int, n_scenery: int) -> Floats:
    """Embed both kinds, of the training side only.

    Args:
        run_finder: the finder.
        run_teller: the teller.
        cache: scenes of the training side; without any there is no scenery.
        n_made_up: marks to draw, in their own colours.
        n_scenery: places at most.

    Returns:
        shape (n, 128), rows of length 1.
    """
    seeds = [mark_seed(FROM_NUMBER + at * FAMILY, Part.TRAIN) for at in range(n_made_up)]
    rows = [prototypes_of(draw_mark(seed).rgba, run_teller, tints=(Tint.OWN,), sides=()) for seed in seeds]
    n_found = 0
    for number in cache.numbers():
        for scene in cache.read(number):
            found = _scenery(scene, run_finder, run_teller)[: n_scenery - n_found]
            n_found += len(found)
            rows.append(found)
        if n_found >= n_scenery:
            break
    return np.concatenate(rows) if rows else np.zeros((0, N_NUMBERS), np.float32)


def _scenery(scene: Stored, run_finder: RunFinder, run_teller: RunTeller) -> Floats:
    """Tell what the finder takes for overlays where no mark was laid."""
    seen = see(scene.planes, run_finder, run_teller)
    if not len(scene.boxes) or not len(seen.boxes):
        return seen.numbers
    centres = (seen.boxes[:, None, :2] + seen.boxes[:, None, 2:]) / 2
    inside: NDArray[np.bool_] = (centres > scene.boxes[None, :, :2]) & (centres < scene.boxes[None, :, 2:])
    on_marks: NDArray[np.bool_] = np.any(np.all(inside, axis=2), axis=1)
    apart: NDArray[np.bool_] = overlaps(seen.boxes, scene.boxes).max(axis=1) <= _APART
    return seen.only(apart & ~on_marks).numbers
