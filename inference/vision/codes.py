"""QR and bar codes on a frame, with their payload, by OpenCV; the payload is read as text, too.

Finding works on brightness at no more than 1280 px; what is found and not decoded there is cut out of the frame's own pixels,
enlarged and tried again. On re-encoded 720p frames the finder based on ArUco markers reads what the classic one needs twice the
size for.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.detectors import Extras, Outputs, StagedDetector, TextReader
from inference.host import Host
from inference.samples import FrameSample, Modality, Pixels, Scene
from inference.verdicts import Box, Finding

LABEL = "ads.qr_code"
SEARCH_SIDE_PX = 1280
"""Longest side of the picture that is searched."""
NATIVE_SIDE_PX = 2560
"""Longest side of the picture that codes are cut out of for the second try."""
MIN_SIDE_PX = 24
"""A picture narrower than the smallest code (21 modules) and its edge has none."""
MAX_CODES = 16
"""Codes decoded per frame; a wall of them is bounded, the rest is counted."""
RETRY_SIDE_PX = 420
"""A cut-out smaller than this is enlarged to it: 10 px a module for the codes one meets."""
DECODED_SCORE = 0.99
"""A payload passed its error correction: a false one has not been seen."""
LOCATED_SCORE = 0.6
"""Three finder patterns in place, payload not readable: worth a look, not proof."""
BARCODE_SCORE = 0.5
"""A bar code with payload: as often on a snack as in an advert."""


class CodeKind(StrEnum):
    """What kind of code."""

    QR = "qr"
    BARCODE = "barcode"


@dataclass(frozen=True, slots=True)
class Code:
    """One code on the frame."""

    kind: CodeKind
    payload: str | None
    """None where it was located and could not be read."""
    box: Box


@dataclass(frozen=True, slots=True, eq=False)
class Brightness:
    """What is searched and what is cut out of."""

    search: Pixels
    """uint8 (H, W), longest side at most SEARCH_SIDE_PX."""
    native: Pixels
    """uint8 (H, W), longest side at most NATIVE_SIDE_PX."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class CodesOutputs(Outputs):
    """Codes on the frame, largest first."""

    codes: tuple[Code, ...]
    n_dropped: int = 0
    """Candidates over MAX_CODES, or that OpenCV failed on."""


class _Finders(threading.local):
    """OpenCV's detectors keep state between calls: one set a thread."""

    def __init__(self) -> None:
        self.qr = cv2.QRCodeDetectorAruco()
        self.classic = cv2.QRCodeDetector()
        self.bars = cv2.barcode.BarcodeDetector()


class CodesDetector(StagedDetector[FrameSample, Brightness, CodesOutputs]):
    """Reports `ads.qr_code` for each code, and what the text engine says of its payload."""

    name = "codes"
    modality = Modality.IMAGE
    takes = FrameSample

    def __init__(self, read: TextReader, *, host: Host, text_labels: frozenset[str]) -> None:
        """Bind to the text engine.

        Args:
            read: the text engine.
            host: threads and clock.
            text_labels: every code the text engine may report.
        """
        super().__init__(host, text_labels | {LABEL})
        self._read = read
        self._finders = _Finders()

    def prepare(self, sample: FrameSample) -> Brightness:
        """Brightness only, at the two sizes."""
        size = (sample.picture.width, sample.picture.height)
        native = sample.picture.luma(_within(size, NATIVE_SIDE_PX))
        small = _within(size, SEARCH_SIDE_PX)
        search = native if small == native.shape[::-1] else cv2.resize(native, small, interpolation=cv2.INTER_AREA)
        return Brightness(np.asarray(search, dtype=np.uint8), native)

    async def infer(self, prepared: Brightness, *, deadline_s: float | None) -> CodesOutputs:
        """Search on a thread; there is no lane."""
        return await self._host.run(self.name, lambda: self.search(prepared), deadline_s=deadline_s)

    def search(self, prepared: Brightness) -> CodesOutputs:
        """Find and decode; CPU work, thread-safe."""
        if min(prepared.search.shape) < MIN_SIDE_PX:
            return CodesOutputs(codes=())
        quads, n_failed = _quads(self._finders.qr, prepared.search)
        codes = [self._decode(prepared, quad) for quad in quads[:MAX_CODES]]
        bars, n_bars_failed = self._bars(prepared.search)
        dropped = max(0, len(quads) - MAX_CODES) + max(0, len(bars) - MAX_CODES) + n_failed + n_bars_failed
        return CodesOutputs(codes=tuple(codes + bars[:MAX_CODES]), n_dropped=dropped)

    def findings(self, outputs: CodesOutputs, sample: FrameSample) -> tuple[Finding, ...]:
        """One finding per code, then those of its payload as text."""
        found: list[Finding] = []
        for code in outputs.codes:
            found.append(self._finding(code, sample))
            if code.payload:
                found += [self._of_payload(finding, code, sample) for finding in self._read(code.payload, Scene.OCR)]
        return tuple(found)

    def extras(self, outputs: CodesOutputs, sample: FrameSample) -> Extras:
        """How many candidates were not looked at."""
        return Extras(n_dropped=outputs.n_dropped)

    def _finding(self, code: Code, sample: FrameSample) -> Finding:
        return Finding(
            label=LABEL,
            score=code.box.score,
            modality=self.modality,
            detector=self.name,
            pts_s=sample.pts_s,
            sublabel="barcode" if code.kind is CodeKind.BARCODE else None,
            boxes=(code.box,),
            qr=code.payload,
        )

    def _of_payload(self, finding: Finding, code: Code, sample: FrameSample) -> Finding:
        return replace(
            finding,
            score=finding.score * code.box.score,
            modality=self.modality,
            detector=self.name,
            pts_s=sample.pts_s,
            boxes=(code.box,),
            text=code.payload,
            qr=code.payload,
        )

    def _decode(self, prepared: Brightness, quad: NDArray[np.float32]) -> Code:
        payload = _payload(self._finders.qr, prepared.search, quad)
        if payload is None:
            cut = _cut_out(prepared, quad)
            payload = _first_payload(self._finders.qr, cut) or _first_payload(self._finders.classic, cut)
        score = LOCATED_SCORE if payload is None else DECODED_SCORE
        return Code(CodeKind.QR, payload, _box(quad, prepared.search, score, CodeKind.QR))

    def _bars(self, luma: Pixels) -> tuple[list[Code], int]:
        try:
            _, payloads, kinds, quads = self._finders.bars.detectAndDecodeWithType(luma)
        except (cv2.error, UnicodeDecodeError):
            return [], 1
        if not payloads:
            return [], 0
        rows = zip(payloads, kinds, np.asarray(quads, np.float32).reshape(-1, 4, 2), strict=True)
        return [
            Code(CodeKind.BARCODE, payload, _box(quad, luma, BARCODE_SCORE, str(kind).lower() or CodeKind.BARCODE))
            for payload, kind, quad in rows
            if payload
        ], 0


