"""Fetch one pinned file over HTTP, going on where an earlier try stopped.

Bytes arrive in `<file>.part`, which survives a kill; the file gets its name only when its sha256 is the pinned one. Where the
address comes from is for `zoo.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from models.digests import check_sha256
from models.errors import ChecksumMismatch, ModelUnreachable
from models.pip_index import Trust

if TYPE_CHECKING:
    import httpx

Progress = Callable[[str, int, int | None], None]
"""Called with the file's name, bytes so far, and bytes in all where known; often, so it must return fast."""


@dataclass(frozen=True, slots=True)
class Pin:
    """Which file it must be."""

    file: str
    """Name it gets."""
    sha256: str
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Downloader:
    """Fetches pinned files; holds only settings."""

    trust: Trust = field(default_factory=Trust)
    n_tries: int = 5
    """Connections in a row that bring no byte before it gives up; one that brings bytes starts the count again."""
    backoff_s: float = 0.5
    """Pause after the first failed try; doubles each time."""
    connect_timeout_s: float = 15.0
    read_timeout_s: float = 60.0

    def fetch(self, url: str, pin: Pin, folder: Path, progress: Progress | None = None) -> Path:
        """Bring a file into a folder.

        Args:
            url: http or https.
            pin: which file it must be.
            folder: where `<file>.part` grows and `<file>` appears.
            progress: told after every piece.

        Returns:
            path of the whole, checked file.

        Raises:
            ModelUnreachable: refused, or broken off too often; what came stays for the next try.
            ChecksumMismatch: what came is not the pinned file; it is removed.
        """
        part = folder / f"{pin.file}.part"
        resumed = part.exists()
        self._fill(url, pin, part, progress)
        try:
            check_sha256(part, pin.sha256, what=pin.file)
        except ChecksumMismatch:
            part.unlink()
            if not resumed:
                raise
            # An old part may be of another file than the address gives today; only a whole fetch can tell.
            return self.fetch(url, pin, folder, progress)
        whole = folder / pin.file
        part.replace(whole)
        return whole

    def _fill(self, url: str, pin: Pin, part: Path, progress: Progress | None) -> None:
        import httpx

        n_failed = 0
        timeout = httpx.Timeout(self.read_timeout_s, connect=self.connect_timeout_s)
        with httpx.Client(
            verify=self.trust.ssl_context(), proxy=self.trust.proxy, timeout=timeout, follow_redirects=True, trust_env=True
        ) as client:
            while True:
                before = _size(part)
                try:
                    if self._one_try(client, url, pin, part, progress):
                        return
                    reason = "the connection ended early"
                except httpx.HTTPError as exc:
                    reason = f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
                n_failed = 1 if _size(part) > before else n_failed + 1
                if n_failed >= self.n_tries:
                    kept = f"{_size(part)} bytes are kept, repeat to go on"
                    raise ModelUnreachable(f"cannot fetch {pin.file} from {httpx.URL(url).host}: {reason}; {kept}")
                time.sleep(self.backoff_s * 2 ** (n_failed - 1))

    def _one_try(self, client: httpx.Client, url: str, pin: Pin, part: Path, progress: Progress | None) -> bool:
        """Append what one connection gives; True when the file is whole."""
        have = _size(part)
        if pin.size_bytes is not None and have >= pin.size_bytes:
            return True
        # identity: a compressed body would make offsets lie.
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        with client.stream("GET", url, headers=headers) as response:
            if response.status_code == 416:
                # Nothing after what we have: whole, or a part of another file. The digest tells.
                return True
            self._refuse_status(response, pin)
            if have and response.status_code != 206:
                have = 0
            total = _total(response, have) or pin.size_bytes
            with part.open("ab" if have else "wb") as file:
                # Raw and as it arrives: a chunk size would hold bytes back and lose them when the connection breaks.
                for piece in response.iter_raw():
                    file.write(piece)
                    have += len(piece)
                    if pin.size_bytes is not None and have > pin.size_bytes:
                        break
                    if progress is not None:
                        progress(pin.file, have, total)
        return total is None or have >= total

    @staticmethod
    def _refuse_status(response: httpx.Response, pin: Pin) -> None:
        if response.status_code in (408, 429) or response.status_code >= 500:
            response.raise_for_status()
        if response.status_code not in (200, 206):
            raise ModelUnreachable(f"cannot fetch {pin.file} from {response.url.host}: HTTP status {response.status_code}")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _total(response: httpx.Response, offset: int) -> int | None:
    length = response.headers.get("Content-Length")
    return offset + int(length) if length is not None and length.isdigit() else None
