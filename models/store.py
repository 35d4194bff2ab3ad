"""The model store: versions in a folder, published whole or not at all, checked by sha256 before they are handed out.

    <root>/<name>/<version>/   manifest.yaml, the ONNX file, licence and other files; never changes once there
    <root>/<name>/ledger.json  states of the versions and which one is live
    <root>/.staging/           publishes under way; what a killed process left is cleared by the next publish
    <root>/.lock               held for the moment of a rename or a change of state, never while files are copied

Shipped models (`shipped.py`) are seen beside them, live where the store has no live version of its own. Many processes may use one
store; readers take no lock. Where models come from is for `zoo.py`, running them for `inference`.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from models.digests import check_sha256
from models.errors import ManifestError, ModelNotFound, StoreError, WrongState
from models.ledger import Ledger, State, read_ledger, write_ledger
from models.manifest import NAME, VERSION, Manifest
from models.shipped import Shipped
from models.staging import copy_synced, locked, staging_slot, sync_file, sync_folder

MANIFEST_FILE = "manifest.yaml"


def default_root() -> Path:
    """Tell where the store lies unless a setting says otherwise.

    Returns:
        `LIVEWARDEN_MODELS_DIR`, else `livewarden/models` under `XDG_CACHE_HOME`, else under `~/.cache`.
    """
    named = os.environ.get("LIVEWARDEN_MODELS_DIR")
    if named:
        return Path(named).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "livewarden" / "models"


@dataclass(frozen=True, slots=True)
class Stored:
    """One version as it lies in the store, its files verified."""

    manifest: Manifest
    folder: Path
    state: State

    @property
    def ref(self) -> str:
        """`name@version`."""
        return self.manifest.ref

    @property
    def onnx_path(self) -> Path:
        """The graph's file."""
        return self.folder / self.manifest.file


