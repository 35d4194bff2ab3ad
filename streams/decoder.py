"""One decoder child as the worker sees it: process, slab, socket, and who sits where."""

from __future__ import annotations

import contextlib
import os
import select
import socket

import msgspec

from streams.messages import MAX_MESSAGE_BYTES, ChildSettings, Command, Report, decode_report, encode
from streams.slab import MAX_ROOMS, Activity, Slab, create_memory
from streams.spawning import spawn

SEND_TIMEOUT_S = 2.0
"""A child that takes no command for this long is lost."""
REAP_TIMEOUT_S = 5.0


class DecoderLost(Exception):
    """Raised when the child is dead, or talks nonsense, or does not listen."""


class Decoder:
    """A running child. All calls come from the pool's thread, which also started it: the kernel ends the child with that thread."""

    def __init__(self, settings: ChildSettings, slab_bytes: int) -> None:
        fd = create_memory(slab_bytes)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self.slab = Slab(fd, slab_bytes)
            told = (os.getpid(), fd, slab_bytes, theirs.fileno(), msgspec.json.encode(settings).decode())
            self._process = spawn("streams.child", [str(one) for one in told], descriptors=(fd, theirs.fileno()))
        except BaseException:
            ours.close()
            raise
        finally:
            os.close(fd)
            theirs.close()
        self.socket = ours
        self.socket.setblocking(False)
        self.is_ready = False
        self.is_quarantine = False
        self.hung: set[int] = set()
        """Watches that made the pool kill this child."""
        self.seats: dict[int, int] = {}
        """Seat of each watch, the leaving ones included."""

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def free_seat(self) -> int | None:
        """An entry of the room table that nobody uses."""
        taken = set(self.seats.values())
        return next((seat for seat in range(MAX_ROOMS) if seat not in taken), None)

    def send(self, command: Command) -> None:
        """Hand a command to the child.

        Raises:
            DecoderLost: it is dead or does not listen.
        """
        data = encode(command)
        try:
            while True:
                with contextlib.suppress(BlockingIOError):
                    self.socket.send(data)
                    return
                if not select.select([], [self.socket], [], SEND_TIMEOUT_S)[1]:
                    raise DecoderLost("does not take commands")
        except OSError as error:
            raise DecoderLost(error.strerror) from None

    def receive(self, at_most: int) -> list[Report]:
        """Take the messages that wait, a bounded number of them.

        Raises:
            DecoderLost: it is dead, or sent what is no message.
        """
        reports: list[Report] = []
        try:
            for _ in range(at_most):
                data = self.socket.recv(MAX_MESSAGE_BYTES)
                if not data:
                    if reports:
                        break
                    raise DecoderLost("closed its socket")
                reports.append(decode_report(data))
        except BlockingIOError:
            pass
        except (OSError, msgspec.MsgspecError) as error:
            raise DecoderLost(f"{type(error).__name__}") from None
        return reports

    def suspects(self) -> set[int]:
        """Watches that may have killed the child: those it was decoding when it died, else those it was reading."""
        if self.hung:
            return set(self.hung)
        activities = {watch_id: self.slab.activity(seat) for watch_id, seat in self.seats.items()}
        for activity in (Activity.DECODING, Activity.DEMUXING):
            found = {watch_id for watch_id, does in activities.items() if does is activity}
            if found:
                return found
        return set()

    def hung_rooms(self, *, now_s: float) -> set[int]:
        """Watches that have been inside FFmpeg for twice as long as they said they would be at most."""
        return {
            watch_id
            for watch_id, seat in self.seats.items()
            if self.slab.activity(seat) is not Activity.IDLE and now_s > self.slab.overdue_s(seat)
        }

    def end(self) -> str:
        """Make sure the process is gone and say how it went: `exit_0`, `signal_11`, `hung`."""
        self.socket.close()
        self._process.kill()
        code = self._process.wait(REAP_TIMEOUT_S)
        if self.hung:
            return "hung"
        return f"signal_{-code}" if code < 0 else f"exit_{code}"
