"""The product as its users run it: `livewarden up` in a process tree of its own, and the demo's live platform beside it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from streams import demo_broadcast

START_S = 60.0
FIND_S = 60.0


class Product:
    """One running `livewarden up`."""

    def __init__(self, folder: Path, port: int, **settings: Any) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{port}"
        self.api = httpx.Client(base_url=self.url, timeout=20.0)
        self._log = (folder / "up.log").open("ab")
        given = {"data_dir": str(folder / "data"), "api": {"port": port}, "rooms": {"allow_private": True, "shutdown_s": 2.0}}
        (folder / "livewarden.yaml").write_text(yaml.safe_dump({**given, **settings}))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "streams.cli", "up", "-c", str(self.folder / "livewarden.yaml")]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log, stdin=subprocess.DEVNULL)
        self.wait(self.is_ready, within_s=START_S)

    def is_ready(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return self.api.get("/readyz").status_code == 200
        return False

    def stop(self) -> int:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(30)

    def end(self) -> None:
        """Make sure that nothing is left, whatever the test did."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)
        self.api.close()
        self._log.close()

    def server_pid(self) -> int:
        """Process id of the server below the supervisor."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        named = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
        return next(pid for pid, command in named.items() if b"spawn_main" in command)

    def kill_server(self) -> None:
        os.kill(self.server_pid(), signal.SIGKILL)

    def log(self) -> str:
        return (self.folder / "up.log").read_text(errors="replace")[-4000:]

    def watch(self, room_id: str, source: str | None) -> None:
        body = {"title": f"room {room_id}", **({} if source is None else {"source": source})}
        answer = self.api.put(f"/v1/rooms/{room_id}", json=body)
        assert answer.status_code == 200, answer.text

    def violations(self, **query: str) -> list[dict[str, Any]]:
        return list(self.api.get("/v1/violations", params={"limit": 200, **query}).json()["violations"])

    def wait_for_violation(self, room_id: str, label: str) -> dict[str, Any]:
        self.wait(lambda: self.violations(room_id=room_id, label=label))
        return self.violations(room_id=room_id, label=label)[0]

    def wait(self, condition: Callable[[], Any], *, within_s: float = FIND_S) -> None:
        """Poll until the condition holds; the wait is bounded and is no measurement."""
        ends_s = time.monotonic() + within_s
        while not condition():
            assert self._process is None or self._process.poll() is None, f"the product ended:\n{self.log()}"
            assert time.monotonic() < ends_s, f"did not happen within {within_s:g} s:\n{self.log()}"
            time.sleep(0.2)


@contextmanager
def live_platform() -> Iterator[str]:
    """Run the demo's live platform in a process of its own; yields its address once every stream is on air."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=demo_broadcast.serve, args=(theirs,))
    process.start()
    theirs.close()
    try:
        port = ours.recv()["port"]
        for _ in demo_broadcast.shows():
            ours.recv()
        yield f"http://127.0.0.1:{port}/live"
    finally:
        ours.close()
        process.join(10)
        if process.is_alive():
            process.kill()
