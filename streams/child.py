"""The decoder child: a process of its own that decodes a few dozen rooms and dies with its worker.

Started by `streams/supervisor.py` as `python -c`, never forked, with three things inherited: the slab, the socket, its settings.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import socket
import sys
import threading

import msgspec

from streams.decode import silence_ffmpeg
from streams.messages import MAX_MESSAGE_BYTES, ChangePlan, ChildSettings, Hello, Unwatch, Watch, decode_command
from streams.outlet import Outlet
from streams.reader import RoomReader, Seat
from streams.slab import Slab

_PR_SET_PDEATHSIG = 1
_M_ARENA_MAX = -8
_N_ARENAS = 4
"""Heaps of the C library; one per thread, its default, keeps memory of every room that ever decoded."""


class DecoderChild:
    """The rooms of one child. `serve` runs on the main thread and ends when the worker closes the socket."""

    def __init__(self, settings: ChildSettings, slab: Slab, sock: socket.socket) -> None:
        self._settings, self._slab, self._sock = settings, slab, sock
        self._outlet = Outlet(slab, sock)
        self._seats: dict[int, Seat] = {}
        self._readers: dict[int, RoomReader] = {}

    def serve(self) -> None:
        """Follow the worker's commands until it is gone."""
        self._outlet.say(Hello(os.getpid()), until=threading.Event())
        with contextlib.suppress(ConnectionResetError):  # a worker that goes with our messages unread ends the socket so
            while data := self._sock.recv(MAX_MESSAGE_BYTES):
                self._follow(data)

    def _follow(self, data: bytes) -> None:
        command = decode_command(data)
        if isinstance(command, Watch):
            self._watch(command)
        elif isinstance(command, ChangePlan):
            if command.watch_id in self._readers:
                self._readers[command.watch_id].change_plan(command.plan)
        elif isinstance(command, Unwatch):
            self._unwatch(command.watch_id)

    def _watch(self, watch: Watch) -> None:
        seat = Seat(watch, self._settings, self._slab, self._outlet, lambda: len(self._readers))
        reader = RoomReader(seat)
        self._seats[watch.watch_id], self._readers[watch.watch_id] = seat, reader
        reader.start()

    def _unwatch(self, watch_id: int) -> None:
        seat = self._seats.pop(watch_id, None)
        self._readers.pop(watch_id, None)
        if seat is not None:
            seat.stopping.set()


def _die_with_parent(parent_pid: int) -> None:
    """Ask the kernel to end this process when the worker's does; the worker's supervising thread started it and lives as long."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(0)


def main() -> None:
    """Run a child: `streams.child <parent pid> <slab fd> <slab bytes> <socket fd>`, settings as JSON on standard input's place."""
    parent_pid, slab_fd, n_bytes, sock_fd = (int(text) for text in sys.argv[1:5])
    _die_with_parent(parent_pid)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = msgspec.json.decode(sys.argv[5], type=ChildSettings)
    ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _N_ARENAS)
    resource.setrlimit(resource.RLIMIT_DATA, (settings.memory_bytes, settings.memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    silence_ffmpeg()
    slab = Slab(slab_fd, n_bytes)
    os.close(slab_fd)
    with socket.socket(fileno=sock_fd) as sock:
        DecoderChild(settings, slab, sock).serve()
    os._exit(0)  # rooms inside FFmpeg cannot be joined; nothing of theirs needs saving
