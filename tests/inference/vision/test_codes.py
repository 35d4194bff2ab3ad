from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from inference.host import Host
from inference.samples import Modality, Scene
from inference.verdicts import Finding
from inference.vision.codes import DECODED_SCORE, LOCATED_SCORE, MAX_CODES, CodesDetector
from models.taxonomy import Taxonomy
from tests.inference.samples_maker import broadcast, frame, paint, qr_code, scenery, video_frames

LABELS = frozenset(label.code for label in Taxonomy.load())


def reading(text: str, scene: Scene) -> tuple[Finding, ...]:
    assert scene is Scene.OCR
    return (Finding("ads.contact", 0.8, Modality.TEXT, "lexicon"),) if "wechat" in text else ()


@pytest.fixture
def detector(host: Host) -> CodesDetector:
    return CodesDetector(reading, host=host, text_labels=LABELS)


@pytest.mark.parametrize("side_px", [120, 160, 200])
@pytest.mark.parametrize("corner", ["upper left", "lower right"])
async def test_a_code_in_a_corner_of_a_broadcast_frame_is_read(detector: CodesDetector, side_px: int, corner: str) -> None:
    x, y = (20, 20) if corner == "upper left" else (1260 - side_px, 700 - side_px)
    pixels = broadcast(paint(scenery(side_px), qr_code("https://example.com/r/9", side_px), x=x, y=y))
    (finding,) = (await detector.detect(frame(pixels, pts_s=2.0))).findings
    assert (finding.label, finding.qr, finding.score, finding.pts_s) == (
        "ads.qr_code",
        "https://example.com/r/9",
        DECODED_SCORE,
        2.0,
    )
    (box,) = finding.boxes
    assert (box.x * 1280, box.y * 720) == pytest.approx((x, y), abs=0.15 * side_px)
    assert (box.w * 1280, box.h * 720) == pytest.approx((side_px, side_px), rel=0.3)


async def test_the_payload_is_read_as_text_and_keeps_the_codes_box(detector: CodesDetector) -> None:
    pixels = paint(scenery(), qr_code("wechat: abc12345", 200), x=500, y=300)
    code, contact = (await detector.detect(frame(pixels))).findings
    assert contact.label == "ads.contact"
    assert contact.boxes == code.boxes
    assert contact.qr == contact.text == "wechat: abc12345"
    assert contact.score == pytest.approx(0.8 * DECODED_SCORE)
    assert (contact.detector, contact.modality) == ("codes", Modality.IMAGE)


async def test_two_codes_give_two_findings(detector: CodesDetector) -> None:
    pixels = paint(scenery(), qr_code("https://example.com/a", 180), x=40, y=40)
    pixels = paint(pixels, qr_code("https://example.com/b", 240), x=900, y=400)
    findings = (await detector.detect(frame(pixels))).findings
    assert {finding.qr for finding in findings} == {"https://example.com/a", "https://example.com/b"}


async def test_a_code_too_damaged_to_read_is_reported_with_less_certainty_and_no_payload(detector: CodesDetector) -> None:
    code = qr_code("https://example.com/some/longer/address/that/fills/the/modules", 240)
    code[90:200, 90:200] = np.random.default_rng(0).integers(0, 2, (110, 110, 1), np.uint8) * 255
    (finding,) = (await detector.detect(frame(paint(scenery(), code, x=400, y=200)))).findings
    assert finding.qr is None
    assert finding.score == LOCATED_SCORE


async def test_a_wall_of_codes_is_bounded_and_counted(detector: CodesDetector) -> None:
    pixels = np.full((720, 1280, 3), 255, np.uint8)
    for n in range(24):
        pixels = paint(pixels, qr_code(f"n{n}", 150), x=20 + n % 8 * 155, y=20 + n // 8 * 200)
    detection = await detector.detect(frame(pixels))
    assert len(detection.findings) == MAX_CODES
    assert detection.extras.n_dropped >= 4


def test_every_thread_has_detectors_of_its_own(detector: CodesDetector) -> None:
    from concurrent.futures import ThreadPoolExecutor

    pictures = [paint(scenery(n), qr_code(f"room {n}", 160), x=40 * n, y=30 * n) for n in range(8)]

    def payload(pixels: np.ndarray) -> str | None:
        return detector.search(detector.prepare(frame(pixels))).codes[0].payload

    with ThreadPoolExecutor(max_workers=4) as pool:
        assert list(pool.map(payload, pictures * 3)) == [f"room {n}" for n in range(8)] * 3


def ean13(digits: str) -> np.ndarray:
    """Bars of an EAN-13 number, RGB, drawn by the standard's tables."""
    left = ["0001101", "0011001", "0010011", "0111101", "0100011", "0110001", "0101111", "0111011", "0110111", "0001011"]
    parity = ["LLLLLL", "LLGLGG", "LLGGLG", "LLGGGL", "LGLLGG", "LGGLLG", "LGGGLL", "LGLGLG", "LGLGGL", "LGGLGL"]

    def inverse(bits: str) -> str:
        return "".join("10"[int(bit)] for bit in bits)

    def half(digit: str, kind: str) -> str:
        bits = left[int(digit)]
        return bits if kind == "L" else inverse(bits)[::-1]

    bits = "101" + "".join(half(digit, kind) for digit, kind in zip(digits[1:7], parity[int(digits[0])], strict=True)) + "01010"
    bits += "".join(inverse(left[int(digit)]) for digit in digits[7:]) + "101"
    row = np.array([0 if bit == "1" else 255 for bit in "0" * 12 + bits + "0" * 12], np.uint8)
    grey = cv2.resize(row[None], (len(row) * 3, 150), interpolation=cv2.INTER_NEAREST)
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), dtype=np.uint8)


async def test_a_bar_code_is_told_from_a_qr_code_and_weighs_less(detector: CodesDetector) -> None:
    pixels = paint(np.full((720, 1280, 3), 200, np.uint8), ean13("4006381333931"), x=400, y=300)
    (finding,) = (await detector.detect(frame(pixels))).findings
    assert (finding.qr, finding.sublabel) == ("4006381333931", "barcode")
    assert finding.score < LOCATED_SCORE


@pytest.mark.parametrize("seed", range(5))
async def test_a_drawn_scene_without_code_gives_none(detector: CodesDetector, seed: int) -> None:
    assert (await detector.detect(frame(broadcast(scenery(seed))))).findings == ()


@pytest.mark.shared
async def test_ordinary_frames_give_none(detector: CodesDetector, shared_data: Path) -> None:
    clips = sorted(path for path in (shared_data / "video").iterdir() if path.suffix in {".mp4", ".webm"})
    frames = [pixels for path in clips for pixels in video_frames(path, every=50, at_most=6)]
    games = [cv2.imread(str(path)) for path in sorted((shared_data / "games").rglob("*.jpg"))[::6]]
    found = [(await detector.detect(frame(np.ascontiguousarray(pixels)))).findings for pixels in [*frames, *games]]
    assert len(found) > 30
    assert not any(found)
