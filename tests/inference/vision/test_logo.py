"""Enrolled logos found by the shipped networks, through lanes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from inference.detectors import Detection
from inference.enrolment import Enrolled
from inference.host import Host
from inference.lanes import Device
from inference.loader import Loader
from inference.logo_networks import direct_mark_reader, open_logos
from inference.samples import FrameSample, Picture, RgbPicture
from inference.testing import fake_device
from inference.vision.logo import LogoDetector, calibration_of, frame_of
from inference.vision.logo_book import LogoBook, LogoEntry, logo_store
from inference.vision.logo_desk import LogoDesk, LogoOrder
from models.logo_matching import MOST_SCORE
from models.store import ModelStore
from models.taxonomy import Taxonomy
from streams import demo_scenes
from tests.inference.vision.marks_maker import mark_png

NOW = datetime(2026, 11, 25, tzinfo=UTC)
COMPETITOR = files("streams").joinpath("demo_assets", "competitor.png").read_bytes()
AT = (1010, 40)
WIDTH = 180
DRIFT_PX = 90


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> ModelStore:
    return ModelStore(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def device() -> Iterator[Device]:
    with fake_device() as device:
        yield device


@pytest.fixture(scope="module")
def opened(shipped: ModelStore, device: Device, threads: ThreadPoolExecutor) -> tuple[LogoDetector, LogoBook]:
    labels = frozenset(label.code for label in Taxonomy.load())
    return open_logos(Loader(shipped, device), Host(threads), labels)


@pytest.fixture
def desk(shipped: ModelStore, tmp_path: Path) -> LogoDesk:
    reader = direct_mark_reader(shipped)
    return LogoDesk(logo_store(tmp_path), reader, check_label=Taxonomy.load().__getitem__, now=lambda: NOW)


def sample(picture: Picture, at: int, room_id: str = "r") -> FrameSample:
    return FrameSample(room_id, "s", 2.0 * at, NOW, 2.0 * at, picture)


async def watched(detector: LogoDetector, draw: Callable[[int], Picture], *, room_id: str, n_looks: int = 5) -> list[Detection]:
    detector.forget(room_id)
    return [await detector.detect(sample(draw(at), at, room_id)) for at in range(n_looks)]


def marked(index: int) -> Picture:
    mark = demo_scenes.watermark("competitor.png", width_px=WIDTH, opacity=0.9, x=AT[0], y=AT[1])
    return RgbPicture(demo_scenes.Game(17).frame(index * 30, mark))


def jumping(index: int) -> Picture:
    x = AT[0] if index < 4 else 60
    mark = demo_scenes.watermark("competitor.png", width_px=WIDTH, opacity=0.9, x=x, y=AT[1])
    return RgbPicture(demo_scenes.Game(17).frame(index * 30, mark))


def drifting(index: int) -> Picture:
    mark = demo_scenes.watermark("competitor.png", width_px=WIDTH, opacity=0.9, x=AT[0] - DRIFT_PX * index, y=AT[1])
    return RgbPicture(demo_scenes.Game(17).frame(index * 30, mark))


def plain(index: int) -> Picture:
    return RgbPicture(demo_scenes.Game(17).frame(index * 30))


def enrolled(desk: LogoDesk, order: LogoOrder | None = None) -> tuple[Enrolled[LogoEntry], ...]:
    desk.enrol("guagua-tv", [COMPETITOR], order or LogoOrder(title="呱呱TV"))
    for seed in (1, 2, 3):
        desk.enrol(f"other-{seed}", [mark_png(seed)], LogoOrder(force=True))
    return desk.store.live()


async def test_an_enrolled_mark_is_found_where_it_is(opened: tuple[LogoDetector, LogoBook], desk: LogoDesk) -> None:
    detector, book = opened
    book.teach(enrolled(desk))

    last = (await watched(detector, marked, room_id="marked"))[-1]

    (finding,) = [one for one in last.findings if one.score >= 0.6]
    assert (finding.label, finding.sublabel, finding.detector) == ("competitor.logo", "guagua-tv", "logo")
    best = max(finding.boxes, key=lambda box: box.score)
    assert best.name == "呱呱TV"
    wanted = np.array([AT[0], AT[1], AT[0] + WIDTH, AT[1] + WIDTH * 112 / 330])
    found = np.array([best.x * 1280, best.y * 720, (best.x + best.w) * 1280, (best.y + best.h) * 720])
    assert np.abs(found - wanted).max() < 0.3 * WIDTH
    assert finding.model is not None
    assert finding.model.name == "logo-teller"


@pytest.mark.parametrize("n_looks", [6, 7, 8])
async def test_a_mark_that_jumped_is_said_to_be_only_where_it_is_now(
    opened: tuple[LogoDetector, LogoBook], desk: LogoDesk, n_looks: int
) -> None:
    """The fifth look shows it in another corner; the frames of the looks before show it in the first."""
    detector, book = opened
    book.teach(enrolled(desk))

    looks = await watched(detector, jumping, room_id="jumping", n_looks=n_looks)

    boxes = [box for finding in looks[-1].findings if finding.sublabel == "guagua-tv" for box in finding.boxes]
    assert [box for box in boxes if box.score >= 0.6 and abs(box.x * 1280 - AT[0]) < WIDTH] == []
    assert looks[3].findings
    assert any(finding.sublabel == "guagua-tv" for look in looks[4:] for finding in look.findings)


async def test_a_mark_that_drifts_is_gathered_over_its_places(opened: tuple[LogoDetector, LogoBook], desk: LogoDesk) -> None:
    detector, book = opened
    book.teach(enrolled(desk))

    looks = await watched(detector, drifting, room_id="drifting", n_looks=5)

    (finding,) = [one for one in looks[-1].findings if one.score >= 0.6]
    best = max(finding.boxes, key=lambda box: box.score)
    assert finding.sublabel == "guagua-tv"
    assert abs(best.x * 1280 - (AT[0] - 4 * DRIFT_PX)) < 0.3 * WIDTH


async def test_a_room_without_it_has_nothing_to_review(opened: tuple[LogoDetector, LogoBook], desk: LogoDesk) -> None:
    detector, book = opened
    book.teach(enrolled(desk))

    looks = await watched(detector, plain, room_id="plain")

    assert [one for look in looks for one in look.findings if one.score >= 0.6] == []


async def test_enrolling_and_removing_take_effect_between_two_looks(opened: tuple[LogoDetector, LogoBook], desk: LogoDesk) -> None:
    detector, book = opened
    book.teach(())
    none = (await watched(detector, marked, room_id="later"))[-1]
    book.teach(enrolled(desk))
    then = (await watched(detector, marked, room_id="later"))[-1]
    desk.store.remove("guagua-tv")
    book.teach(desk.store.live())
    after = (await watched(detector, marked, room_id="later"))[-1]

    assert none.findings == ()
    assert none.timing.queue_s == 0.0
    assert "guagua-tv" in {one.sublabel for one in then.findings}
    assert "guagua-tv" not in {one.sublabel for one in after.findings}


@pytest.mark.parametrize("order", [LogoOrder(min_area=0.2), LogoOrder(zones=("bottom-left",))], ids=["too small", "elsewhere"])
async def test_what_staff_say_of_size_and_place_counts(
    opened: tuple[LogoDetector, LogoBook], desk: LogoDesk, order: LogoOrder
) -> None:
    detector, book = opened
    book.teach(enrolled(desk, order))

    last = (await watched(detector, marked, room_id="placed"))[-1]

    assert "guagua-tv" not in {one.sublabel for one in last.findings}


def test_the_networks_own_thresholds_are_where_a_person_looks_and_where_it_is_sure() -> None:
    calibration = calibration_of(0.62, 0.75)

    assert float(calibration.apply(0.62)) == pytest.approx(0.6)
    assert float(calibration.apply(0.75)) == pytest.approx(0.9)
    assert float(calibration.apply(0.4)) < 0.5
    assert float(calibration.apply(MOST_SCORE)) == pytest.approx(0.99)


@pytest.mark.parametrize(("size", "shape"), [((1280, 720), (1080, 1280)), ((720, 1280), (1920, 720)), ((100, 37), (720, 1280))])
def test_pictures_of_any_size_come_to_the_networks_grid(size: tuple[int, int], shape: tuple[int, int]) -> None:
    picture = RgbPicture(np.full((size[1], size[0], 3), (200, 30, 30), np.uint8))

    assert frame_of(picture).shape == shape
