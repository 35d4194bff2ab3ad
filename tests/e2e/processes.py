"""`livewarden up` as a real process tree, and a platform it watches; everything that ends here is ended by its own process id."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml

from streams import demo_broadcast
from tests.live_server import free_port

T = TypeVar("T")
POLL_S = 0.2


def until(ask: Callable[[], T], *, within_s: float, what: str) -> T:
    """Ask again and again until the answer is true; what is not yet to be had may raise httpx errors."""
    deadline_s = time.monotonic() + within_s
    last: object = None
    while time.monotonic() < deadline_s:
        try:
            answer = ask()
            if answer:
                return answer
            last = answer
        except (httpx.TransportError, httpx.HTTPStatusError) as error:
            last = error
        threading.Event().wait(POLL_S)
    raise AssertionError(f"not within {within_s:g} s: {what}; last answer: {last!r}")


@dataclass(frozen=True, slots=True)
class Told:
    """One event of the outbox."""

    ce_id: str
    type: str
    room_id: str
    data: dict[str, Any]


class Up:
    """One `livewarden up` with a data folder, and what a platform and an operator ask of it."""

    def __init__(self, folder: Path, models: Path, **sections: dict[str, Any]) -> None:
        self._folder = folder
        self._log_path = folder / "up.log"
        self.port = free_port()
        self._config = folder / "livewarden.yaml"
        settings = {
            "data_dir": str(folder / "data"),
            "api": {"port": self.port},
            "models": {"dir": str(models)},
            "rooms": {"allow_private": True, "shutdown_s": 5.0},
            **sections,
        }
        self._config.write_text(yaml.safe_dump(settings))
        self._process: subprocess.Popen[bytes] | None = None
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=20.0)

    # Life

    def start(self) -> None:
        """Start without waiting."""
        with self._log_path.open("ab") as log:
            command = [sys.executable, "-m", "streams.start", "up", "-c", str(self._config)]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait_ready(self, *, within_s: float = 90.0) -> None:
        """Return once it says that rooms are being watched."""

        def ready() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, f"it ended with {self._process.returncode}: {self.log()}"
            return self.http.get("/readyz").status_code == 200

        until(ready, within_s=within_s, what="/readyz says ready")

    def stop(self) -> int:
        """Stop as a service manager does; returns the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(40)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
            raise

    def close(self) -> None:
        """End what is left."""
        self.http.close()
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)

    def log(self) -> str:
        """End of what it wrote."""
        return self._log_path.read_text(errors="replace")[-4000:]

    # Processes

    def server_pid(self) -> int:
        """The process below the supervisor that serves and watches."""
        assert self._process is not None
        return until(lambda: _children(self._process.pid, "spawn_main"), within_s=30, what="a server process")[0]

    def decoders_of(self, port: int) -> list[int]:
        """Decoder processes that hold a connection to a loopback port."""
        inodes = _connections_to(port)
        return [pid for pid in _children(self.server_pid(), "streams.child") if inodes & _sockets(pid)]

    # Questions

    def get(self, path: str, **params: object) -> Any:
        """JSON of a GET that must succeed."""
        answer = self.http.get(path, params={name: str(value) for name, value in params.items()})
        answer.raise_for_status()
        return answer.json()

    def watch(self, room_id: str, source: str | None, **body: object) -> None:
        """Put a room up."""
        given = body if source is None else {"source": source, **body}
        answer = self.http.put(f"/v1/rooms/{room_id}", json=given)
        assert answer.status_code == 200, answer.text

    def room(self, room_id: str) -> dict[str, Any]:
        """A room as the API describes it."""
        return self.get(f"/v1/rooms/{room_id}")

    def violations(self, room_id: str, label: str | None = None) -> list[dict[str, Any]]:
        """What was found in a room."""
        label_of = {} if label is None else {"label": label}
        return self.get("/v1/violations", room_id=room_id, limit=500, **label_of)["violations"]

    def found(self, room_id: str, label: str, *, within_s: float = 60.0) -> dict[str, Any]:
        """Wait for a violation of a room under a label."""
        return until(lambda: self.violations(room_id, label), within_s=within_s, what=f"{label} in room {room_id}")[0]

    def n_scored(self, room_id: str, detector: str) -> int:
        """How many samples of a room a detector has looked at."""
        return int(self.room(room_id)["detectors"][detector]["n_scored"])

    def wait_scored(self, room_id: str, detector: str, n_more: int, *, within_s: float = 60.0) -> None:
        """Return once a detector has looked at that many more samples of a room."""
        goal = self.n_scored(room_id, detector) + n_more
        until(lambda: self.n_scored(room_id, detector) >= goal, within_s=within_s, what=f"{n_more} looks of {detector}")

    def outbox(self) -> list[Told]:
        """Everything committed, in its order."""
        path = self._folder / "data" / "outbox.db"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as connection:
            rows = connection.execute("SELECT ce_id, type, key, value FROM alerts ORDER BY seq").fetchall()
        return [Told(ce_id, kind, key, json.loads(value)) for ce_id, kind, key, value in rows]


@contextmanager
def running(folder: Path, models: Path, **sections: dict[str, Any]) -> Iterator[Up]:
    """Have one up and ready for the time of the context; it must end in order."""
    folder.mkdir(parents=True, exist_ok=True)
    up = Up(folder, models, **sections)
    try:
        up.start()
        up.wait_ready()
        yield up
        assert up.stop() == 0, up.log()
    finally:
        up.close()


class Platform:
    """A live platform on loopback, in a process of its own; its streams are encoded while others get ready."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._on_air = {"garbage"}
        self._port = 0

    @property
    def port(self) -> int:
        """Where it answers."""
        while not self._port:
            self._listen()
        return self._port

    def url(self, name: str) -> str:
        """Address of a stream, e.g. `clean.flv`, once it is on air."""
        while name.partition(".")[0] not in self._on_air:
            self._listen()
        return f"http://127.0.0.1:{self.port}/live/{name}"

    def _listen(self) -> None:
        assert self._pipe.poll(90), f"nothing heard from the platform; on air: {self._on_air}"
        message = self._pipe.recv()
        self._port = message.get("port", self._port)
        self._on_air.add(message.get("on_air", "garbage"))


@contextmanager
def broadcasting() -> Iterator[Platform]:
    """Have the demo's platform for the time of the context."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=demo_broadcast.serve, args=(theirs,), name="broadcast")
    process.start()
    theirs.close()
    try:
        yield Platform(ours)
    finally:
        ours.close()
        process.join(10)
        if process.is_alive():
            process.kill()
            process.join(10)
        process.close()


def _children(pid: int, mark: str) -> list[int]:
    """Direct children of a process whose command line has a mark in it."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and mark in (folder / "cmdline").read_text():
                found.append(int(folder.name))
    return sorted(found)


def _connections_to(port: int) -> set[str]:
    """Inodes of established TCP connections to a loopback port."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    fields = [line.split() for line in lines]
    return {one[9] for one in fields if one[2] == f"0100007F:{port:04X}" and one[3] == "01"}


def _sockets(pid: int) -> set[str]:
    """Inodes of the sockets that a process holds."""
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            match = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(entry))
            if match:
                found.add(match[1])
    return found
