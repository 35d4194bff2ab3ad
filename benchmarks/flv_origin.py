"""A live platform for benchmarks: one 720p30 H.264 scene served as endless HTTP-FLV to many clients, from a process of its own.

Every client begins at the scene's beginning with a key frame and is paced by the time stamps; one thread serves all of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import multiprocessing
import os
from collections.abc import Iterator
from fractions import Fraction
from multiprocessing.connection import Connection

import av
import numpy as np

from tests.media import FLV_HEADER, flv_tags

SECONDS = 10
WIDTH, HEIGHT, FPS = 1280, 720, 30
GOP_S = 2
BITS_PER_S = 2_500_000
"""With key frames every 2 s, B-frames between and AAC beside it: what live platforms ask of their encoders at 720p."""
BURST_S = 0.04
"""Tags of this long are sent together, as a media server's own buffer does."""
_AUDIO_HZ = 44_100
_AUDIO_FRAME = 1024


def encode_scene() -> bytes:
    """Encode a camera that pans over a detailed picture, with grain: FLV, H.264 and AAC."""
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 256, (HEIGHT // 16, WIDTH // 8, 3), dtype=np.uint8)
    world = np.kron(coarse, np.ones((16, 16, 1), dtype=np.uint8))
    world[::3] //= 2
    grain = rng.integers(0, 8, (8, HEIGHT, WIDTH, 3), dtype=np.uint8)
    out = io.BytesIO()
    with av.open(out, "w", format="flv") as muxer:
        video = muxer.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt, video.bit_rate = WIDTH, HEIGHT, "yuv420p", BITS_PER_S
        video.options = {"preset": "veryfast", "g": str(GOP_S * FPS), "sc_threshold": "0", "bf": "2", "threads": "1"}
        audio = muxer.add_stream("aac", rate=_AUDIO_HZ, layout="stereo")
        n_heard = 0
        for index in range(SECONDS * FPS):
            at = 2 * index
            picture = world[:HEIGHT, at : at + WIDTH] // 2 + grain[index % 8] + 64
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            muxer.mux(video.encode(frame))
            while n_heard / _AUDIO_HZ <= index / FPS:
                muxer.mux(audio.encode(_hum(n_heard)))
                n_heard += _AUDIO_FRAME
        muxer.mux(video.encode(None))
        muxer.mux(audio.encode(None))
    return out.getvalue()


def _hum(at: int) -> av.AudioFrame:
    wave = 0.2 * np.sin(2 * np.pi * 220 * (at + np.arange(_AUDIO_FRAME)) / _AUDIO_HZ)
    frame = av.AudioFrame.from_ndarray(np.tile(wave.astype(np.float32), (2, 1)), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = _AUDIO_HZ, at, Fraction(1, _AUDIO_HZ)
    return frame


class Scene:
    """The scene's tags, cut into bursts once."""

    def __init__(self) -> None:
        tags = flv_tags(encode_scene())
        self._head = [tag for tag in tags if tag.kind == 18 or tag.body[1:2] == b"\0"]
        self._tags = [tag for tag in tags if tag not in self._head]
        self._span_ms = SECONDS * 1000

    def bursts(self) -> Iterator[tuple[float, bytes]]:
        """Yield seconds from the beginning and the bytes that are due then, for ever."""
        yield 0.0, FLV_HEADER + b"".join(tag.pack() for tag in self._head)
        for loop in itertools.count():
            shift_ms = loop * self._span_ms
            for slot, group in itertools.groupby(self._tags, lambda tag: int(tag.time_ms / 1000 / BURST_S)):
                yield slot * BURST_S + shift_ms / 1000, b"".join(tag.pack(shift_ms=shift_ms) for tag in group)


async def _answer(scene: Scene, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\nConnection: close\r\n\r\n")
        clock = asyncio.get_running_loop()
        began_s = clock.time()
        for due_s, data in scene.bursts():
            await asyncio.sleep(began_s + due_s - clock.time())
            writer.write(data)
            await writer.drain()
    writer.close()


async def _serve(ready: Connection) -> None:
    scene = Scene()
    server = await asyncio.start_server(lambda reader, writer: _answer(scene, reader, writer), "127.0.0.1", 0, backlog=256)
    ready.send(server.sockets[0].getsockname()[1])
    await asyncio.get_running_loop().run_in_executor(None, _until_hang_up, ready)


def _until_hang_up(ready: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        ready.recv()
    os._exit(0)  # the clients are gone or going; none of them needs a farewell


def _main(ready: Connection) -> None:
    asyncio.run(_serve(ready))


@contextlib.contextmanager
def origin() -> Iterator[str]:
    """Run the platform; gives the stream's address."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_main, args=(theirs,), name="origin", daemon=True)
    process.start()
    theirs.close()
    try:
        yield f"http://127.0.0.1:{ours.recv()}/live.flv"
    finally:
        ours.close()
        process.join(5.0)
        process.kill()
