"""What a model says of itself: file and digest, tensors, preprocessing numbers, classes, thresholds, licence, where it came from.

A manifest is everything a session and a detector need to run a model without knowing it; it is checked when loaded. Reading and
writing of the YAML form is in `manifest_yaml.py`; where manifests are kept is for `store.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from models.calibration import Calibration
from models.digests import SHA256_HEX
from models.errors import ManifestError

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
"""How a model is named."""
VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+-]{0,63}")
"""How a version is named; it never changes once published."""
FILE_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+-]{0,127}")
"""A bare file name: no folder, nothing hidden."""


class Colour(StrEnum):
    """Order of the three channels that the model wants."""

    RGB = "rgb"
    BGR = "bgr"


class Resize(StrEnum):
    """How a picture is brought to the model's size."""

    STRETCH = "stretch"
    """To width and height, whatever the shape."""
    FIT = "fit"
    """By one factor until it fits into width and height; the rest is filled as `pad` says."""
    LIMIT_LONGEST = "limit_longest"
    """By one factor until the longest side is at most `longest_side_px`; then each side rounded to `multiple_of_px`."""
    FIT_HEIGHT = "fit_height"
    """By one factor to the height; the width follows (at most `width_px` where given), padded right to a batch's widest."""


class Pad(StrEnum):
    """Where the filling goes after `Resize.FIT` or `Resize.FIT_HEIGHT`."""

    NONE = "none"
    RIGHT_BOTTOM = "right_bottom"
    CENTRE = "centre"


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of the graph."""

    name: str
    dtype: str
    """numpy's name: `float32`, `int64`, `uint8`, ..."""
    shape: tuple[int | None, ...]
    """None where the size is free; empty for a scalar."""
    batch_axis: int | None = 0
    """Axis along which samples are stacked; None where the tensor is shared by the batch (Silero's `sr`)."""

    def __post_init__(self) -> None:
        if self.batch_axis is not None and not 0 <= self.batch_axis < len(self.shape):
            raise ManifestError(f"tensor {self.name}: batch_axis {self.batch_axis} is outside its {len(self.shape)} axes")


InputSpec = OutputSpec = TensorSpec


@dataclass(frozen=True, slots=True)
class Preprocess:
    """The numbers between a picture (uint8) or clip and the tensor: `(pixel * scale - mean) / std`, channels in `colour` order."""

    colour: Colour = Colour.RGB
    resize: Resize = Resize.STRETCH
    width_px: int | None = None
    height_px: int | None = None
    longest_side_px: int | None = None
    """Only for `Resize.LIMIT_LONGEST`; a detector's settings may override it."""
    multiple_of_px: int = 1
    """The model's stride: sides must be multiples of it."""
    scale: float = 1.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    pad: Pad = Pad.NONE
    pad_value: float = 0.0
    """Value of the filling in the finished tensor, that is after scale, mean and std."""
    sample_rate_hz: int | None = None
    """Only for sound: mono, float32 in [-1, 1]."""


@dataclass(frozen=True, slots=True)
class ClassSpec:
    """One class the model tells apart."""

    index: int
    """Row of the class in the model's output, after `class_offset` of the postprocess numbers where there is one."""
    name: str
    """In the model's own words."""
    label: str | None
    """The taxonomy's code; None where the class is no finding of ours."""
    threshold: float = 0.0
    """Calibrated score, 0..1, below which nothing is reported: the detector's floor, not the policy's threshold."""
    calibration: Calibration = field(default_factory=Calibration)

    def __post_init__(self) -> None:
        if not 0.0 <= self.threshold <= 1.0:
            raise ManifestError(f"class {self.name}: threshold must be a calibrated score within 0..1, got {self.threshold}")

    @property
    def raw_threshold(self) -> float:
        """The smallest raw score that calibrates to the threshold; cut candidates with it before calibrating."""
        return self.calibration.invert(self.threshold)


