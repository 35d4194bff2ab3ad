from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from inference.host import Host
from inference.samples import FrameSample, Pixels
from inference.vision.quality import BLACK, FROZEN, STILL_S, QualityDetector
from tests.inference.samples_maker import frame, scenery

DARK = np.full((720, 1280, 3), 4, np.uint8)


@pytest.fixture
def detector(host: Host) -> QualityDetector:
    return QualityDetector(host=host)


async def labels(detector: QualityDetector, pixels: Pixels, *, at_s: float, room: str = "room") -> list[str]:
    return [finding.label for finding in (await detector.detect(frame(pixels, room_id=room, pts_s=at_s))).findings]


async def test_a_black_picture_of_a_room_is_told(detector: QualityDetector) -> None:
    assert await labels(detector, DARK, at_s=3.0) == [BLACK]


async def test_a_dark_scene_with_a_lamp_in_it_is_not_black(detector: QualityDetector) -> None:
    lit = DARK.copy()
    cv2.circle(lit, (900, 200), 40, (180, 170, 150), -1)
    assert await labels(detector, lit, at_s=3.0) == []


async def test_a_picture_that_stands_still_is_frozen_after_a_while(detector: QualityDetector) -> None:
    still = scenery(1)
    assert await labels(detector, still, at_s=0.0) == []
    assert await labels(detector, still, at_s=STILL_S - 0.1) == []
    assert await labels(detector, still, at_s=STILL_S) == [FROZEN]


async def test_what_encoding_changes_does_not_unfreeze_and_a_small_move_does(detector: QualityDetector) -> None:
    still = scenery(1)
    noise = np.random.default_rng(0).integers(-2, 3, still.shape)
    moved = still.copy()
    cv2.rectangle(moved, (600, 300), (660, 360), (255, 255, 255), -1)
    await labels(detector, still, at_s=0.0)
    assert await labels(detector, np.clip(still + noise, 0, 255).astype(np.uint8), at_s=30.0) == [FROZEN]
    assert await labels(detector, moved, at_s=40.0) == []
    assert await labels(detector, moved, at_s=40.0 + STILL_S) == [FROZEN]


async def test_another_broadcast_of_the_room_begins_anew(detector: QualityDetector) -> None:
    sample = frame(scenery(1), room_id="room", pts_s=100.0)
    later: FrameSample = replace(sample, session_id="next", pts_s=130.0)
    await detector.detect(sample)
    assert (await detector.detect(later)).findings == ()


async def test_a_picture_of_no_room_is_no_stream(detector: QualityDetector) -> None:
    assert await labels(detector, DARK, at_s=0.0, room="") == []
    assert await labels(detector, DARK, at_s=99.0, room="") == []


async def test_a_forgotten_room_begins_anew(detector: QualityDetector) -> None:
    await labels(detector, scenery(1), at_s=0.0)
    detector.forget("room")
    assert await labels(detector, scenery(1), at_s=50.0) == []
