"""How much of an HTTP server is left when every request is a text check?

    python benchmarks/bench_text_http.py [--seconds 4] [--rounds 3]

One uvicorn worker on one core, load from another, over loopback, in turns: a bare ASGI echo (the ceiling), a bare FastAPI route
with a pydantic body (what one would write first), our text route with the whole lexicon path, the same with connections that pause
until half of that load is left (what a machine should be run at), the same with the classifier's opinion on every text, and our
batch route with 50 texts. Load comes from `wrk` where it is installed, else from a small asyncio client, which is slower than the
servers.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import csv
import itertools
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
N_CONNECTIONS = 64
N_BATCH = 50
DANMAKU = Path(__file__).resolve().parents[2] / "shared" / "data" / "text" / "douyu_danmaku" / "data.csv"
N_TEXTS = 2000
N_ANSWER = 470
"""Bytes of an answer that passes a short text."""
ROUND = "r0000000"
"""Room of all texts; every round through them is another room, for no room hears the same 2,000 lines again and again."""
RUNS = itertools.count()
"""Runs of load so far: each has rooms of its own, too."""
CLEAN = ["主播加油", "666666", "这波可以啊", "哈哈哈哈哈", "什么操作？？", "大哥带带我", "上单 nb", "来了来了"]
TEXTS = [*CLEAN, *CLEAN, "加薇❤❤abc123", *CLEAN, *CLEAN, "jia vx lao_wang88", *CLEAN, *CLEAN]
"""Sent where no real danmaku are at hand; one in 25 is disguised: more than three times the share of hits in those."""
SERVERS = {
    "echo": "raw ASGI echo",
    "sized": "raw ASGI, an answer of our size",
    "fastapi": "FastAPI + pydantic",
    "ours": "text check",
    "half": "text check, at half of that load",
    "network": "text check with the network's opinion",
    "batch": f"batch of {N_BATCH}",
}
APPS = {"echo": "echo_app", "sized": "sized_app", "fastapi": "fastapi_app", "ours": "our_app", "network": "network_app"}
SAME = {"half": "ours", "batch": "ours"}
"""Asked of a server that is there already."""


def echo_app():
    """Make the ceiling: read the body, send it back."""

    async def app(scope, receive, send):
        if scope["type"] != "http":
            return
        message = await receive()
        body = message["body"]
        while message["more_body"]:
            message = await receive()
            body += message["body"]
        head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": body})

    return app


def sized_app():
    """Make the ceiling of our contract: read the body, answer with as many bytes as the shortest of our answers has."""
    answer = b"{" + b" " * (N_ANSWER - 2) + b"}"
    head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]

    async def app(scope, receive, send):
        if scope["type"] == "http" and not (await receive())["more_body"]:
            await send({"type": "http.response.start", "status": 200, "headers": head})
            await send({"type": "http.response.body", "body": answer})

    return app


def fastapi_app():
    """Make the plain way: FastAPI, a pydantic body, a dict out, nothing checked."""
    from fastapi import FastAPI
    from pydantic import BaseModel

    class Body(BaseModel):
        text: str
        scene: str = "danmaku"
        uid: str | None = None
        room_id: str | None = None

    app = FastAPI()

    async def check(body: Body) -> dict[str, str]:
        return {"decision": "pass", "text": body.text}

    check.__annotations__ = {"body": Body, "return": dict[str, str]}  # a local class cannot be looked up by its name
    app.post("/v1/text/check")(check)
    return app


def our_app(with_network: bool = False):
    """Make ours, as served: base list, shipped policies, counters, problem handling, documented routes behind it."""
    from fastapi import FastAPI

    from inference.api import CheckDesk, CheckFront, install_checks
    from inference.cli import TextOnly
    from inference.collector import settle
    from inference.devices import DeviceShare
    from inference.lanes import Device
    from inference.registry import open_classifier
    from inference.settings import InferenceSettings
    from inference.text_desk import TextParts
    from models.store import ModelStore

    settings = InferenceSettings.load()
    app, checks = FastAPI(), TextOnly.load(settings)
    network = open_classifier(ModelStore(settings.models.dir), Device(DeviceShare.auto("cpu"))) if with_network else None
    desk = CheckDesk.over(checks, texts=TextParts(network, fold=checks.text.normaliser.canonical))  # no pictures are sent here
    install_checks(app, desk)
    settle()
    return CheckFront(app, desk)


def network_app():
    """Make ours with the classifier, which is asked for every text that has letters and is no repeat."""
    return our_app(with_network=True)


@dataclass(frozen=True, slots=True)
class Load:
    """One run of load against one server."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float


