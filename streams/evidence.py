"""Stores the media that show a violation: stills, clips of sound and strips, under names that say nothing but place and content.

Owns files and their retention. A still is stored clean, so that it stands up as evidence and can train models; boxes are data, and
`render_boxes` draws them for the eye. When a store stays broken past its retries the alert goes out all the same, with
`missing: <reason>` in `evidence.notes` (`missing_note`): a violation without its picture is worth more than none.

    root / 2026-11-24 / <room> / <session> / 000000012000-1f0c9a4be2d7.jpg
           day (UTC)    slug     slug        milliseconds on the session's timeline - start of the content's sha256
"""

from __future__ import annotations

import errno
import hashlib
import io
import re
import threading
import time
import wave
from collections.abc import Callable, Sequence
from datetime import datetime

import cv2
import numpy as np

from inference.errors import NotFound, NotReady
from inference.samples import SAMPLE_RATE_HZ, AudioClip, FrameSample
from inference.verdicts import Box
from streams.alerts import AudioEvidence, StillEvidence, StripEvidence
from streams.shelves import Shelf, Swept
from streams.strips import RecentFrame, encode_strip

JPEG_QUALITY = 80
"""Measured at 720p: 2.3 ms and 75 KiB; WebP takes 56 ms, PNG 32 ms and 1.2 MiB."""

RETRY_PAUSES_S = (0.2, 1.0)
"""Waits before the second and the third try of a write."""

EMERGENCY_SHARE = 0.9
"""Share of the stored bytes that stays when the disk is full."""

EvidenceRef = StillEvidence | AudioEvidence | StripEvidence


class EvidenceUnavailable(NotReady):
    """Raised when a file could not be stored although it was tried again; the alert goes out with a note instead."""

    title = "evidence store unavailable"


class EvidenceStore:
    """Turns samples into stored media. Blocking: call it on an executor's thread, never on an event loop; safe from several."""

    def __init__(self, shelf: Shelf, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._shelf = shelf
        self._pause = pause
        self._sweeping = threading.Lock()

    def write_still(
        self, sample: FrameSample, *, boxes: Sequence[Box] = (), text: str | None = None, qr: str | None = None
    ) -> StillEvidence:
        """Store the sample's picture, clean, as JPEG.

        Raises:
            EvidenceUnavailable: it could not be stored.
        """
        bgr = cv2.cvtColor(sample.picture.rgb(), cv2.COLOR_RGB2BGR)
        _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        content = encoded.tobytes()
        digest = hashlib.sha256(content).hexdigest()
        name = _name(sample.room_id, sample.session_id, sample.captured_at, sample.pts_s) + f"-{digest[:12]}.jpg"
        uri = self._put(name, content)
        height, width = bgr.shape[:2]
        return StillEvidence(sample.pts_s, sample.captured_at, uri, digest, width, height, tuple(boxes), text, qr)

    def write_audio(
        self, clip: AudioClip, *, transcript: str | None = None, spans: Sequence[tuple[int, int]] = ()
    ) -> AudioEvidence:
        """Store the clip as 16-bit WAV.

        Raises:
            EvidenceUnavailable: it could not be stored.
        """
        content = _wav(clip)
        digest = hashlib.sha256(content).hexdigest()
        name = _name(clip.room_id, clip.session_id, clip.captured_at, clip.start_s) + f"-{digest[:12]}.wav"
        return AudioEvidence(clip.start_s, clip.end_s, self._put(name, content), digest, transcript, tuple(spans))

    def write_strip(self, sample: FrameSample, frames: Sequence[RecentFrame]) -> StripEvidence:
        """Store the frames around a sample as one animated WebP.

        Raises:
            ValueError: there are no frames.
            EvidenceUnavailable: it could not be stored.
        """
        content = encode_strip(frames)
        digest = hashlib.sha256(content).hexdigest()
        name = _name(sample.room_id, sample.session_id, sample.captured_at, sample.pts_s) + f"-{digest[:12]}.webp"
        return StripEvidence(frames[0].pts_s, frames[-1].pts_s, self._put(name, content), digest, len(frames))

    def read(self, uri: str) -> bytes:
        """Return a stored file.

        Raises:
            NotFound: there is no such file in this store; addresses outside it do not exist.
        """
        return self._shelf.get(uri)

    def sweep(self, *, older_than: datetime, max_bytes: int) -> Swept:
        """Apply the retention; called now and then from one housekeeping thread."""
        with self._sweeping:
            return self._shelf.sweep(older_than=older_than, max_bytes=max_bytes)

    def _put(self, name: str, content: bytes) -> str:
        for pause_s in RETRY_PAUSES_S:
            try:
                return self._shelf.put(name, content)
            except OSError as exc:
                if exc.errno == errno.ENOSPC:
                    self._make_room()
                self._pause(pause_s)
        try:
            return self._shelf.put(name, content)
        except OSError as exc:
            raise EvidenceUnavailable(f"evidence could not be stored: {exc.strerror or exc}") from exc

    def _make_room(self) -> None:
        """On a full disk the oldest evidence makes room for the newest."""
        forever = datetime.fromtimestamp(0).astimezone()
        with self._sweeping:
            kept = self._shelf.sweep(older_than=forever, max_bytes=2**62).bytes_kept
            self._shelf.sweep(older_than=forever, max_bytes=int(kept * EMERGENCY_SHARE))


def missing_note(error: Exception) -> str:
    """Say in `evidence.notes` why a file is not there."""
    return f"missing: {error}"


def render_boxes(jpeg: bytes, boxes: Sequence[Box]) -> bytes:
    """Return the still with its boxes drawn, as JPEG; names beyond ASCII are left out, OpenCV's letters end there.

    Raises:
        NotFound: the still is not a picture.
    """
    picture = cv2.imdecode(np.frombuffer(jpeg, dtype=np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise NotFound("stored still is not a picture")
    height, width = picture.shape[:2]
    line = max(2, round(height / 360))
    for box in boxes:
        left, top = round(box.x * width), round(box.y * height)
        right, bottom = round((box.x + box.w) * width), round((box.y + box.h) * height)
        cv2.rectangle(picture, (left, top), (right, bottom), (0, 0, 255), line)
        caption = f"{box.name if box.name.isascii() else ''} {box.score:.2f}".strip()
        cv2.putText(picture, caption, (left, max(12, top - 4)), cv2.FONT_HERSHEY_SIMPLEX, 0.25 * line, (0, 0, 255), line)
    _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return encoded.tobytes()


def _wav(clip: AudioClip) -> bytes:
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(np.rint(np.clip(clip.pcm, -1.0, 1.0) * 32767).astype("<i2").tobytes())
    return target.getvalue()


def _name(room_id: str, session_id: str, captured_at: datetime, at_s: float) -> str:
    return f"{captured_at:%Y-%m-%d}/{slug(room_id)}/{slug(session_id)}/{max(0, round(at_s * 1000)):012d}"


def slug(name: str) -> str:
    """Return a folder name for any text, however hostile: its harmless characters and a hash, different for different texts."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"{re.sub(r'[^A-Za-z0-9_]', '', name)[:32]}-{digest}"
