"""Describes ordinary frames once more: `python -m inference.vision.build_ordinary ../shared/data`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from inference.vision.descriptor import describe
from inference.vision.eyes import ORDINARY_DESCRIBED
from models.image_ordinary import ordinary_frames


def main(data: Path) -> None:
    """Write `ordinary_described.npy`."""
    described = np.stack([describe(frame) for frame in ordinary_frames(data)])
    np.save(ORDINARY_DESCRIBED, np.clip(np.rint(described * 255), 0, 255).astype(np.uint8), allow_pickle=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