class ModelStore:
    """Versions of models under one folder, which appears with the first publish, and the shipped ones beside them."""

    def __init__(self, root: Path, *, shipped: Shipped | None = None) -> None:
        self.root = root
        self._shipped = Shipped() if shipped is None else shipped
        self._verified: dict[Path, tuple[int, ...]] = {}

    def __repr__(self) -> str:
        return f"ModelStore({self.root})"

    def publish(self, folder: Path, *, state: State = State.DRAFT) -> str:
        """Take a version in from a folder that holds `manifest.yaml` and the files it names.

        Args:
            folder: read, never changed; files that the manifest does not name are left out.
            state: where the version shall stand at once; LIVE also makes it the live one.

        Returns:
            `name@version`. Publishing the same again changes nothing but the state.

        Raises:
            ManifestError: the manifest is not usable.
            UnknownLabel: a class is mapped to a code that the taxonomy does not have.
            ChecksumMismatch: a file is not the one the manifest pins.
            StoreError: a file is missing, the version is there with other contents, or the disk refuses.
        """
        manifest = Manifest.load(folder / MANIFEST_FILE)
        return self.publish_files(manifest, {name: folder / name for name in manifest.files}, state=state)

    def publish_files(self, manifest: Manifest, files: Mapping[str, Path], *, state: State = State.DRAFT) -> str:
        """Take a version in from files that lie anywhere; see `publish`.

        Args:
            manifest: names every file and its sha256.
            files: where each of `manifest.files` lies now, by its name.
            state: where the version shall stand at once.

        Returns:
            `name@version`.
        """
        missing = [name for name in manifest.files if name not in files or not files[name].is_file()]
        if missing:
            raise StoreError(f"{manifest.ref}: file {missing[0]!r} is missing; the manifest names it")
        with self.disk_errors(manifest.ref), staging_slot(self.root) as staged:
            for name, digest in manifest.files.items():
                copy_synced(files[name], staged / name)
                # The copy is what will serve, so the copy is what is hashed.
                check_sha256(staged / name, digest, what=f"{manifest.ref}: {name}")
            manifest.dump(staged / MANIFEST_FILE)
            Manifest.load(staged / MANIFEST_FILE)
            sync_file(staged / MANIFEST_FILE)
            sync_folder(staged)
            self._enter(manifest, staged, state)
        return manifest.ref

    def list(self) -> tuple[Stored, ...]:
        """List every readable version, by name, oldest publish first, then those shipped; files are not hashed for it."""
        found = []
        for folder in sorted(
            self.root.glob("[!.]*/[!.]*/" + MANIFEST_FILE), key=lambda path: (path.parts[-3], path.stat().st_mtime_ns)
        ):
            manifest = Manifest.load(folder)
            found.append(Stored(manifest, folder.parent, self._ledger(manifest.name).state(manifest.version)))
        own = {one.ref for one in found}
        return (*found, *(self._as_stored(manifest) for manifest in self._shipped if manifest.ref not in own))

    def show(self, ref: str) -> Stored:
        """Give one version without hashing its files.

        Args:
            ref: `name@version`, or `name` for the live one (for the only one, where none is live).

        Raises:
            ModelNotFound: the store has none such.
        """
        shipped = self._meant_shipped(ref)
        if shipped is not None:
            return self._as_stored(shipped)
        found = self._resolve(ref)
        folder = self.root / found.name / found.version
        return Stored(Manifest.load(folder / MANIFEST_FILE), folder, self._ledger(found.name).state(found.version))

    def path(self, ref: str) -> Path:
        """Give the ONNX file of a version after checking that no file of it was changed.

        Raises:
            ModelNotFound: the store has none such.
            ChecksumMismatch: a file was changed; publish or pull it again under a new version, or remove the folder.
        """
        stored = self.show(ref)
        self._verify(stored)
        return stored.onnx_path

    def live(self, name: str) -> Stored:
        """Give the live version of a model, its files verified.

        The first call of a process hashes the files; later ones only while size and times are unchanged on disk.

        Raises:
            ModelNotFound: no version is live.
            ChecksumMismatch: a file was changed.
        """
        self._check_name(name)
        live = self.live_version(name)
        if live is None:
            raise ModelNotFound(f"no live version of {name!r} in {self.root}{self._known()}")
        stored = self.show(f"{name}@{live}")
        self._verify(stored)
        return stored

    def metrics(self, ref: str) -> Mapping[str, float]:
        """Give what `mark_tested` recorded for a version; empty where nothing was (shipped ones have it in the manifest)."""
        if self._meant_shipped(ref) is not None:
            return {}
        found = self._resolve(ref)
        return self._ledger(found.name).metrics.get(found.version, {})

    def mark_tested(self, ref: str, metrics: Mapping[str, float]) -> None:
        """Record an evaluation: a draft becomes tested."""
        self._step(ref, lambda ledger, version: ledger.tested(version, metrics))

    def approve(self, ref: str, *, untested: bool = False) -> None:
        """Let a tested version serve.

        Raises:
            WrongState: it is a draft and `untested` does not say that this is meant.
        """
        self._step(ref, lambda ledger, version: ledger.approved(version, untested=untested))

    def promote(self, ref: str) -> None:
        """Make an approved version the live one; what serves takes it at its next start.

        Raises:
            WrongState: it is not approved.
            ChecksumMismatch: a file of it was changed.
        """
        self.path(ref)
        shipped = self._meant_shipped(ref)
        if shipped is None:
            self._step(ref, lambda ledger, version: ledger.promoted(version))
        elif (self.root / shipped.name).is_dir():
            self._change(shipped.name, Ledger.without_live)

    def rollback(self, name: str) -> str:
        """Make the version that was live before the live one again; where that was the shipped one, that.

        Returns:
            its `name@version`.

        Raises:
            WrongState: none was live before.
            ModelNotFound: the store does not know the model.
        """
        self._check_name(name)
        shipped = self._shipped.find(name)
        if shipped is None and not (self.root / name).is_dir():
            raise ModelNotFound(f"no model {name!r} in {self.root}{self._known()}")

        def back(ledger: Ledger) -> Ledger:
            to_shipped = shipped is not None and ledger.live is not None and not ledger.was_live
            before = ledger.without_live() if to_shipped else ledger.rolled_back()
            self._verify(self.show(shipped.ref if to_shipped and shipped else f"{name}@{before.live}"))
            return replace(before, was_live=()) if to_shipped else before

        self._change(name, back)
        return f"{name}@{self.live_version(name)}"

    def remove(self, ref: str) -> None:
        """Take a version out of the store; where it was live, no version is until the next promotion.

        Raises:
            ModelNotFound: the store has none such.
        """
        found = self._resolve(ref)
        with self.disk_errors(ref), staging_slot(self.root) as slot, locked(self.root):
            model = self.root / found.name
            write_ledger(model, self._ledger(found.name).without(found.version))
            (model / found.version).rename(slot / "removed")
            sync_folder(model)

    @contextlib.contextmanager
    def disk_errors(self, what: str) -> Iterator[None]:
        """Turn what the disk refuses into one clear StoreError that names `what`."""
        try:
            yield
        except OSError as exc:
            if exc.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StoreError(f"{what}: disk full under {self.root}; nothing was published, free some space and repeat") from exc
            raise StoreError(f"{what}: cannot write under {self.root}: {exc.strerror or exc}") from exc

    def live_version(self, name: str) -> str | None:
        """Tell which version of a model is live, without looking at its files; None where none is."""
        self._check_name(name)
        live = self._ledger(name).live
        shipped = self._shipped.find(name) if live is None else None
        return shipped.version if shipped else live

    # --- inside -------------------------------------------------------------------------------------------------------------------

    def _enter(self, manifest: Manifest, staged: Path, state: State) -> None:
        model = self.root / manifest.name
        target = model / manifest.version
        with locked(self.root):
            model.mkdir(parents=True, exist_ok=True)
            if target.exists():
                self._check_same(manifest, target)
            else:
                staged.rename(target)
                sync_folder(model)
            ledger = _moved_to(self._ledger(manifest.name), manifest.version, state)
            write_ledger(model, ledger)
        self._verified.clear()

    def _check_same(self, manifest: Manifest, target: Path) -> None:
        try:
            same = Manifest.load(target / MANIFEST_FILE) == manifest
        except ManifestError:
            same = False
        if not same:
            raise StoreError(
                f"{manifest.ref} is already in {self.root} with another manifest; a version never changes, raise the version"
            )
        for name, digest in manifest.files.items():
            check_sha256(target / name, digest)

    def _step(self, ref: str, change: Callable[[Ledger, str], Ledger]) -> None:
        found = self._resolve(ref)
        self._change(found.name, lambda ledger: change(ledger, found.version))

    def _change(self, name: str, change: Callable[[Ledger], Ledger]) -> None:
        with self.disk_errors(name), locked(self.root):
            try:
                ledger = change(self._ledger(name))
            except WrongState as exc:
                raise WrongState(f"{name}: {exc}") from None
            write_ledger(self.root / name, ledger)

    def _as_stored(self, shipped: Manifest) -> Stored:
        live = self._ledger(shipped.name).live
        return Stored(shipped, self._shipped.folder / shipped.name, State.LIVE if live is None else State.APPROVED)

    def _meant_shipped(self, ref: str) -> Manifest | None:
        """Give the shipped model where a reference means it: by its version, or by its name while no other is live."""
        name, _, version = ref.partition("@")
        self._check_name(name)
        shipped = self._shipped.find(name)
        if shipped is None or (self.root / name / shipped.version / MANIFEST_FILE).is_file():
            return None
        meant = version == shipped.version or (not version and self._ledger(name).live is None)
        return shipped if meant else None

    def _resolve(self, ref: str) -> _Ref:
        name, _, version = ref.partition("@")
        self._check_name(name)
        if version and not VERSION.fullmatch(version):
            raise ModelNotFound(f"{ref!r} is not a reference; write name@version")
        versions = sorted(path.parent.name for path in (self.root / name).glob(f"[!.]*/{MANIFEST_FILE}"))
        if not versions:
            raise ModelNotFound(f"no model {name!r} in {self.root}{self._known()}")
        if version:
            if version not in versions:
                raise ModelNotFound(f"no version {version!r} of {name}; known: {', '.join(versions)}")
            return _Ref(name, version)
        live = self._ledger(name).live
        if live is None and len(versions) > 1:
            raise ModelNotFound(f"no live version of {name}; name one of: {', '.join(f'{name}@{known}' for known in versions)}")
        return _Ref(name, live or versions[0])

    def _verify(self, stored: Stored) -> None:
        for name, digest in stored.manifest.files.items():
            path = stored.folder / name
            try:
                seen = path.stat()
            except OSError as exc:
                raise StoreError(f"{stored.ref}: {name} is gone from {stored.folder}; pull or publish it again") from exc
            # ctime too: it cannot be set back, mtime can.
            mark = (seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino)
            if self._verified.get(path) != mark:
                check_sha256(path, digest)
                self._verified[path] = mark

    def _ledger(self, name: str) -> Ledger:
        return read_ledger(self.root / name)

    def _known(self) -> str:
        names = sorted({path.parts[-3] for path in self.root.glob(f"[!.]*/[!.]*/{MANIFEST_FILE}")})
        return f"; known: {', '.join(names)}" if names else "; the store is empty"

    @staticmethod
    def _check_name(name: str) -> None:
        if not NAME.fullmatch(name):
            raise ModelNotFound(f"{name!r} is not a model's name; write lower-case letters, digits, - and _")


@dataclass(frozen=True, slots=True)
class _Ref:
    """A reference that was found in the store."""

    name: str
    version: str


def _moved_to(ledger: Ledger, version: str, state: State) -> Ledger:
    """Bring a version up to a state at publish; a version that stands further on is never taken back."""
    if state is State.TESTED and ledger.state(version) is State.DRAFT:
        return ledger.tested(version, ledger.metrics.get(version, {}))
    if state in (State.APPROVED, State.LIVE):
        ledger = ledger.approved(version, untested=True)
    if state is State.LIVE:
        return ledger.promoted(version)
    if version not in ledger.states:
        return Ledger({**ledger.states, version: State.DRAFT}, ledger.live, ledger.was_live, ledger.metrics)
    return ledger
