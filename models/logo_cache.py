"""Made-up scenes kept in a folder, so that training need not encode: made once per number, read as often as one likes.

A number is always the same scenes; a folder that was broken off goes on where it stood.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.logo_codec import Bytes, Floats, Planes
from models.logo_fonts import Part
from models.logo_footage import Footage
from models.logo_renderings import Tint, scaled
from models.logo_scenes import GROUP, Scene, draw_scenes

_KEPT_WIDTH_PX = 224
"""Marks are kept at most this wide and half as high."""


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """One scene out of the folder."""

    planes: Planes
    boxes: Floats
    """Of the marks: left, top, right, bottom in pixels of luma, shape (n, 4)."""
    seeds: tuple[int, ...]
    opacities: Floats
    """Shape (n,)."""
    tints: tuple[Tint, ...]
    unclear: Floats
    """Of what may be taken for a logo, shape (m, 4)."""
    marks: tuple[Bytes, ...]
    """The marks themselves, straight alpha, shape (h, w, 4) each."""


class SceneCache:
    """Scenes of one side of the split in a folder."""

    def __init__(self, folder: Path, part: Part, *, n_scenes: int = GROUP) -> None:
        """Open a folder, made where it is missing; `n_scenes` is how many a group holds that is made."""
        self.folder = folder
        self.part = part
        self._n_scenes = n_scenes
        folder.mkdir(parents=True, exist_ok=True)

    def __len__(self) -> int:
        return len(self.numbers())

    def numbers(self) -> list[int]:
        """Name the groups that are there."""
        return sorted(int(path.stem.rpartition("-")[2]) for path in self.folder.glob(f"{self.part}-*.npz"))

    def make(self, number: int, footage: Footage) -> Path:
        """Make a group of scenes, unless it is there.

        Raises:
            DataError: the encoder is missing or fails.
        """
        path = self._path(number)
        if not path.exists():
            draft = path.with_name(f".{path.name}")
            with draft.open("wb") as file:
                np.savez(file, **_arrays(draw_scenes(number, footage, self.part, n=self._n_scenes)))  # type: ignore[arg-type]
            draft.replace(path)
        return path

    def fill(self, n: int, footage: Footage, *, keep_on: Callable[[int], bool] = lambda _: True) -> None:
        """Make the groups 0 to n - 1 that are missing.

        Args:
            n: groups.
            footage: of the same side of the split.
            keep_on: asked before each with its number; ends the filling with False.
        """
        for number in range(n):
            if not self._path(number).exists():
                if not keep_on(number):
                    return
                self.make(number, footage)

    def read(self, number: int) -> list[Stored]:
        """Read a group.

        Raises:
            OSError: it is not there.
        """
        with np.load(self._path(number)) as file:
            arrays = dict(file)
        return [_stored(arrays, at) for at in range(int(arrays["n"]))]

    def _path(self, number: int) -> Path:
        return self.folder / f"{self.part}-{number:06d}.npz"


def _arrays(scenes: list[Scene]) -> dict[str, NDArray[Any]]:
    out: dict[str, NDArray[Any]] = {"n": np.array(len(scenes))}
    for at, scene in enumerate(scenes):
        planes = scene.planes
        boxes = [(mark.left, mark.top, mark.left + mark.width, mark.top + mark.height) for mark in scene.marks]
        out |= {
            f"luma{at}": planes.luma,
            f"chroma{at}": planes.chroma,
            f"spread{at}": planes.spread,
            f"edges{at}": planes.edges,
            f"boxes{at}": np.array(boxes, np.float32).reshape(-1, 4),
            f"seeds{at}": np.array([mark.mark.seed for mark in scene.marks], np.int64),
            f"opacities{at}": np.array([mark.opacity for mark in scene.marks], np.float32),
            f"tints{at}": np.array([mark.tint.value for mark in scene.marks], np.str_),
            f"unclear{at}": scene.unclear,
        }
        for place, mark in enumerate(scene.marks):
            out[f"mark{at}_{place}"] = _small(mark.mark.rgba)
    return out


def _small(rgba: Bytes) -> Bytes:
    scale = min(1.0, _KEPT_WIDTH_PX / rgba.shape[1], _KEPT_WIDTH_PX / 2 / rgba.shape[0])
    return scaled(rgba, max(8, round(rgba.shape[1] * scale)), max(4, round(rgba.shape[0] * scale)))


def _stored(arrays: dict[str, NDArray[Any]], at: int) -> Stored:
    planes = Planes(*(arrays[f"{name}{at}"] for name in ("luma", "chroma", "spread", "edges")))
    seeds = tuple(int(seed) for seed in arrays[f"seeds{at}"])
    marks = tuple(arrays[f"mark{at}_{place}"] for place in range(len(seeds)))
    tints = tuple(Tint(str(tint)) for tint in arrays[f"tints{at}"])
    return Stored(planes, arrays[f"boxes{at}"], seeds, arrays[f"opacities{at}"], tints, arrays[f"unclear{at}"], marks)
