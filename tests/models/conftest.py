"""A tiny model, a wheel that carries it, and a loopback server that breaks off when told to."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from models.calibration import Calibration
from models.download import Downloader, Pin
from models.manifest import ClassSpec, Licence, Manifest, Preprocess, Provenance, TensorSpec
from models.shipped import Shipped
from models.store import ModelStore
from models.zoo import Artifact, Zoo, ZooEntry

NOTHING_SHIPPED = Shipped(Path("nowhere"))
"""A product without models of its own."""
GRAPH = bytes(range(256)) * 400
LICENCE_TEXT = b"do as you like, but say who made it\n"
WHEEL_FILE = "livewarden_tiny-1.0-py3-none-any.whl"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def tiny_manifest(version: str = "1", *, graph: bytes = GRAPH, name: str = "tiny", spdx: str = "MIT") -> Manifest:
    return Manifest(
        name=name,
        version=version,
        task="test.classify",
        file="tiny.onnx",
        sha256=digest(graph),
        inputs=(TensorSpec("x", "float32", (None, 3), 0),),
        outputs=(TensorSpec("y", "float32", (None, 2), 0),),
        licence=Licence(spdx, "made for tests", "LICENSE"),
        provenance=Provenance("a test", package="livewarden-tiny==1.0", member="tiny/tiny.onnx"),
        preprocess=Preprocess(width_px=8, height_px=8, mean=(0.5, 0.5, 0.5)),
        postprocess={"iou_threshold": 0.45},
        classes=(
            ClassSpec(0, "BARE", "porn.nudity", 0.3, Calibration.of([[0.0, 0.0], [0.25, 0.3], [1.0, 1.0]])),
            ClassSpec(1, "COVERED", None),
        ),
        extra_files={"LICENSE": digest(LICENCE_TEXT)},
        notes="two classes; one of them none of ours",
    )


def write_model(folder: Path, manifest: Manifest, *, graph: bytes = GRAPH) -> Path:
    """Lay a publishable folder out."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tiny.onnx").write_bytes(graph)
    (folder / "LICENSE").write_bytes(LICENCE_TEXT)
    manifest.dump(folder / "manifest.yaml")
    return folder


def write_wheel(folder: Path, *, graph: bytes = GRAPH) -> Path:
    """Make a wheel that pip accepts."""
    info = "livewarden_tiny-1.0.dist-info"
    files = {
        "tiny/tiny.onnx": graph,
        f"{info}/LICENSE": LICENCE_TEXT,
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: livewarden-tiny\nVersion: 1.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{name},," for name in [*files, f"{info}/RECORD"]]
    files[f"{info}/RECORD"] = ("\n".join(rows) + "\n").encode()
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / WHEEL_FILE, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data)
    return folder / WHEEL_FILE


def tiny_zoo(wheel: Path, *, spdx: str = "MIT", url: str | None = None) -> Zoo:
    """A zoo of one entry whose artifact is the wheel."""
    data = wheel.read_bytes()
    entry = ZooEntry(
        manifest=tiny_manifest(spdx=spdx),
        summary="for tests",
        artifact=Artifact(Pin(wheel.name, digest(data), len(data)), package=None if url else "livewarden-tiny==1.0", url=url),
        members={"tiny.onnx": "tiny/tiny.onnx", "LICENSE": "livewarden_tiny-1.0.dist-info/LICENSE"},
    )
    return Zoo({"tiny": entry}, downloader=Downloader(n_tries=3, backoff_s=0.0))


def other_artifact(zoo: Zoo, **changes: object) -> Zoo:
    entry = zoo["tiny"]
    return Zoo({"tiny": replace(entry, artifact=replace(entry.artifact, **changes))}, downloader=Downloader(backoff_s=0.0))


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "store", shipped=NOTHING_SHIPPED)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return write_wheel(tmp_path / "wheels")


@pytest.fixture(autouse=True)
def _no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIVEWARDEN_MODELS_MIRROR", raising=False)
    monkeypatch.delenv("LIVEWARDEN_MODELS_DIR", raising=False)


@dataclass
class LoopbackFile:
    """One file served over HTTP; may break off after some bytes, ignore ranges, or answer with a status."""

    data: bytes = b""
    break_after: list[int] = field(default_factory=list)
    """Bytes of the body to send before the connection is cut; one entry is used up per request."""
    honours_ranges: bool = True
    status: int | None = None
    ranges: list[str | None] = field(default_factory=list)
    """The Range header of every request so far."""
    url: str = ""


@pytest.fixture
def loopback() -> Iterator[LoopbackFile]:
    served = LoopbackFile()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            served.ranges.append(wanted)
            if served.status is not None:
                self.send_error(served.status)
                return
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and served.honours_ranges else 0
            if start and start >= len(served.data):
                self.send_error(416)
                return
            body = served.data[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            cut = served.break_after.pop(0) if served.break_after else len(body)
            self.wfile.write(body[:cut])
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    served.url = f"http://127.0.0.1:{server.server_address[1]}/{WHEEL_FILE}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="loopback")
    thread.start()
    yield served
    server.shutdown()
    thread.join()
    server.server_close()
