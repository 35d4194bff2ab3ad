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
import sys
import time
from enum import StrEnum
from multiprocessing.process import BaseProcess
from types import FrameType

import uvicorn
from fastapi import FastAPI

from inference.engine import Engine
from inference.errors import ConfigError, LivewardenError
from streams.api import create_app
from streams.desk import RoomDesk
from streams.settings import Settings
from streams.stores import Stores
from streams.worker import Worker

log = logging.getLogger(__name__)

RESTART_PAUSES_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Waits before the server is started again; a run of a minute begins the list anew."""
STEADY_S = 60.0
CONFIG_EXIT = 2
"""Exit code of a server that could not start because of what it was told: starting it again would not help."""
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
            print(f"livewarden: server died (exit code {code}); starting it again in {pause_s:g} s", file=sys.stderr, flush=True)  # noqa: T201
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
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(threadName)s: %(message)s")
    try:
        uvicorn.run  # noqa: B018  imported here so that a missing server extra fails before models are loaded
        asyncio.run(serve(settings, role))
    except ConfigError as error:
        print(f"livewarden: {error}", file=sys.stderr, flush=True)  # noqa: T201
        sys.exit(CONFIG_EXIT)
    except LivewardenError as error:
        print(f"livewarden: {error}", file=sys.stderr, flush=True)  # noqa: T201
        sys.exit(CONFIG_EXIT)
