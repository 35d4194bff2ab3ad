"""Where evidence files lie: a local folder, or any address that fsspec knows.

Owns writing a file whole or not at all, reading it back by its address, and throwing old ones away. What the files are is
`streams/evidence.py`.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import fsspec

from inference.errors import ConfigError, NotFound


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep did."""

    n_removed: int
    bytes_removed: int
    bytes_kept: int


class Shelf(Protocol):
    """A place for files: a local folder or an object store."""

    def put(self, name: str, content: bytes) -> str:
        """Store content under a relative name, whole or not at all, and return its address.

        Raises:
            OSError: it could not be stored.
        """
        ...

    def get(self, uri: str) -> bytes:
        """Return the content of an address that `put` gave.

        Raises:
            NotFound: there is no such file on this shelf.
        """
        ...

    def sweep(self, *, older_than: datetime, max_bytes: int) -> Swept:
        """Remove what is older, then the oldest until at most `max_bytes` remain."""
        ...


class FolderShelf:
    """A local folder; a file appears whole, by rename, and is on the disk when `put` returns."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().resolve()
        self._n_temporary = itertools.count()

    def put(self, name: str, content: bytes) -> str:
        """Write beside, fsync, rename, fsync the folder."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.parent / f".{os.getpid()}-{next(self._n_temporary)}.tmp"
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return path.as_uri()

    def get(self, uri: str) -> bytes:
        """Read a file of this folder; an address that leads out of it does not exist."""
        parts = urlsplit(uri)
        path = Path(unquote(parts.path)).resolve()
        if parts.scheme != "file" or not path.is_relative_to(self.root):
            raise NotFound(f"no evidence at {uri!r}")
        try:
            return path.read_bytes()
        except OSError as exc:
            raise NotFound(f"no evidence at {uri!r}: {exc.strerror}") from exc

    def sweep(self, *, older_than: datetime, max_bytes: int) -> Swept:
        """Walk the folder once; what disappears meanwhile is no error."""
        found = sorted(_sizes(self.root))
        kept = sum(entry.n_bytes for entry in found)
        n_removed, bytes_removed = 0, 0
        for entry in found:
            if entry.modified_s >= older_than.timestamp() and kept <= max_bytes:
                break
            entry.path.unlink(missing_ok=True)
            kept -= entry.n_bytes
            n_removed, bytes_removed = n_removed + 1, bytes_removed + entry.n_bytes
        _remove_empty_folders(self.root)
        return Swept(n_removed, bytes_removed, kept)


@dataclass(frozen=True, slots=True, order=True)
class _Entry:
    """One stored file, sorted by age."""

    modified_s: float
    path: Path
    n_bytes: int


def _sizes(root: Path) -> Iterable[_Entry]:
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            try:
                status = path.stat()
            except OSError:
                continue
            yield _Entry(status.st_mtime, path, status.st_size)


def _remove_empty_folders(root: Path) -> None:
    for folder, _, _ in os.walk(root, topdown=False):
        path = Path(folder)
        if path != root and not any(path.iterdir()):
            try:
                path.rmdir()
            except OSError:
                continue  # a file arrived in it just now


class RemoteShelf:
    """Any address that fsspec knows, e.g. `s3://bucket/prefix`; retention there is the bucket's own life-cycle rule."""

    def __init__(self, uri: str) -> None:
        if "@" in urlsplit(uri).netloc:
            raise ConfigError("evidence.uri must not hold credentials; give them by the object store's own environment variables")
        self._uri = uri.rstrip("/")
        try:
            self._system: Any = fsspec.core.url_to_fs(self._uri)[0]
        except (ImportError, ValueError) as exc:
            raise ConfigError(f"evidence.uri {uri!r} cannot be used: {exc}") from exc

    def put(self, name: str, content: bytes) -> str:
        """Store one object."""
        uri = f"{self._uri}/{name}"
        self._system.pipe_file(self._system._strip_protocol(uri), content)
        return uri

    def get(self, uri: str) -> bytes:
        """Read one object below the address."""
        if not uri.startswith(self._uri + "/") or ".." in uri.split("/"):
            raise NotFound(f"no evidence at {uri!r}")
        try:
            return bytes(self._system.cat_file(self._system._strip_protocol(uri)))
        except OSError as exc:
            raise NotFound(f"no evidence at {uri!r}: {exc}") from exc

    def sweep(self, *, older_than: datetime, max_bytes: int) -> Swept:
        """Do nothing: an object store expires objects by itself, without us listing millions of them."""
        return Swept(0, 0, 0)


def shelf_at(uri: str | Path) -> Shelf:
    """Open a folder, a `file://` address or any other fsspec address."""
    text = str(uri)
    if text.startswith("file://"):
        return FolderShelf(Path(unquote(urlsplit(text).path)))
    return RemoteShelf(text) if "://" in text else FolderShelf(Path(text))
