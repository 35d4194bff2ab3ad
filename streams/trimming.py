"""Makes a message's JSON fit a size: what matters least goes first, in one stated order, and the message itself is never lost.

Order, each step only while the message is still too large:
1. boxes: the 16 highest scored of each picture stay;
2. texts: lines read, transcripts, payloads, reasons and excerpts are cut to 500 code points, spans beyond the cut go;
3. media: the first and last picture, the first clip and the first strip stay;
4. pass_through: emptied;
5. rest: all boxes go, every text longer than 200 code points is cut.
A violation says in `evidence.notes` what was taken (`trimmed: boxes`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

MAX_BOXES = 16
MAX_TEXT_CHARS = 500
MAX_ANY_CHARS = 200

Data = dict[str, Any]


def smaller(value: bytes, *, limit_bytes: int) -> bytes:
    """Return the JSON object `value` within `limit_bytes`, trimmed in the order that the module states.

    Raises:
        ValueError: it does not fit even so, which no message of ours can reach.
    """
    data: Data = msgspec.json.decode(value)
    for name, step in _STEPS:
        step(data)
        notes = data.get("evidence", {}).get("notes")
        if notes is not None:
            notes.append(f"trimmed: {name}")
        value = msgspec.json.encode(data)
        if len(value) <= limit_bytes:
            return value
    raise ValueError(f"message cannot be trimmed to {limit_bytes} bytes, {len(value)} remain")


def _frames(data: Data) -> list[Data]:
    frames: list[Data] = data.get("evidence", {}).get("frames", [])
    return frames


def _audio(data: Data) -> list[Data]:
    audio: list[Data] = data.get("evidence", {}).get("audio", [])
    return audio


def _trim_boxes(data: Data) -> None:
    for frame in _frames(data):
        frame["boxes"] = sorted(frame["boxes"], key=lambda box: -float(box["score"]))[:MAX_BOXES]


def _cut(holder: Data, name: str) -> None:
    text = holder.get(name)
    if isinstance(text, str):
        holder[name] = text[:MAX_TEXT_CHARS]


def _trim_texts(data: Data) -> None:
    for frame in _frames(data):
        _cut(frame, "text")
        _cut(frame, "qr")
    for clip in _audio(data):
        _cut(clip, "transcript")
        clip["spans"] = [span for span in clip["spans"] if span[1] <= MAX_TEXT_CHARS][:MAX_BOXES]
    reason = data.get("reason")
    if isinstance(reason, dict):
        _cut(reason, "zh")
        _cut(reason, "en")
    else:
        _cut(data, "reason")
    _cut(data, "excerpt")


def _trim_media(data: Data) -> None:
    frames = _frames(data)
    del frames[1:-1]
    del _audio(data)[1:]
    del data.get("evidence", {}).get("strips", [])[1:]


def _trim_pass_through(data: Data) -> None:
    if "pass_through" in data:
        data["pass_through"] = {}


def _trim_rest(data: Data) -> None:
    for frame in _frames(data):
        frame["boxes"] = []
    _cut_all(data)


def _cut_all(holder: Data | list[Any]) -> None:
    pairs = list(holder.items()) if isinstance(holder, dict) else list(enumerate(holder))
    for at, entry in pairs:
        if isinstance(entry, str):
            holder[at] = entry[:MAX_ANY_CHARS]  # type: ignore[index]  # at is a key of this very holder
        elif isinstance(entry, dict | list):
            _cut_all(entry)


_STEPS: tuple[tuple[str, Callable[[Data], None]], ...] = (
    ("boxes", _trim_boxes),
    ("texts", _trim_texts),
    ("media", _trim_media),
    ("pass_through", _trim_pass_through),
    ("rest", _trim_rest),
)
