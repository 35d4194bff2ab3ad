"""Notices that policies or word lists changed on disk. Pure but for asking the files' times; what follows is the worker's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class _Stamp:
    """What tells two versions of a file apart; mounted configuration is replaced by links, so the inode counts too."""

    mtime_ns: int
    n_bytes: int
    inode: int


class FileWatch:
    """Remembers how a set of files looked; belongs to one loop."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = tuple(paths)
        self._seen = self._look()

    def changed(self) -> bool:
        """Tell whether any file changed, came or went since the last call."""
        now = self._look()
        has_changed = now != self._seen
        self._seen = now
        return has_changed

    def _look(self) -> dict[Path, _Stamp | None]:
        return {path: _stamp(path) for path in self._paths}


def _stamp(path: Path) -> _Stamp | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return _Stamp(status.st_mtime_ns, status.st_size, status.st_ino)
