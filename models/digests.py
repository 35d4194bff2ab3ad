"""sha256 of files: the one way this floor tells that a file is the one that was pinned.

Hashing only; what a mismatch means is for the caller (`store.py`, `zoo.py`).
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from models.errors import ChecksumMismatch

SHA256_HEX = re.compile(r"[0-9a-f]{64}")
"""How a pinned digest is written: 64 lower-case hex digits."""


def sha256_of(path: Path) -> str:
    """Hash a file, in 64 lower-case hex digits.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_sha256(path: Path, expected: str, *, what: str | None = None) -> None:
    """Refuse a file that is not the pinned one.

    Args:
        path: file to hash.
        expected: 64 lower-case hex digits.
        what: how a message names the file; its path without it.

    Raises:
        ChecksumMismatch: the digests differ.
    """
    got = sha256_of(path)
    if got != expected:
        raise ChecksumMismatch(what or path, expected=expected, got=got)
