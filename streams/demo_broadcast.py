"""The demo's own live platform: encodes short scenes once and serves them as endless HTTP-FLV and HLS streams on loopback.

Runs in a process of its own (`serve`), as a real platform would, and ends with it. Packets are paced by their time stamps; a client
that goes away costs its own thread only. One room breaks and comes back, one sends garbage.
"""

from __future__ import annotations

import io
import itertools
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol

import av
import av.error

from inference.samples import SAMPLE_RATE_HZ, Pcm, Pixels
from streams import demo_scenes, demo_sounds
from streams.demo_scenes import FPS, SIZE, Game
from streams.demo_slots import Slots

LOOP_S = 10
"""Length of an encoded scene before it repeats, seconds."""
GOP_S = 2
"""Distance of key frames, seconds: what most platforms ask of their encoders."""
BREAK_AFTER_S = 9.0
"""The breaking room serves for this long, then hangs up."""
BREAK_FOR_S = 5.0
"""And is not found for this long."""

_GARBAGE_BYTES_PER_S = 64_000


@dataclass(frozen=True, slots=True)
class Show:
    """One stream of the demo platform."""

    name: str
    """Last part of its path, e.g. `clean`."""
    draw: Callable[[int], Pixels]
    """Frame index to RGB picture."""
    kind: str = "flv"
    """`flv`, `hls`, or `breaks` (FLV that hangs up and comes back)."""
    sound: Callable[[float], Pcm] = demo_sounds.tune
    """Length in seconds to mono PCM at 16 kHz."""


class Writer(Protocol):
    """What the muxer writes to."""

    def write(self, data: bytes, /) -> int:
        """Write all of the bytes."""
        ...


def shows() -> list[Show]:
    """List the streams, each with a world of its own."""
    advert = demo_scenes.advert("advert_wechat.png", x=60, y=40)
    casino = demo_scenes.advert("advert_gambling.png", x=500, y=540)
    code = demo_scenes.qr_code(demo_scenes.QR_PAYLOAD, side_px=190, x=1040, y=60)
    mark = demo_scenes.watermark("competitor.png", width_px=150, opacity=0.85, x=1090, y=36)
    clean, painted, coded, broken, talked, marked = (Game(seed) for seed in (1, 2, 3, 4, 6, 7))
    return [
        Show("clean", clean.frame),
        Show("advert", lambda index: painted.frame(index, advert)),
        Show("qrcode", lambda index: coded.frame(index, code), kind="hls"),
        Show("breaks", lambda index: broken.frame(index, casino), kind="breaks"),
        Show("talking", talked.frame, sound=demo_sounds.talk),
        Show("watermark", lambda index: marked.frame(index, mark)),
        Show("banned", Slots(8).frame),
    ]


