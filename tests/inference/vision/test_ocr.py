"""Reading text from pictures through the real nets."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from inference.lanes import Device
from inference.policy_book import PolicyBook
from inference.registry import BuildOptions, Built, OcrSettings, build_detectors
from inference.samples import Modality, Pixels, Scene
from inference.text.check import TextChecker
from inference.verdicts import Decision, Finding, TextMatch
from inference.vision.logo_book import logo_store
from inference.vision.logo_desk import LogoDesk, LogoOrder
from inference.vision.ocr import OcrDetector, search_size
from models.store import ModelStore
from models.taxonomy import Taxonomy
from tests.inference.samples_maker import advert, broadcast, frame, paint, scenery, video_frames
from tests.inference.vision.marks_maker import READER, mark_png

pytestmark = pytest.mark.models


@pytest.fixture
def ocr(built: Built) -> OcrDetector:
    detector = built.detectors["ocr"]
    assert isinstance(detector, OcrDetector)
    return detector


def letters(text: str) -> str:
    return "".join(text.split())


def written(*lines: str, pixels: Pixels | None = None) -> Pixels:
    page = scenery(5, n_discs=0) if pixels is None else pixels.copy()
    for row, text in enumerate(lines):
        at = (80, 120 + 160 * row)
        cv2.putText(page, text, at, cv2.FONT_HERSHEY_DUPLEX, 1.4, (20, 20, 20), 9, cv2.LINE_AA)
        cv2.putText(page, text, at, cv2.FONT_HERSHEY_DUPLEX, 1.4, (255, 255, 255), 2, cv2.LINE_AA)
    return page


@pytest.mark.parametrize("place", [(40, 60), (700, 330), (500, 640)])
async def test_a_painted_chinese_advert_is_read_from_a_broadcast_frame_and_reported(
    ocr: OcrDetector, place: tuple[int, int]
) -> None:
    pixels = broadcast(paint(scenery(place[0]), advert("advert_wechat.png"), x=place[0], y=place[1]))
    detection = await ocr.detect(frame(pixels, pts_s=8.0))
    (line,) = [line for line in detection.lines if "微信" in line.text]
    assert letters(line.text) == "加微信abc8421领皮肤"
    assert line.score > 0.9
    assert (line.box.x * 1280, line.box.y * 720) == pytest.approx(place, abs=20)
    contact = next(finding for finding in detection.findings if finding.label == "ads.contact")
    assert (contact.detector, contact.modality, contact.pts_s) == ("ocr", Modality.IMAGE, 8.0)
    assert contact.text == line.text
    assert contact.boxes[0].x == line.box.x
    assert contact.model is not None
    assert contact.model.name == "ppocr-rec"


async def test_gambling_adverts_are_reported_as_such(ocr: OcrDetector) -> None:
    detection = await ocr.detect(frame(broadcast(paint(scenery(2), advert("advert_gambling.png"), x=300, y=300))))
    assert any(finding.label == "gambling.promo" for finding in detection.findings), detection.lines


async def test_lines_come_from_top_to_bottom_with_boxes_on_the_frame(ocr: OcrDetector) -> None:
    lines = (await ocr.detect(frame(written("FIRST LINE", "SECOND 2468", "THIRD ROW")))).lines
    assert [letters(line.text) for line in lines] == ["FIRSTLINE", "SECOND2468", "THIRDROW"]
    assert [round((line.box.y * 720 - 80) / 160) for line in lines] == [0, 1, 2]


async def test_a_line_that_stands_still_is_not_read_again_in_its_room(ocr: OcrDetector) -> None:
    first = frame(broadcast(written("HELLO 13579")), room_id="still")
    again = frame(broadcast(written("HELLO 13579"), crf=30), room_id="still", pts_s=2.0)
    changed = frame(broadcast(written("HELLO 13578")), room_id="still", pts_s=4.0)
    try:
        seen = [await ocr.infer(ocr.prepare(sample), deadline_s=None) for sample in (first, again, changed)]
    finally:
        ocr.forget("still")
    assert [outputs.n_read for outputs in seen] == [1, 0, 1]
    assert [letters(outputs.lines[0].text) for outputs in seen] == ["HELLO13579", "HELLO13579", "HELLO13578"]


async def test_single_pictures_leave_nothing_behind(ocr: OcrDetector) -> None:
    sample = frame(written("HELLO 13579"))
    outputs = [await ocr.infer(ocr.prepare(sample), deadline_s=None) for _ in range(2)]
    assert [one.n_read for one in outputs] == [1, 1]


async def test_a_term_split_over_two_lines_is_found_once_with_both_boxes(
    public_models: ModelStore, cpu_device: Device, threads: ThreadPoolExecutor, ocr: OcrDetector
) -> None:
    def read(text: str, scene: Scene) -> Sequence[Finding]:
        assert scene is Scene.OCR
        terms = [term for term in ("alphabeta", "gamma") if term in letters(text).lower()]
        matches = [TextMatch("test@1", term, (), term) for term in terms]
        return [Finding("custom.word", 1.0, Modality.TEXT, "lexicon", match=match) for match in matches]

    page = scenery(7)
    for text, y in (("ALPHA", 300), ("BETA GAMMA", 350)):
        cv2.putText(page, text, (200, y), cv2.FONT_HERSHEY_DUPLEX, 1.4, (255, 255, 255), 3, cv2.LINE_AA)
    own = OcrDetector(ocr._models, read, host=ocr._host, text_labels=frozenset({"custom.word"}))
    findings = (await own.detect(frame(page))).findings
    terms = {finding.match.term: len(finding.boxes) for finding in findings if finding.match}
    assert terms == {"gamma": 1, "alphabeta": 2}
    assert len(findings) == 2
    assert all(finding.score < 1.0 for finding in findings)  # no surer than the reading


async def test_a_frame_full_of_text_is_bounded_and_what_was_left_out_is_counted(ocr: OcrDetector) -> None:
    page = np.full((720, 1280, 3), 255, np.uint8)
    for row in range(26):
        for column in range(8):
            text = f"{row * 37 + column * 11:03d}"
            cv2.putText(page, text, (20 + column * 158, 24 + row * 27), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (0, 0, 0), 2)
    detection = await ocr.detect(frame(page))
    assert 0 < len(detection.lines) <= 48
    assert detection.extras.n_dropped > 50


async def test_the_words_of_an_enrolled_logo_are_the_logo_where_it_counts(
    public_models: ModelStore, cpu_device: Device, threads: ThreadPoolExecutor, tmp_path: Path
) -> None:
    """The picture that was enrolled looks nothing like what is on the screen: it is the words that are found."""
    order = LogoOrder(words=("ORCA LIVE",), zones=("top-left",))
    desk = LogoDesk(logo_store(tmp_path), READER, check_label=str, now=lambda: datetime(2026, 11, 26, tzinfo=UTC))
    desk.enrol("orca", [mark_png(1)], order)
    options = BuildOptions(shared_dir=tmp_path)
    built = build_detectors(public_models, cpu_device, TextChecker.load(base=False), threads=threads, options=options)
    try:
        (finding,) = (await built.detectors["ocr"].detect(frame(broadcast(written("ORCA LIVE 6688"))))).findings
        elsewhere = (await built.detectors["ocr"].detect(frame(written("", "", "", "ORCA LIVE 6688")))).findings
        talk = (await built.detectors["ocr"].detect(frame(written("I LIKE ORCA LIVE BECAUSE")))).findings
    finally:
        for lane in built.lanes:
            lane.close()

    assert (finding.label, finding.sublabel, finding.detector) == ("competitor.logo", "orca", "ocr")
    assert finding.text is not None
    assert letters(finding.text) == "ORCALIVE6688"
    assert finding.boxes[0].y < 0.2
    assert (elsewhere, talk) == ((), ())
    judged = PolicyBook.load(taxonomy=Taxonomy.load()).for_room("").decide([finding])
    assert judged.decision is Decision.REVIEW


async def test_lines_that_stand_on_their_head_are_read_where_that_is_switched_on(
    public_models: ModelStore, cpu_device: Device, threads: ThreadPoolExecutor
) -> None:
    options = BuildOptions(OcrSettings(turned=True))
    built = build_detectors(public_models, cpu_device, TextChecker.load(base=False), threads=threads, options=options)
    try:
        turned = np.ascontiguousarray(written("UPSIDE 24680")[::-1, ::-1])
        lines = (await built.detectors["ocr"].detect(frame(turned))).lines
        assert "UPSIDE24680" in [letters(line.text) for line in lines]
    finally:
        for lane in built.lanes:
            lane.close()


@pytest.mark.shared
async def test_ordinary_frames_give_no_findings(ocr: OcrDetector, shared_data: Path) -> None:
    names = ("bigbuckbunny.mp4", "cockatoo.mp4", "flower.mp4", "car-detection.mp4")
    frames = [pixels for name in names for pixels in video_frames(shared_data / "video" / name, every=60, at_most=3)]
    for pixels in frames:
        assert (await ocr.detect(frame(pixels))).findings == ()


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1280, 720), (640, 352)), ((720, 1280), (352, 640)), ((100, 60), (96, 64)), ((1, 1), (32, 32)), ((4000, 10), (640, 32))],
)
def test_pictures_are_searched_at_multiples_of_the_stride_and_never_enlarged(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert search_size(np.zeros((size[1], size[0], 3), np.uint8), 640, 32) == expected
