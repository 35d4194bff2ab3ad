"""What a tenant's staff taught a detector, on disk: every teaching a version, one of them live, all switched in one rename.

    <root>/live.json                    {"revision": 7, "live": {"platform_b": 3}}: what is in force, and how often that changed
    <root>/<name>/<version>/entry.json  what was said of it; beside it the pictures it was taught with; never changes once there
    <root>/.lock                        held while a version is written or what is live is switched

Many processes may use one folder; readers take no lock. What an entry means is its detector's.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from inference.errors import ConfigError, InvalidSample, NotFound
from models.staging import locked, staging_slot, sync_file, sync_folder

KEPT_VERSIONS = 5
"""Versions of one name that stay on disk, of which one is live; older ones go with the next change."""
KEPT_REMOVED = 100
"""Names that were removed and can be brought back; the ones removed first go for good."""

Stamp = tuple[int, int, int]
"""Tells two states of what is live apart: when the file was written, its size and inode; zeros where nothing was ever enrolled."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")
_LIVE, _ENTRY = "live.json", "entry.json"

E = TypeVar("E", bound=msgspec.Struct)


class _Live(msgspec.Struct, forbid_unknown_fields=True):
    """The file that says what is in force."""

    revision: int = 0
    live: dict[str, int] = {}
    removed: list[str] = []
    """Names that were removed, first ones first."""


@dataclass(frozen=True, slots=True)
class Enrolled(Generic[E]):
    """One version of one name."""

    name: str
    version: int
    folder: Path
    """Holds the files that the entry names."""
    entry: E
    is_live: bool = True

    @property
    def ref(self) -> str:
        """`name@version`, as answers carry it."""
        return f"{self.name}@{self.version}"