def encode(draw: Callable[[int], Pixels], *, seconds: float = LOOP_S, sound: Callable[[float], Pcm] = demo_sounds.tune) -> bytes:
    """Encode a scene as FLV: H.264 with a key frame every `GOP_S`, AAC.

    Args:
        draw: frame index to RGB picture.
        seconds: length.
        sound: length in seconds to mono PCM at 16 kHz.

    Returns:
        The file's bytes.
    """
    out = io.BytesIO()
    with av.open(out, "w", format="flv") as container:
        video = container.add_stream("libx264", rate=FPS)
        video.width, video.height = SIZE
        video.pix_fmt = "yuv420p"
        video.bit_rate = 1_500_000
        video.options = {"preset": "ultrafast", "tune": "zerolatency", "g": str(GOP_S * FPS), "sc_threshold": "0", "threads": "1"}
        audio = container.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="mono")
        heard, n_heard = sound(seconds), 0
        for index in range(int(seconds * FPS)):
            frame = av.VideoFrame.from_ndarray(draw(index), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(video.encode(frame))
            while n_heard + 1024 <= min(len(heard), (index + 1) * SAMPLE_RATE_HZ // FPS):
                chunk = av.AudioFrame.from_ndarray(heard[None, n_heard : n_heard + 1024], format="fltp", layout="mono")
                chunk.sample_rate, chunk.pts, chunk.time_base = SAMPLE_RATE_HZ, n_heard, Fraction(1, SAMPLE_RATE_HZ)
                container.mux(audio.encode(chunk))
                n_heard += 1024
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    return out.getvalue()


def play(media: bytes, to: av.container.OutputContainer, *, keep_on: Callable[[], bool]) -> None:
    """Remux a scene again and again, paced by its time stamps, until `keep_on` says no or the writer fails."""
    started_s = time.monotonic()
    tracks: dict[int, av.stream.Stream] = {}
    for turn in itertools.count():
        with av.open(io.BytesIO(media), "r") as source:
            for stream in source.streams:
                if stream.index not in tracks:
                    tracks[stream.index] = to.add_stream_from_template(stream)
            for packet in source.demux():
                if packet.dts is None or packet.pts is None or packet.time_base is None:
                    continue
                due_s = turn * LOOP_S + float(packet.dts * packet.time_base)
                time.sleep(max(0.0, started_s + due_s - time.monotonic()))
                if not keep_on():
                    return
                shift = int(turn * LOOP_S / packet.time_base)
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                packet.stream = tracks[packet.stream.index]
                to.mux(packet)


class _Platform:
    """All streams of the demo, encoded, with the state of the one that breaks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.media: dict[str, bytes] = {}
        self.kinds: dict[str, str] = {}
        self._broken_until_s: dict[str, float] = {}
        self._stop = threading.Event()

    def prepare(self, show: Show) -> None:
        """Encode a show and put it on air."""
        self.kinds[show.name] = show.kind
        self.media[show.name] = encode(show.draw, sound=show.sound)
        if show.kind == "hls":
            threading.Thread(target=self._segment, args=(show.name,), name=f"hls-{show.name}", daemon=True).start()

    def off_air(self, name: str) -> bool:
        """Tell whether a stream is not there (any more, or for now)."""
        return name not in self.media or time.monotonic() < self._broken_until_s.get(name, 0.0)

    def keep_on(self, name: str) -> Callable[[], bool]:
        """Say how long one client of a stream is served."""
        if self.kinds[name] != "breaks":
            return lambda: True
        hang_up_s = time.monotonic() + BREAK_AFTER_S

        def until_break() -> bool:
            if time.monotonic() < hang_up_s:
                return True
            self._broken_until_s[name] = time.monotonic() + BREAK_FOR_S
            return False

        return until_break

    def _segment(self, name: str) -> None:
        options = {"hls_time": str(GOP_S), "hls_list_size": "4", "hls_flags": "delete_segments+omit_endlist+temp_file"}
        with av.open(str(self.folder / f"{name}.m3u8"), "w", format="hls", options=options) as playlist:
            play(self.media[name], playlist, keep_on=lambda: not self._stop.is_set())


class _Server(ThreadingHTTPServer):
    """The platform's HTTP front, a thread a client."""

    daemon_threads = True

    def __init__(self, platform: _Platform) -> None:
        super().__init__(("127.0.0.1", 0), _Client)
        self.platform = platform


class _Client(BaseHTTPRequestHandler):
    """GET /live/<name>.flv, /live/<name>.m3u8 and its segments, /live/garbage.flv."""

    def do_GET(self) -> None:
        """Serve one stream, playlist or segment."""
        platform = self._platform()
        name, _, suffix = Path(self.path).name.partition(".")
        file = platform.folder / Path(self.path).name
        if self.path == "/live/garbage.flv":
            self._send(_garbage())
        elif suffix == "flv" and not platform.off_air(name):
            self._play(platform, name)
        elif suffix in {"m3u8", "ts"} and file.is_file():
            content = file.read_bytes()
            self._send(iter([content]), n_bytes=len(content))
        else:
            self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent: the demo's table is what the user reads."""

    def _platform(self) -> _Platform:
        assert isinstance(self.server, _Server)
        return self.server.platform

    def _play(self, platform: _Platform, name: str) -> None:
        self._start()
        try:
            with av.open(_Pipe(self.wfile.write), "w", format="flv", options={"flush_packets": "1"}) as client:
                play(platform.media[name], client, keep_on=platform.keep_on(name))
        except (OSError, av.error.FFmpegError):
            self.close_connection = True  # the client went away

    def _send(self, chunks: Iterator[bytes], *, n_bytes: int | None = None) -> None:
        self._start(n_bytes)
        try:
            for chunk in chunks:
                self.wfile.write(chunk)
        except OSError:
            self.close_connection = True  # the client went away

    def _start(self, n_bytes: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Connection", "close")
        if n_bytes is not None:
            self.send_header("Content-Length", str(n_bytes))
        self.end_headers()


def _garbage() -> Iterator[bytes]:
    noise = random.Random(7)
    while True:
        yield noise.randbytes(_GARBAGE_BYTES_PER_S // 4)
        time.sleep(0.25)


class _Pipe:
    """A file object that can only be written to: PyAV takes it for a live output."""

    def __init__(self, write: Callable[[bytes], int]) -> None:
        self.write = write


def serve(ready: Connection) -> None:
    """Run the platform until the parent closes its end of the pipe; the process's entry point.

    Sends `{"port": n}` once, then `{"on_air": name}` for each stream as it is encoded.
    """
    with tempfile.TemporaryDirectory(prefix="livewarden-demo-") as folder:
        platform = _Platform(Path(folder))
        server = _Server(platform)
        threading.Thread(target=server.serve_forever, name="demo-http", daemon=True).start()
        _tell(ready, {"port": server.server_address[1]})
        for show in shows():
            platform.prepare(show)
            _tell(ready, {"on_air": show.name})
        _wait_for_hang_up(ready)
        server.shutdown()


def _tell(ready: Connection, message: Mapping[str, object]) -> None:
    try:
        ready.send(message)
    except OSError:
        raise SystemExit(0) from None  # the demo ended while scenes were being encoded


def _wait_for_hang_up(ready: Connection) -> None:
    try:
        ready.recv()
    except (EOFError, OSError):
        return
