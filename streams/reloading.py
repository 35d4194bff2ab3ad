"""Notices that policies, word lists or what staff enrolled changed on disk, and reads them again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from inference.engine import Engine
from inference.errors import ConfigError
from inference.settings import InferenceSettings
from inference.text.list_store import ListStore
from inference.text_lists import TextLists

log = logging.getLogger(__name__)

RELOAD_S = 2.0
"""Between two looks at the files, seconds."""


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


class Reloader:
    """Keeps an engine's policies and word lists those on disk; bad ones leave the old in force, logged and counted."""

    def __init__(self, engine: Engine, settings: InferenceSettings) -> None:
        self._engine = engine
        self._settings = settings
        self._policy_files = FileWatch(settings.policies)
        self._list_files = FileWatch((*settings.text.lists, *settings.text.allow))
        self._store = ListStore.under(settings.shared)
        self._stamp = self._store.stamp()

    async def policies(self) -> bool:
        """Read policies again where their files changed; True where new ones are in force."""
        if not self._policy_files.changed():
            return False
        report = await asyncio.to_thread(self._engine.policies.reload)
        if report.problem is not None:
            self._engine.metrics.policy_reload_failed.inc()
            log.error("policies were not reloaded, the old ones hold: %s", report.problem)
        return report.problem is None

    async def lists(self) -> None:
        """Read word lists again where their files or the store of imported ones changed."""
        stamp = self._store.stamp()
        if not self._list_files.changed() and stamp == self._stamp:
            return
        self._stamp = stamp  # before reading: what changes meanwhile is seen at the next turn
        try:
            lists = TextLists.of(self._settings)
            await asyncio.to_thread(self._engine.text.reload, lists.block, lists.allow)
        except ConfigError as error:
            log.error("word lists were not reloaded, the old ones hold: %s", error)

    async def enrolments(self) -> None:
        """Have detectors look for what staff have enrolled by now."""
        try:
            await asyncio.to_thread(self._engine.follow_enrolments)
        except ConfigError as error:
            log.error("enrolments were not read again, the old ones hold: %s", error)

    async def run(self) -> None:
        """Follow until cancelled, for a role that has no other rounds to make."""
        while True:
            await asyncio.sleep(RELOAD_S)
            await self.policies()
            await self.lists()
            await self.enrolments()