class EnrolmentStore(Generic[E]):
    """Entries under one folder, which appears with the first of them."""

    def __init__(self, root: Path, kind: type[E], noun: str) -> None:
        """Bind to a folder.

        Args:
            root: the folder.
            kind: what an entry is.
            noun: how messages call one, e.g. `logo`.
        """
        self.root = root
        self._noun = noun
        self._read_entry = msgspec.json.Decoder(kind).decode

    # Reading

    def stamp(self) -> Stamp:
        """Tell in one system call what is live; differs from an earlier one where anything changed. Never raises."""
        try:
            status = (self.root / _LIVE).stat()
        except OSError:
            return (0, 0, 0)
        return (status.st_mtime_ns, status.st_size, status.st_ino)

    def revision(self) -> int:
        """Return how often what is live has changed.

        Raises:
            ConfigError: the file that says so cannot be read.
        """
        return self._live().revision

    def live(self) -> tuple[Enrolled[E], ...]:
        """Return everything in force, by name.

        Raises:
            ConfigError: the store cannot be read, or names a version that is not there.
        """
        for _ in range(3):
            stamp = self.stamp()
            try:
                return tuple(self._load(name, version, is_live=True) for name, version in sorted(self._live().live.items()))
            except ConfigError:
                # Somebody may have enrolled and removed between our reading of what is live and of the entries.
                if stamp == self.stamp():
                    raise
        raise ConfigError(f"{self.root} changes faster than it can be read; enrol less often")

    def find(self, name: str) -> Enrolled[E]:
        """Return the version of a name that is in force.

        Raises:
            NotFound: there is none of that name, or it was removed.
            ConfigError: the store cannot be read.
        """
        live = self._live().live
        if name not in live:
            known = ", ".join(sorted(live)) or "none yet"
            back = f"; it was removed, roll it back to one of {self._numbers(name)}" if self._versions(name) else ""
            raise NotFound(f"no {self._noun} {name!r}; known: {known}{back}")
        return self._load(name, live[name], is_live=True)

    def versions(self, name: str) -> tuple[Enrolled[E], ...]:
        """Return the versions of a name that are on disk, oldest first; raises as `find`."""
        versions = self._versions(name)
        if not versions:
            return (self.find(name),)
        live = self._live().live.get(name)
        return tuple(self._load(name, version, is_live=version == live) for version in versions)

    def version(self, name: str, version: int) -> Enrolled[E]:
        """Return one version of a name, in force or not, as long as it is on disk.

        Raises:
            NotFound: it is not.
            ConfigError: the store cannot be read.
        """
        if version not in self._versions(name):
            raise NotFound(f"no version {version} of {self._noun} {name!r}; on disk: {self._numbers(name)}")
        return self._load(name, version, is_live=self._live().live.get(name) == version)

    # Writing

    def publish(self, name: str, entry: E, files: Mapping[str, bytes]) -> Enrolled[E]:
        """Write a new version and put it in force; readers see the old or the new, and a crash leaves either.

        Args:
            name: 1 to 40 lower-case letters, digits, `-`, `_` and `.`.
            entry: what is said of it.
            files: by file name, stored beside it.

        Raises:
            InvalidSample: the name cannot be one.
            ConfigError: the disk refuses; what was in force stays so.
        """
        if not _NAME.fullmatch(name):
            raise InvalidSample(f"{self._noun} name {name!r}; give 1 to 40 lower-case letters, digits, -, _ and ., e.g. platform-b")
        with self._changing(name) as live:
            version = max(self._versions(name), default=0) + 1
            with staging_slot(self.root) as slot:
                for file, content in {_ENTRY: msgspec.json.encode(entry), **files}.items():
                    (slot / file).write_bytes(content)
                    sync_file(slot / file)
                folder = self.root / name / str(version)
                folder.parent.mkdir(exist_ok=True)
                slot.rename(folder)
                sync_folder(folder.parent)
            live.live[name] = version
            live.removed = [one for one in live.removed if one != name]
        return Enrolled(name, version, folder, entry)

    def remove(self, name: str) -> Enrolled[E]:
        """Take a name out of force; its versions stay for a while, so that `rollback` can bring it back. Returns what was live.

        Raises:
            NotFound: there is none of that name in force.
            ConfigError: the disk refuses; it stays in force.
        """
        self.find(name)
        with self._changing(name) as live:
            enrolled = self.find(name)  # somebody may have removed it while we waited
            del live.live[name]
            live.removed = [*(one for one in live.removed if one != name), name]
        return enrolled

    def rollback(self, name: str, version: int) -> Enrolled[E]:
        """Put an earlier (or later) version in force; brings a removed name back too.

        Raises:
            NotFound: there is no such version on disk.
            ConfigError: the disk refuses; what was in force stays so.
        """
        with self._changing(name) as live:
            if version not in self._versions(name):
                raise NotFound(f"no version {version} of {self._noun} {name!r}; on disk: {self._numbers(name)}")
            live.live[name] = version
            live.removed = [one for one in live.removed if one != name]
        return self._load(name, version, is_live=True)

    @contextlib.contextmanager
    def _changing(self, name: str) -> Iterator[_Live]:
        """Hold the lock around a change of what is live, write it whole, then sweep what nobody can ask for any more."""
        try:
            with locked(self.root):
                live = self._live()
                yield live
                live.revision += 1
                gone, live.removed = live.removed[:-KEPT_REMOVED], live.removed[-KEPT_REMOVED:]
                self._write_live(live)
                for removed in gone:
                    shutil.rmtree(self.root / removed, ignore_errors=True)
                for version in self._versions(name)[:-KEPT_VERSIONS]:
                    shutil.rmtree(self.root / name / str(version), ignore_errors=True)
        except OSError as exc:
            raise ConfigError(
                f"{self._noun} store {self.root} cannot be written: {exc.strerror or exc}; nothing was changed, make room or set "
                "shared_dir, or data_dir, to a folder that can be written"
            ) from exc

    def _write_live(self, live: _Live) -> None:
        beside = self.root / f".{_LIVE}.{os.getpid()}.tmp"
        try:
            beside.write_bytes(msgspec.json.encode(live))
            sync_file(beside)
            beside.replace(self.root / _LIVE)
            sync_folder(self.root)
        except OSError:
            beside.unlink(missing_ok=True)
            raise

    def _live(self) -> _Live:
        path = self.root / _LIVE
        try:
            return msgspec.json.decode(path.read_bytes(), type=_Live)
        except FileNotFoundError:
            return _Live()
        except OSError as exc:
            raise ConfigError(f"cannot read {path}: {exc.strerror}; give this user the right to") from exc
        except msgspec.MsgspecError as exc:
            raise ConfigError(f"{path} is damaged ({exc}); remove it and roll each {self._noun} back to a version") from exc

    def _load(self, name: str, version: int, *, is_live: bool) -> Enrolled[E]:
        folder = self.root / name / str(version)
        try:
            entry = self._read_entry((folder / _ENTRY).read_bytes())
        except OSError as exc:
            raise ConfigError(
                f"{self._noun} {name}@{version}: cannot read {folder / _ENTRY}: {exc.strerror}; enrol it again"
            ) from exc
        except msgspec.MsgspecError as exc:
            raise ConfigError(f"{self._noun} {name}@{version}: {folder / _ENTRY} is damaged ({exc}); enrol it again") from exc
        return Enrolled(name, version, folder, entry, is_live)

    def _versions(self, name: str) -> list[int]:
        if not _NAME.fullmatch(name):
            return []
        try:
            with os.scandir(self.root / name) as entries:
                return sorted(int(entry.name) for entry in entries if entry.name.isdecimal())
        except OSError:
            return []

    def _numbers(self, name: str) -> str:
        return ", ".join(str(version) for version in self._versions(name)) or "none"


class Follower(Generic[E]):
    """Notices that what is enrolled changed, and has it taught again; belongs to one caller at a time."""

    def __init__(self, store: EnrolmentStore[E], teach: Callable[[tuple[Enrolled[E], ...]], None]) -> None:
        """Follow a store.

        Args:
            store: what to follow.
            teach: told everything in force whenever that changed, and at the first call.
        """
        self._store = store
        self._teach = teach
        self._seen: Stamp | None = None

    def follow(self) -> bool:
        """Teach again if anything changed; True where it did. Blocks on disk and model.

        Raises:
            ConfigError: the store cannot be read; what was taught before stays.
        """
        stamp = self._store.stamp()
        if stamp == self._seen:
            return False
        self._seen = stamp  # before reading: what changes meanwhile is seen at the next turn
        self._teach(self._store.live())
        return True
