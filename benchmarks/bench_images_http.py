"""Is `POST /v1/images/check` as fast as the model servers one would take instead?

    python -m benchmarks.bench_images_http [--seconds 4] [--rounds 3] [--model fixed|nudenet]

64 connections send the same JPEG of the model's input size over loopback, in turns, to our shipped application (keys, metrics,
policy, the lot), to mosec and to LitServe; every one decodes, letterboxes and runs the same model in batches. Before each round a
bare loop runs the model alone at its best batch size, with nobody to answer. Two models: a fixed cost of 5 ms + 1 ms per picture at
batches up to 16, which sleeps as a GPU would (one at a time), and the NudeNet detector of the model store on the CPU, one model
thread per core for everyone. Goal: ahead of both servers in throughput and in p99.

One configuration of each peer, not tuned further: mosec decodes in workers of their own in front of the model's, bodies raw;
LitServe takes its own JSON with the picture in base64. Load comes from `wrk`.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import litserve
import numpy as np

from benchmarks.bench_text_http import HOST, milliseconds
from benchmarks.report import machine_line
from inference.testing import Cost
from tests.live_server import free_port

N_CONNECTIONS = 64
SIDE_PX = 320
FIXED = Cost(0.005, 0.001)
LADDER = (1, 2, 4, 8, 16)
CPU_BATCH = 4
PATHS = {"ours": "/v1/images/check?detectors=porn", "mosec": "/inference", "litserve": "/predict"}
MODEL = os.environ.get("BENCH_MODEL", "fixed")
"""Which model this process serves; handed down to the servers' own children."""


# the one model, as every contender runs it


def n_model_threads() -> int:
    """One for the fixed cost, as one GPU would have; else one per core."""
    return 1 if MODEL == "fixed" else len(os.sched_getaffinity(0))


def max_batch() -> int:
    return LADDER[-1] if MODEL == "fixed" else CPU_BATCH


class Model:
    """Takes letterboxed uint8 pictures (N, side, side, 3), gives scores."""

    def __init__(self) -> None:
        self._session: Any = None
        if MODEL != "fixed":
            from inference.devices import DeviceKind, DeviceShare
            from inference.sessions import OnnxSession
            from inference.settings import InferenceSettings
            from inference.verdicts import ModelRef
            from models.store import ModelStore

            stored = ModelStore(InferenceSettings.load().models.dir).live("nudenet-320n")
            share = DeviceShare(DeviceKind.CPU, 1 << 50, n_threads=n_model_threads())
            self._session = OnnxSession(stored.onnx_path, ref=ModelRef("nudenet", "1", ""), share=share)

    def run(self, batch: np.ndarray) -> list[float]:
        """Score a batch."""
        tensor = np.ascontiguousarray(batch.transpose(0, 3, 1, 2), np.float32) / np.float32(255)
        if self._session is None:
            time.sleep(FIXED.of(len(batch)))
            return tensor[:, 0, 0, 0].tolist()
        (rows,) = self._session.run({self._session.input_names[0]: tensor}).values()
        return rows[:, 4:].max(axis=(1, 2)).tolist()

    def bare(self, tensors: np.ndarray) -> None:
        """Run a ready batch."""
        if self._session is None:
            time.sleep(FIXED.of(len(tensors)))
        else:
            self._session.run({self._session.input_names[0]: tensors})


def decoded(data: bytes) -> np.ndarray:
    """What a peer has to do with a JPEG before the model, done with the same functions as ours."""
    from inference.pictures import decode_picture
    from inference.vision.porn import letterbox

    return letterbox(decode_picture(data), SIDE_PX)


def bare_per_s(model: Model, seconds: float) -> float:
    """Pictures per second of the model alone, at the best batch size."""
    sizes = (max_batch(),) if MODEL == "fixed" else (1, max_batch())
    return max(_bare_at(model, size, seconds / len(sizes)) for size in sizes)


