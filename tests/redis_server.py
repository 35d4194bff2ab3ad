"""A real Redis server for tests, on a free loopback port: killed, held up and started again at will. Needs `redis-server`."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from inference.text.redis_address import RedisAddress
from tests.conftest import require
from tests.live_server import free_port

LOCKED_PASSWORD = "r*ght"
READY_TRIES = 500
TRY_EVERY_S = 0.02


class RedisServer:
    """One server process that keeps nothing on disk. The port stays the same from start to start."""

    def __init__(self, folder: Path, *, password: str | None = None) -> None:
        self.port = free_port()
        self._folder = folder
        self._password = password
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def address(self) -> RedisAddress:
        return RedisAddress(f"redis://127.0.0.1:{self.port}/0")

    def admin(self) -> redis.Redis:
        """A client for the test's own questions; to be closed."""
        return redis.Redis(port=self.port, password=self._password, retry=Retry(ConstantBackoff(TRY_EVERY_S), READY_TRIES))

    def start(self) -> None:
        """Start and return when it really answers."""
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder), "--save", ""]
        if self._password is not None:
            command += ["--requirepass", self._password]
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        with self.admin() as admin:
            try:
                admin.ping()
            except redis.ConnectionError:
                raise RuntimeError(f"redis-server did not start: {(self._folder / 'redis.log').read_text()[-2000:]}") from None

    def kill(self) -> None:
        """End it as a power cut would."""
        self._signal(signal.SIGKILL)
        self._wait()

    def stop(self) -> None:
        """End it in order, held up or not; nothing where it has ended."""
        if self._process is not None:
            self.go_on()
            self._signal(signal.SIGTERM)
            self._wait()

    def hold(self) -> None:
        """Let it answer nobody while its connections stay open."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let a held server answer again."""
        self._signal(signal.SIGCONT)

    def _signal(self, which: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(which)

    def _wait(self) -> None:
        assert self._process is not None
        self._process.wait(30)
        self._process = None


def _require_redis() -> None:
    require(shutil.which("redis-server") is not None, "redis-server is not installed (apt-get install redis-server)")


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One server for all tests that leave it running."""
    _require_redis()
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_server(shared_redis: RedisServer) -> RedisServer:
    """A running server with nothing in it."""
    with shared_redis.admin() as admin:
        admin.flushall()
    return shared_redis


@pytest.fixture
def cold_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A server of the test's own that is not started yet."""
    _require_redis()
    server = RedisServer(tmp_path / "redis")
    yield server
    server.stop()


@pytest.fixture
def locked_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A running server of the test's own that wants a password."""
    _require_redis()
    server = RedisServer(tmp_path / "locked", password=LOCKED_PASSWORD)
    server.start()
    yield server
    server.stop()
