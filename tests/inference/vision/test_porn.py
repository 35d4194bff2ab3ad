"""Parity with the net's own package, and what is made of its regions."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from inference.host import Host
from inference.registry import PORN, Built
from inference.samples import Pixels
from inference.testing import fake_lane
from inference.vision.porn import PornDetector, PornOutputs, letterbox
from models.manifest import Manifest
from models.store import ModelStore
from tests.conftest import require
from tests.inference.samples_maker import frame, scenery, video_frames

MANIFEST = Path(__file__).resolve().parents[3] / "models" / "manifests" / "nudenet-320n.yaml"
BREAST, GENITALIA, FACE = 3, 4, 1


@pytest.fixture(scope="session")
def package(request: pytest.FixtureRequest) -> ModuleType:
    """The package's own module out of its wheel, without installing it: it would bring another onnxruntime."""
    wheels = request.config.cache.mkdir("wheels")
    wheel = wheels / "nudenet-3.4.2-py3-none-any.whl"
    if not wheel.is_file():
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(wheels), "nudenet==3.4.2"]
        fetched = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
        require(fetched.returncode == 0, f"the nudenet wheel cannot be fetched: {fetched.stderr[-300:]}")
    with zipfile.ZipFile(wheel) as archive:
        source = wheels / "nudenet_own.py"
        source.write_bytes(archive.read("nudenet/nudenet.py"))
    spec = importlib.util.spec_from_file_location("nudenet_own", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def assert_same(built: Built, package: ModuleType, model: Path, pictures: list[Pixels]) -> int:
    detector = built.detectors["porn"]
    assert isinstance(detector, PornDetector)
    reference = package.NudeDetector(model_path=str(model))
    n_seen = 0
    for pixels in pictures:
        # The package swaps the channels twice, so what it is given is what its net gets: RGB, as ours.
        theirs = sorted(reference.detect(pixels), key=lambda seen: -seen["score"])
        sample = frame(pixels)
        outputs = await detector.infer(detector.prepare(sample), deadline_s=None)
        ours = detector.regions(outputs, sample)
        assert [region.part.name for region in ours] == [seen["class"] for seen in theirs]
        height, width = pixels.shape[:2]
        for region, seen in zip(ours, theirs, strict=True):
            assert region.raw_score == pytest.approx(seen["score"], abs=1e-3)
            box = (region.box.x * width, region.box.y * height, region.box.w * width, region.box.h * height)
            assert np.abs(np.array(box) - seen["box"]).max() <= 1.0 + 1e-3  # the package cuts fractions of a pixel off
        n_seen += len(ours)
    return n_seen


@pytest.mark.models
@pytest.mark.shared
async def test_regions_are_those_of_the_package_on_benign_photographs(
    built: Built, package: ModuleType, public_models: ModelStore, shared_data: Path
) -> None:
    pictures = video_frames(shared_data / "video" / "flower.mp4", every=20, at_most=6)
    pictures += video_frames(shared_data / "video" / "tears-of-steel-battle-clip-medium.webm", every=70, at_most=10)
    pictures += [
        cv2.resize(pictures[0], (723, 411)),
        np.ascontiguousarray(pictures[1][:, 300:500]),
    ]  # sides that do not divide, and a tall one
    n_seen = await assert_same(built, package, public_models.path(PORN), pictures)
    assert n_seen >= 15, "photographs with nobody on them prove nothing"


@pytest.mark.models
async def test_regions_are_those_of_the_package_on_drawn_pictures(
    built: Built, package: ModuleType, public_models: ModelStore
) -> None:
    sizes = [(1280, 720), (320, 320), (100, 90), (33, 500), (1000, 999)]
    await assert_same(built, package, public_models.path(PORN), [scenery(n, width=w, height=h) for n, (w, h) in enumerate(sizes)])


@pytest.mark.models
@pytest.mark.parametrize("seed", range(4))
def test_decoding_is_that_of_the_package_on_any_output(package: ModuleType, host: Host, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = np.vstack([rng.uniform(-20, 340, (2, 400)), rng.uniform(1, 150, (2, 400)), rng.uniform(0, 1, (18, 400)) ** 9])
    rows = rows.astype(np.float32)
    theirs = package._postprocess([rows[None]], 0, 560, 1.0, 1280 / 720, 1280, 720, 320, 320)
    with fake_lane() as lane:
        detector = PornDetector(lane, Manifest.load(MANIFEST), host=host)
        ours = detector.regions(PornOutputs(rows=rows), frame(np.zeros((720, 1280, 3), np.uint8)))
    assert [region.part.name for region in ours] == [seen["class"] for seen in theirs]
    assert len(ours) > 20
    boxes = [(region.box.x * 1280, region.box.y * 720, region.box.w * 1280, region.box.h * 720) for region in ours]
    assert np.abs(np.array(boxes) - [seen["box"] for seen in theirs]).max() <= 1.0 + 1e-3


def anchor(part: int, score: float, *, cx: float = 160.0, cy: float = 90.0) -> np.ndarray:
    column = np.zeros(22, np.float32)
    column[:4] = cx, cy, 40.0, 20.0
    column[4 + part] = score
    return column


def seen_in(host: Host, *columns: np.ndarray) -> tuple[PornDetector, PornOutputs]:
    with fake_lane() as lane:
        return PornDetector(lane, Manifest.load(MANIFEST), host=host), PornOutputs(rows=np.stack(columns, axis=1))


SAMPLE = frame(np.zeros((720, 1280, 3), np.uint8), pts_s=4.0)


def test_only_exposed_classes_are_findings_and_all_regions_can_be_had(host: Host) -> None:
    detector, outputs = seen_in(host, anchor(FACE, 0.9), anchor(BREAST, 0.6, cx=50), anchor(GENITALIA, 0.5, cx=250))
    assert [region.part.name for region in detector.regions(outputs, SAMPLE)] == [
        "FACE_FEMALE",
        "FEMALE_BREAST_EXPOSED",
        "FEMALE_GENITALIA_EXPOSED",
    ]
    assert [finding.label for finding in detector.findings(outputs, SAMPLE)] == ["porn.nudity", "porn.explicit"]


def test_one_finding_per_label_with_all_its_boxes_and_the_best_calibrated_score(host: Host) -> None:
    detector, outputs = seen_in(host, anchor(BREAST, 0.4, cx=50), anchor(BREAST, 0.5, cx=250), anchor(2, 0.45, cy=150))
    (finding,) = detector.findings(outputs, SAMPLE)
    assert finding.score == pytest.approx(0.7)
    assert [box.name for box in finding.boxes] == ["FEMALE_BREAST_EXPOSED", "BUTTOCKS_EXPOSED", "FEMALE_BREAST_EXPOSED"]
    assert finding.pts_s == 4.0
    assert finding.model is not None


def test_a_box_is_where_it_is_on_the_frame(host: Host) -> None:
    detector, outputs = seen_in(host, anchor(BREAST, 0.9, cx=160, cy=90))
    (finding,) = detector.findings(outputs, SAMPLE)
    (box,) = finding.boxes
    assert (box.x, box.y, box.w, box.h) == pytest.approx((140 / 320, 80 / 180, 40 / 320, 20 / 180), abs=1e-6)


def test_below_the_floor_nothing_is_reported(host: Host) -> None:
    detector, outputs = seen_in(host, anchor(BREAST, 0.2501, cx=50), anchor(GENITALIA, 0.19))
    assert [finding.label for finding in detector.findings(outputs, SAMPLE)] == ["porn.nudity"]
    detector, outputs = seen_in(host, anchor(BREAST, 0.24))
    assert detector.findings(outputs, SAMPLE) == ()


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (640, 640), (321, 100), (7, 3), (1919, 1079)])
def test_letterbox_is_pad_then_resize_whichever_way_is_taken(size: tuple[int, int]) -> None:
    pixels = scenery(1, width=size[0], height=size[1])
    side = max(size)
    padded = cv2.copyMakeBorder(pixels, 0, side - size[1], 0, side - size[0], cv2.BORDER_CONSTANT)
    assert np.array_equal(letterbox(pixels, 320), cv2.resize(padded, (320, 320), interpolation=cv2.INTER_LINEAR))
