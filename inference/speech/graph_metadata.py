"""What an ONNX file says of itself, read without loading it: recognisers have hundreds of megabytes, their metadata a few lines.

An ONNX file is one protobuf message; its fields are walked and all but the metadata are skipped.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from inference.errors import ConfigError

_METADATA = 14
"""Number of the field `metadata_props` in ONNX's ModelProto; each is a message of key (1) and value (2)."""
_MAX_BYTES = 16_000_000
"""Largest metadata entry that is read; means and variances of features lie there too."""


def graph_metadata(path: Path) -> dict[str, str]:
    """Read the metadata of an ONNX file.

    Raises:
        ConfigError: the file cannot be read, or is no ONNX file.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            return dict(_entries(file, size))
    except (OSError, ValueError, EOFError) as exc:
        raise ConfigError(f"{path} is no ONNX file: {exc}") from exc


def _entries(file: BinaryIO, size: int) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    while file.tell() < size:
        field, length = _field(file)
        if file.tell() + length > size:
            raise ValueError(f"it ends at {size} bytes inside field {field}")
        if field == _METADATA and length <= _MAX_BYTES:
            found.append(_entry(file, file.tell() + length))
        else:
            file.seek(length, 1)
    return found


def _entry(file: BinaryIO, end: int) -> tuple[str, str]:
    texts = {1: "", 2: ""}
    while file.tell() < end:
        field, length = _field(file)
        texts[field] = file.read(min(length, end - file.tell())).decode("utf-8", "replace")
    return texts[1], texts[2]


def _field(file: BinaryIO) -> tuple[int, int]:
    """Read a field's number and how many bytes of content follow; a plain number is read over."""
    tag = _varint(file)
    kind = tag & 7
    if kind == 0:
        _varint(file)
        return tag >> 3, 0
    lengths = {1: 8, 5: 4}
    if kind != 2 and kind not in lengths:
        raise ValueError(f"unknown wire type {kind}")
    return tag >> 3, lengths[kind] if kind in lengths else _varint(file)


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise EOFError("it ends inside a number")
        value |= (byte[0] & 0x7F) << shift
        if not byte[0] & 0x80:
            return value
    raise ValueError("a number has more than 64 bits")
