"""Loopback servers that behave as live platforms do, well and badly: paced HTTP-FLV, HLS, redirects, refusals, stalls, garbage."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.media import FLV_HEADER, flv_tags

Handler = Callable[["Exchange"], None]


@dataclass(slots=True)
class Exchange:
    """One request being answered."""

    http: BaseHTTPRequestHandler
    stopping: threading.Event

    def begin(self, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Send the head of the answer."""
        self.http.send_response(status)
        for name, value in (headers or {}).items():
            self.http.send_header(name, value)
        self.http.end_headers()

    def send(self, data: bytes) -> None:
        """Send a piece of the body."""
        self.http.wfile.write(data)
        self.http.wfile.flush()

    def sleep(self, seconds: float) -> bool:
        """Wait; False when the server stops meanwhile."""
        return not self.stopping.wait(seconds)


class LiveServer:
    """A server on a free loopback port; each path has a handler. Use as a context."""

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {}
        self.hits: list[str] = []
        """Paths asked for, in order."""
        self._stopping = threading.Event()
        server = self

        class Answer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.hits.append(self.path)
                self.close_connection = True
                handler = server.handlers.get(self.path.partition("?")[0])
                exchange = Exchange(self, server._stopping)
                with contextlib.suppress(OSError):
                    if handler is None:
                        exchange.begin(404, {"Content-Length": "0"})
                    else:
                        handler(exchange)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

        self._server = Quiet(("127.0.0.1", 0), Answer)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> LiveServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def url(self, path: str) -> str:
        """Address of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def serve(self, path: str, handler: Handler) -> str:
        """Answer a path with a handler; return its address."""
        self.handlers[path] = handler
        return self.url(path)

    def serve_folder(self, folder: Path, prefix: str = "") -> None:
        """Serve the files of a folder as they are at each request."""
        for path in folder.iterdir():
            self.handlers[f"{prefix}/{path.name}"] = _file(path)


def _file(path: Path) -> Handler:
    def answer(exchange: Exchange) -> None:
        data = path.read_bytes()
        exchange.begin(200, {"Content-Length": str(len(data))})
        exchange.send(data)

    return answer


@dataclass(slots=True)
class FlvShow:
    """An FLV file served as a live stream: paced by its time stamps, over and over, for each client from the beginning."""

    data: bytes
    speed: float = 1.0
    """Times as fast as its clock; 0: without pacing."""
    loops: int | None = None
    """How often; None: until the client goes."""
    chunked: bool = False
    _tags: list = field(default_factory=list)  # type: ignore[type-arg]

    def __call__(self, exchange: Exchange) -> None:
        """Answer one client."""
        headers = {"Content-Type": "video/x-flv"} | ({"Transfer-Encoding": "chunked"} if self.chunked else {})
        exchange.begin(200, headers)
        for data in self.pieces(exchange.sleep):
            exchange.send(b"%x\r\n%b\r\n" % (len(data), data) if self.chunked else data)
        if self.chunked:
            exchange.send(b"0\r\n\r\n")

    def pieces(self, sleep: Callable[[float], bool]) -> Iterator[bytes]:
        """Yield tags when they are due."""
        tags = self._tags or flv_tags(self.data)
        self._tags = tags
        span_ms = max(tag.time_ms for tag in tags) + 40
        yield FLV_HEADER
        began_s, loop = time.monotonic(), 0
        while self.loops is None or loop < self.loops:
            for tag in tags:
                shift_ms = loop * span_ms
                if loop and tag.kind == 18:
                    continue
                if self.speed:
                    wait_s = began_s + (tag.time_ms + shift_ms) / 1000 / self.speed - time.monotonic()
                    if wait_s > 0 and not sleep(wait_s):
                        return
                yield tag.pack(shift_ms=shift_ms)
            loop += 1


def body(data: bytes, *, ranges: bool = False, length: bool = True) -> Handler:
    """Answer with fixed bytes, honouring ranges if told to."""

    def answer(exchange: Exchange) -> None:
        asked = exchange.http.headers.get("Range")
        start = int(asked.removeprefix("bytes=").partition("-")[0]) if ranges and asked else 0
        headers = {"Content-Length": str(len(data) - start)} if length else {}
        headers |= {"Accept-Ranges": "bytes"} if ranges else {}
        exchange.begin(206 if start else 200, headers)
        exchange.send(data[start:])

    return answer


def redirect(to: str, status: int = 302) -> Handler:
    """Answer with a redirect."""
    return lambda exchange: exchange.begin(status, {"Location": to, "Content-Length": "0"})


def refuse(status: int) -> Handler:
    """Answer with a status and nothing else."""
    return lambda exchange: exchange.begin(status, {"Content-Length": "0"})


def stall(head: bytes = b"", *, headers: bool = True) -> Handler:
    """Send the head, then nothing, with the connection open."""

    def answer(exchange: Exchange) -> None:
        if headers:
            exchange.begin()
            exchange.send(head)
        exchange.stopping.wait()

    return answer


def trickle(data: bytes, *, every_s: float = 0.05, size: int = 1, head: int = 0) -> Handler:
    """Send the first `head` bytes at once and the others a few at a time for ever."""

    def answer(exchange: Exchange) -> None:
        exchange.begin()
        exchange.send(data[:head])
        at = head
        while exchange.sleep(every_s):
            exchange.send(data[at : at + size] or b"\0")
            at += size

    return answer


class RtmpServer:
    """nginx with its RTMP module on a free loopback port, and an ffmpeg that pushes one file into it for ever."""

    MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self.port = free_port()

    @classmethod
    def is_installed(cls) -> bool:
        """Whether nginx, its module and ffmpeg are here."""
        return cls.MODULE.exists() and shutil.which("nginx") is not None and shutil.which("ffmpeg") is not None

    def __enter__(self) -> RtmpServer:
        config = self._folder / "nginx.conf"
        config.write_text(
            f"""daemon off; worker_processes 1; pid {self._folder}/nginx.pid; error_log {self._folder}/error.log;
            load_module {self.MODULE};
            events {{ worker_connections 64; }}
            rtmp {{ server {{ listen 127.0.0.1:{self.port}; chunk_size 4096;
                application live {{ live on; record off; gop_cache on; }} }} }}
            """.replace("gop_cache on; ", "")
        )
        self._start(["nginx", "-p", str(self._folder), "-c", str(config), "-e", str(self._folder / "error.log")])
        wait_for_port(self.port)
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            process.terminate()
        for process in reversed(self._processes):
            process.wait(10)

    def push(self, media: Path, key: str) -> str:
        """Push a file under a stream key, over and over; return the address to pull it from."""
        url = f"rtmp://127.0.0.1:{self.port}/live/{key}"
        command = ["ffmpeg", "-loglevel", "error", "-re", "-stream_loop", "-1", "-i", str(media), "-c", "copy", "-f", "flv", url]
        self._start(command)
        return url

    def _start(self, command: list[str]) -> None:
        self._processes.append(
            subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )


class RtspServer:
    """GStreamer's RTSP server of one MP4 file on a free loopback port, in a process of the system's Python."""

    SCRIPT = Path(__file__).with_name("rtsp_server.py")
    PYTHON = "/usr/bin/python3"
    """The interpreter that has the distribution's bindings."""

    def __init__(self, media: Path) -> None:
        self._media = media
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.url = f"rtsp://127.0.0.1:{self.port}/live"

    @classmethod
    def is_installed(cls) -> bool:
        """Whether GStreamer, its RTSP server, its parts for MP4 and RTP, and the bindings are here."""
        if not Path(cls.PYTHON).exists():
            return False
        asked = (
            "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import Gst, GstRtspServer; "
            "Gst.init(None); raise SystemExit(not all(map(Gst.ElementFactory.find, ('qtdemux', 'rtph264pay'))))"
        )
        return subprocess.run([cls.PYTHON, "-c", asked], capture_output=True, check=False).returncode == 0

    def __enter__(self) -> RtspServer:
        command = [self.PYTHON, str(self.SCRIPT), str(self.port), str(self._media)]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(self.port)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)


def free_ports(n: int) -> list[int]:
    """Name free loopback ports; all are held until the last is known, or one might be named twice."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(n)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def free_port() -> int:
    """Name a free loopback port."""
    return free_ports(1)[0]


def wait_for_port(port: int, *, within_s: float = 10.0) -> None:
    """Return once somebody listens on a loopback port."""
    deadline_s = time.monotonic() + within_s
    while time.monotonic() < deadline_s:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.2):
            return
        threading.Event().wait(0.05)
    raise TimeoutError(f"nobody listens on port {port}")