def _bare_at(model: Model, size: int, seconds: float) -> float:
    ready = np.zeros((size, 3, SIDE_PX, SIDE_PX), np.float32)
    done: list[int] = []
    end_s = time.monotonic() + seconds

    def loop() -> None:
        while time.monotonic() < end_s:
            model.bare(ready)
            done.append(size)

    threads = [threading.Thread(target=loop) for _ in range(n_model_threads())]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / seconds


# the servers, each in processes of its own


def serve_ours(port: int) -> None:
    """Serve the application as `livewarden api` does; with the fixed-cost model in place of the porn detector's, if asked for."""
    import uvicorn

    from inference.collector import settle
    from inference.engine import Engine
    from streams.api import Behind, create_app
    from streams.serve import SWITCH_S
    from streams.settings import Settings
    from streams.stores import Stores
    from streams.text_service import text_service
    from streams.worker import Worker

    sys.setswitchinterval(SWITCH_S)
    with tempfile.TemporaryDirectory(prefix="bench-images-") as folder:
        settings = Settings.load(data_dir=Path(folder), api={"port": port})
        engine = fixed_engine() if MODEL == "fixed" else Engine.start(settings)
        stores = Stores.open(settings, clock=engine.clock, metrics=engine.metrics)
        worker = Worker(engine, stores, settings, clock=engine.clock)
        app = create_app(settings, Behind(engine, worker, stores.index, stores.evidence), text_service(settings, engine))
        settle()
        uvicorn.run(app, host=HOST, port=port, log_level="warning", access_log=False, lifespan="off")


def fixed_engine() -> Any:
    """An engine with one detector, whose lane runs the fixed-cost model, on one device thread as on a GPU."""
    from concurrent.futures import ThreadPoolExecutor

    from inference.clock import SystemClock
    from inference.detectors import Outputs, StagedDetector
    from inference.devices import DeviceKind, DeviceShare
    from inference.engine import Engine, Parts
    from inference.host import Host
    from inference.lanes import Device, Lane
    from inference.metrics import Metrics
    from inference.policy_book import PolicyBook
    from inference.samples import FrameSample, Modality
    from inference.testing import FakeSession
    from inference.text.check import TextChecker
    from inference.vision.porn import letterbox
    from models.taxonomy import Taxonomy

    class FixedDetector(StagedDetector[FrameSample, np.ndarray, Outputs]):
        name, modality, takes = "porn", Modality.IMAGE, FrameSample

        def prepare(self, sample: FrameSample) -> np.ndarray:
            pixels = letterbox(sample.picture.rgb(), SIDE_PX)
            return np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32) / np.float32(255)

        async def infer(self, prepared: np.ndarray, *, deadline_s: float | None) -> Outputs:
            ticket = lane.submit({"x": prepared}, deadline_s=deadline_s)
            await ticket
            return Outputs(timings=() if ticket.timing is None else (ticket.timing,))

        def findings(self, outputs: Outputs, sample: FrameSample) -> tuple[()]:
            return ()

    clock, metrics = SystemClock(), Metrics()
    device = Device(DeviceShare(DeviceKind.CPU, 1 << 50, n_threads=1), clock=clock, metrics=metrics)
    session = FakeSession(cost=FIXED, compute=lambda rows: {"y": rows["x"][:, 0, 0, 0]})
    lane = Lane("porn", session, device, max_queue=4 * N_CONNECTIONS, ladder=LADDER)
    lane.warm()
    threads = ThreadPoolExecutor(3, thread_name_prefix="detect")
    detector = FixedDetector(Host(threads, clock=clock, metrics=metrics), frozenset())
    taxonomy = Taxonomy.load()
    parts = Parts(
        {"porn": detector}, {}, TextChecker.load((), (), labels=taxonomy), PolicyBook.load((), taxonomy=taxonomy), device, threads
    )
    return Engine(parts, clock=clock, metrics=metrics)


