"""Tenants' word lists and allow-lists on disk: every import a version, one of them live, switched in one rename.

    <root>/<name>/<version>.csv   words that are looked for; `.txt` phrases that are allowed; never changes once there
    <root>/<name>/live            number of the version in force; no such file, no list in force
    <root>/.lock                  held while a version is written or the live one is switched

Many processes may use one store; readers take no lock. What the lists say is `lexicon.py`, whether one is fit `list_check.py`.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from inference.errors import ConfigError, InvalidSample, NotFound
from inference.text.lexicon import AllowList, WordList
from inference.text.list_files import csv_text
from inference.text.stored_lists import Kind, Notes, StoredList
from models.staging import locked, sync_folder

KEPT_VERSIONS = 20
"""Versions of one list that stay on disk; older ones go with the next import."""

RESERVED = frozenset({"base", "contacts"})
"""Names that answers use for what is shipped."""

Stamp = tuple[tuple[str, bytes, int], ...]
"""What is live, to be compared with an earlier one: name, pointer and when it was written."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_LIVE = "live"


class ListStore:
    """Lists under one folder, which appears with the first import."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def under(cls, data_dir: Path) -> ListStore:
        """Return the store of a deployment."""
        return cls(data_dir / "lexicons")

    # Reading

    def live_block_paths(self) -> tuple[Path, ...]:
        """Return the files of the word lists in force, by name; raises as `live`."""
        return tuple(stored.path for stored in self.live() if stored.kind is Kind.BLOCK)

    def live_allow_paths(self) -> tuple[Path, ...]:
        """Return the files of the allow-lists in force, by name; raises as `live`."""
        return tuple(stored.path for stored in self.live() if stored.kind is Kind.ALLOW)

    def live(self) -> tuple[StoredList, ...]:
        """Return the lists in force, by name.

        Raises:
            ConfigError: the store cannot be read, or a pointer names a version that is not there.
        """
        found = []
        for name in self.names():
            number = self._live_number(name)
            if number is not None:
                stored = [stored for stored in self._stored(name) if stored.version == number]
                if not stored:
                    raise ConfigError(f"list {name!r}: version {number} is live and not there; roll back to one that is")
                found.append(replace(stored[0], is_live=True))
        return tuple(found)

    def newest(self) -> tuple[StoredList, ...]:
        """Return of each list, by name, the version in force, or the last one of a list that is not.

        Raises:
            ConfigError: the store or a pointer cannot be read.
        """
        found = (self.versions(name) for name in self.names() if self._stored(name))
        return tuple(next((one for one in versions if one.is_live), versions[-1]) for versions in found)

    def stamp(self) -> Stamp:
        """Tell in a few system calls what is live; differs from an earlier one where a list was switched, came or went.

        Never raises: what cannot be read is left out, and `live` says why.
        """
        marks = []
        with contextlib.suppress(OSError):
            for name in self._folders():
                pointer = self.root / name / _LIVE
                with contextlib.suppress(OSError):
                    marks.append((name, pointer.read_bytes(), pointer.stat().st_mtime_ns))
        return tuple(marks)

    def names(self) -> tuple[str, ...]:
        """Return the names of all lists, in force or not.

        Raises:
            ConfigError: the store cannot be read.
        """
        try:
            return self._folders()
        except OSError as exc:
            raise ConfigError(f"cannot read list store {self.root}: {exc.strerror}; give this user the right to") from exc

    def versions(self, name: str) -> tuple[StoredList, ...]:
        """Return the versions of a list, oldest first.

        Raises:
            NotFound: there is no list of that name.
            ConfigError: the pointer to the live one is unreadable.
        """
        found = self._stored(name)
        if not found:
            raise self._no_list(name)
        live = self._live_number(name)
        return tuple(replace(stored, is_live=stored.version == live) for stored in found)

    def find(self, name: str, version: int | None = None) -> StoredList:
        """Return a version of a list, the live one by default.

        Raises:
            NotFound: there is no such list or version, or none is live.
            ConfigError: the pointer to the live one is unreadable.
        """
        versions = self.versions(name)
        for stored in versions:
            if stored.version == version or (version is None and stored.is_live):
                return stored
        if version is None:
            raise NotFound(f"list {name!r} is not in force; roll it back to one of {_numbers(versions)}")
        raise NotFound(f"list {name!r} has no version {version}; known: {_numbers(versions)}")

    # Writing

    def import_list(
        self, path: Path, name: str, check_label: Callable[[str], object], *, kind: Kind = Kind.BLOCK, notes: Notes
    ) -> StoredList:
        """Read a file and publish it as the live version of a list; raises as `publish`, and ConfigError for a bad line."""
        if kind is Kind.BLOCK:
            return self.publish(name, WordList.read(path, check_label).require_clean(path), notes)
        return self.publish(name, AllowList.read(path).require_clean(path), notes)

    def publish(self, name: str, content: WordList | AllowList, notes: Notes) -> StoredList:
        """Write a new version of a list and make it the live one; readers see the old or the new, and a crash leaves either.

        Args:
            name: lower-case letters, digits, `-` and `_`; a list of that name gets one version more.
            content: read without errors.
            notes: remembered with it.

        Raises:
            ConfigError: it is empty, or the disk refuses; the message says what is live then.
            InvalidSample: the name cannot be one, or belongs to a list of the other kind.
        """
        _require_name(name)
        kind, n_lines, body = _contents(content)
        if not n_lines:
            raise ConfigError(f"list {name!r} would be empty; give a file with at least one line, or remove the list")
        with self._switching(name):
            versions = self._stored(name)
            if any(stored.kind is not kind for stored in versions):
                raise InvalidSample(f"list {name!r} is of kind {versions[0].kind}, not {kind}; choose another name")
            version = versions[-1].version + 1 if versions else 1
            path = self.root / name / f"{version}{kind.suffix}"
            _write(path, f"{replace(notes, n_lines=n_lines).mark(name, version)}\n{body}")
            self._switch(name, version)
            for old in versions[: 1 - KEPT_VERSIONS]:
                old.path.unlink(missing_ok=True)
        return StoredList(name, version, kind, path, is_live=True)

    def rollback(self, name: str, version: int) -> StoredList:
        """Make an earlier (or later) version the live one; brings a removed list back too.

        Raises:
            NotFound: there is no such list or version.
            ConfigError: the disk refuses; the message says what is live then.
        """
        if not self._stored(name):
            raise self._no_list(name)
        with self._switching(name):
            found = self._stored(name)
            chosen = [stored for stored in found if stored.version == version]
            if not chosen:
                raise NotFound(f"list {name!r} has no version {version}; known: {_numbers(found)}")
            self._switch(name, version)
        return replace(chosen[0], is_live=True)

    def remove(self, name: str) -> StoredList:
        """Take a list out of force; its versions stay, so that `rollback` can bring it back. Returns what was live.

        Raises:
            NotFound: there is no such list, or it is not in force.
            ConfigError: the disk refuses.
        """
        self.find(name)
        with self._switching(name):
            stored = self.find(name)  # somebody may have removed it while we waited
            (self.root / name / _LIVE).unlink()
            sync_folder(self.root / name)
        return stored

    def _switch(self, name: str, version: int) -> None:
        """Make a version the live one; the caller holds the lock."""
        _write(self.root / name / _LIVE, f"{version}\n")

    @contextlib.contextmanager
    def _switching(self, name: str) -> Iterator[None]:
        """Hold the store's lock around a change, sweep what a killed writer left, and say what the disk says."""
        try:
            with locked(self.root):
                folder = self.root / name
                folder.mkdir(exist_ok=True)
                for left in folder.glob(".*.tmp"):
                    left.unlink(missing_ok=True)
                yield
        except OSError as exc:
            raise ConfigError(
                f"list store {self.root} cannot be written: {exc.strerror or exc}; list {name!r} {self._state(name)}, "
                "make room or set shared_dir, or data_dir, to a folder that can be written"
            ) from exc

    def _state(self, name: str) -> str:
        """Say what holds of a list after a change failed."""
        try:
            live = self._live_number(name)
        except ConfigError:
            return "cannot be read either"
        return "is not in force" if live is None else f"stays live with version {live}"

    def _folders(self) -> tuple[str, ...]:
        try:
            with os.scandir(self.root) as entries:
                return tuple(sorted(entry.name for entry in entries if _NAME.fullmatch(entry.name) and entry.is_dir()))
        except FileNotFoundError:
            return ()

    def _live_number(self, name: str) -> int | None:
        pointer = self.root / name / _LIVE
        try:
            said = pointer.read_text("ascii", errors="replace").strip()
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise ConfigError(f"cannot read {pointer}: {exc.strerror}; give this user the right to") from exc
        if not said.isdigit():
            raise ConfigError(f"{pointer} says {said[:20]!r}, not the number of a version; roll the list back to one")
        return int(said)

    def _stored(self, name: str) -> list[StoredList]:
        """Return the versions of a list, oldest first; what is live is not asked."""
        if not _NAME.fullmatch(name):
            return []
        paths = [(kind, path) for kind in Kind for path in (self.root / name).glob(f"[0-9]*{kind.suffix}") if path.stem.isdecimal()]
        return sorted((StoredList(name, int(path.stem), kind, path) for kind, path in paths), key=lambda one: one.version)

    def _no_list(self, name: str) -> NotFound:
        return NotFound(f"no list {name!r}; known: {', '.join(self.names()) or 'none yet'}")


def _contents(content: WordList | AllowList) -> tuple[Kind, int, str]:
    """Return a list's kind, its number of lines, and the text of its file."""
    if isinstance(content, WordList):
        return Kind.BLOCK, len(content.terms), csv_text(content.terms)
    return Kind.ALLOW, len(content.phrases), "\n".join((*content.phrases, ""))


def _numbers(versions: tuple[StoredList, ...] | list[StoredList]) -> str:
    return ", ".join(str(stored.version) for stored in versions)


def _require_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidSample(f"list name {name!r}; give 1 to 40 lower-case letters, digits, - and _, e.g. game-words")
    if name in RESERVED:
        raise InvalidSample(f"list name {name!r} is the shipped list's; choose another, e.g. my-{name}")


def _write(path: Path, text: str) -> None:
    """Put a file in its place whole: written beside it, on the disk, then renamed."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        sync_folder(path.parent)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
