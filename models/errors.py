"""Every error the models floor raises on purpose, in one tree.

    ModelsError
    ├── UnknownLabel (ValueError)     a code that the taxonomy does not have
    ├── ManifestError (ValueError)    a manifest that cannot work
    ├── StoreError                    the store cannot do what was asked
    │   ├── ModelNotFound             no such model, version or live version
    │   └── WrongState                the life cycle does not allow this step
    ├── ChecksumMismatch              a file is not the one that was pinned
    ├── LicenceNotAccepted            the deployment does not accept this licence
    ├── ModelUnreachable              nothing this machine can reach has the file
    ├── DataError                     training data that cannot be used
    └── TrainingUnavailable           the packages of the group `train` are not installed

The floor imports no other, so this tree is its own; the serving border translates it. Messages are lower case, without a full stop,
and name the value and what would be right.
"""

from __future__ import annotations

from pathlib import Path


class ModelsError(Exception):
    """Root of the tree."""


class UnknownLabel(ModelsError, ValueError):
    """Raised when a detector, list, policy or manifest names a code that the taxonomy does not have."""


class ManifestError(ModelsError, ValueError):
    """Raised when a manifest is unreadable, lacks a field, has one too many, or contradicts itself."""


class StoreError(ModelsError):
    """Raised when the store cannot write or read: disk full, no permission, a version that would change."""


class ModelNotFound(StoreError, LookupError):
    """Raised when the store or the zoo has no model, version or live version of that name."""


class WrongState(StoreError):
    """Raised when a step of the life cycle is asked for out of order."""


class ChecksumMismatch(ModelsError):
    """Raised when a file's sha256 is not the pinned one; the file is not used."""

    def __init__(self, what: str | Path, *, expected: str, got: str) -> None:
        super().__init__(f"{what} was changed: expected sha256 {expected}, got {got}")
        self.expected = expected
        self.got = got


class LicenceNotAccepted(ModelsError):
    """Raised before a download when the model's licence is not among those the deployment accepts."""

    def __init__(self, name: str, spdx: str) -> None:
        super().__init__(
            f"{name} is under {spdx}, which is not accepted here; add {spdx!r} to the setting accept_licences "
            f"(command line: livewarden models pull {name} --accept {spdx}) if your use complies with it"
        )
        self.name = name
        self.spdx = spdx


class ModelUnreachable(ModelsError):
    """Raised when neither package index, address nor mirror folder gives the file; says how to bring it."""


class DataError(ModelsError, ValueError):
    """Raised when training data, a run's folder or a checkpoint cannot be read or contradict what was asked for."""


class TrainingUnavailable(ModelsError):
    """Raised when training, evaluation or export is asked for without the packages it needs; says how to install them."""