def serve_mosec(port: int) -> None:
    """Serve with mosec: one worker that decodes, then the model's."""
    from mosec import Server, Worker

    class Decode(Worker):
        def deserialize(self, data: bytes) -> Any:
            return data

        def forward(self, data: bytes) -> np.ndarray:
            return decoded(data)

    class Infer(Worker):
        def __init__(self) -> None:
            super().__init__()
            self._model = Model()

        def forward(self, data: list[np.ndarray]) -> list[dict[str, float]]:
            return [{"score": score} for score in self._model.run(np.stack(data))]

    sys.argv = ["mosec", "--address", HOST, "--port", str(port), "--timeout", "30000", "--log-level", "error"]
    server = Server()
    server.append_worker(Decode, num=2, start_method="fork")
    server.append_worker(Infer, num=n_model_threads(), max_batch_size=max_batch(), max_wait_time=5, start_method="fork")
    server.run()


class LitApi(litserve.LitAPI):
    """What LitServe serves; its children import it by name."""

    def setup(self, device: str) -> None:
        """Load the model."""
        self._model = Model()

    def decode_request(self, request):  # type: ignore[no-untyped-def]  # LitServe looks annotations up and takes none for JSON
        """Decode one request."""
        return decoded(base64.b64decode(request["image"]))

    def batch(self, inputs: list[np.ndarray]) -> np.ndarray:
        """Stack a batch."""
        return np.stack(inputs)

    def predict(self, x: np.ndarray) -> list[float]:
        """Score it."""
        return self._model.run(x)

    def unbatch(self, output: list[float]) -> list[float]:
        """Take it apart."""
        return output

    def encode_response(self, output: float) -> dict[str, float]:
        """Write one answer."""
        return {"score": output}


def serve_litserve(port: int) -> None:
    """Serve with LitServe."""
    server = litserve.LitServer(
        LitApi(max_batch_size=max_batch(), batch_timeout=0.005),
        accelerator="cpu",
        workers_per_device=n_model_threads(),
        timeout=30,
    )
    server.run(host=HOST, port=port, log_level="error", generate_client_file=False, num_api_servers=1)


SERVERS = {"ours": serve_ours, "mosec": serve_mosec, "litserve": serve_litserve}


# the measuring


@dataclass(frozen=True, slots=True)
class Load:
    """One run of load against one server."""

    per_s: float
    p50_ms: float
    p99_ms: float


