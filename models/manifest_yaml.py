"""The YAML form of a manifest: strict reading, and writing that reads back equal.

Only the form; what a manifest means and which values contradict each other is in `manifest.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

import yaml

from models.calibration import Calibration
from models.errors import ManifestError, UnknownLabel
from models.fields import Fields, number, read_yaml
from models.manifest import ClassSpec, Colour, Licence, Manifest, Pad, Preprocess, Provenance, Resize, TensorSpec
from models.taxonomy import Taxonomy

E = TypeVar("E", Colour, Resize, Pad)

_DYNAMIC = -1
"""How a free size is written in the YAML form."""


def parse_manifest(text: str, *, where: str) -> Manifest:
    """Read a manifest from YAML text and check its labels against the taxonomy.

    Args:
        text: YAML.
        where: how messages name it.

    Raises:
        ManifestError: unreadable, incomplete or contradictory.
        UnknownLabel: a class is mapped to a code that the taxonomy does not have.
    """
    top = Fields(read_yaml(text, where=where), where=where)
    try:
        manifest = _read(top)
    except UnknownLabel:
        raise
    except ManifestError as exc:
        message = str(exc)
        raise ManifestError(message if message.startswith(where) else f"{where}: {message}") from exc
    Taxonomy.load().check(sorted(manifest.labels), where=f"{where}: classes")
    return manifest


def _read(top: Fields) -> Manifest:
    flops = top.raw("flops")
    manifest = Manifest(
        name=top.text("name"),
        version=top.text("version"),
        task=top.text("task"),
        file=top.text("file"),
        sha256=top.text("sha256"),
        inputs=_read_tensors(top, "inputs"),
        outputs=_read_tensors(top, "outputs"),
        preprocess=_read_preprocess(Fields(top.mapping("preprocess"), where=f"{top.where}: preprocess")),
        postprocess=_read_numbers(top, "postprocess"),
        classes=_read_classes(top),
        batch_ladder=tuple(
            _integer(size, where=f"{top.where}: batch_ladder") for size in top.items("batch_ladder") or [1, 2, 4, 8]
        ),
        metrics=_read_numbers(top, "metrics"),
        licence=_read_licence(Fields(top.mapping("licence"), where=f"{top.where}: licence")),
        provenance=_read_provenance(Fields(top.mapping("provenance"), where=f"{top.where}: provenance")),
        extra_files={name: str(digest) for name, digest in top.mapping("extra_files").items()},
        flops=None if flops is None else number(flops, where=f"{top.where}: flops"),
        notes=top.text("notes", ""),
    )
    top.end()
    return manifest


def _read_tensors(top: Fields, key: str) -> tuple[TensorSpec, ...]:
    found = []
    for position, value in enumerate(top.items(key)):
        row = Fields(value, where=f"{top.where}: {key}[{position}]")
        shape = tuple(_integer(size, where=f"{row.where}: shape") for size in row.items("shape"))
        axis = row.raw("batch_axis")
        found.append(
            TensorSpec(
                name=row.text("name"),
                dtype=row.text("dtype"),
                shape=tuple(None if size == _DYNAMIC else size for size in shape),
                batch_axis=None if axis is None else _integer(axis, where=f"{row.where}: batch_axis"),
            )
        )
        row.end()
    return tuple(found)


def _read_preprocess(row: Fields) -> Preprocess:
    preprocess = Preprocess(
        colour=_choice(row, "colour", Colour, Colour.RGB),
        resize=_choice(row, "resize", Resize, Resize.STRETCH),
        width_px=_optional_size(row, "width_px"),
        height_px=_optional_size(row, "height_px"),
        longest_side_px=_optional_size(row, "longest_side_px"),
        multiple_of_px=row.integer("multiple_of_px", 1),
        scale=row.number("scale", 1.0),
        mean=_triple(row, "mean", 0.0),
        std=_triple(row, "std", 1.0),
        pad=_choice(row, "pad", Pad, Pad.NONE),
        pad_value=row.number("pad_value", 0.0),
        sample_rate_hz=_optional_size(row, "sample_rate_hz"),
    )
    row.end()
    return preprocess


def _read_classes(top: Fields) -> tuple[ClassSpec, ...]:
    found = []
    for position, value in enumerate(top.items("classes")):
        row = Fields(value, where=f"{top.where}: classes[{position}]")
        pairs = [
            [number(part, where=f"{row.where}: calibration") for part in pair] if isinstance(pair, list) else []
            for pair in row.items("calibration")
        ]
        found.append(
            ClassSpec(
                index=row.integer("index"),
                name=row.text("name"),
                label=row.optional_text("label"),
                threshold=row.number("threshold", 0.0),
                calibration=Calibration.of(pairs),
            )
        )
        row.end()
    return tuple(found)


def _read_licence(row: Fields) -> Licence:
    licence = Licence(spdx=row.text("spdx"), notice=row.text("notice"), file=row.optional_text("file"))
    row.end()
    return licence


def _read_provenance(row: Fields) -> Provenance:
    provenance = Provenance(
        source=row.text("source"),
        package=row.optional_text("package"),
        member=row.optional_text("member"),
        url=row.optional_text("url"),
    )
    row.end()
    return provenance


def _read_numbers(top: Fields, key: str) -> dict[str, float]:
    return {name: number(value, where=f"{top.where}: {key}.{name}") for name, value in top.mapping(key).items()}


def _integer(value: object, *, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ManifestError(f"{where} must be an integer, got {value!r}")
    return value


def _optional_size(row: Fields, key: str) -> int | None:
    value = row.raw(key)
    if value is None:
        return None
    size = _integer(value, where=f"{row.where}: {key}")
    if size < 1:
        raise ManifestError(f"{row.where}: {key} must be at least 1, got {size}")
    return size


def _triple(row: Fields, key: str, default: float) -> tuple[float, float, float]:
    values = [number(value, where=f"{row.where}: {key}") for value in row.items(key) or [default] * 3]
    if len(values) != 3:
        raise ManifestError(f"{row.where}: {key} must be three numbers, got {values}")
    return (values[0], values[1], values[2])


def _choice(row: Fields, key: str, kind: type[E], default: E) -> E:
    value = row.text(key, default.value)
    try:
        return kind(value)
    except ValueError:
        raise ManifestError(f"{row.where}: {key} must be one of {', '.join(kind)}, got {value!r}") from None


def format_manifest(manifest: Manifest) -> str:
    """Write a manifest as YAML text; `parse_manifest` gives an equal one back."""
    tree: dict[str, Any] = {
        "name": manifest.name,
        "version": manifest.version,
        "task": manifest.task,
        "file": manifest.file,
        "sha256": manifest.sha256,
        "licence": _plain(manifest.licence),
        "provenance": _plain(manifest.provenance),
        "inputs": [_plain_tensor(row) for row in manifest.inputs],
        "outputs": [_plain_tensor(row) for row in manifest.outputs],
        "preprocess": _plain(manifest.preprocess),
        "postprocess": dict(manifest.postprocess),
        "classes": [_plain_class(row) for row in manifest.classes],
        "batch_ladder": list(manifest.batch_ladder),
        "metrics": dict(manifest.metrics),
        "extra_files": dict(manifest.extra_files),
        "flops": manifest.flops,
        "notes": manifest.notes,
    }
    kept = {key: value for key, value in tree.items() if value not in (None, {}, [], "")}
    return yaml.safe_dump(kept, sort_keys=False, allow_unicode=True, width=120)


def _plain(value: Licence | Provenance | Preprocess) -> dict[str, Any]:
    pairs: Iterable[tuple[str, Any]] = ((spec.name, getattr(value, spec.name)) for spec in fields(value))
    return {key: _plain_value(item) for key, item in pairs if item is not None}


def _plain_value(item: object) -> object:
    if isinstance(item, Colour | Resize | Pad):
        return item.value
    return list(item) if isinstance(item, tuple) else item


def _plain_tensor(row: TensorSpec) -> Mapping[str, Any]:
    shape = [_DYNAMIC if size is None else size for size in row.shape]
    return {"name": row.name, "dtype": row.dtype, "shape": shape, "batch_axis": row.batch_axis}


def _plain_class(row: ClassSpec) -> Mapping[str, Any]:
    plain: dict[str, Any] = {"index": row.index, "name": row.name, "label": row.label}
    if row.threshold:
        plain["threshold"] = row.threshold
    if row.calibration.points:
        plain["calibration"] = [[point.raw, point.score] for point in row.calibration.points]
    return plain
