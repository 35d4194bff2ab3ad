"""Runs a Livewarden role: a supervisor process, and below it the process that serves and watches; the latter dies and comes back.

    livewarden up|worker|api      supervisor: no models, no sockets; starts the server again when it dies
    └── server                    one event loop: HTTP, rooms, looks, alerts
        └── decoders              PyAV, one warm spare

Shutdown order: stop the intake of HTTP → stop decoding → finish the looks under way → close what is open, commit, publish → engine.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing.process import BaseProcess
from types import FrameType

import uvicorn

from inference.clock import SystemClock
from inference.collector import settle
from inference.engine import Engine
from inference.errors import ConfigError, LivewardenError
from inference.text_desk import TextDesk
from streams.api import Behind, create_app
from streams.linking import clustered, fed_by_kafka
from streams.reloading import Reloader
from streams.settings import Settings
from streams.stores import Stores
from streams.text_service import TextService, serving_texts, text_service
from streams.worker import Worker

log = logging.getLogger(__name__)

RESTART_PAUSES_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Waits before the server is started again; a run of a minute begins the list anew."""
STEADY_S = 60.0
CONFIG_EXIT = 2
"""Exit code of a server that could not start because of what it was told: starting it again would not help."""
SWITCH_S = 0.0005
"""How long a thread may keep the interpreter from one that came back from a model, seconds; Python's own 5 ms idle the device."""
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s %(threadName)s: %(message)s"
_PR_SET_PDEATHSIG = 1


class Role(StrEnum):
    """What a process tree does."""

    UP = "up"
    """API and worker."""
    API = "api"
    WORKER = "worker"


def run_tree(settings: Settings, role: Role) -> int:
    """Run a role until it is told to stop; returns the exit code.

    The server runs in a child, so that its death (out of memory, a crash in a native library) costs seconds, not the service. What
    was found is in the outbox, and the rooms that were watched are there too, so the next server carries on.
    """
    supervisor = _Supervisor(settings, role)
    return supervisor.run()


class _Supervisor:
    """The parent process: starts the server, passes signals on, starts it again."""

    def __init__(self, settings: Settings, role: Role) -> None:
        self._settings = settings
        self._role = role
        self._stopping = False
        self._server: BaseProcess | None = None

    def run(self) -> int:
        """Serve until stopped."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        n_deaths = 0
        while True:
            started_s = time.monotonic()
            code = self._serve_once()
            if self._stopping or code in (0, CONFIG_EXIT):
                return 0 if self._stopping else code
            n_deaths = 1 if time.monotonic() - started_s > STEADY_S else n_deaths + 1
            pause_s = RESTART_PAUSES_S[min(n_deaths, len(RESTART_PAUSES_S)) - 1]
            log.error("server died and is started again", extra={"exit_code": code, "pause_s": pause_s})
            told = f"livewarden: server died (exit code {code}); starting it again in {pause_s:g} s"
            print(told, file=sys.stderr, flush=True)  # noqa: T201
            time.sleep(pause_s)

    def _serve_once(self) -> int:
        context = multiprocessing.get_context("spawn")
        self._server = context.Process(target=_serve_process, args=(self._settings, self._role), name="livewarden-server")
        self._server.start()
        self._server.join()
        return self._server.exitcode if self._server.exitcode is not None else 1

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        if self._server is not None and self._server.pid is not None and self._server.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._server.pid, signal.SIGTERM)


def _serve_process(settings: Settings, role: Role) -> None:
    """Entry of the server process; it dies with its supervisor."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C reaches the whole group; the supervisor passes SIGTERM on
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format=LOG_FORMAT)
    sys.setswitchinterval(SWITCH_S)
    try:
        asyncio.run(serve(settings, role))
    except LivewardenError as error:
        print(f"livewarden: {error}", file=sys.stderr, flush=True)  # noqa: T201
        sys.exit(CONFIG_EXIT if isinstance(error, ConfigError) else 1)


