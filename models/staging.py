"""Writing that a kill or a power cut leaves whole or not at all: one lock, synced copies, and slots that nobody's crash leaks.

Knows folders and files only; what is published out of a slot is for `store.py`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

_STAGING = ".staging"


@contextlib.contextmanager
def locked(root: Path, name: str = ".lock") -> Iterator[None]:
    """Hold a lock file under a folder among all processes of the machine; a killed holder lets go by itself."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def staging_slot(root: Path) -> Iterator[Path]:
    """Lend an empty folder on the same disk as `root`; rename it away when it is whole, else it is removed."""
    staging = root / _STAGING
    staging.mkdir(parents=True, exist_ok=True)
    _clear_abandoned(staging)
    slot = staging / secrets.token_hex(8)
    # The slot's lock is born locked under a name the sweep does not look at, so no sweep can take a slot that is in use.
    born = slot.with_suffix(".new")
    with born.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        born.rename(slot.with_suffix(".lock"))
        slot.mkdir()
        try:
            yield slot
        finally:
            shutil.rmtree(slot, ignore_errors=True)
            slot.with_suffix(".lock").unlink(missing_ok=True)


def _clear_abandoned(staging: Path) -> None:
    """Remove what killed processes left; a slot whose lock can be had has no owner."""
    for lock in staging.glob("*.lock"):
        with contextlib.suppress(OSError), lock.open("r") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
            lock.unlink(missing_ok=True)


def copy_synced(source: Path, target: Path) -> None:
    """Copy a file and wait until it is on the disk."""
    with source.open("rb") as reader, target.open("wb") as writer:
        shutil.copyfileobj(reader, writer, 1 << 20)
        writer.flush()
        os.fsync(writer.fileno())


def sync_file(path: Path) -> None:
    """Wait until a written file is on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