@contextlib.contextmanager
def serving(name: str, core: int) -> Iterator[int]:
    """Run one server pinned to one core; yields its port."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        f"benchmarks.bench_text_http:{APPS[name]}",
        "--factory",
        "--host",
        HOST,
        "--port",
        str(port),
    ]
    command += ["--loop", "uvloop", "--http", "httptools", "--log-level", "warning", "--no-access-log", "--lifespan", "off"]
    root = Path(__file__).resolve().parents[1]
    process = subprocess.Popen([*pinned(core), *command], cwd=root)
    try:
        wait_until_open(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=10)


def pinned(core: int) -> list[str]:
    """Return the prefix that pins a command to a core, where the machine has more than one."""
    return ["taskset", "-c", str(core)] if shutil.which("taskset") and (os.cpu_count() or 1) > 1 else []


def wait_until_open(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server listens; fails when it ends or takes over 30 seconds."""
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            raise SystemExit(f"the server ended with {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        time.sleep(0.05)
    raise SystemExit("the server did not listen within 30 s")


def texts() -> list[str]:
    """Return real danmaku in the order they were sent, where they are at hand."""
    if not DANMAKU.is_file():
        return TEXTS
    with DANMAKU.open(encoding="utf-8", newline="") as file:
        return [row["text"] for row in itertools.islice(csv.DictReader(file), N_TEXTS)]


def bodies(name: str) -> list[str]:
    """Return the request bodies that are sent in turn."""
    asked = [{"text": text, "scene": "danmaku", "uid": f"u{i}", "room_id": ROUND} for i, text in enumerate(texts())]
    if name == "batch":
        rows = [asked[at : at + N_BATCH] for at in range(0, len(asked) - N_BATCH + 1, N_BATCH)] or [(asked * N_BATCH)[:N_BATCH]]
        return [json.dumps({"texts": row}) for row in rows]
    return [json.dumps(one) for one in asked]


def load_with_wrk(name: str, port: int, seconds: float, pause_ms: float = 0.0) -> Load:
    """Load a server with wrk, one thread on the other core; each connection waits for `pause_ms` on average between requests."""
    script = "local bodies = {" + ",".join(f"[===[{body}]===]" for body in bodies(name)) + "}\nlocal i = 0\n"
    script += 'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
    script += f"""
local round = {next(RUNS) * 10_000}
request = function()
  i = i + 1
  if i > #bodies then i = 1; round = round + 1 end
  local body = string.gsub(bodies[i], "{ROUND}", string.format("r%07d", round))
  return wrk.format(nil, nil, nil, body)
end
"""
    if pause_ms:
        script += f"delay = function() return math.random(0, {2 * pause_ms:.0f}) end\n"
    path = "/v1/text/check/batch" if name == "batch" else "/v1/text/check"
    with tempfile.NamedTemporaryFile("w", suffix=".lua", encoding="utf-8") as file:
        file.write(script)
        file.flush()
        command = [*pinned(1), "wrk", "-t1", f"-c{N_CONNECTIONS}", f"-d{seconds:.0f}s", "--latency", "-s", file.name]
        run = subprocess.run(
            [*command, f"http://{HOST}:{port}{path}"], capture_output=True, text=True, check=True, timeout=seconds + 30
        )
    if "Non-2xx" in run.stdout:
        raise SystemExit(f"{name} refused requests:\n{run.stdout}")
    rate = re.search(r"Requests/sec:\s*([\d.]+)", run.stdout)
    shares = dict(re.findall(r"(50|99)%\s+([\d.]+(?:us|ms|s))", run.stdout))
    if rate is None:
        raise SystemExit(f"wrk said nothing of its rate:\n{run.stdout}")
    return Load(float(rate[1]), milliseconds(shares["50"]), milliseconds(shares["99"]))


def pause_for_half(whole: Load) -> float:
    """Return the pause, in milliseconds, with which the connections ask half as often; an answer then takes about a quarter."""
    return 2000 * N_CONNECTIONS / whole.requests_per_s - whole.p50_ms / 4


def milliseconds(text: str) -> float:
    """Read a duration as wrk writes it."""
    for unit, factor in (("us", 0.001), ("ms", 1.0), ("s", 1000.0)):
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * factor
    raise ValueError(f"no unit in {text!r}")


async def load_with_client(name: str, port: int, seconds: float) -> Load:
    """Load a server with our own client: raw keep-alive connections."""
    path = "/v1/text/check/batch" if name == "batch" else "/v1/text/check"
    head = f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\nContent-Length: "
    requests = [f"{head}{len(body.encode())}\r\n\r\n{body}".encode() for body in bodies(name)]
    took_s: list[float] = []
    end_s = time.perf_counter() + seconds

    async def caller(start: int) -> None:
        reader, writer = await asyncio.open_connection(HOST, port)
        index = start
        while (sent_s := time.perf_counter()) < end_s:
            writer.write(requests[index % len(requests)])
            answer = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in answer[:20]:
                raise SystemExit(f"{name} refused: {answer[:80]!r}")
            length = re.search(rb"content-length: (\d+)", answer.lower())
            await reader.readexactly(int(length[1]) if length else 0)
            took_s.append(time.perf_counter() - sent_s)
            index += 1
        writer.close()

    await asyncio.gather(*(caller(start) for start in range(N_CONNECTIONS)))
    cuts = statistics.quantiles(took_s, n=100)
    return Load(len(took_s) / seconds, cuts[49] * 1000, cuts[98] * 1000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()

    runs: dict[str, list[Load]] = {name: [] for name in SERVERS}
    with contextlib.ExitStack() as stack:
        ports = {name: stack.enter_context(serving(name, 0)) for name in APPS}
        ports = {name: ports[SAME.get(name, name)] for name in SERVERS}
        for _ in range(options.rounds):
            for name, port in ports.items():
                if shutil.which("wrk"):
                    pause_ms = pause_for_half(runs["ours"][-1]) if name == "half" else 0.0
                    runs[name].append(load_with_wrk(name, port, options.seconds, pause_ms))
                elif name == "half":
                    continue  # the client has no pauses
                else:
                    runs[name].append(asyncio.run(load_with_client(name, port, options.seconds)))

    rate = {name: statistics.median(load.requests_per_s for load in loads) for name, loads in runs.items() if loads}
    source = "wrk" if shutil.which("wrk") else "Python"
    print(f"{N_CONNECTIONS} connections, median of {options.rounds} runs of {options.seconds:.0f} s, load from {source}")
    print("| server | req/s | p50 ms | p99 ms | of echo | of FastAPI | texts/s |\n|---|---|---|---|---|---|---|")
    for name, title in SERVERS.items():
        if not runs[name]:
            continue
        p50_ms = statistics.median(load.p50_ms for load in runs[name])
        p99_ms = statistics.median(load.p99_ms for load in runs[name])
        n_texts = rate[name] * (N_BATCH if name == "batch" else 1)
        print(
            f"| {title} | {rate[name]:,.0f} | {p50_ms:.2f} | {p99_ms:.2f} | {rate[name] / rate['echo']:.2f} "
            f"| {rate[name] / rate['fastapi']:.2f} | {n_texts:,.0f} |"
        )


if __name__ == "__main__":
    main()