@contextlib.contextmanager
def serving(name: str, model: str) -> Iterator[int]:
    """Run one server in a process group of its own; yields its port once it answers."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.bench_images_http", "--serve", name, "--port", str(port)]
    environment = {**os.environ, "BENCH_MODEL": model, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, start_new_session=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline_s = time.monotonic() + 60
        while (answer := asked_once(name, port)) is None:
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise SystemExit(f"{name} did not answer within 60 s (exit code {process.poll()})")
            time.sleep(0.2)
        print(f"{name} answers: {answer[:120]}", file=sys.stderr)
        yield port
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=8)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def picture() -> bytes:
    """A JPEG of the model's input size: soft colours and some noise, 20 to 40 KB."""
    noise = np.random.default_rng(3)
    soft = cv2.resize(noise.integers(0, 256, (12, 12, 3), np.uint8), (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC)
    grain = noise.normal(0, 12, soft.shape)
    return cv2.imencode(".jpg", np.clip(soft + grain, 0, 255).astype(np.uint8))[1].tobytes()


def body_for(name: str) -> tuple[bytes, str]:
    """The body and its content type."""
    jpeg = picture()
    if name == "litserve":
        return json.dumps({"image": base64.b64encode(jpeg).decode()}).encode(), "application/json"
    return jpeg, "image/jpeg"


def asked_once(name: str, port: int) -> bytes | None:
    """Ask one question; None where nobody answers it yet."""
    import httpx

    body, kind = body_for(name)
    try:
        answer = httpx.post(f"http://{HOST}:{port}{PATHS[name]}", content=body, headers={"Content-Type": kind}, timeout=10)
    except httpx.HTTPError:
        return None
    return answer.content if answer.status_code == 200 else None


def load(name: str, port: int, seconds: float) -> Load:
    """Load one server with wrk."""
    body, kind = body_for(name)
    with tempfile.TemporaryDirectory(prefix="bench-wrk-") as folder:
        file, script = Path(folder) / "body", Path(folder) / "post.lua"
        file.write_bytes(body)
        script.write_text(
            f'local f = io.open("{file}", "rb")\nwrk.method = "POST"\nwrk.body = f:read("*all")\nf:close()\n'
            f'wrk.headers["Content-Type"] = "{kind}"\n'
        )
        command = ["wrk", "-t1", f"-c{N_CONNECTIONS}", f"-d{seconds:.0f}s", "--timeout", "30s", "--latency", "-s", str(script)]
        url = f"http://{HOST}:{port}{PATHS[name]}"
        run = subprocess.run([*command, url], capture_output=True, text=True, check=True, timeout=seconds + 60)
    if "Non-2xx" in run.stdout or "Socket errors" in run.stdout:
        raise SystemExit(f"{name} refused requests:\n{run.stdout}")
    rate = re.search(r"Requests/sec:\s*([\d.]+)", run.stdout)
    shares = dict(re.findall(r"(50|99)%\s+([\d.]+(?:us|ms|s))", run.stdout))
    if rate is None:
        raise SystemExit(f"wrk said nothing of its rate:\n{run.stdout}")
    return Load(float(rate[1]), milliseconds(shares["50"]), milliseconds(shares["99"]))


def measure(model: str, *, seconds: float, n_rounds: int) -> None:
    """Answer the question for one model and print the table."""
    os.environ["BENCH_MODEL"] = model
    global MODEL  # the bare loop runs in this process
    MODEL = model
    alone = Model()
    runs: dict[str, list[Load]] = {name: [] for name in SERVERS}
    bare: list[float] = []
    with contextlib.ExitStack() as stack:
        ports = {name: stack.enter_context(serving(name, model)) for name in SERVERS}
        for name, port in ports.items():
            load(name, port, 1)
        for n in range(n_rounds):
            bare.append(bare_per_s(alone, seconds / 2))
            for name in list(ports) if n % 2 == 0 else reversed(list(ports)):
                runs[name].append(load(name, ports[name], seconds))
    question = f"One JPEG of {SIDE_PX}x{SIDE_PX}, model {model}, {N_CONNECTIONS} connections"
    print(f"\n### {question}, median of {n_rounds} x {seconds:.0f} s\n")
    print("| contender | pictures/s | of the bare loop | p50 ms | p99 ms | throughput by ours | p99 by ours |")
    print("|---|---|---|---|---|---|---|")
    print(f"| bare loop | {statistics.median(bare):.0f} | 1.00 | | | | |")
    for name, loads in runs.items():
        by_bare = statistics.median(one.per_s / alone_s for one, alone_s in zip(loads, bare, strict=True))
        by_ours = statistics.median(one.per_s / ours.per_s for one, ours in zip(loads, runs["ours"], strict=True))
        p99_by_ours = statistics.median(one.p99_ms / ours.p99_ms for one, ours in zip(loads, runs["ours"], strict=True))
        keys = ("per_s", "p50_ms", "p99_ms")
        per_s, p50_ms, p99_ms = (statistics.median(getattr(one, key) for one in loads) for key in keys)
        print(
            f"| {name} | {per_s:.0f} | {by_bare:.3f} | {p50_ms:.0f} | {p99_ms:.0f} | {by_ours:.2f} | {p99_by_ours:.2f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of one run of load")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", choices=["fixed", "nudenet"], help="only this one")
    parser.add_argument("--serve", choices=list(SERVERS), help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        SERVERS[options.serve](options.port)
        return
    print(machine_line("onnxruntime-gpu", "mosec", "litserve", "uvicorn", "fastapi"))
    for model in [options.model] if options.model else ["fixed", "nudenet"]:
        measure(model, seconds=options.seconds, n_rounds=options.rounds)


if __name__ == "__main__":
    main()
