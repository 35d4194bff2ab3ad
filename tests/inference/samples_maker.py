"""Frames and clips for tests: drawn, painted on, decoded from the shared clips."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import av
import cv2
import numpy as np

from inference.samples import AudioClip, FrameSample, Pcm, Pixels, RgbPicture

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
ASSETS = Path(__file__).resolve().parents[2] / "streams" / "demo_assets"


def frame(pixels: Pixels, *, room_id: str = "", pts_s: float = 0.0) -> FrameSample:
    return FrameSample(room_id, "session", pts_s, WHEN, 0.0, RgbPicture(pixels))


def clip(pcm: Pcm, *, start_s: float = 0.0) -> AudioClip:
    return AudioClip("room", "session", start_s, WHEN, 0.0, pcm)


def scenery(seed: int = 0, *, width: int = 1280, height: int = 720, n_discs: int = 12) -> Pixels:
    """A busy picture without text: smooth noise at several scales, and some discs."""
    rng = np.random.default_rng(seed)
    picture = np.full((height, width, 3), 128.0, np.float32)
    for cells, strength in ((6, 120.0), (24, 60.0), (90, 25.0)):
        noise = rng.standard_normal((cells, cells, 3)).astype(np.float32)
        picture += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC) * strength / 2
    pixels = np.clip(picture, 0, 255).astype(np.uint8)
    for _ in range(n_discs):
        x, y, size = int(rng.integers(width)), int(rng.integers(height)), int(rng.integers(10, 90))
        colour = tuple(int(part) for part in rng.integers(0, 255, 3))
        cv2.circle(pixels, (x, y), size, colour, -1)
    return pixels


def paint(pixels: Pixels, picture: Pixels, *, x: int, y: int) -> Pixels:
    """Lay one picture over another."""
    painted = pixels.copy()
    painted[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
    return painted


def advert(name: str) -> Pixels:
    """A drawn Chinese advert, RGB, its transparent parts dark."""
    bgra = cv2.imread(str(ASSETS / name), cv2.IMREAD_UNCHANGED)
    assert bgra is not None
    if bgra.shape[2] == 4:
        bgra = (bgra[..., :3] * (bgra[..., 3:] / 255.0)).astype(np.uint8)
    return np.ascontiguousarray(bgra[..., ::-1])


def qr_code(payload: str, side_px: int) -> Pixels:
    """A QR code with its quiet zone, RGB."""
    modules = np.asarray(cv2.QRCodeEncoder.create().encode(payload))
    dark = np.argwhere(modules == 0)
    (top, left), (bottom, right) = dark.min(axis=0), dark.max(axis=0)
    inner = modules[top : bottom + 1, left : right + 1]
    bordered = cv2.copyMakeBorder(inner, 3, 3, 3, 3, cv2.BORDER_CONSTANT, value=255)
    grey = cv2.resize(bordered, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), dtype=np.uint8)


def broadcast(pixels: Pixels, *, crf: int = 28) -> Pixels:
    """What a viewer sees of a picture: H.264 and back."""
    buffer = BytesIO()
    height, width = pixels.shape[:2]
    with av.open(buffer, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=10, options={"crf": str(crf), "preset": "veryfast", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for _ in range(3):
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                out.mux(packet)
        for packet in stream.encode(None):
            out.mux(packet)
    buffer.seek(0)
    with av.open(buffer) as container:
        return [decoded.to_ndarray(format="rgb24") for decoded in container.decode(video=0)][-1]


def video_frames(path: Path, *, every: int, at_most: int) -> list[Pixels]:
    """Every n-th frame of a clip."""
    found: list[Pixels] = []
    with av.open(str(path)) as container:
        for index, decoded in enumerate(container.decode(video=0)):
            if index % every == 0:
                found.append(decoded.to_ndarray(format="rgb24"))
            if len(found) == at_most:
                break
    return found
