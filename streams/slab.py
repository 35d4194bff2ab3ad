"""Shared memory between one decoder child and the worker: pixels and sound cross without being copied through a pipe.

The memory is an anonymous file: it has no name, so nothing is left behind however either side dies. Its layout:

    | room table: 64 bytes per room | state: 1 byte per slot | slots of 64 KiB |

The child marks slots used and the worker marks them free again; neither sends a message for it. A room's entry says whether its
thread is inside FFmpeg at this moment and when it last moved, which is what the worker reads after the child has died.
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
import threading
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

SLOT_BYTES = 64 * 1024
ROOM_BYTES = 64
MAX_ROOMS = 128
"""Entries of the room table; more rooms than that never share a child."""
_ROOMS_BYTES = MAX_ROOMS * ROOM_BYTES
_BEAT = struct.Struct("=dd")


class Activity(IntEnum):
    """What a room's thread is doing; what is above IDLE is FFmpeg's code on bytes that strangers sent."""

    IDLE = 0
    DEMUXING = 1
    DECODING = 2


@dataclass(frozen=True, slots=True)
class Region:
    """Where in a slab one picture or clip lies."""

    slot: int
    """First slot."""
    n_slots: int


def create_memory(n_bytes: int) -> int:
    """Make an anonymous shared file of that size and return its descriptor.

    Raises:
        OSError: the machine has no room for it.
    """
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("livewarden-slab", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, n_bytes)
    return fd


class Slab:
    """One mapping of the shared memory; the child allocates, the worker releases.

    `allocate` is safe from any thread of the child, `release` from any thread of the worker. A mapping lives as long as an array
    into it does, so a picture outlives the child that decoded it.
    """

    def __init__(self, fd: int, n_bytes: int) -> None:
        n_slots = (n_bytes - _ROOMS_BYTES - mmap.PAGESIZE) // (SLOT_BYTES + 1)
        if n_slots < 1:
            raise ValueError(f"a slab needs at least {_ROOMS_BYTES + mmap.PAGESIZE + SLOT_BYTES + 1} bytes, got {n_bytes}")
        self.n_slots = n_slots
        self._map = mmap.mmap(fd, n_bytes)
        self._data_at = n_bytes - n_slots * SLOT_BYTES
        self._data_at -= self._data_at % mmap.PAGESIZE
        self._bytes = np.frombuffer(self._map, dtype=np.uint8)
        self._next = 0
        self._lock = threading.Lock()

    def allocate(self, n_bytes: int) -> Region | None:
        """Take neighbouring free slots for that many bytes, or None when there are none now."""
        n_slots = max(1, -(-n_bytes // SLOT_BYTES))
        wanted = bytes(n_slots)
        end = _ROOMS_BYTES + self.n_slots
        with self._lock:
            at = self._map.find(wanted, _ROOMS_BYTES + self._next, end)
            if at < 0:
                at = self._map.find(wanted, _ROOMS_BYTES, end)
            if at < 0:
                return None
            self._map[at : at + n_slots] = b"\1" * n_slots
            slot = at - _ROOMS_BYTES
            self._next = (slot + n_slots) % self.n_slots
            return Region(slot, n_slots)

    def fits(self, n_bytes: int) -> bool:
        """Tell whether that many bytes could ever be held."""
        return n_bytes <= self.n_slots * SLOT_BYTES

    def release(self, region: Region) -> None:
        """Mark the region's slots free."""
        at = _ROOMS_BYTES + region.slot
        self._map[at : at + region.n_slots] = bytes(region.n_slots)

    def view(self, region: Region, n_bytes: int) -> NDArray[np.uint8]:
        """The region's first bytes, as they lie in the shared memory.

        Raises:
            ValueError: the region is not within the slab, or too small: the other side sent nonsense.
        """
        inside = region.slot >= 0 and region.n_slots > 0 and region.slot + region.n_slots <= self.n_slots
        if not inside or not 0 <= n_bytes <= region.n_slots * SLOT_BYTES:
            raise ValueError(f"region {region} with {n_bytes} bytes is not within a slab of {self.n_slots} slots")
        at = self._data_at + region.slot * SLOT_BYTES
        return self._bytes[at : at + n_bytes]

    @property
    def n_used(self) -> int:
        """Slots in use now."""
        return int(np.count_nonzero(self._bytes[_ROOMS_BYTES : _ROOMS_BYTES + self.n_slots]))

    def set_activity(self, seat: int, activity: Activity) -> None:
        """Say what the room in that seat does from now on (called in the child)."""
        self._map[seat * ROOM_BYTES] = activity

    def activity(self, seat: int) -> Activity:
        """What the room in that seat does, or did last when its process is dead."""
        value = self._map[seat * ROOM_BYTES]
        return Activity(value) if value in _ACTIVITIES else Activity.DECODING

    def beat(self, seat: int, now_s: float, patience_s: float) -> None:
        """Say that the room in that seat enters FFmpeg at this monotonic time, for that long at most (called in the child)."""
        _BEAT.pack_into(self._map, seat * ROOM_BYTES + 8, now_s, patience_s)

    def overdue_s(self, seat: int) -> float:
        """Monotonic time after which the room in that seat hangs: twice its patience; infinity when it never said."""
        now_s, patience_s = _BEAT.unpack_from(self._map, seat * ROOM_BYTES + 8)
        return float(now_s) + 2 * float(patience_s) if now_s else float("inf")

    def clear_seat(self, seat: int) -> None:
        """Make the seat's entry new, for the next room that takes it."""
        self._map[seat * ROOM_BYTES : (seat + 1) * ROOM_BYTES] = bytes(ROOM_BYTES)


_ACTIVITIES = frozenset(int(activity) for activity in Activity)


class Lease:
    """The worker's hold on a region: gives it back once, when told to or when nobody holds it any more."""

    __slots__ = ("_region", "_slab")

    def __init__(self, slab: Slab, region: Region) -> None:
        self._slab: Slab | None = slab
        self._region = region

    def release(self) -> None:
        """Give the region back; calls after the first do nothing."""
        slab, self._slab = self._slab, None
        if slab is not None:
            slab.release(self._region)

    def __del__(self) -> None:
        self.release()
