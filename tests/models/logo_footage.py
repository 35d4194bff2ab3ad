"""A folder with a tiny clip and a few pictures, laid out as the logo networks' training expects its footage."""

from __future__ import annotations

import subprocess
from pathlib import Path

import cv2
import numpy as np


def write_footage(folder: Path) -> Path:
    """Write one clip and one game of pictures for each side of the split; needs the program ffmpeg."""
    random = np.random.default_rng(5)
    (folder / "video").mkdir(parents=True)
    for name in ("bars", "flower"):
        command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=6:duration=2", "-c:v", "mpeg4"]
        subprocess.run([*command, str(folder / "video" / f"{name}.mp4")], check=True, timeout=60)
    for game in ("luanti", "other"):
        (folder / "games" / game).mkdir(parents=True)
        for at in range(6):
            coarse = random.integers(0, 256, (9, 16, 3), dtype=np.uint8)
            cv2.imwrite(str(folder / "games" / game / f"{game}{at}.jpg"), cv2.resize(coarse, (480, 270)))
    return folder