def _within(size: tuple[int, int], side_px: int) -> tuple[int, int]:
    ratio = min(1.0, side_px / max(size))
    return max(1, round(size[0] * ratio)), max(1, round(size[1] * ratio))


def _quads(finder: cv2.QRCodeDetectorAruco, luma: Pixels) -> tuple[list[NDArray[np.float32]], int]:
    """Corners of every code, largest first, and the number of failures (0 or 1): hostile pictures make OpenCV throw."""
    try:
        found, corners = finder.detectMulti(luma)
    except cv2.error:
        return [], 1
    if not found or corners is None:
        return [], 0
    quads = [quad for quad in np.asarray(corners, np.float32).reshape(-1, 4, 2) if np.isfinite(quad).all()]
    return sorted(quads, key=lambda quad: -float(np.prod(np.ptp(quad, axis=0)))), 0


def _payload(finder: cv2.QRCodeDetectorAruco, luma: Pixels, quad: NDArray[np.float32]) -> str | None:
    """Decode in place; None where it cannot be read, or is not text."""
    try:
        text, _ = finder.decode(luma, quad[None])
    except (cv2.error, UnicodeDecodeError):
        return None
    return text or None


def _first_payload(finder: cv2.QRCodeDetectorAruco | cv2.QRCodeDetector, luma: Pixels) -> str | None:
    try:
        text, _, _ = finder.detectAndDecode(luma)
    except (cv2.error, UnicodeDecodeError):
        return None
    return text or None


def _cut_out(prepared: Brightness, quad: NDArray[np.float32]) -> Pixels:
    """The code and a quarter of its size around it, out of the frame's own pixels, enlarged to RETRY_SIDE_PX."""
    height, width = prepared.native.shape
    ratio = width / prepared.search.shape[1]
    low, high = quad.min(axis=0) * ratio, quad.max(axis=0) * ratio
    margin = (high - low) / 4
    left, top = np.clip(low - margin, 0, [width - 1, height - 1]).astype(int)
    right, bottom = np.clip(high + margin + 1, [left + 1, top + 1], [width, height]).astype(int)
    cut = prepared.native[top:bottom, left:right]
    factor = RETRY_SIDE_PX / max(cut.shape)
    if factor <= 1:
        return cut
    return np.asarray(cv2.resize(cut, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def _box(quad: NDArray[np.float32], luma: Pixels, score: float, name: str) -> Box:
    """Upright rectangle around four corners, as fractions of the picture."""
    size: Sequence[int] = luma.shape[::-1]
    low = np.clip(quad.min(axis=0) / size, 0.0, 1.0)
    high = np.clip(quad.max(axis=0) / size, 0.0, 1.0)
    x, y = float(low[0]), float(low[1])
    return Box(x, y, min(float(high[0]) - x, 1.0 - x), min(float(high[1]) - y, 1.0 - y), score, str(name))