@dataclass(frozen=True, slots=True)
class Licence:
    """Under what terms the model may be used."""

    spdx: str
    """SPDX identifier, e.g. `AGPL-3.0-only`; a deployment lists those it accepts."""
    notice: str
    """One paragraph that is shown before the model is pulled or served."""
    file: str | None = None
    """Name of the licence text beside the model; one of `extra_files`."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the file came from, so that anyone can get the same one."""

    source: str
    """In words: who made it, out of what."""
    package: str | None = None
    """The package whose wheel carries it, as `name==version`."""
    member: str | None = None
    """Path of the model inside that wheel or archive."""
    url: str | None = None
    """A plain address, where it does not come from a package."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything there is to know about one version of one model."""

    name: str
    version: str
    task: str
    """What it does, e.g. `porn.detect`, `ocr.detect`, `ocr.recognise`, `ocr.direction`, `speech.vad`."""
    file: str
    """Name of the ONNX file beside the manifest."""
    sha256: str
    """Of that file, 64 lower-case hex digits."""
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    licence: Licence
    provenance: Provenance
    preprocess: Preprocess = field(default_factory=Preprocess)
    postprocess: Mapping[str, float] = field(default_factory=dict, hash=False)
    """The task's own numbers: `iou_threshold`, `unclip_ratio`, ...; read with `number`."""
    classes: tuple[ClassSpec, ...] = ()
    batch_ladder: tuple[int, ...] = (1, 2, 4, 8)
    """Batch sizes the lane pads to and warms; rising."""
    metrics: Mapping[str, float] = field(default_factory=dict, hash=False)
    """What was measured, by name; the notes say on what."""
    extra_files: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Further files beside the manifest (licence text, vocabulary, external weights) and their sha256."""
    flops: float | None = None
    """Floating-point operations of one sample, where known."""
    notes: str = ""
    """Where thresholds and metrics come from, and what the model is bad at."""

    def __post_init__(self) -> None:
        _check_names(self)
        _check_classes(self.classes)
        if not self.inputs or not self.outputs:
            raise ManifestError(f"{self.ref}: a model has at least one input and one output")
        if not self.batch_ladder or self.batch_ladder[0] < 1 or list(self.batch_ladder) != sorted(set(self.batch_ladder)):
            raise ManifestError(f"{self.ref}: batch_ladder must be rising sizes from 1 up, got {list(self.batch_ladder)}")
        if self.licence.file is not None and self.licence.file not in self.extra_files:
            raise ManifestError(f"{self.ref}: licence file {self.licence.file!r} is not among extra_files")

    @property
    def ref(self) -> str:
        """`name@version`, as the store and the command line write it."""
        return f"{self.name}@{self.version}"

    @property
    def files(self) -> Mapping[str, str]:
        """Every file beside the manifest and its sha256, the model first."""
        return {self.file: self.sha256, **self.extra_files}

    @property
    def labels(self) -> frozenset[str]:
        """The taxonomy codes that this model may report."""
        return frozenset(row.label for row in self.classes if row.label is not None)

    def number(self, key: str) -> float:
        """Read one of the postprocess numbers.

        Raises:
            ManifestError: the manifest has no such number.
        """
        if key not in self.postprocess:
            raise ManifestError(f"{self.ref}: postprocess has no {key!r}; known: {', '.join(sorted(self.postprocess)) or 'none'}")
        return self.postprocess[key]

    @staticmethod
    def load(path: Path) -> Manifest:
        """Read a manifest from its YAML file.

        Raises:
            ManifestError: unreadable, incomplete or contradictory; names file and field.
            UnknownLabel: a class is mapped to a code that the taxonomy does not have.
        """
        from models.manifest_yaml import parse_manifest

        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise ManifestError(f"cannot read manifest {path}: {exc}") from exc
        return parse_manifest(text, where=str(path))

    def dump(self, path: Path) -> None:
        """Write the manifest as YAML; `load` gives an equal one back.

        Raises:
            OSError: the file cannot be written.
        """
        from models.manifest_yaml import format_manifest

        path.write_text(format_manifest(self), encoding="utf-8")


def _check_names(manifest: Manifest) -> None:
    if not NAME.fullmatch(manifest.name):
        raise ManifestError(f"model name must be lower-case letters, digits, - and _, got {manifest.name!r}")
    if not VERSION.fullmatch(manifest.version):
        raise ManifestError(f"{manifest.name}: version must be letters, digits and ._+-, got {manifest.version!r}")
    for file, digest in manifest.files.items():
        if not FILE_NAME.fullmatch(file) or file == "manifest.yaml":
            raise ManifestError(f"{manifest.ref}: {file!r} is not a bare file name")
        if not SHA256_HEX.fullmatch(digest):
            raise ManifestError(f"{manifest.ref}: sha256 of {file} must be 64 lower-case hex digits, got {digest!r}")
    if manifest.file in manifest.extra_files:
        raise ManifestError(f"{manifest.ref}: {manifest.file} is both the model and an extra file")


def _check_classes(classes: tuple[ClassSpec, ...]) -> None:
    for position, row in enumerate(classes):
        if row.index != position:
            raise ManifestError(f"classes must be in order from 0: class {row.name!r} has index {row.index} at place {position}")
    names = [row.name for row in classes]
    for name in names:
        if names.count(name) > 1:
            raise ManifestError(f"class name {name!r} is there twice")
