"""Sound in any codec that phones and encoders send, decoded in children: what a stranger sent must not take the service down.

    bytes -> a free child, started when first needed -> mono float32 at 16 kHz, or why not
                 | died, or took too long: ended; the next clip starts another

What goes over the socket is a tag of one byte, a length of eight and so many bytes. Decoding is `streams/sound_child.py`.
"""

from __future__ import annotations

import socket
import struct
import threading
import time

import numpy as np

from inference.errors import InvalidSample, Overloaded
from inference.samples import Pcm
from streams.spawning import spawn

N_CHILDREN = 2
"""Clips decoded at once."""
DEADLINE_S = 10.0
"""A clip that is not decoded by then, waiting included, is given up; 300 s of AAC take 0.9 s."""
MEMORY_BYTES = 512 * 1024 * 1024
"""Private memory of a child."""
DECODED, REFUSED = 1, 2
"""Tags of a child's answer: PCM, or words."""
SENDABLE = "s16le PCM at 16 kHz mono as audio/pcm, or a file with sound: WAV, MP3, AAC, M4A, Ogg, FLAC, WebM"

_HEAD = struct.Struct("<BQ")


class SoundFiles:
    """Children that decode; safe from any thread. Nothing runs until the first clip."""

    def __init__(self, *, n_children: int = N_CHILDREN, deadline_s: float = DEADLINE_S) -> None:
        """Set the bounds.

        Args:
            n_children: clips decoded at once; overflow rule: a clip waits, and is refused when its time is over.
            deadline_s: for one clip, seconds.
        """
        self._deadline_s = deadline_s
        self._turns = threading.BoundedSemaphore(n_children)
        self._lock = threading.Lock()
        self._idle: list[_Child] = []

    def decode(self, data: bytes, content_type: str) -> Pcm:
        """Decode one clip; blocks, so call it on a thread.

        Args:
            data: a file with sound; other streams in it are ignored.
            content_type: as sent, for the complaint alone; the file says itself what it is.

        Returns:
            mono float32 at 16 kHz, shape (T,).

        Raises:
            InvalidSample: it cannot be decoded, or not in time.
            Overloaded: other clips took all the time, or the machine has no room for a decoder.
        """
        by_s = time.monotonic() + self._deadline_s
        if not self._turns.acquire(timeout=self._deadline_s):
            raise Overloaded(f"no decoder of sound was free for {self._deadline_s:g} s")
        try:
            child = self._child()
            try:
                tag, answer = child.ask(data, by_s)
            except (OSError, EOFError) as exc:
                child.end()
                why = "took too long" if isinstance(exc, TimeoutError) else "ended its decoder"
                raise InvalidSample(f"sound of {len(data)} bytes, sent as {content_type!r}, {why}; send {SENDABLE}") from exc
            with self._lock:
                self._idle.append(child)
        finally:
            self._turns.release()
        if tag != DECODED:
            why = answer.decode("utf-8", "replace")
            raise InvalidSample(f"sound sent as {content_type!r} cannot be decoded: {why}; send {SENDABLE}")
        return np.frombuffer(answer, np.float32)

    def close(self) -> None:
        """End the children that wait; one that decodes ends with the process, or with its clip's deadline."""
        with self._lock:
            idle, self._idle = self._idle, []
        for child in idle:
            child.end()

    def _child(self) -> _Child:
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.is_alive():
                    return child
                child.end()
        try:
            return _Child(self._deadline_s)
        except OSError as exc:
            raise Overloaded(f"no decoder of sound can be started: {exc.strerror}") from exc


class _Child:
    """One process and the socket to it."""

    def __init__(self, deadline_s: float) -> None:
        ours, theirs = socket.socketpair()
        told = (f"{theirs.fileno()}", f"{deadline_s:g}")
        try:
            self._process = spawn("streams.sound_child", told, descriptors=(theirs.fileno(),))
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self._socket = ours

    def is_alive(self) -> bool:
        """Tell whether the process runs."""
        return self._process.poll() is None

    def ask(self, data: bytes, by_s: float) -> tuple[int, bytes]:
        """Send a clip and wait for what became of it.

        Raises:
            TimeoutError: not by then.
            OSError: the child is gone.
            EOFError: it went while it answered.
        """
        self._socket.settimeout(max(0.01, by_s - time.monotonic()))
        send(self._socket, DECODED, data)
        return receive(self._socket, by_s)

    def end(self) -> None:
        """Make sure that the process is gone."""
        self._socket.close()
        self._process.kill()
        self._process.wait()


def send(sock: socket.socket, tag: int, data: bytes) -> None:
    """Write a tagged block."""
    sock.sendall(_HEAD.pack(tag, len(data)))
    sock.sendall(data)


def receive(sock: socket.socket, by_s: float | None = None) -> tuple[int, bytes]:
    """Read a tagged block.

    Args:
        sock: to read from.
        by_s: monotonic time by which all of it must be there; None waits for ever.

    Raises:
        EOFError: the other side is gone.
        TimeoutError: not by then.
    """
    tag, n_bytes = _HEAD.unpack(_exactly(sock, _HEAD.size, by_s))
    return tag, _exactly(sock, n_bytes, by_s)


def _exactly(sock: socket.socket, n_bytes: int, by_s: float | None) -> bytes:
    read = bytearray()
    while len(read) < n_bytes:
        if by_s is not None:
            if (left_s := by_s - time.monotonic()) <= 0:
                raise TimeoutError
            sock.settimeout(left_s)
        part = sock.recv(min(n_bytes - len(read), 1 << 20))
        if not part:
            raise EOFError
        read += part
    return bytes(read)