async def serve(settings: Settings, role: Role) -> None:
    """Serve a role in this process until SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    async with running(settings, role) as server:
        log.info("serving", extra={"role": role, "url": server.url})
        print(f"livewarden {role}: {server.url}", file=sys.stderr, flush=True)  # noqa: T201
        await stop.wait()


@dataclass(frozen=True, slots=True)
class Running:
    """A role that serves."""

    url: str
    """Where its API and console answer."""
    behind: Behind


@asynccontextmanager
async def running(settings: Settings, role: Role) -> AsyncIterator[Running]:
    """Serve a role for the time of the context.

    Raises:
        ConfigError: a setting cannot work, or the port is taken.
        NotReady: the device is not there, a model does not fit, or another worker has the data folder.
    """
    clock = SystemClock()
    if role is not Role.UP and not settings.kafka.bootstrap_servers:
        raise ConfigError(f"livewarden {role} shares rooms through Kafka; set kafka.bootstrap_servers, or run `livewarden up`")
    listener = _listen(settings)
    engine = await asyncio.to_thread(Engine.start, settings, clock=clock)
    stores = Stores.open(settings, clock=clock, metrics=engine.metrics)
    try:
        service = text_service(settings, engine)
        desk = clustered(engine, stores, settings) if role is Role.API else watching(engine, stores, settings, role, service.desk)
        async with (
            desk as behind,
            _following(engine, settings, role),
            serving_texts(service),
            _answering(settings, behind, service, listener) as url,
        ):
            settle()
            yield Running(url, behind)
    finally:
        await asyncio.to_thread(stores.close)
        await asyncio.to_thread(engine.close)


@asynccontextmanager
async def watching(
    engine: Engine, stores: Stores, settings: Settings, role: Role, texts: TextDesk | None = None
) -> AsyncIterator[Behind]:
    """Watch rooms in this process: those put up over its API, and with a broker those that Kafka gives it.

    A worker that fails takes the process down with it, and the supervisor starts another: rooms that nobody watches behind an API
    that answers would be the worst of all states.
    """
    worker = Worker(engine, stores, settings, clock=engine.clock, texts=texts)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(worker.run(), name="worker")
        try:
            fed = fed_by_kafka(worker, engine, stores, settings, hands_over=role is Role.WORKER)
            async with fed if settings.kafka.bootstrap_servers else contextlib.nullcontext():
                yield Behind(engine, worker, stores.index, stores.evidence)
        finally:
            task.cancel()


@asynccontextmanager
async def _following(engine: Engine, settings: Settings, role: Role) -> AsyncIterator[None]:
    """Follow changed policies and word lists where no worker makes its rounds in this process."""
    task = asyncio.create_task(Reloader(engine, settings).run(), name="reload") if role is Role.API else None
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def _answering(settings: Settings, behind: Behind, service: TextService, listener: socket.socket) -> AsyncIterator[str]:
    """Answer HTTP for the time of the context; yields the address."""
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(settings, behind, service), log_config=None, access_log=False, timeout_graceful_shutdown=5, lifespan="off"
        )
    )
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]  # signals are this module's
    serving = asyncio.create_task(_serve_on(server, listener), name="http")
    try:
        host, port = listener.getsockname()[:2]
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        await asyncio.gather(serving, return_exceptions=True)
        await asyncio.to_thread(behind.sounds.close)


async def _serve_on(server: uvicorn.Server, listener: socket.socket) -> None:
    with listener:
        await server.serve(sockets=[listener])


def _listen(settings: Settings) -> socket.socket:
    """Take the port before models are loaded, so that a taken one is said at once.

    Raises:
        ConfigError: it is taken, or the address is none of this machine.
    """
    family = socket.AF_INET6 if ":" in settings.api.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.api.host, settings.api.port))
    except OSError as error:
        listener.close()
        place = f"{settings.api.host}:{settings.api.port}"
        raise ConfigError(f"cannot listen on {place}: {error.strerror}; set api.host and api.port") from error
    listener.listen(1024)
    return listener
